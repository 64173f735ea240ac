//! The doors: how a program that is blocked, gone or silent ends all the same.

use std::time::Duration;

use mainstay_runtime::Signal;

use crate::place::Place;

crate::tests! {
    an_outcome_that_exits_is_not_held_by_a_blocking_thread in OWN;
    an_outcome_that_returns_is_held_by_a_blocking_thread_until_the_next_signal in OWN;
    a_signal_after_the_outcome_ends_a_main_that_is_stuck in OWN;
    a_signal_after_an_outcome_that_nobody_took_ends_the_process in OWN;
    it_exits_by_itself_when_stuck_if_it_was_told_to in OWN;
    dropping_the_run_future_stops_in_good_order in OWN;
    a_runtime_that_is_gone_costs_nobody_its_shutdown in OWN;
    a_runtime_that_is_gone_with_the_future_of_run_stops_in_good_order in OWN;
    a_standard_error_that_nobody_reads_cannot_hold_the_exit in MULTI CURRENT MULTI_ON MULTI_START;
    a_failed_start_gives_its_outcome in OWN;
    without_a_thread_of_its_own_a_blocked_runtime_does_hold_the_stop in OWN;
}

const WEB: &[&str] = &["db", "web requires=db run=wait stop-ms=100"];

fn an_outcome_that_exits_is_not_held_by_a_blocking_thread(place: Place) {
    for threads in ["threads=2", "threads=0"] {
        let mut daemon = place.start(&format!("{threads} spawn-blocking leave=exit"), WEB);
        daemon.wait_for("event: ready");
        let at = daemon.signal(Signal::Terminate);
        daemon.end().exits(0).within(Duration::from_secs(2), at).says_nothing().prints(&["shutdown db"]);
    }
}

/// The twin of the above: what `Outcome::exit` is for, and what the supervisor does about it.
fn an_outcome_that_returns_is_held_by_a_blocking_thread_until_the_next_signal(place: Place) {
    for threads in ["threads=2", "threads=0"] {
        let mut daemon = place.start(&format!("{threads} spawn-blocking leave=return"), WEB);
        daemon.wait_for("event: ready");
        daemon.signal(Signal::Terminate);
        daemon.wait_for("outcome");
        let at = daemon.signal(Signal::Terminate);
        daemon.end().exits(143).within(Duration::from_secs(3), at).prints(&["shutdown db"]);
    }
}

fn a_signal_after_the_outcome_ends_a_main_that_is_stuck(place: Place) {
    for (signal, code) in [(Signal::Terminate, 143), (Signal::Interrupt, 130)] {
        let providers = ["db shutdown=other", "web requires=db run=wait"];
        let mut daemon = place.start("leave=stuck", &providers);
        daemon.wait_for("event: ready");
        daemon.signal(Signal::Terminate);
        daemon.wait_for("outcome");
        let at = daemon.signal(signal);
        daemon
            .end()
            .exits(code)
            .within(Duration::from_secs(1), at)
            .says(&["'db' failed during shutdown: boom", "stopped by SIGTERM"]);
    }
}

/// Rule 3: the thread of `main` is blocked, so that `run` never resumes.
fn a_signal_after_an_outcome_that_nobody_took_ends_the_process(place: Place) {
    let mut daemon = place.start("threads=0 blocked=ready", WEB);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Terminate);
    daemon.wait_for("event: finished 0");
    let at = daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(143)
        .within(Duration::from_secs(3), at)
        .says(&["forced      runnable of 'web'", "stopped by SIGTERM"])
        .prints(&["shutdown web", "shutdown db"])
        .without(&["outcome"]);
}

/// Shown to fail without the switch by the test above it: there only a signal ends the process.
fn it_exits_by_itself_when_stuck_if_it_was_told_to(place: Place) {
    for (shutdown, code) in [("ok", 0), ("panic", 1)] {
        let db = format!("db shutdown={shutdown}");
        let mut daemon =
            place.start("threads=0 blocked=ready stuck=100", &[&db, "web requires=db run=wait stop-ms=100"]);
        daemon.wait_for("event: ready");
        let at = daemon.signal(Signal::Terminate);
        daemon
            .end()
            .exits(code)
            .within(Duration::from_secs(3), at)
            .says(&["forced      runnable of 'web'", "stopped by SIGTERM"])
            .prints(&["shutdown web", "shutdown db"])
            .without(&["outcome"]);
    }
}

/// Rule 4. Its report goes to standard error, because nobody is there to take the outcome.
fn dropping_the_run_future_stops_in_good_order(place: Place) {
    for threads in ["threads=2", "threads=0"] {
        let providers = ["db shutdown=other", "web requires=db run=wait stop-ms=100"];
        let mut daemon = place.start(&format!("{threads} door=dropped"), &providers);
        daemon.wait_for("dropped");
        daemon.wait_for_error("'db' failed during shutdown: boom");
        daemon.wait_for_error("stopped by dropped");
        let at = daemon.signal(Signal::Terminate);
        daemon
            .end()
            .exits(143)
            .within(Duration::from_secs(3), at)
            .prints(&["event: stopping: dropped", "event: finished 0"])
            .prints(&["shutdown web", "shutdown db"]);
    }
}

fn a_runtime_that_is_gone_costs_nobody_its_shutdown(place: Place) {
    for threads in ["threads=2", "threads=1"] {
        place
            .run(&format!("{threads} door=gone"), WEB)
            .exits(1)
            .says(&["error[MS0218]: 'web' was dropped during run: the tokio runtime it ran on was shut down"])
            .prints(&["gone", "shutdown web", "shutdown db"]);
    }
}

fn a_runtime_that_is_gone_with_the_future_of_run_stops_in_good_order(place: Place) {
    let mut daemon = place.start("threads=2 door=gone-with-run", WEB);
    daemon.wait_for("gone");
    daemon.wait_for("event: finished");
    let at = daemon.signal(Signal::Terminate);
    daemon.end().exits(143).within(Duration::from_secs(3), at).prints(&["shutdown web", "shutdown db"]);
}

/// The pipe is full and its lock is held before the first hook.
fn a_standard_error_that_nobody_reads_cannot_hold_the_exit(place: Place) {
    let providers = ["db shutdown=other", "web requires=db run=later-hang stop-ms=100"];
    let mut daemon = place.program("stderr=full", &providers).stderr_unread().start();
    daemon.wait_for("event: ready");
    let at = daemon.signal(Signal::Terminate);
    daemon.end().exits(0).within(Duration::from_secs(2), at).prints(&["shutdown web", "shutdown db"]);

    let mut daemon = place.program("stderr=full", &["web run=later-hang"]).stderr_unread().start();
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Terminate);
    daemon.wait_for("event: stopping");
    let at = daemon.signal(Signal::Terminate);
    daemon.end().exits(143).within(Duration::from_secs(1), at);

    // The panic's own message waits for the lock of standard error: a thread that is blocked, like any other.
    let bad = ["dns", "db requires=dns boot=panic boot-ms=100"];
    let ended = place.program("stderr=full", &bad).stderr_unread().start().end();
    ended.exits(75).prints(&["shutdown db", "shutdown dns"]);
}

fn a_failed_start_gives_its_outcome(place: Place) {
    for threads in ["threads=2", "threads=0"] {
        place
            .run(&format!("{threads} door=start"), &["db boot=other"])
            .exits(75)
            .says(&["'db' failed during boot: boom"])
            .prints(&["shutdown db", "not started"])
            .without(&["\nstarted"]);
        place
            .run(&format!("{threads} door=start"), &["db"])
            .exits(0)
            .says_nothing()
            .prints(&["started", "outcome"]);
    }
}

/// The mechanism off: supervised from a task of the application's runtime, whose threads are blocked, nothing
/// holds.
fn without_a_thread_of_its_own_a_blocked_runtime_does_hold_the_stop(place: Place) {
    let blocks = ["a run=later-block stop-ms=100", "b run=later-block stop-ms=100"];
    for (words, blocked) in [("threads=2", 2), ("threads=0", 1)] {
        let mut daemon = place.start(&format!("{words} inline"), &blocks);
        for _ in 0..blocked {
            daemon.wait_for("blocking");
        }
        daemon.signal(Signal::Terminate);
        daemon.signal(Signal::Interrupt);
        assert!(daemon.lives_for(Duration::from_secs(1)), "it ended");
    }
}
