//! A WebSocket through edge: the upgrade, bytes both ways, and the word at the stop.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::place::{Place, WITHIN, before, ends, get, said, stopped};

pub(crate) const ASKS: &str = "GET /demo/chat?room=1 HTTP/1.1\r\nhost: edge\r\nconnection: keep-alive, Upgrade\r\n\
    upgrade: WebSocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
pub(crate) const GRANTS: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
pub(crate) const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xE9];

pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(WITHIN, stream.read_u8()).await.expect("no head comes").unwrap());
    }
    String::from_utf8(head).unwrap()
}

pub(crate) async fn comes(stream: &mut TcpStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    timeout(WITHIN, stream.read_exact(&mut read)).await.expect("it does not come").unwrap();
    assert_eq!(read, bytes);
}

pub(crate) async fn over(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = timeout(WITHIN, stream.read_to_end(&mut rest)).await.expect("it is not over");
    assert_eq!(rest, [0; 0]);
}

/// An edge, a client of it and the upstream's end of the connection that was made for it.
async fn open(name: &str, answer: &str) -> (Place, edge::drive::Child, TcpStream, TcpStream, String) {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = upstream.local_addr().unwrap();
    let place = Place::with(name, &before(address));
    let (child, edge) = place.up().await;
    let mut client = TcpStream::connect(edge).await.unwrap();
    client.write_all(ASKS.as_bytes()).await.unwrap();
    let (mut server, _) = timeout(WITHIN, upstream.accept()).await.expect("nobody connects").unwrap();
    let asked = head(&mut server).await;
    server.write_all(answer.as_bytes()).await.unwrap();
    (place, child, client, server, asked)
}

#[tokio::test]
async fn an_upgrade_is_passed_through_and_then_bytes_are() {
    let (_place, child, mut client, mut server, asked) = open("websocket", GRANTS).await;
    let asked = asked.to_lowercase();
    assert!(asked.starts_with("get /chat?room=1 http/1.1\r\n"), "{asked}");
    for line in
        ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-key: ", "forwarded: for="]
    {
        assert!(asked.contains(line), "{asked}");
    }
    let granted = head(&mut client).await.to_lowercase();
    assert!(granted.starts_with("http/1.1 101 ") && granted.contains("sec-websocket-accept: "), "{granted}");
    assert!(
        granted.contains("connection: upgrade\r\n") && granted.contains("upgrade: websocket\r\n"),
        "{granted}"
    );
    client.write_all(b"\x81\x85\0\0\0\0hello").await.unwrap();
    comes(&mut server, b"\x81\x85\0\0\0\0hello").await;
    server.write_all(b"\x81\x05world").await.unwrap();
    comes(&mut client, b"\x81\x05world").await;
    // The end of one is the end of the other.
    drop(client);
    over(&mut server).await;
    drop(server);
    stopped(child).await;
}

#[tokio::test]
async fn at_a_stop_the_client_is_told_behind_the_frame_that_is_on_its_way() {
    let (_place, child, mut client, mut server, _) = open("goodbye", GRANTS).await;
    head(&mut client).await;
    server.write_all(b"\x81\x05wo").await.unwrap();
    comes(&mut client, b"\x81\x05wo").await;
    child.terminate().unwrap();
    // It does not accept any more, so it was told.
    let edge = client.peer_addr().unwrap();
    while TcpStream::connect(edge).await.is_ok() {}
    server.write_all(b"rld\x81\x04more").await.unwrap();
    comes(&mut client, b"rld").await;
    comes(&mut client, &GOING_AWAY).await;
    // The two end it as they do it with each other.
    client.write_all(b"\x88\x82\0\0\0\0\x03\xE9").await.unwrap();
    comes(&mut server, b"\x88\x82\0\0\0\0\x03\xE9").await;
    drop(server);
    over(&mut client).await;
    drop(client);
    let ended = ends(child, 0).await;
    said(&ended, "stop SIGTERM · 0 in flight");
    assert!(ended.took < std::time::Duration::from_secs(5), "{:?}", ended.took);
}

#[tokio::test]
async fn who_is_told_and_stays_is_cut_at_the_deadline_and_counted() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = upstream.local_addr().unwrap();
    let settings = format!("access_log: log\n{}limits:\n  drain: 300ms\n", before(address));
    let place = Place::with("stays", &settings);
    let (child, edge) = place.up().await;
    // One that can be told, and one of a protocol that nobody here knows.
    let mut tunnels = Vec::new();
    for protocol in ["websocket", "chat/7"] {
        let mut client = TcpStream::connect(edge).await.unwrap();
        client.write_all(ASKS.replace("WebSocket", protocol).as_bytes()).await.unwrap();
        let (mut server, _) = timeout(WITHIN, upstream.accept()).await.expect("nobody connects").unwrap();
        assert!(head(&mut server).await.to_lowercase().contains(&format!("upgrade: {protocol}\r\n")));
        server
            .write_all(GRANTS.replace("upgrade: websocket", &format!("upgrade: {protocol}")).as_bytes())
            .await
            .unwrap();
        assert!(head(&mut client).await.to_lowercase().contains(&format!("upgrade: {protocol}\r\n")));
        server.write_all(b"\x81\x05hello").await.unwrap();
        comes(&mut client, b"\x81\x05hello").await;
        client.write_all(b"some").await.unwrap();
        comes(&mut server, b"some").await;
        tunnels.push((client, server));
    }
    let metrics = get(edge, "/metrics").await;
    assert!(metrics.contains("\nedge_requests_in_flight 3\n"), "{metrics}");
    child.terminate().unwrap();
    for ((client, server), told) in tunnels.iter_mut().zip([&GOING_AWAY[..], b""]) {
        comes(client, told).await;
        over(client).await;
        over(server).await;
    }
    let ended = ends(child, 0).await;
    said(&ended, "stop SIGTERM · 0 in flight");
    said(&ended, " · 2 cut · ");
    assert!(ended.took < std::time::Duration::from_secs(5), "{:?}", ended.took);
    let log = std::fs::read_to_string(place.path("log")).unwrap();
    let cut: Vec<&str> =
        log.lines().filter(|line| line.contains(" 101 7 ") && line.ends_with(" cut")).collect();
    assert_eq!(cut.len(), 2, "{log}");
}

#[tokio::test]
async fn an_upgrade_that_is_not_granted_is_an_answer_like_any_other() {
    let refuses = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
    let (_place, child, mut client, _server, _) = open("refused-upgrade", refuses).await;
    let answer = head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    comes(&mut client, b"no").await;
    drop(client);
    stopped(child).await;
}

#[tokio::test]
async fn another_protocol_than_the_one_that_was_asked_for_is_not_opened() {
    let (_place, child, mut client, _server, _) =
        open("other-upgrade", &GRANTS.replace("upgrade: websocket", "upgrade: h2c")).await;
    let answer = head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    drop(client);
    stopped(child).await;
}
