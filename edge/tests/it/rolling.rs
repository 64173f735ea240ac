//! A rolling pair: two edges behind one socket take turns, and no client notices.

use std::net::{SocketAddr, TcpListener};

use edge::drive::{Answer, Client, Load};
use tokio::time::timeout;

use crate::place::{Place, WITHIN, ends, said};

/// How often a new edge takes the place of an old one.
const TURNS: usize = 5;

/// What each of them answers to who is counted.
const ASKED: [&str; 3] = ["/asked", "/files/file", "/demo/hello"];

type Right = Box<dyn Fn(&Answer) -> bool + Send + Sync>;

fn asks() -> Vec<(&'static str, Right)> {
    vec![
        (ASKED[0], Box::new(|answer| answer.text() == "answered\n")),
        (ASKED[1], Box::new(|answer| answer.body.len() == 100_000)),
        (ASKED[2], Box::new(|answer| answer.text().starts_with("hello"))),
    ]
}

/// An edge that says who it is, and writes a line for each request.
fn next(number: usize) -> (Place, String) {
    let greeting = format!("edge number {number}");
    let place = Place::with(
        &format!("rolling-{number}"),
        &format!(
            "listen: inherited:web\ngreeting: {greeting}\naccess_log: access.log\nfiles: public\n\
             routes:\n  /asked: text answered\n"
        ),
    );
    place.write("public/file", &"x".repeat(100_000));
    (place, greeting)
}

/// Waits until somebody who is new is answered by the one with this greeting.
async fn serves(server: SocketAddr, greeting: &str) {
    let status = format!("greeting   {greeting}\n");
    let seen =
        async { while !Client::new(server).get("/status").await.unwrap().text().starts_with(&status) {} };
    timeout(WITHIN, seen).await.unwrap_or_else(|_| panic!("'{greeting}' was not served"));
}

/// How many of the counted requests an edge has answered.
fn answered(place: &Place) -> u64 {
    let log = std::fs::read_to_string(place.path("access.log")).unwrap();
    let counted =
        |line: &&str| ASKED.iter().any(|path| line.contains(&format!("\"GET {path} HTTP/1.1\" 200 ")));
    log.lines().filter(counted).map(|_| 1).sum()
}

/// Fails when the one that stops takes the queue along (by `shutdown` of the socket that they share): nobody goes on.
#[tokio::test]
async fn a_rolling_pair_behind_one_socket_loses_no_request_and_answers_each_once() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = socket.local_addr().unwrap();
    // Who comes before the first of them waits.
    let loads = [Load::start(server, 6, asks()), Load::start_anew(server, 3, asks())];
    let mut counted = 0;
    let (mut place, greeting) = next(0);
    let mut child = place.start_on(socket.try_clone().unwrap());
    serves(server, &greeting).await;
    for turn in 1..=TURNS {
        let (new, greeting) = next(turn);
        let new_child = new.start_on(socket.try_clone().unwrap());
        serves(server, &greeting).await;
        child.terminate().unwrap();
        said(&ends(child, 0).await, "stop SIGTERM · 0 in flight · ");
        counted += answered(&place);
        // Now that it is alone, each of the clients is its own.
        for load in &loads {
            let enough = load.so_far().sent + 50;
            let more = async {
                while load.so_far().sent < enough {
                    tokio::task::yield_now().await;
                }
            };
            timeout(WITHIN, more).await.expect("the clients do not go on");
        }
        (place, child) = (new, new_child);
    }
    let mut sent = 0;
    for load in loads {
        let tally = load.stop().await;
        assert_eq!((tally.failed, tally.failures), (0, vec![]), "of {}", tally.sent);
        sent += tally.sent;
    }
    child.terminate().unwrap();
    ends(child, 0).await;
    assert_eq!(counted + answered(&place), sent);
}
