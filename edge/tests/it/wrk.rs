//! A load of another make: `wrk`, whose errors are its own to count, while an edge is stopped.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;

use edge::drive::Child;
use tokio::time::timeout;

use crate::place::{Place, WITHIN, ends, ready, said};

/// Where Debian and others put it.
const WRK: &str = "/usr/bin/wrk";

/// Says that a test cannot run here.
fn skipped(name: &str, why: &str) {
    let line = format!("{name}: {why}\n");
    match std::env::var_os("MAINSTAY_TEST_SKIPS") {
        Some(list) => {
            std::fs::File::options().append(true).open(list).unwrap().write_all(line.as_bytes()).unwrap();
        }
        None => print!("skipped: {line}"),
    }
}

/// What wrk counts as an error; it says nothing of those that are zero.
#[derive(Debug, Default, PartialEq, Eq)]
struct Errors {
    connect: u64,
    read: u64,
    write: u64,
    timeout: u64,
    other_status: u64,
}

/// What it says at its end: the whole answers that it had, and the errors.
fn counted(lines: &[String]) -> (u64, Errors) {
    let mut errors = Errors::default();
    let mut whole = None;
    for line in lines.iter().map(|line| line.trim()) {
        if let Some((requests, _)) = line.split_once(" requests in ") {
            whole = requests.parse().ok();
        } else if let Some(said) = line.strip_prefix("Socket errors: ") {
            for one in said.split(", ") {
                let (name, number) = one.split_once(' ').unwrap();
                let number = number.parse().unwrap();
                match name {
                    "connect" => errors.connect = number,
                    "read" => errors.read = number,
                    "write" => errors.write = number,
                    "timeout" => errors.timeout = number,
                    _ => panic!("wrk counts something else: {line}"),
                }
            }
        } else if let Some(number) = line.strip_prefix("Non-2xx or 3xx responses: ") {
            errors.other_status = number.parse().unwrap();
        }
    }
    (whole.unwrap_or_else(|| panic!("this is not what wrk says:\n{}", lines.join("\n"))), errors)
}

/// How many connections it has.
const CONNECTIONS: usize = 8;

/// What is answered at once, and what takes so long that each connection is in the middle of an answer at any moment.
const QUICK: &str = "/asked";
const SLOW: &str = "/demo/slow?ms=20";

/// How many requests of wrk are in the log.
fn logged(place: &Place, path: &str) -> u64 {
    let log = std::fs::read_to_string(place.path("access.log")).unwrap();
    log.lines().filter(|line| line.contains(&format!("\"GET {path} HTTP/1.1\" 200 "))).map(|_| 1).sum()
}

/// An edge that is asked to stop under wrk, which goes on until that has ended: what it has counted, and how many requests
/// the edge has.
async fn stopped_under_wrk(place: &Place, child: Child, path: &str) -> (u64, Errors, u64) {
    let url = format!("http://{}{path}", ready(&child).await);
    let connections = format!("-c{CONNECTIONS}");
    // Longer than it may take; and no timeout is due before its end.
    let words = ["-t1", &connections, "-d60s", "--timeout", "60s", &url];
    let wrk = Child::start(Path::new(WRK), &place.path(""), words).unwrap();
    let asked = async {
        while logged(place, path) < 40 {
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, asked).await.expect("wrk does not ask");
    child.terminate().unwrap();
    let ended = ends(child, 0).await;
    said(&ended, "stop SIGTERM · 0 in flight · ");
    wrk.interrupt().unwrap();
    let wrk = wrk.end(WITHIN).await.unwrap();
    let (whole, errors) = counted(&wrk.lines);
    (whole, errors, logged(place, path))
}

const SETTINGS: &str = "access_log: access.log\nroutes:\n  /asked: text answered\n";

/// Behind a socket that stays open nobody is refused or reset by the kernel: what wrk counts is what edge has done. An
/// answer that says `connection: close` is no error to it, and who connects anew afterwards waits without one.
///
/// Fails when the stop has no linger, and ends the queue with its own end: each of the eight then counts a `read`.
#[tokio::test]
async fn a_stop_under_wrk_fails_no_request_that_was_accepted() {
    if !Path::new(WRK).exists() {
        return skipped("wrk::a_stop_under_wrk_fails_no_request_that_was_accepted", "there is no wrk");
    }
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::with("wrk", &format!("listen: inherited\n{SETTINGS}"));
    let child = place.start_on(socket.try_clone().unwrap());
    let (whole, errors, logged) = stopped_under_wrk(&place, child, QUICK).await;
    assert_eq!((&errors, whole), (&Errors::default(), logged));
}

/// With a socket of its own, which a stop closes, wrk is refused when it connects anew, tries again all the time, and
/// counts that as `write` (or `connect`). Every request that edge has begun to answer has arrived whole: what breaks off
/// is a `read`. So is what the kernel connects between the last look at its queue and its end, which is not edge's to see;
/// of these there is one at most, since the answers of all others end later.
///
/// Fails when the stop closes the connections at once: each of the eight is in the middle of an answer, and counts a `read`.
#[tokio::test]
async fn a_stop_under_wrk_ends_behind_the_answer_of_whoever_was_accepted() {
    if !Path::new(WRK).exists() {
        return skipped(
            "wrk::a_stop_under_wrk_ends_behind_the_answer_of_whoever_was_accepted",
            "there is no wrk",
        );
    }
    let place = Place::with("wrk-own", &format!("listen: 127.0.0.1:0\n{SETTINGS}"));
    let child = place.start();
    let (whole, errors, logged) = stopped_under_wrk(&place, child, SLOW).await;
    assert_eq!((whole, errors.timeout, errors.other_status), (logged, 0, 0), "{errors:?}");
    assert!(errors.read <= 1, "{errors:?}");
}
