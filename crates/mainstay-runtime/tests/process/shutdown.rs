//! A shutdown hook, or a destructor, that fails, panics, hangs or blocks: the others are called all the same.

use std::time::Duration;

use mainstay_runtime::Signal;

use crate::place::Place;

crate::tests! {
    a_shutdown_that_fails_is_listed_and_changes_no_exit_code
        in MULTI CURRENT MULTI_START MULTI_BLOCKED_LATER CURRENT_BLOCKED_LATER;
    a_panic_in_shutdown_exits_with_1 in MULTI CURRENT MULTI_BLOCKED_LATER CURRENT_BLOCKED_LATER;
    the_place_of_a_panic_survives_a_later_hook_that_calls_the_one_before_it in MULTI_START;
    a_shutdown_that_hangs_ends_at_its_deadline in MULTI CURRENT MULTI_BLOCKED_LATER CURRENT_BLOCKED_LATER;
    a_shutdown_that_blocks_its_thread_is_named
        in MULTI CURRENT CURRENT_ON MULTI_BLOCKED_LATER CURRENT_BLOCKED_LATER;
    a_destructor_that_panics_in_a_cancelled_shutdown_is_named in MULTI CURRENT MULTI_BLOCKED_LATER;
    a_provider_whose_drop_panics_exits_with_1
        in MULTI CURRENT MULTI_ON MULTI_BLOCKED_LATER CURRENT_BLOCKED_LATER;
    a_provider_whose_drop_blocks_is_named in MULTI CURRENT CURRENT_ON MULTI_BLOCKED_LATER;
}

fn ended(place: Place, providers: &[&str]) -> mainstay_test::Ended {
    let mut daemon = place.start("", providers);
    daemon.wait_for("event: ready");
    let at = daemon.signal(Signal::Terminate);
    daemon.end().within(Duration::from_secs(5), at)
}

fn a_shutdown_that_fails_is_listed_and_changes_no_exit_code(place: Place) {
    for act in ["other", "boot", "validate", "run", "reload", "recoverable", "later-other"] {
        let db = format!("db requires=dns shutdown={act}");
        ended(place, &["dns", &db, "web requires=db run=wait stop-ms=100"])
            .exits(0)
            .says(&[
                "error[MS0214]: provider 'db' failed during shutdown: boom",
                "stopped by SIGTERM",
                "hooks 2/3",
            ])
            .prints(&["shutdown web", "shutdown db", "shutdown dns"]);
    }
}

fn a_panic_in_shutdown_exits_with_1(place: Place) {
    for act in ["panic", "later-panic"] {
        let db = format!("db requires=dns shutdown={act}");
        ended(place, &["dns", &db, "web requires=db run=wait stop-ms=100"])
            .exits(1)
            .says(&["error[MS0215]: provider 'db' panicked during shutdown: boom", "stopped by SIGTERM"])
            // Also on a rescue thread.
            .says(&[
                "\n  at          crates/mainstay-runtime/tests/process/probe.rs:",
                "last events",
                "stopped 'dns'",
            ])
            .prints(&["shutdown db", "shutdown dns"]);
    }
}

/// A hook of the program's own that is installed later and calls nobody else's takes the place away, and nothing more.
fn the_place_of_a_panic_survives_a_later_hook_that_calls_the_one_before_it(place: Place) {
    let run = |hook: &str| {
        let mut daemon = place.start(&format!("hook={hook}"), &["db shutdown=panic", "web run=wait"]);
        daemon.wait_for("started");
        daemon.signal(Signal::Terminate);
        daemon.end().exits(1).says(&["error[MS0215]: provider 'db' panicked during shutdown: boom"])
    };
    run("none")
        .says(&["\n  at          crates/mainstay-runtime/tests/process/probe.rs:"])
        .without(&["own hook"]);
    run("chained")
        .says(&["\n  at          crates/mainstay-runtime/tests/process/probe.rs:"])
        .prints(&["own hook"]);
    let ended = run("own").prints(&["own hook"]);
    assert!(!ended.err.contains("\n  at "), "{}", ended.err);
}

fn a_shutdown_that_hangs_ends_at_its_deadline(place: Place) {
    ended(place, &["dns", "db requires=dns shutdown=hang shutdown-ms=100", "web run=wait stop-ms=100"])
        .exits(0)
        .says(&["error[MS0216]: provider 'db' did not end its shutdown within 100 ms", "stopped by SIGTERM"])
        .prints(&["shutdown db", "shutdown dns"])
        .without(&["blocks a thread"]);
}

fn a_shutdown_that_blocks_its_thread_is_named(place: Place) {
    ended(place, &["dns", "db requires=dns shutdown=block shutdown-ms=100", "web run=wait stop-ms=100"])
        .exits(0)
        .says(&["'db' did not end its shutdown within 100 ms", "blocks a thread since"])
        .prints(&["shutdown db", "shutdown dns"]);
}

fn a_destructor_that_panics_in_a_cancelled_shutdown_is_named(place: Place) {
    ended(place, &["dns", "db requires=dns shutdown=hang-bomb shutdown-ms=100", "web run=wait stop-ms=100"])
        .exits(1)
        .says(&[
            "'db' did not end its shutdown within 100 ms",
            "the bomb of a dropped future (in a destructor",
        ])
        .prints(&["shutdown db", "shutdown dns"]);
}

fn a_provider_whose_drop_panics_exits_with_1(place: Place) {
    ended(place, &["dns", "db requires=dns drop=panic", "web requires=db run=wait stop-ms=100"])
        .exits(1)
        .says(&["'db' panicked", "boom (in a destructor)"])
        .prints(&["drop web", "drop db", "drop dns"]);
}

fn a_provider_whose_drop_blocks_is_named(place: Place) {
    let mut daemon = place.start(
        "stop-budget=600 stop-reserve=300",
        &["dns", "db requires=dns drop=block", "web requires=db run=wait stop-ms=100"],
    );
    daemon.wait_for("event: ready");
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(0)
        .within(Duration::from_secs(3), at)
        .says(&["forced      drop of 'db'", "blocks a thread since"])
        .prints(&["drop web", "drop db"]);
}
