//! What is passed on to an upstream.

use std::net::SocketAddr;

use bytes::Bytes;
use edge::drive::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::place::{Place, QUIET, before, exchange, stopped};

#[tokio::test]
async fn a_body_is_passed_on_and_comes_back() {
    let place = Place::with("echo", QUIET);
    let (child, address) = place.up().await;
    let body: Bytes = (0..8_u32 << 20).map(|byte| byte.to_le_bytes()[1]).collect();
    let mut client = Client::new(address);
    for _ in 0..2 {
        let answer = client.post("/demo/echo", body.clone()).await.unwrap();
        assert!(answer.body == body && !answer.last);
    }
    stopped(child).await;
}

#[tokio::test]
async fn an_upstream_that_is_gone_is_named_and_costs_its_own_requests_only() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let place = Place::with("gone", &before(nobody));
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    let answer = client.get("/demo/hello").await.unwrap();
    assert_eq!(answer.status, 502);
    assert!(
        answer.text().starts_with(&format!("the upstream {nobody} cannot be reached")),
        "{}",
        answer.text()
    );
    assert_eq!(client.get("/").await.unwrap().status, 200);
    stopped(child).await;
}

#[tokio::test]
async fn an_upstream_that_is_silent_is_waited_for_as_long_as_is_said() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = silent.local_addr().unwrap();
    let settings = before(upstream).replace("check", "patience: 100ms\n    check");
    let place = Place::with("silent", &settings);
    let (child, address) = place.up().await;
    let answer = Client::new(address).get("/demo/hello").await.unwrap();
    assert_eq!(answer.status, 504);
    assert!(answer.text().contains("did not answer in 100ms"), "{}", answer.text());
    stopped(child).await;
}

/// What an upstream is asked, and what comes back of its answer, which has two headers of its own line.
async fn hops(name: &str, more: &str) -> (String, String, SocketAddr) {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let its_address = upstream.local_addr().unwrap();
    let place = Place::with(name, &format!("{}{more}", before(its_address)));
    let (child, address) = place.up().await;
    let server = async {
        let (mut stream, _) = upstream.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = "HTTP/1.1 200 OK\r\nconnection: close, x-ours\r\nx-ours: 1\r\nx-kept: 1\r\n\r\nbody";
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap()
    };
    let request = "GET /demo/a?b=c HTTP/1.1\r\nhost: edge\r\nconnection: close, x-mine, via\r\nx-mine: 1\r\n\
                   te: trailers\r\nforwarded: for=10.0.0.1\r\nx-forwarded-for: 10.0.0.1\r\nx-kept: 1\r\n\r\n";
    let (head, answer) = tokio::join!(server, exchange(address, request));
    stopped(child).await;
    (head, answer, its_address)
}

#[tokio::test]
async fn the_host_and_what_is_between_neighbours_are_not_passed_on() {
    let (head, answer, its_address) = hops("hops", "").await;
    assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains(&format!("host: {its_address}\r\n")) && head.contains("via: 1.1 edge\r\n"),
        "{head}"
    );
    assert!(head.contains("x-kept: 1\r\n") && !head.contains("x-mine") && !head.contains("te:"), "{head}");
    assert!(answer.contains("x-kept: 1\r\n") && !answer.contains("x-ours"), "{answer}");
    assert!(answer.contains("via: 1.1 edge\r\n"), "{answer}");
}

#[tokio::test]
async fn whom_edge_asks_for_is_said_and_what_clients_say_of_it_is_replaced_unless_it_is_wanted() {
    let ours = "forwarded: for=127.0.0.1;host=\"edge\";proto=http\r\n";
    let (head, ..) = hops("replaced", "").await;
    assert!(head.contains(ours) && !head.contains("10.0.0.1"), "{head}");
    let (head, ..) = hops("appended", "forwarded: append\n").await;
    assert!(head.contains(&format!("forwarded: for=10.0.0.1\r\n{ours}")), "{head}");
    assert!(head.contains("x-forwarded-for: 10.0.0.1\r\n"), "{head}");
}
