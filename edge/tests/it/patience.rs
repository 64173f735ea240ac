//! How long an upstream is waited for: as long as its pool has patience, and the time that a client takes for its body
//! is not counted.

use std::future::pending;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use edge::drive::{Child, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, timeout};

use crate::place::{Place, QUIET, WITHIN, before, stopped};

/// More than all buffers between two ends of a connection hold.
const LARGE: usize = 48 << 20;

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(WITHIN, stream.read_u8()).await.expect("no head comes").unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

/// The answer that says that nobody answered, whose connection goes on or not.
async fn gave_up(client: &mut TcpStream, patience: Duration) {
    let head = head(client).await;
    assert!(head.starts_with("http/1.1 504 "), "{head}");
    let mut said = Vec::new();
    while !said.ends_with(b"\n") {
        said.push(timeout(WITHIN, client.read_u8()).await.expect("no body comes").unwrap());
    }
    let said = String::from_utf8(said).unwrap();
    assert!(said.ends_with(&format!("did not answer in {patience:?}\n")), "{said}");
}

/// An edge whose upstream has so much patience, and a client of it that has sent a head; with the upstream's end.
async fn asked(
    name: &str,
    patience: Duration,
    length: usize,
) -> (Place, Child, SocketAddr, TcpStream, TcpStream) {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = before(upstream.local_addr().unwrap());
    let settings = settings.replace("check", &format!("patience: {patience:?}\n    check"));
    let place = Place::with(name, &settings);
    let (child, edge) = place.up().await;
    let mut client = TcpStream::connect(edge).await.unwrap();
    let asks = format!("POST /demo/a HTTP/1.1\r\nhost: e\r\ncontent-length: {length}\r\n\r\n");
    client.write_all(asks.as_bytes()).await.unwrap();
    let (mut server, _) = timeout(WITHIN, upstream.accept()).await.expect("nobody connects").unwrap();
    head(&mut server).await;
    (place, child, edge, client, server)
}

/// Fails when the patience is one timeout for the whole request.
#[tokio::test]
async fn a_client_may_take_longer_for_its_body_than_the_pool_has_patience() {
    const PATIENCE: Duration = Duration::from_millis(600);
    const MOST: usize = 64;
    let (_place, child, _, mut client, mut server) = asked("slow-body", PATIENCE, MOST).await;
    let (since, mut beat) = (Instant::now(), interval(PATIENCE / 8));
    let mut sent = 0;
    while since.elapsed() < PATIENCE * 2 {
        client.write_all(b"a").await.unwrap();
        sent += 1;
        assert_eq!(timeout(WITHIN, server.read_u8()).await.expect("it is not passed on").unwrap(), b'a');
        beat.tick().await;
    }
    client.write_all(&vec![b'a'; MOST - sent]).await.unwrap();
    server.read_exact(&mut vec![0; MOST - sent]).await.unwrap();
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let answer = head(&mut client).await;
    assert!(answer.starts_with("http/1.1 200 "), "{answer}");
    drop((client, server));
    stopped(child).await;
}

/// Fails when a body that has begun, or has been sent, makes the patience endless.
#[tokio::test]
async fn an_upstream_that_is_silent_behind_a_body_or_takes_no_more_of_it_is_given_up() {
    const PATIENCE: Duration = Duration::from_millis(150);
    let (_place, child, edge, mut client, mut server) = asked("silent-behind", PATIENCE, 4).await;
    client.write_all(b"body").await.unwrap();
    server.read_exact(&mut [0; 4]).await.unwrap();
    gave_up(&mut client, PATIENCE).await;
    // That connection is not used again: what comes late is nobody's.
    let over = timeout(WITHIN, server.read(&mut [0])).await.expect("it is kept");
    assert!(matches!(over, Ok(0) | Err(_)), "{over:?}");
    drop(client);
    assert_eq!(Client::new(edge).get("/").await.unwrap().status, 200);
    stopped(child).await;

    // An upstream that reads nothing of it.
    let (_place, child, _, mut client, server) = asked("silent-before", PATIENCE, LARGE).await;
    let (mut answer, mut sends) = client.split();
    let sent = async {
        let piece = vec![b'a'; 64 << 10];
        // The connection ends with the answer: nobody wants the rest.
        while sends.write_all(&piece).await.is_ok() {}
        pending::<()>().await;
    };
    let answered = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(WITHIN, answer.read_u8()).await.expect("no answer comes").unwrap());
        }
        String::from_utf8(head).unwrap()
    };
    tokio::select! {
        head = answered => assert!(head.starts_with("HTTP/1.1 504 "), "{head}"),
        () = sent => {}
    }
    drop((client, server));
    stopped(child).await;
}

/// Three clients that leave their bodies half sent: one goes away, one is silent, and one goes on with what is no body.
///
/// Fails when what is missing of a body is held against the server that waits for it.
#[tokio::test]
async fn a_client_that_does_not_end_its_body_is_not_its_upstreams_failure() {
    const PATIENCE: Duration = Duration::from_millis(150);
    let mut upstreams = Vec::new();
    for _ in 0..3 {
        upstreams.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let servers: Vec<String> =
        upstreams.iter().map(|one| format!("'{}'", one.local_addr().unwrap())).collect();
    let settings = format!(
        "{QUIET}upstreams:\n  demo:\n    servers: [{}]\n    patience: {PATIENCE:?}\n    \
         check: {{interval: off}}\n    eject: {{failures: 1}}\n",
        servers.join(", ")
    );
    let place = Place::with("half-body", &settings);
    let (child, edge) = place.up().await;
    let half = "POST /demo/a HTTP/1.1\r\nhost: e\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    for (end, status) in [(None, None), (Some(""), Some(408)), (Some("what?\r\n"), Some(400))] {
        let mut client = TcpStream::connect(edge).await.unwrap();
        client.write_all(half.as_bytes()).await.unwrap();
        // It is the turn of each of them once, since none is left out.
        let upstream = upstreams.remove(0);
        let (mut server, _) = timeout(WITHIN, upstream.accept()).await.expect("nobody connects").unwrap();
        head(&mut server).await;
        server.read_exact(&mut [0; 9]).await.unwrap();
        match (end, status) {
            (Some(end), Some(status)) => {
                client.write_all(end.as_bytes()).await.unwrap();
                let answer = head(&mut client).await;
                assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{answer}");
            }
            _ => drop(client),
        }
        let over = timeout(WITHIN, server.read(&mut [0])).await.expect("it goes on");
        assert!(matches!(over, Ok(0) | Err(_)), "{over:?}");
    }
    let status = Client::new(edge).get("/status").await.unwrap().text();
    assert!(!status.contains("left out"), "{status}");
    stopped(child).await;
}
