//! HTTP/1.1: the last answer says so, nothing that is on its way is lost, a panic costs its connection.

use std::io::{Read, Write};
use std::time::Duration;

use mainstay_hyper::Server;
use mainstay_sync::Gate;
use tokio::io::AsyncWriteExt;

use crate::support::{becomes, ends, get, hello, up, up_inline, within};

/// Without the header the client would send its next request to a closed connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_during_a_stop_is_the_last_and_says_so() {
    let server = up(Server::new().linger(Duration::from_secs(3))).await;
    let mut client = server.sent(&get("/")).await;
    assert!(!hello(&mut client).await.contains("connection: close"));
    server.ask();
    becomes(|| server.note().contains(" left on ")).await;
    // It is idle, and asks once more before it knows.
    client.write_all(get("/").as_bytes()).await.unwrap();
    assert!(hello(&mut client).await.contains("connection: close"));
    ends(&mut client).await;
    let down = server.down().await;
    assert!(down.took < Duration::from_secs(2), "{:?}", down.took);
    assert_eq!((down.served.finished, down.served.cut.len()), (1, 0));
}

/// Without the look into the kernel's queue they are reset.
#[tokio::test]
async fn who_was_connected_before_the_stop_is_answered() {
    // On one thread, its supervisor included, the server has no turn before it is stopped: the kernel alone has
    // connected them.
    let server = up_inline(Server::new()).await;
    let mut clients: Vec<std::net::TcpStream> =
        (0..20).map(|_| std::net::TcpStream::connect(server.address).unwrap()).collect();
    for client in &mut clients {
        client.write_all(get("/").as_bytes()).unwrap();
    }
    let down = server.down().await;
    assert_eq!((down.served.finished, down.served.cut.len()), (20, 0), "{}", down.served);
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close"), "{answer}");
    }
}

/// Without the catch the panic fails the generation, and the process ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_costs_its_connection_only() {
    let server = up(Server::new()).await;
    let mut other = server.sent(&get("/")).await;
    hello(&mut other).await;
    ends(&mut server.sent(&get("/panic")).await).await;
    other.write_all(get("/").as_bytes()).await.unwrap();
    hello(&mut other).await;
    let down = server.down().await;
    assert_eq!((down.served.panics, down.outcome.exit_code()), (1, 0), "{}", down.outcome);
}

/// Without the gate the second is served beside the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_no_place_waits_in_the_kernel() {
    let gate = Gate::new(1);
    let server = up(Server::new().gate(gate.clone())).await;
    let mut first = server.sent(&get("/wait")).await;
    server.site.entered(1).await;
    let mut second = server.sent(&get("/")).await;
    becomes(|| gate.waiting() == 1).await;
    assert_eq!(server.site.entered.available_permits(), 0);
    server.site.go.add_permits(1);
    hello(&mut first).await;
    drop(first);
    hello(&mut second).await;
    drop(second);
    let down = server.down().await;
    assert_eq!((down.served.accepted, gate.count()), (2, 0));
    assert!(!gate.is_closed(), "its next generation needs it");
}

/// Without the watch over the gate the server goes on to accept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_is_drained_stops_its_server_and_forces_it() {
    let gate = Gate::unlimited();
    let server = up(Server::new().gate(gate.clone())).await;
    let mut never = server.sent(&get("/never")).await;
    server.site.entered(1).await;
    assert_eq!(within(gate.drain(Duration::from_millis(200))).await.left(), 1);
    ends(&mut never).await;
    within(gate.emptied()).await;
    // The task has returned, so the lifecycle ends.
    let outcome = within(server.running.wait()).await;
    assert_eq!(outcome.exit_code(), 0);
}
