//! A reload that fails, panics, hangs or blocks is refused by name, and the process serves on.

use mainstay_runtime::Signal;

use crate::place::Place;

crate::tests! {
    a_hup_reloads in MULTI CURRENT MULTI_ON MULTI_START MULTI_BLOCKED_LATER CURRENT_BLOCKED_LATER;
    a_reload_that_fails_is_refused_and_the_process_serves_on in MULTI CURRENT MULTI_START MULTI_BLOCKED_LATER;
    a_reload_that_hangs_is_refused_at_its_deadline in MULTI CURRENT MULTI_BLOCKED_LATER CURRENT_BLOCKED_LATER;
    a_reload_that_blocks_its_thread_is_named in MULTI CURRENT CURRENT_ON MULTI_BLOCKED_LATER;
    a_destructor_that_panics_in_a_cancelled_reload_does_no_harm in MULTI CURRENT;
    a_stop_gives_a_reload_up in MULTI CURRENT MULTI_BLOCKED_LATER CURRENT_BLOCKED_LATER;
}

fn a_hup_reloads(place: Place) {
    let mut daemon =
        place.start("", &["dns reload=ok", "db requires=dns reload=ok", "web run=wait stop-ms=100"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Hangup);
    daemon.wait_for("event: reload done");
    daemon.signal(Signal::Hangup);
    daemon.wait_for("event: reload done");
    daemon.signal(Signal::Terminate);
    daemon.end().exits(0).prints(&["dns reloaded", "db reloaded"]).prints(&[
        "reload dns",
        "reload db",
        "shutdown db",
        "shutdown dns",
    ]);
}

/// Whatever the variant: a failed reload has no exit code.
fn a_reload_that_fails_is_refused_and_the_process_serves_on(place: Place) {
    for act in
        ["reload", "other", "boot", "validate", "run", "recoverable", "later-other", "panic", "later-panic"]
    {
        let db = format!("db reload={act}");
        let mut daemon = place.start("", &[&db, "kv requires=db reload=ok", "web run=wait stop-ms=100"]);
        daemon.wait_for("event: ready");
        daemon.signal(Signal::Hangup);
        let refused = daemon.wait_for("event: db refused: ");
        let text = if act.ends_with("panic") {
            "'db' panicked during reload: boom"
        } else {
            "reload of 'db' failed: boom"
        };
        assert!(refused.contains(text), "{act}: {refused}");
        daemon.wait_for("event: kv skipped because of db");
        daemon.wait_for("event: reload refused");
        daemon.signal(Signal::Terminate);
        daemon
            .end()
            .exits(0)
            .without(&["reload kv"])
            .prints(&["event: stopping: SIGTERM"])
            .prints(&["shutdown kv", "shutdown db"]);
    }
}

fn a_reload_that_hangs_is_refused_at_its_deadline(place: Place) {
    let mut daemon =
        place.start("", &["db reload=hang reload-ms=100", "kv reload=ok", "web run=wait stop-ms=100"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Hangup);
    daemon.wait_for("'db' did not end its reload within 100 ms");
    daemon.wait_for("event: kv reloaded");
    daemon.wait_for("event: reload refused");
    daemon.signal(Signal::Terminate);
    daemon.end().exits(0).without(&["blocks a thread"]);
}

fn a_reload_that_blocks_its_thread_is_named(place: Place) {
    let mut daemon =
        place.start("", &["db reload=block reload-ms=300", "kv reload=ok", "web run=wait stop-ms=100"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Hangup);
    daemon.wait_for("'db' did not end its reload within 300 ms");
    daemon.wait_for("blocks a thread since");
    daemon.wait_for("event: kv reloaded");
    daemon.signal(Signal::Terminate);
    daemon.end().exits(0).prints(&["shutdown kv"]).prints(&["shutdown db"]);
}

fn a_destructor_that_panics_in_a_cancelled_reload_does_no_harm(place: Place) {
    let mut daemon = place.start("", &["db reload=hang-bomb reload-ms=100", "kv reload=ok", "web run=wait"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Hangup);
    daemon.wait_for("event: kv reloaded");
    daemon.signal(Signal::Terminate);
    daemon.end().exits(0).prints(&["shutdown kv"]).prints(&["shutdown db"]);
}

fn a_stop_gives_a_reload_up(place: Place) {
    let mut daemon = place.start("", &["db reload=hang", "kv reload=ok", "web run=wait stop-ms=100"]);
    daemon.wait_for("event: ready");
    daemon.signal(Signal::Hangup);
    daemon.wait_for("reload db");
    daemon.signal(Signal::Terminate);
    daemon
        .end()
        .exits(0)
        .without(&["reload kv"])
        .prints(&["event: reload aborted"])
        .prints(&["shutdown kv"])
        .prints(&["shutdown db"]);
}
