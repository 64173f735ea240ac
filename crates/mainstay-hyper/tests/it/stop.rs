//! A stop ends within its deadline, whatever the clients do, and its report counts who was cut.

use std::time::Duration;

use mainstay_hyper::{Doing, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{BIG, ends, get, head, hello, up, within};

/// Far longer than a stop takes that does not wait for it.
const FAR: Duration = Duration::from_secs(4);
const SOON: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_millis(400);

/// Without the last call the stop waits for its deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_half_a_head_does_not_hold_a_stop() {
    let server = up(Server::new().drain_timeout(FAR)).await;
    let mut half = server.sent("GET / HTTP/1.1\r\nhost: ").await;
    let mut fresh = server.connect().await;
    // An answer to one that was accepted later.
    let mut last = server.sent(&get("/")).await;
    hello(&mut last).await;
    let down = server.down().await;
    assert!(down.took < SOON, "{:?}", down.took);
    assert_eq!(
        (down.served.accepted, down.served.finished, down.served.cut.len()),
        (3, 2, 1),
        "{}",
        down.served
    );
    let cut = &down.served.cut[0];
    assert_eq!(cut.doing, Doing::ReadingHead);
    assert_eq!(cut.peer.address(), half.local_addr().ok());
    assert!(cut.age > Duration::from_millis(50) && cut.age < SOON, "{:?}", cut.age);
    ends(&mut half).await;
    ends(&mut fresh).await;
    assert_eq!((down.outcome.exit_code(), down.outcome.forced().len()), (0, 0), "{}", down.outcome);
}

/// Without the last call the stop waits for its deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_a_byte_at_a_time_does_not_hold_a_stop() {
    let server = up(Server::new().drain_timeout(FAR)).await;
    let mut stream = server.sent("GET / HTTP/1.1\r\nx: ").await;
    let slow = tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        let mut bytes = 0;
        while stream.write_all(b"a").await.is_ok() {
            bytes += 1;
            beat.tick().await;
        }
        bytes
    });
    hello(&mut server.sent(&get("/")).await).await;
    let down = server.down().await;
    assert!(down.took < SOON, "{:?}", down.took);
    assert_eq!(down.served.cut.len(), 1, "{}", down.served);
    assert_eq!(down.served.cut[0].doing, Doing::ReadingHead);
    assert!(within(slow).await.unwrap() > 1);
}

/// Without the cut the stop is longer than its deadline: the task is aborted at that of the runtime.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_is_cut_at_the_deadline() {
    let server = up(Server::new().drain_timeout(DEADLINE)).await;
    let mut deaf = server.sent(&get("/big")).await;
    server.site.entered(1).await;
    let mut one = [0; 1];
    deaf.read_exact(&mut one).await.unwrap();
    let down = server.down().await;
    assert!(down.took >= DEADLINE && down.took < SOON, "{:?}", down.took);
    assert_eq!(
        (down.served.cut.len(), down.served.left.len(), down.served.finished),
        (1, 0, 0),
        "{}",
        down.served
    );
    // The whole of it is with hyper, or in the kernel.
    assert!(matches!(down.served.cut[0].doing, Doing::Writing | Doing::Answering { .. }), "{}", down.served);
    assert_eq!(down.served.cut[0].requests, 1);
    let mut rest = Vec::new();
    let _ = within(deaf.read_to_end(&mut rest)).await;
    assert!(rest.len() < BIG, "it was written to its end");
    assert!(down.outcome.forced().is_empty(), "{}", down.outcome);
}

/// Without the cut the stop is longer than its deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_ends_its_request_is_cut_at_the_deadline() {
    let server = up(Server::new().drain_timeout(DEADLINE)).await;
    let mut slow = server.sent("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc").await;
    server.site.entered(1).await;
    let down = server.down().await;
    assert!(down.took >= DEADLINE && down.took < SOON, "{:?}", down.took);
    assert!(matches!(down.served.cut[0].doing, Doing::Answering { requests: 1, .. }), "{}", down.served);
    ends(&mut slow).await;
}

/// Without the last call the stop waits for its deadline, and 1,000 are cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_idle_connections_do_not_hold_a_stop() {
    let server = up(Server::new().drain_timeout(FAR)).await;
    let mut clients = Vec::new();
    for _ in 0..1000 {
        let mut client = server.sent(&get("/")).await;
        hello(&mut client).await;
        clients.push(client);
    }
    let down = server.down().await;
    assert!(down.took < SOON, "{:?}", down.took);
    assert_eq!((down.served.accepted, down.served.requests), (1000, 1000));
    assert_eq!((down.served.finished, down.served.cut.len()), (1000, 0), "{}", down.served);
    for mut client in clients {
        ends(&mut client).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_connections_a_stop_takes_no_time() {
    let server = up(Server::new().linger(FAR).drain_timeout(FAR)).await;
    let down = server.down().await;
    assert!(down.took < SOON, "{:?}", down.took);
    assert_eq!(down.served.accepted, 0);
}

/// Without the graceful end of a busy connection (closing all at the last call) the answer is cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_in_flight_is_written_to_its_end_however_late_in_the_stop() {
    let server = up(Server::new().linger(Duration::ZERO).drain_timeout(FAR)).await;
    let mut slow = server.sent(&get("/big")).await;
    let mut waiting = server.sent(&get("/wait")).await;
    let mut idle = server.sent(&get("/")).await;
    hello(&mut idle).await;
    server.site.entered(3).await;
    let site = server.site.clone();
    let stopping = tokio::spawn(server.down());
    // The last call was made.
    ends(&mut idle).await;
    site.go.add_permits(1);
    assert!(hello(&mut waiting).await.contains("connection: close"));
    ends(&mut waiting).await;
    head(&mut slow).await;
    let mut body = Vec::new();
    within(slow.read_to_end(&mut body)).await.unwrap();
    assert_eq!(body.len(), BIG);
    let down = within(stopping).await.unwrap();
    assert_eq!((down.served.finished, down.served.cut.len()), (3, 0), "{}", down.served);
    assert!(down.took < FAR, "{:?}", down.took);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_many_are_open_is_the_note_of_the_task() {
    let server = up(Server::new()).await;
    let local = server.address;
    crate::support::becomes(|| server.note() == format!("0 open on {local}")).await;
    let one = server.sent(&get("/never")).await;
    let two = server.sent(&get("/never")).await;
    server.site.entered(2).await;
    crate::support::becomes(|| server.note() == format!("2 open on {local}")).await;
    drop((one, two));
    crate::support::becomes(|| server.note() == format!("0 open on {local}")).await;
    server.ask();
}
