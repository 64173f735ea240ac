//! Signals at every moment: a first one stops, a second one forces, and none kills.

use std::time::Duration;

use mainstay_runtime::Signal;

use crate::place::Place;

crate::tests! {
    a_stop_signal_stops_it_with_0 in MULTI CURRENT MULTI_ON CURRENT_ON MULTI_START;
    a_stop_signal_stops_it_with_blocked_workers in MULTI_BLOCKED_LATER CURRENT_BLOCKED_LATER;
    a_second_signal_forces_the_exit
        in MULTI CURRENT MULTI_ON CURRENT_ON MULTI_START MULTI_BLOCKED_LATER CURRENT_BLOCKED_LATER;
    two_signals_at_once_force_the_exit in MULTI CURRENT;
    a_forced_exit_calls_the_hooks_that_were_not_called in MULTI CURRENT MULTI_BLOCKED_LATER;
    a_signal_during_boot_rolls_back_and_exits_with_0
        in MULTI CURRENT MULTI_ON CURRENT_ON MULTI_START MULTI_BLOCKED CURRENT_BLOCKED;
    a_second_signal_during_the_rollback_forces
        in MULTI CURRENT MULTI_ON MULTI_START MULTI_BLOCKED CURRENT_BLOCKED;
    a_signal_during_a_rollback_with_another_cause_changes_nothing in MULTI CURRENT;
    hup_and_usr1_are_refused_during_boot_and_kill_nobody in MULTI CURRENT MULTI_BLOCKED CURRENT_BLOCKED;
    hup_and_usr1_are_refused_during_the_stop in MULTI CURRENT MULTI_BLOCKED_LATER;
    usr1_reopens_and_reloads_nothing in MULTI CURRENT;
    a_signal_during_a_validation_that_blocks_rolls_back_and_exits_with_0
        in MULTI CURRENT CURRENT_ON MULTI_BLOCKED CURRENT_BLOCKED;
    a_second_signal_during_a_validation_that_blocks_forces in MULTI CURRENT MULTI_BLOCKED;
    a_second_signal_while_planning_hangs_forces in MULTI CURRENT MULTI_ON;
    a_signal_before_everything_is_ready_stops_in_good_order in MULTI CURRENT MULTI_START;
    a_second_signal_ends_a_lame_duck in MULTI CURRENT MULTI_BLOCKED_LATER;
    a_lame_duck_serves_on_for_its_time in MULTI CURRENT;
}

const STOPS: [(Signal, i32, &str); 3] =
    [(Signal::Terminate, 143, "SIGTERM"), (Signal::Interrupt, 130, "SIGINT"), (Signal::Quit, 131, "SIGQUIT")];

fn a_stop_signal_stops_it_with_0(place: Place) {
    for (signal, _, name) in STOPS {
        let mut daemon = place.start("", &["db", "web requires=db run=wait"]);
        daemon.wait_for("event: ready");
        daemon.signal(signal);
        daemon
            .end()
            .exits(0)
            .says_nothing()
            .prints(&["shutdown web", "shutdown db", "drop web", "drop db"])
            .prints(&[&format!("event: stopping: {name}"), "event: finished 0"])
            .prints(&["end web"]);
    }
}

fn a_stop_signal_stops_it_with_blocked_workers(place: Place) {
    for (signal, _, name) in STOPS {
        let mut daemon = place.start("", &["db", "web requires=db run=wait stop-ms=100"]);
        daemon.wait_for("event: ready");
        let at = daemon.signal(signal);
        daemon
            .end()
            .exits(0)
            .within(Duration::from_secs(3), at)
            .says(&["forced      runnable of 'web'", &format!("stopped by {name}"), "hooks 2/2", "exit 0"])
            .prints(&["shutdown web", "shutdown db"]);
    }
}

/// Nothing is waited for any more: the deadlines that would end it otherwise are 5 s long.
fn a_second_signal_forces_the_exit(place: Place) {
    for (first, (second, code, name)) in
        [(Signal::Terminate, STOPS[1]), (Signal::Interrupt, STOPS[0]), (Signal::Quit, STOPS[2])]
    {
        let mut daemon = place.start("", &["db", "web requires=db run=later-hang"]);
        daemon.wait_for("event: ready");
        daemon.signal(first);
        daemon.wait_for("event: stopping");
        let at = daemon.signal(second);
        daemon.end().exits(code).within(Duration::from_secs(1), at).says(&[
            "forced      runnable of 'web'",
            &format!("forced by {name}"),
            &format!("exit {code}"),
        ]);
    }
}

fn two_signals_at_once_force_the_exit(place: Place) {
    let mut daemon = place.start("", &["db", "web requires=db run=later-hang"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Terminate);
    let at = daemon.signal(Signal::Interrupt);
    let ended = daemon.end().within(Duration::from_secs(1), at);
    assert!(matches!(ended.code, Some(130 | 143)), "{ended:?}");
}

fn a_forced_exit_calls_the_hooks_that_were_not_called(place: Place) {
    let mut daemon =
        place.start("", &["dns", "db requires=dns shutdown=hang", "web requires=db run=wait stop-ms=100"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Terminate);
    daemon.wait_for("shutdown db");
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(143)
        .within(Duration::from_secs(1), at)
        .says(&["forced by SIGTERM", "forced      shutdown of 'db'"])
        .prints(&["shutdown web", "shutdown db", "shutdown dns"]);
}

fn a_signal_during_boot_rolls_back_and_exits_with_0(place: Place) {
    for (signal, _, name) in STOPS {
        let mut daemon =
            place.start("", &["a", "b requires=a", "c requires=b boot=hang", "d requires=c run=wait"]);
        daemon.wait_for("boot c");
        daemon.signal(signal);
        daemon
            .end()
            .exits(0)
            .says(&["rolled back c, b, a in", &format!("rolled back by {name}"), "not booted  'd'", "exit 0"])
            .prints(&["shutdown c", "shutdown b", "shutdown a", "drop d", "drop c", "drop b", "drop a"])
            .without(&["boot d", "shutdown d", "start d", "validate", "error["]);
    }
}

fn a_second_signal_during_the_rollback_forces(place: Place) {
    let mut daemon = place.start("", &["a", "b requires=a shutdown=hang", "c requires=b boot=hang"]);
    daemon.wait_for("boot c");
    daemon.signal(Signal::Terminate);
    daemon.wait_for("shutdown b");
    let at = daemon.signal(Signal::Interrupt);
    daemon
        .end()
        .exits(130)
        .within(Duration::from_secs(1), at)
        .says(&["rolled back by SIGTERM", "forced by SIGINT", "exit 130"])
        .prints(&["shutdown c", "shutdown b", "shutdown a"]);
}

/// It counts as the first; the one after it forces.
fn a_signal_during_a_rollback_with_another_cause_changes_nothing(place: Place) {
    let providers = ["a", "b requires=a shutdown=hang shutdown-ms=500", "c requires=b boot=boot"];
    let mut daemon = place.start("", &providers);
    daemon.wait_for("shutdown b");
    daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(75)
        .says(&["'c' failed during boot: boom", "exit 75"])
        .prints(&["shutdown b", "shutdown a"]);

    let mut daemon = place.start("", &["a", "b requires=a shutdown=hang", "c requires=b boot=boot"]);
    daemon.wait_for("shutdown b");
    daemon.signal(Signal::Terminate);
    // A second one of a kind that is pending is lost, and those of different kinds have no order. Of what is there a
    // stop signal is taken first: it is, when a SIGHUP is that was sent after another one was taken.
    for _ in 0..2 {
        daemon.signal(Signal::Hangup);
        daemon.wait_for("event: SIGHUP refused");
    }
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(143)
        .within(Duration::from_secs(1), at)
        .says(&["'c' failed during boot: boom", "forced by SIGTERM"]);
}

fn hup_and_usr1_are_refused_during_boot_and_kill_nobody(place: Place) {
    let mut daemon = place.start("", &["a reload=ok", "b requires=a boot=hang"]);
    daemon.wait_for("boot b");
    daemon.signal(Signal::Hangup);
    daemon.wait_for("event: SIGHUP refused in boot");
    daemon.signal(Signal::User1);
    daemon.wait_for("event: SIGUSR1 refused in boot");
    daemon.signal(Signal::Terminate);
    daemon.end().exits(0).prints(&["shutdown b", "shutdown a"]).without(&["reload a"]);
}

fn hup_and_usr1_are_refused_during_the_stop(place: Place) {
    let mut daemon = place
        .start("", &["a reload=ok shutdown=hang shutdown-ms=1000", "web requires=a run=wait stop-ms=100"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Terminate);
    daemon.wait_for("shutdown a");
    daemon.signal(Signal::Hangup);
    daemon.wait_for("event: SIGHUP refused in stop");
    daemon.signal(Signal::User1);
    daemon.wait_for("event: SIGUSR1 refused in stop");
    daemon.end().exits(0).without(&["reload a"]);
}

fn usr1_reopens_and_reloads_nothing(place: Place) {
    let mut daemon = place.start("", &["log reload=ok run=reopen"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::User1);
    daemon.wait_for("reopened");
    daemon.signal(Signal::User1);
    daemon.wait_for("reopened");
    daemon.signal(Signal::Terminate);
    daemon.end().exits(0).says_nothing().without(&["reload log"]);
}

/// It blocks its thread, and is left behind after a grace; without it 5 s of its deadline would be waited
/// for.
fn a_signal_during_a_validation_that_blocks_rolls_back_and_exits_with_0(place: Place) {
    for when in ["before", "after"] {
        let db = format!("db validate-when={when} validate=block");
        let mut daemon = place.start("", &[&db, "web requires=db validate-when=after run=wait"]);
        daemon.wait_for("validate db");
        let at = daemon.signal(Signal::Terminate);
        let ended =
            daemon.end().exits(0).within(Duration::from_secs(3), at).without(&["start web", "validate web"]);
        let ended = ended.says(&["forced      validate of 'db'", "blocks a thread since", "exit 0"]);
        if when == "after" {
            ended.prints(&["shutdown web", "shutdown db"]);
        } else {
            ended.without(&["boot db", "shutdown"]);
        }
    }
}

fn a_second_signal_during_a_validation_that_blocks_forces(place: Place) {
    let mut daemon = place.start("", &["db validate=block"]);
    daemon.wait_for("validate db");
    daemon.signal(Signal::Terminate);
    daemon.wait_for("event: stopping");
    let at = daemon.signal(Signal::Terminate);
    daemon.end().exits(143).within(Duration::from_secs(1), at).prints(&["boot db", "shutdown db"]);
}

fn a_second_signal_while_planning_hangs_forces(place: Place) {
    let mut daemon = place.start("", &["db", "api dependencies=block"]);
    daemon.wait_for("plan api");
    let at = daemon.signal(Signal::Terminate);
    daemon.signal(Signal::Terminate);
    let ended = daemon.end().within(Duration::from_secs(3), at).without(&["boot db"]);
    assert!(matches!(ended.code, Some(0 | 143)), "{ended:?}");
}

fn a_signal_before_everything_is_ready_stops_in_good_order(place: Place) {
    let providers = ["db", "web requires=db run=wait ready=signalled", "api requires=web run=wait"];
    let mut daemon = place.start("", &providers);
    daemon.wait_for("run web");
    daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(0)
        .says_nothing()
        .prints(&["end web", "shutdown web", "shutdown db"])
        .prints(&["shutdown api", "shutdown web"])
        .without(&["start api", "event: ready"]);
}

/// Nineteen seconds of serving on are not waited for.
fn a_second_signal_ends_a_lame_duck(place: Place) {
    let mut daemon = place.start("lame-duck=19000", &["db", "web requires=db run=wait"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Terminate);
    daemon.wait_for("event: lame duck");
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(143)
        .within(Duration::from_secs(1), at)
        .prints(&["shutdown web"])
        .prints(&["shutdown db"]);
}

fn a_lame_duck_serves_on_for_its_time(place: Place) {
    let mut daemon = place.start("lame-duck=100", &["db", "web requires=db run=wait"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Terminate);
    daemon.wait_for("event: lame duck");
    daemon.end().exits(0).says_nothing().prints(&["end web", "shutdown web", "shutdown db"]);
}
