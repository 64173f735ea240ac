//! The stop: what does not end when it is asked, and what the budget is for.

use std::time::Duration;

use mainstay_runtime::Signal;

use crate::place::Place;

crate::tests! {
    a_task_that_ignores_its_stop_is_aborted_and_named in MULTI CURRENT MULTI_ON CURRENT_ON MULTI_START;
    a_task_that_blocks_its_thread_cannot_hold_the_exit in MULTI CURRENT CURRENT_ON MULTI_ON;
    a_task_that_its_hook_stops_is_not_forced in MULTI CURRENT MULTI_ON;
    a_child_that_ignores_its_stop_is_aborted in MULTI CURRENT;
    a_destructor_that_panics_in_an_aborted_task_is_named in MULTI CURRENT;
    blocked_workers_cost_nobody_its_shutdown in MULTI MULTI_ON MULTI_START;
    a_blocked_thread_of_a_current_thread_runtime_costs_nobody_its_shutdown in CURRENT CURRENT_ON;
    blocked_workers_and_a_hook_that_hangs_end_with_the_budget in MULTI_BLOCKED_LATER CURRENT_BLOCKED_LATER;
    a_hook_is_cut_by_the_budget in MULTI CURRENT MULTI_START;
    a_task_is_cut_by_the_budget_and_hooks_keep_theirs in MULTI CURRENT;
    a_short_budget_that_nobody_needs_is_no_124 in MULTI CURRENT MULTI_START;
    a_short_budget_leaves_tasks_their_part in MULTI CURRENT;
    a_failed_task_stops_the_others_in_reverse in MULTI CURRENT MULTI_START;
}

fn a_task_that_ignores_its_stop_is_aborted_and_named(place: Place) {
    let mut daemon = place.start("", &["db", "web requires=db run=later-hang stop-ms=100"]);
    daemon.wait_for("event: ready");
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(0)
        .within(Duration::from_secs(2), at)
        .says(&["forced      runnable of 'web'", "its own deadline"])
        .prints(&["shutdown web", "shutdown db", "drop web", "drop db"])
        .without(&["blocks a thread", "held"]);
}

fn a_task_that_blocks_its_thread_cannot_hold_the_exit(place: Place) {
    let mut daemon = place.start("", &["db", "web requires=db run=later-block stop-ms=100"]);
    daemon.wait_for("event: ready");
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(0)
        .within(Duration::from_secs(3), at)
        .says(&["forced      runnable of 'web'", "blocks a thread since"])
        .prints(&["shutdown web", "shutdown db"]);
}

fn a_task_that_its_hook_stops_is_not_forced(place: Place) {
    let mut daemon = place.start("", &["db", "web requires=db run=until-hook stop-ms=100"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Terminate);
    daemon.end().exits(0).says_nothing().prints(&["shutdown web", "end web", "shutdown db"]);
}

fn a_child_that_ignores_its_stop_is_aborted(place: Place) {
    let mut daemon = place.start("", &["db", "web requires=db run=child-hang stop-ms=100"]);
    daemon.wait_for("event: ready");
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(0)
        .within(Duration::from_secs(2), at)
        .says(&["forced      runnable of 'web'"])
        .prints(&["end web", "shutdown db", "drop db"]);
}

fn a_destructor_that_panics_in_an_aborted_task_is_named(place: Place) {
    for act in ["hang-bomb", "later-hang-bomb", "child-hang-bomb"] {
        let web = format!("web requires=db run={act} stop-ms=100");
        let mut daemon = place.start("", &["db", &web]);
        daemon.wait_for("event: ready");
        daemon.signal(Signal::Terminate);
        daemon
            .end()
            .exits(1)
            .says(&["forced      runnable of 'web'", "the bomb of a dropped future (in a destructor"])
            .prints(&["shutdown web", "shutdown db"]);
    }
}

/// Rule 2. Shown to fail without the rescue: see the twin below it, where the supervisor has no thread of its
/// own.
fn blocked_workers_cost_nobody_its_shutdown(place: Place) {
    let providers = [
        "dns",
        "db requires=dns",
        "a requires=db run=later-block stop-ms=100",
        "b requires=db run=later-block stop-ms=100",
    ];
    let mut daemon = place.start("", &providers);
    daemon.wait_for("event: ready");
    let at = daemon.signal(Signal::Terminate);
    let daemon = daemon.end().within(Duration::from_secs(3), at);
    daemon
        .exits(0)
        .says(&["forced      runnable of 'a'", "forced      runnable of 'b'", "hooks 4/4"])
        .prints(&["shutdown b", "shutdown db", "shutdown dns"])
        .prints(&["shutdown a", "shutdown db", "shutdown dns"]);
}

fn a_blocked_thread_of_a_current_thread_runtime_costs_nobody_its_shutdown(place: Place) {
    let providers = ["dns", "db requires=dns", "web requires=db run=later-block stop-ms=100"];
    let mut daemon = place.start("", &providers);
    daemon.wait_for("event: ready");
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(0)
        .within(Duration::from_secs(3), at)
        .says(&["forced      runnable of 'web'", "blocks a thread since", "hooks 3/3"])
        .prints(&["shutdown web", "shutdown db", "shutdown dns"]);
}

fn blocked_workers_and_a_hook_that_hangs_end_with_the_budget(place: Place) {
    let providers = ["dns", "db requires=dns shutdown=hang", "web requires=db run=wait"];
    let mut daemon = place.start("stop-budget=600 stop-reserve=400", &providers);
    daemon.wait_for("event: ready");
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(124)
        .within(Duration::from_millis(2500), at)
        .says(&[
            "forced      runnable of 'web'",
            "forced      shutdown of 'db'",
            "the budget was used up",
            "exit 124",
        ])
        .prints(&["shutdown web", "shutdown db", "shutdown dns"]);
}

fn a_hook_is_cut_by_the_budget(place: Place) {
    let providers = ["dns shutdown=other", "db requires=dns shutdown=hang", "web requires=db run=wait"];
    let mut daemon = place.start("stop-budget=300 stop-reserve=200", &providers);
    daemon.wait_for("event: ready");
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(124)
        .within(Duration::from_millis(1500), at)
        .says(&[
            "forced      shutdown of 'db'",
            "the budget was used up",
            "'dns' failed during shutdown: boom",
            "exit 124",
        ])
        .prints(&["end web", "shutdown web", "shutdown db", "shutdown dns"]);
}

fn a_task_is_cut_by_the_budget_and_hooks_keep_theirs(place: Place) {
    let providers = ["dns", "db requires=dns", "web requires=db run=later-hang"];
    let mut daemon = place.start("stop-budget=400 stop-reserve=200", &providers);
    daemon.wait_for("event: ready");
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(124)
        .within(Duration::from_millis(1500), at)
        .says(&["forced      runnable of 'web'", "the budget was used up", "hooks 3/3", "exit 124"])
        .prints(&["shutdown web", "shutdown db", "shutdown dns"]);
}

fn a_short_budget_that_nobody_needs_is_no_124(place: Place) {
    for budget in ["stop-budget=2000", "stop-budget=2000 stop-reserve=2000"] {
        let mut daemon = place.start(budget, &["dns", "db requires=dns", "web requires=db run=wait"]);
        daemon.wait_for("event: ready");
        daemon.signal(Signal::Terminate);
        daemon.end().exits(0).says_nothing().prints(&["end web", "shutdown dns"]);
    }
}

/// A budget without a word about the reserve: tasks are waited for all the same.
fn a_short_budget_leaves_tasks_their_part(place: Place) {
    let mut daemon = place.start("stop-budget=4000", &["db", "web requires=db run=later-hang stop-ms=200"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Terminate);
    daemon.end().exits(0).says(&["forced      runnable of 'web'", "its own deadline"]);
}

fn a_failed_task_stops_the_others_in_reverse(place: Place) {
    let providers = ["a run=wait", "b requires=a run=wait", "c requires=b run=later-other"];
    place
        .run("", &providers)
        .exits(1)
        .says(&["runnable 'c' failed: boom", "stopped by failure", "hooks 3/3"])
        .prints(&["shutdown c", "end b", "shutdown b", "end a", "shutdown a", "drop c", "drop b", "drop a"]);
}
