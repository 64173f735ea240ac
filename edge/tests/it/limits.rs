//! The limits: who finds no place waits, is refused, and is told when to come again; nobody else notices.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use edge::drive::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::place::{Place, WITHIN, get, stopped};

fn settings(limits: &str) -> String {
    format!("listen: 127.0.0.1:0\nlimits:\n{limits}")
}

/// An answer that takes its time, and has begun.
async fn slow(server: SocketAddr, milliseconds: u32) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let request =
        format!("GET /demo/slow?ms={milliseconds} HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'H');
    stream
}

/// Reads it to its end, which is the one that it should have.
async fn whole(mut slow: TcpStream) {
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(" 200 ") && answer.ends_with("10 of 10\n\r\n0\r\n\r\n"), "{answer}");
}

async fn metric(server: SocketAddr, line: &str) -> bool {
    get(server, "/metrics").await.lines().any(|one| one == line)
}

/// Waits until this is among the metrics.
async fn becomes(server: SocketAddr, line: &str) {
    let seen = async {
        while !metric(server, line).await {
            yield_now().await;
        }
    };
    timeout(WITHIN, seen).await.unwrap_or_else(|_| panic!("{line} did not come"));
}

/// Fails when the queue has no bound, or no time.
#[tokio::test]
async fn a_full_route_makes_wait_then_refuses_and_other_routes_are_free() {
    let limits = "  routes:\n    /demo/: { inside: 1, waiting: 1, wait: 1200ms }\n";
    let place = Place::with("route-limit", &settings(limits));
    let (child, address) = place.up().await;
    let inside = slow(address, 60_000).await;
    let since = Instant::now();
    let waits = tokio::spawn(async move { (get(address, "/demo/hello").await, since.elapsed()) });
    becomes(address, "edge_route_requests_waiting{route=\"/demo/\"} 1").await;

    let refused = get(address, "/demo/hello").await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert!(get(address, "/").await.starts_with("HTTP/1.1 200 "));

    let (answer, took) = waits.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 2\r\n"), "{answer}");
    assert!(took >= Duration::from_millis(1200) && took < Duration::from_secs(5), "{took:?}");
    assert!(metric(address, "edge_limited_requests_total{by=\"route\"} 2").await);

    // Who goes away gives its place back.
    drop(inside);
    becomes(address, "edge_route_requests_in_flight{route=\"/demo/\"} 0").await;
    assert!(get(address, "/demo/hello").await.starts_with("HTTP/1.1 200 "));
    stopped(child).await;
}

#[tokio::test]
async fn a_client_beyond_its_limit_is_refused_and_another_one_is_not() {
    let place = Place::with("client-limit", &settings("  client: 2\n"));
    let (child, address) = place.up().await;
    let inside = [slow(address, 1_500).await, slow(address, 1_500).await];
    let refused = get(address, "/").await;
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("\r\nretry-after: 1\r\n"), "{refused}");

    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).unwrap();
    let mut other = socket.connect(address).await.unwrap();
    other.write_all(b"GET /metrics HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("edge_limited_requests_total{by=\"client\"} 1\n"), "{answer}");

    for slow in inside {
        whole(slow).await;
    }
    assert!(get(address, "/").await.starts_with("HTTP/1.1 200 "));
    stopped(child).await;
}

/// Fails when a reload makes new gates: then who is inside is forgotten.
#[tokio::test]
async fn a_reload_changes_a_limit_without_dropping_who_is_inside_or_waits() {
    let place = Place::with("limit-reload", "listen: 127.0.0.1:0\n");
    let (child, address) = place.up().await;
    let inside = slow(address, 2_000).await;
    let one = "  routes:\n    /demo/: { inside: 1, waiting: 9, wait: 20s }\n";
    place.write("http.yaml", &settings(one));
    child.hang_up().unwrap();
    let mut client = Client::new(address);
    let read =
        async { while !client.get("/status").await.unwrap().text().contains("settings   version 2") {} };
    timeout(WITHIN, read).await.unwrap();

    // It came before there was a limit, and counts.
    let waits = tokio::spawn(async move { get(address, "/demo/hello").await });
    becomes(address, "edge_route_requests_waiting{route=\"/demo/\"} 1").await;
    place.write("http.yaml", &settings(&one.replace("inside: 1", "inside: 2")));
    child.hang_up().unwrap();
    let answer = waits.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    whole(inside).await;

    place.write("http.yaml", &settings("  routes:\n    /dmeo/: { inside: 1 }\n"));
    let before = child.said().count();
    child.hang_up().unwrap();
    let refused = |line: &str| line.contains("reload of 'limits' failed").then(|| line.to_owned());
    let (line, _) = child.said().line_after(before, WITHIN, refused).await.unwrap();
    assert!(line.contains("http.yaml:4:23 limits.routes: '/dmeo/' is no route"), "{line}");
    stopped(child).await;
}
