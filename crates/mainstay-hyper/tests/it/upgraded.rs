//! Upgraded connections are told, waited for, and closed at the deadline under whoever holds them.

use std::time::Duration;

use mainstay_hyper::{Doing, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Up, becomes, ends, head, up, within};

const DEADLINE: Duration = Duration::from_millis(400);

async fn upgrade(server: &Up, path: &str) -> TcpStream {
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    let mut stream = server.sent(&request).await;
    let head = head(&mut stream).await;
    assert!(head.starts_with("http/1.1 101 ") && head.contains("connection: upgrade"), "{head}");
    stream.write_all(b"ping").await.unwrap();
    let mut echo = [0; 4];
    within(stream.read_exact(&mut echo)).await.unwrap();
    assert_eq!(&echo, b"ping");
    stream
}

/// Without the token its handler hears nothing, and is cut at the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgraded_connection_that_listens_says_goodbye() {
    let server = up(Server::new()).await;
    let mut polite = upgrade(&server, "/polite").await;
    let down = server.down().await;
    assert!(down.took < Duration::from_secs(2), "{:?}", down.took);
    assert_eq!((down.served.finished, down.served.cut.len()), (1, 0), "{}", down.served);
    let mut last = String::new();
    within(polite.read_to_string(&mut last)).await.unwrap();
    assert_eq!(last, "goodbye");
}

/// Without the severed line its socket stays open for as long as the handler's task lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgraded_connection_that_does_not_listen_is_cut_at_the_deadline() {
    let server = up(Server::new().drain_timeout(DEADLINE)).await;
    let mut deaf = upgrade(&server, "/deaf").await;
    let site = server.site.clone();
    let down = server.down().await;
    assert!(down.took >= DEADLINE && down.took < Duration::from_secs(2), "{:?}", down.took);
    assert_eq!(
        (down.served.finished, down.served.cut.len(), down.served.left.len()),
        (0, 1, 0),
        "{}",
        down.served
    );
    assert_eq!(down.served.cut[0].doing, Doing::Upgraded);
    ends(&mut deaf).await;
    // Its task, which no server knows, was woken and told.
    becomes(|| *site.saw.lock().unwrap() == ["ConnectionAborted"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgraded_connection_is_open_until_its_owner_gives_it_up() {
    let server = up(Server::new()).await;
    let mut deaf = upgrade(&server, "/deaf").await;
    becomes(|| server.note().starts_with("1 open")).await;
    deaf.shutdown().await.unwrap();
    ends(&mut deaf).await;
    becomes(|| server.note().starts_with("0 open")).await;
    assert_eq!(*server.site.saw.lock().unwrap(), ["the end"]);
    server.down().await;
}
