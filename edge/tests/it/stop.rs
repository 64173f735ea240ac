//! The stop: what is in flight is finished, and nothing else is waited for.

use std::time::{Duration, Instant};

use edge::drive::{Client, Load};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::{Place, QUIET, WITHIN, ends, exchange, ready, said, stopped};

#[tokio::test]
async fn a_stop_under_keep_alive_load_finishes_every_request() {
    let place = Place::with("drain", "listen: 127.0.0.1:0\nfiles: public\n");
    place.write("public/file", &"x".repeat(300_000));
    let (child, address) = place.up().await;
    let load = Load::start(
        address,
        8,
        vec![
            ("/", Box::new(|answer| answer.status == 200)),
            ("/files/file", Box::new(|answer| answer.body.len() == 300_000)),
            ("/demo/hello", Box::new(|answer| answer.text().starts_with("hello"))),
            ("/demo/slow?ms=40", Box::new(|answer| answer.text().ends_with("10 of 10\n"))),
        ],
    );
    let mut slow = JoinSet::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /demo/slow?ms=1500 HTTP/1.1\r\nhost: edge\r\n\r\n").await.unwrap();
        // Its answer has begun.
        let first = stream.read_u8().await.unwrap();
        slow.spawn(async move {
            let mut answer = vec![first];
            stream.read_to_end(&mut answer).await.unwrap();
            String::from_utf8(answer).unwrap()
        });
    }
    let mut client = Client::new(address);
    while load.so_far().sent < 200 {
        client.get("/").await.unwrap();
    }
    load.farewell();
    child.terminate().unwrap();
    let ended = ends(child, 0).await;
    let tally = load.ended().await;
    assert_eq!((tally.failed, &tally.failures), (0, &vec![]));
    while let Some(answer) = slow.join_next().await {
        let answer = answer.unwrap();
        assert!(answer.ends_with("10 of 10\n\r\n0\r\n\r\n"), "{answer}");
    }
    said(&ended, "stop SIGTERM · 0 in flight · hooks 10/10 · ");
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
}

#[tokio::test]
async fn an_answer_during_the_stop_is_the_last_on_its_connection() {
    let place = Place::with("last", "listen: 127.0.0.1:0\nlimits:\n  linger: 10s\n");
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    assert!(!client.get("/").await.unwrap().last);
    child.terminate().unwrap();
    let said_so = async { while !client.get("/").await.unwrap().last {} };
    timeout(WITHIN, said_so).await.unwrap();
    // The linger was for this connection, which has said its last: nothing is left to wait for.
    let ended = ends(child, 0).await;
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
}

#[tokio::test]
async fn half_a_head_does_not_hold_the_stop() {
    let place = Place::with("half", "listen: 127.0.0.1:0\nlimits:\n  header: 60s\n");
    let (child, address) = place.up().await;
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nhost: ed").await.unwrap();
    Client::new(address).get("/").await.unwrap();
    let ended = stopped(child).await;
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_stop_no_longer_than_it_may() {
    let place = Place::with("deaf", "listen: 127.0.0.1:0\nfiles: public\n");
    place.write("public/big", &"x".repeat(32 << 20));
    let (child, address) = place.up().await;
    let mut deaf = TcpStream::connect(address).await.unwrap();
    deaf.write_all(b"GET /files/big HTTP/1.1\r\nhost: e\r\n\r\n").await.unwrap();
    deaf.read_u8().await.unwrap();
    let since = Instant::now();
    child.terminate().unwrap();
    // A second signal is for those who cannot wait for the twenty seconds that it may take.
    while TcpStream::connect(address).await.is_ok() {}
    child.terminate().unwrap();
    let ended = ends(child, 128 + 15).await;
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    said(&ended, "http");
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_is_not_waited_for() {
    let place = Place::with("header", "listen: 127.0.0.1:0\nlimits:\n  header: 100ms\n");
    let (child, address) = place.up().await;
    // The connection ends although nobody closes it on this side.
    exchange(address, "GET / HTTP/1.1\r\nhost: ed").await;
    stopped(child).await;
}

#[tokio::test]
async fn out_of_files_it_waits_without_spinning_and_serves_on() {
    let place = Place::with("emfile", QUIET);
    let child = place.start_with_files(40);
    let address = ready(&child).await;
    // What a slow answer needs is open already.
    let mut client = Client::new(address);
    client.get("/demo/hello").await.unwrap();
    let mut connections = Vec::new();
    for _ in 0..60 {
        connections.push(TcpStream::connect(address).await.unwrap());
    }
    let warned = |line: &str| line.contains("accepting failed").then_some(());
    child.line(WITHIN, warned).await.unwrap();
    let before = ticks(child.pid());
    assert_eq!(client.get("/demo/slow?ms=1000").await.unwrap().status, 200);
    let spent = ticks(child.pid()) - before;
    assert!(spent < 30, "{spent} hundredths of a second of a processor in one second");
    drop(connections);
    assert_eq!(Client::new(address).get("/").await.unwrap().status, 200);
    stopped(child).await;
}

/// The processor time of a process in hundredths of a second.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name, in parentheses, may have spaces; after it user and system time are the 12th and 13th.
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
    fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}
