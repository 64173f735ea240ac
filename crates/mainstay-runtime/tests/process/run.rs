//! A runnable that ends, fails, panics, hangs or blocks, in its synchronous part, at its first poll and
//! later.

use mainstay_runtime::Signal;

use crate::place::Place;
use crate::probe::STORM;

crate::tests! {
    it_ends_with_0_when_nothing_is_left_to_run in MULTI CURRENT MULTI_ON CURRENT_ON MULTI_START;
    the_variant_of_a_run_error_decides_the_exit_code in MULTI CURRENT MULTI_ON MULTI_START;
    a_recoverable_failure_does_not_end_the_process in MULTI CURRENT;
    a_panic_in_run_exits_with_1 in MULTI CURRENT MULTI_ON MULTI_START;
    a_panic_while_another_unwinds_aborts_the_process_as_documented in MULTI CURRENT MULTI_ON;
    a_run_that_blocks_its_thread_is_named_and_the_process_ends in MULTI CURRENT CURRENT_ON;
    a_runnable_that_never_gets_ready_ends_the_process in MULTI CURRENT MULTI_START;
    a_runnable_that_no_thread_polls_is_named_as_starved in MULTI_BLOCKED CURRENT_BLOCKED;
    a_storm_of_restarts_keeps_no_memory in MULTI CURRENT;
    a_child_that_fails_or_panics_ends_the_process in MULTI CURRENT MULTI_ON;
    a_child_that_fails_recoverably_does_not in MULTI CURRENT;
}

fn it_ends_with_0_when_nothing_is_left_to_run(place: Place) {
    place.run("", &["db", "job requires=db run=ok"]).exits(0).says_nothing().prints(&[
        "boot db",
        "run job",
        "end job",
        "shutdown job",
        "shutdown db",
        "drop job",
        "drop db",
    ]);
    place.run("", &["db"]).exits(0).says_nothing().prints(&["boot db", "shutdown db"]);
}

fn the_variant_of_a_run_error_decides_the_exit_code(place: Place) {
    for (variant, code) in [("run", 1), ("other", 1), ("boot", 75), ("validate", 78), ("reload", 1)] {
        for act in [variant.to_owned(), format!("later-{variant}")] {
            place
                .run("", &["db", &format!("web requires=db run={act}"), "job run=wait"])
                .exits(code)
                .says(&["error[MS0209]: runnable 'web' failed: boom", "probe.rs:", "stopped by failure"])
                .prints(&["shutdown web", "shutdown db"]);
        }
    }
}

fn a_recoverable_failure_does_not_end_the_process(place: Place) {
    let mut daemon = place.start("", &["web run=later-recoverable", "job run=wait"]);
    daemon.wait_for("event: recoverable: ");
    daemon.signal(Signal::Terminate);
    daemon.end().exits(0).prints(&["event: stopping: SIGTERM"]).prints(&["end job"]);
}

fn a_panic_in_run_exits_with_1(place: Place) {
    for words in ["start=panic run=wait", "run=panic", "run=later-panic"] {
        place
            .run("", &["db", &format!("web requires=db {words}"), "job run=wait"])
            .exits(1)
            .says(&["error[MS0210]: runnable 'web' panicked: boom", "stopped by failure"])
            .prints(&["shutdown db"]);
    }
}

/// As any panic does in a program that is built with `panic = "abort"`: Rust leaves nothing to catch, and whoever has
/// started the process sees the signal.
fn a_panic_while_another_unwinds_aborts_the_process_as_documented(place: Place) {
    let ended = place.run("", &["db", "web requires=db run=later-panic-twice", "job run=wait"]);
    assert_eq!((ended.code, ended.signal), (None, Some(6)), "{ended:?}");
    ended.says(&["a second panic"]).without(&["shutdown db", "exit 1"]);
}

/// In its synchronous part and at its first poll: it never gets ready, and cannot be aborted.
fn a_run_that_blocks_its_thread_is_named_and_the_process_ends(place: Place) {
    for words in ["start=block run=wait", "run=block"] {
        let ended = place.run(
            "",
            &["db", &format!("web requires=db {words} ready-ms=100 stop-ms=100"), "job run=wait stop-ms=100"],
        );
        ended
            .exits(1)
            .says(&["error[MS0208]: runnable 'web' was not ready within 100 ms", "blocks a thread since"])
            .says(&["forced      runnable of 'web'"])
            .prints(&["shutdown web", "shutdown db"]);
    }
}

fn a_runnable_that_never_gets_ready_ends_the_process(place: Place) {
    place
        .run("", &["web run=wait ready=signalled ready-ms=100", "api requires=web run=wait"])
        .exits(1)
        .says(&["error[MS0208]: runnable 'web' was not ready within 100 ms"])
        .without(&["start api", "forced", "blocks a thread"]);
}

fn a_runnable_that_no_thread_polls_is_named_as_starved(place: Place) {
    place
        .run("", &["db", "web requires=db run=wait ready-ms=100 stop-ms=100"])
        .exits(1)
        .says(&["'web' was not ready within 100 ms", "starved: no thread was free to poll it"])
        .prints(&["shutdown web", "shutdown db"])
        .without(&["start web"]);
}

/// Shown to fail with generations that are forgotten when the next one is put in their place.
fn a_storm_of_restarts_keeps_no_memory(place: Place) {
    let mut daemon = place.start("", &["web run=storm restart=for-ever", "job run=wait"]);
    let pages =
        |line: String| -> u64 { line.rsplit(' ').next().unwrap().parse().expect("a number of pages") };
    let first = pages(daemon.wait_for("resident "));
    let last = pages(daemon.wait_for("resident "));
    daemon.signal(Signal::Terminate);
    daemon.end().exits(0).prints(&["end job"]);
    // The smallest thing that a generation could leave is larger than 64 bytes.
    let most = (STORM.1 - STORM.0) * 64 / 4096;
    assert!(last.saturating_sub(first) < most, "from {first} to {last} pages");
}

fn a_child_that_fails_or_panics_ends_the_process(place: Place) {
    let cases = [
        ("child-panic", "runnable 'web/child' panicked: boom", 1),
        ("child-later-panic", "runnable 'web/child' panicked: boom", 1),
        ("child-other", "runnable 'web/child' failed: boom", 1),
        ("child-later-validate", "runnable 'web/child' failed: boom", 78),
    ];
    for (act, text, code) in cases {
        let web = format!("web requires=db run={act}");
        place
            .run("", &["db", &web])
            .exits(code)
            .says(&[text, "stopped by failure"])
            .prints(&["end web", "shutdown db"]);
    }
}

fn a_child_that_fails_recoverably_does_not(place: Place) {
    let mut daemon = place.start("", &["web run=child-later-recoverable"]);
    daemon.wait_for("event: recoverable: ");
    daemon.signal(Signal::Terminate);
    daemon.end().exits(0).prints(&["event: stopping: SIGTERM"]);
}
