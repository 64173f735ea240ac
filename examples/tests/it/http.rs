//! What serves HTTP: axum, and a house's own builder.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use mainstay::Signal;

use crate::run::{address, answer, connect, example, get, send, stop};

#[test]
fn axum_answers_what_is_in_flight_and_waits_for_nobody_else() {
    let mut notes = example("axum").arg("--listen=127.0.0.1:0").start();
    let address = address(&notes.wait_for_error("http://"));
    let mut idle = connect(address);
    send(&mut idle, "POST", "/", "buy milk");
    assert!(answer(&mut idle).0.starts_with("HTTP/1.1 201 "));
    assert_eq!(get(address, "/"), "buy milk\n");

    // One that has sent half a head, and one whose answer takes its time.
    let mut half = connect(address);
    half.write_all(b"GET / HT").expect("half a head");
    let mut slow = connect(address);
    send(&mut slow, "GET", "/export", "");
    notes.wait_for_error("an export begins");
    let asked = notes.signal(Signal::Terminate);

    let (head, body) = answer(&mut slow);
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.to_ascii_lowercase().contains("connection: close"),
        "{head}"
    );
    assert_eq!(body, "all 1 of them\n");
    assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0, "the idle one is closed");
    assert_eq!(half.read(&mut [0]).unwrap_or(0), 0, "the half one is closed");
    // Before the deadline of the drain, 4.8 s, which the half head would have taken; the notes are saved after it all.
    let ended = notes.end().exits(0).within(Duration::from_secs(4), asked);
    let (served, saved) = (ended.err.find("cut 1"), ended.err.find("saved"));
    assert!(served.is_some() && served < saved, "{}", ended.err);
}

#[test]
fn house_crate_gives_every_daemon_its_log_metrics_and_defaults() {
    let mut billing = example("house_crate").arg("--admin=127.0.0.1:0").start();
    let address = address(&billing.wait_for_error("admin on http://"));
    // The house's default of the log shows it; the daemon has said nothing of a log.
    billing.wait_for_error("generation=3");
    let metrics = get(address, "/metrics");
    assert!(metrics.contains("house_restarts_total{daemon=\"billing\"} 2\n"), "{metrics}");
    let status = get(address, "/status");
    assert!(status.contains("billing") && status.contains("admin"), "{status}");
    assert_eq!(get(address, "/ready"), "");
    stop(billing);

    let help = example("house_crate").arg("--help").start().end().exits(0);
    help.prints(&["--admin"]);
}
