//! What becomes of a WebSocket when what serves it is restarted, and the process is not: what becomes of it at a stop.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use edge::drive::Client;
use mainstay::Signals;
use rustix::net::{Shutdown, listen, shutdown};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::place::{Place, WITHIN, before, ready, stopped};
use crate::websocket::{ASKS, GOING_AWAY, GRANTS, comes, head, over};

/// How long a restart waits for tunnels.
const DRAIN: Duration = Duration::from_secs(1);

/// How a client says that it goes, and how an upstream agrees.
const GOES: &[u8] = b"\x88\x82\0\0\0\0\x03\xE9";

/// An address where nobody listens.
fn somewhere() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A WebSocket through edge, once a word has passed each way.
async fn open(edge: SocketAddr, upstream: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client = TcpStream::connect(edge).await.unwrap();
    client.write_all(ASKS.as_bytes()).await.unwrap();
    let (mut server, _) = timeout(WITHIN, upstream.accept()).await.expect("nobody connects").unwrap();
    head(&mut server).await;
    server.write_all(GRANTS.as_bytes()).await.unwrap();
    head(&mut client).await;
    both_ways(&mut client, &mut server).await;
    (client, server)
}

async fn both_ways(client: &mut TcpStream, server: &mut TcpStream) {
    client.write_all(b"\x81\x85\0\0\0\0hello").await.unwrap();
    comes(server, b"\x81\x85\0\0\0\0hello").await;
    server.write_all(b"\x81\x05world").await.unwrap();
    comes(client, b"\x81\x05world").await;
}

/// A client that was told says so to the upstream, and the two end it.
async fn agree((mut client, mut server): (TcpStream, TcpStream)) {
    client.write_all(GOES).await.unwrap();
    comes(&mut server, GOES).await;
    drop(server);
    over(&mut client).await;
}

/// In this process, because only an operator orders a restart, and edge has no door for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_http_tells_a_websocket_cuts_it_at_the_deadline_and_serves_the_next_one() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let edge = somewhere();
    let place = Place::empty("restarted");
    let settings = before(upstream.local_addr().unwrap()).replace("127.0.0.1:0", &edge.to_string());
    let lock = place.path("lock");
    let more = format!("lock: {}\nlimits:\n  drain: {DRAIN:?}\n", lock.display());
    place.write("http.yaml", &format!("{settings}{more}"));
    let folder = place.path("");
    let words = ["edge", "--run-mode", "test", "--config-dir", folder.to_str().unwrap()];
    let runtime = edge::daemon().runtime_from(words).unwrap();
    let running = runtime.signals(Signals::none()).start().await.unwrap();
    let control = running.control();
    let polite = open(edge, &upstream).await;
    let (mut stays, mut its) = open(edge, &upstream).await;

    let since = Instant::now();
    let restart = tokio::spawn(control.restart("http").into_future());
    let (mut polite, server) = polite;
    for client in [&mut polite, &mut stays] {
        comes(client, &GOING_AWAY).await;
    }
    // Nobody serves now, and nobody is refused.
    let waits = tokio::spawn(async move { Client::new(edge).get("/metrics").await });
    agree((polite, server)).await;
    // Told, it is a tunnel all the same, up to the deadline.
    stays.write_all(b"\x81\x81\0\0\0\0a").await.unwrap();
    comes(&mut its, b"\x81\x81\0\0\0\0a").await;
    assert!(!restart.is_finished() && !waits.is_finished() || since.elapsed() >= DRAIN);
    over(&mut stays).await;
    over(&mut its).await;
    timeout(WITHIN, restart).await.expect("it is not restarted").unwrap().unwrap();
    assert_eq!(control.status().runnable("http").unwrap().generation, 2);
    let metrics = timeout(WITHIN, waits).await.expect("it is not served").unwrap().unwrap().text();
    for line in ["edge_requests_cut_total 1\n", "edge_requests_in_flight 1\n"] {
        assert!(metrics.contains(&format!("\n{line}")), "{metrics}");
    }

    // Of the new generation nothing is known of the old one's stop.
    let (mut client, mut server) = open(edge, &upstream).await;
    both_ways(&mut client, &mut server).await;
    let stop = control.shutdown("done");
    comes(&mut client, &GOING_AWAY).await;
    agree((client, server)).await;
    let _ = stop.await;
    assert_eq!(running.wait().await.exit_code(), 0);
}

/// The socket is lent, so somebody else can spoil it: what serves on it fails, and is started again on what is whole then.
#[tokio::test]
async fn a_listener_that_fails_tells_its_websockets_and_is_served_again() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place =
        Place::with("spoiled", &before(upstream.local_addr().unwrap()).replace("127.0.0.1:0", "inherited"));
    // Bound to a port that was asked for: one that the kernel has chosen is not kept.
    let socket = std::net::TcpListener::bind(somewhere()).unwrap();
    let child = place.start_on(socket.try_clone().unwrap());
    let edge = ready(&child).await;
    let (mut client, server) = open(edge, &upstream).await;
    shutdown(&socket, Shutdown::Read).unwrap();
    comes(&mut client, &GOING_AWAY).await;
    listen(&socket, 128).unwrap();
    agree((client, server)).await;
    let failed = |line: &str| line.contains("MS0701").then(|| line.to_owned());
    let line = child.line(WITHIN, failed).await.unwrap();
    assert!(line.contains("restarting a child") && line.contains("provider=http"), "{line}");
    let (mut client, mut server) = open(edge, &upstream).await;
    both_ways(&mut client, &mut server).await;
    agree((client, server)).await;
    let ended = stopped(child).await;
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
}
