//! A boot that fails, panics, hangs or blocks: rolled back in reverse order, with the exit code of its cause.

use std::time::Duration;

use mainstay_runtime::Signal;

use crate::place::Place;

crate::tests! {
    the_variant_of_a_boot_error_decides_the_exit_code in MULTI CURRENT MULTI_ON MULTI_START;
    a_failed_boot_rolls_back_in_reverse
        in MULTI CURRENT MULTI_ON CURRENT_ON MULTI_START MULTI_BLOCKED CURRENT_BLOCKED;
    a_panic_in_boot_exits_with_1 in MULTI CURRENT MULTI_BLOCKED CURRENT_BLOCKED;
    a_boot_that_hangs_ends_at_its_deadline in MULTI CURRENT MULTI_BLOCKED CURRENT_BLOCKED;
    a_boot_that_blocks_its_thread_is_named_and_rolled_back
        in MULTI CURRENT CURRENT_ON MULTI_BLOCKED CURRENT_BLOCKED;
    blocked_boots_on_every_worker_cost_nobody_its_rollback in MULTI MULTI_ON;
    the_boot_as_a_whole_has_a_budget in MULTI CURRENT MULTI_BLOCKED CURRENT_BLOCKED;
    a_destructor_that_panics_in_a_cancelled_boot_is_named in MULTI CURRENT MULTI_BLOCKED CURRENT_BLOCKED;
    a_destructor_that_panics_in_an_overdue_boot_is_named in MULTI CURRENT MULTI_BLOCKED CURRENT_BLOCKED;
    a_rollback_has_its_own_budget in MULTI CURRENT MULTI_BLOCKED CURRENT_BLOCKED;
    what_was_never_booted_is_named_with_the_reason in MULTI;
}

fn the_variant_of_a_boot_error_decides_the_exit_code(place: Place) {
    for (variant, code) in
        [("boot", 75), ("other", 75), ("validate", 78), ("run", 1), ("reload", 1), ("recoverable", 1)]
    {
        for act in [variant.to_owned(), format!("later-{variant}")] {
            place.run("", &["dns", &format!("db requires=dns boot={act}")]).exits(code).says(&[
                "error[MS0201]: provider 'db' failed during boot: boom",
                "probe.rs:",
                "rolled back db, dns",
            ]);
        }
    }
}

fn a_failed_boot_rolls_back_in_reverse(place: Place) {
    let providers = ["a", "b requires=a", "c requires=b boot=other", "d requires=c run=wait"];
    place
        .run("", &providers)
        .exits(75)
        .says(&[
            "'c' failed during boot: boom",
            "not booted  'd' because 'c' failed",
            "rolled back c, b, a in",
        ])
        .prints(&[
            "boot a",
            "boot b",
            "boot c",
            "shutdown c",
            "shutdown b",
            "shutdown a",
            "drop d",
            "drop c",
            "drop b",
            "drop a",
        ])
        .without(&["boot d", "shutdown d", "validate", "start d"]);
}

fn a_panic_in_boot_exits_with_1(place: Place) {
    for act in ["panic", "later-panic"] {
        place
            .run("", &["dns", &format!("db requires=dns boot={act}")])
            .exits(1)
            .says(&["error[MS0202]: provider 'db' panicked during boot: boom", "rolled back db, dns"])
            .prints(&["shutdown db", "shutdown dns"]);
    }
}

/// Shown to fail without the deadline: with the default of 30 s the driver's patience of 10 s ends the test.
fn a_boot_that_hangs_ends_at_its_deadline(place: Place) {
    for act in ["hang", "later-hang"] {
        place
            .run("", &["dns", &format!("db requires=dns boot={act} boot-ms=100")])
            .exits(75)
            .says(&["error[MS0203]: provider 'db' did not end its boot within 100 ms", "rolled back db, dns"])
            .prints(&["boot db", "shutdown db", "shutdown dns"])
            .without(&["blocks a thread", "forced"]);
    }
}

fn a_boot_that_blocks_its_thread_is_named_and_rolled_back(place: Place) {
    for act in ["block", "later-block"] {
        place
            .run("", &["dns", &format!("db requires=dns boot={act} boot-ms=100")])
            .exits(75)
            .says(&[
                "'db' did not end its boot within 100 ms",
                "blocks a thread since",
                "forced      boot of 'db'",
            ])
            .prints(&["boot db", "shutdown db", "shutdown dns"]);
    }
}

fn blocked_boots_on_every_worker_cost_nobody_its_rollback(place: Place) {
    let providers = [
        "dns",
        "a requires=dns boot=block boot-ms=150",
        "b requires=dns boot=block boot-ms=150",
        "c requires=dns",
    ];
    place
        .run("", &providers)
        .exits(75)
        .says(&["'a' did not end its boot", "'b' did not end its boot", "blocks a thread since"])
        .prints(&["shutdown dns"])
        .prints(&["shutdown a"])
        .prints(&["shutdown b"])
        .prints(&["shutdown c"]);
}

fn the_boot_as_a_whole_has_a_budget(place: Place) {
    place
        .run("boot-budget=300", &["dns", "db requires=dns boot=hang", "kv requires=dns boot=hang"])
        .exits(75)
        .says(&[
            "error[MS0204]",
            "'db' was still in boot when the budget of 300 ms was used up",
            "'kv' was still",
        ])
        .prints(&["shutdown dns"]);
}

fn a_destructor_that_panics_in_a_cancelled_boot_is_named(place: Place) {
    let mut daemon = place.start("", &["db boot=hang-bomb"]);
    daemon.wait_for("boot db");
    daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(1)
        .says(&["provider 'db' panicked during boot: the bomb of a dropped future (in a destructor"])
        .prints(&["shutdown db"]);
}

fn a_destructor_that_panics_in_an_overdue_boot_is_named(place: Place) {
    place
        .run("", &["db boot=hang-bomb boot-ms=100"])
        .exits(75)
        .says(&["'db' did not end its boot within 100 ms", "the bomb of a dropped future (in a destructor"]);
}

/// Shown to fail without the budget: 5 s of the shutdown deadline are more than the two that are given.
fn a_rollback_has_its_own_budget(place: Place) {
    let mut daemon = place.start("rollback-budget=600", &["dns", "db requires=dns boot=boot shutdown=hang"]);
    daemon.wait_for("shutdown db");
    let at = daemon.signal(Signal::Hangup);
    daemon
        .end()
        .exits(124)
        .within(Duration::from_secs(2), at)
        .says(&["'db' failed during boot: boom", "forced      shutdown of 'db'", "the budget was used up"])
        .prints(&["shutdown dns"]);
}

fn what_was_never_booted_is_named_with_the_reason(place: Place) {
    let providers = ["db boot=other", "api requires=db", "web requires=api", "x requires=y", "y boot=hang"];
    place.run("", &providers).exits(75).says(&[
        "not booted  'api' because 'db' failed",
        "not booted  'web' because 'db' failed",
        "not booted  'x'\n",
    ]);
}
