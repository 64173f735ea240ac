//! What a provider does while it is planned: nothing was started yet, and nothing will be.

use std::time::Duration;

use mainstay_runtime::Signal;

use crate::place::Place;

crate::tests! {
    a_provider_that_panics_while_it_is_planned_is_named
        in MULTI CURRENT MULTI_ON MULTI_BLOCKED CURRENT_BLOCKED;
    a_provider_that_hangs_while_it_is_planned_ends_the_start in MULTI CURRENT_ON;
    a_signal_ends_a_plan_that_hangs in MULTI CURRENT_ON;
    two_providers_of_one_name_are_refused in MULTI CURRENT;
}

fn a_provider_that_panics_while_it_is_planned_is_named(place: Place) {
    for key in ["name", "dependencies"] {
        place
            .run("", &["db run=wait", &format!("api {key}=panic")])
            .exits(78)
            .says(&["MS0108", "boom", "Probe<1>", "probe.rs:", "nothing was started"])
            .without(&["boot db"]);
    }
}

/// Five seconds: what planning may take is a constant, because it only answers questions.
fn a_provider_that_hangs_while_it_is_planned_ends_the_start(place: Place) {
    place
        .run("", &["db run=wait", "api dependencies=block"])
        .exits(78)
        .says(&["error[MS0220]", "within 5 s"])
        .without(&["boot db"]);
}

fn a_signal_ends_a_plan_that_hangs(place: Place) {
    let mut daemon = place.start("stuck=100", &["db run=wait", "api dependencies=block"]);
    daemon.wait_for("plan api");
    let at = daemon.signal(Signal::Terminate);
    daemon.end().exits(0).within(Duration::from_secs(2), at).without(&["boot db"]);
}

fn two_providers_of_one_name_are_refused(place: Place) {
    place
        .run("", &["db", "db"])
        .exits(78)
        .says(&["error[MS0219]", "'db'", "nothing was started"])
        .without(&["boot db"]);
}
