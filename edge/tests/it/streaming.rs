//! Bodies are passed on while they come, in both directions, and nobody holds a whole one.

use edge::drive::Child;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::place::{Place, WITHIN, before, stopped};

/// More than all buffers between two ends of a connection hold.
const LARGE: usize = 48 << 20;
const PIECE: usize = 64 << 10;

fn piece(number: usize) -> Vec<u8> {
    vec![number.to_le_bytes()[0]; PIECE]
}

/// The most that it has ever had in memory, in kilobytes: over half of it is code.
fn most_memory(child: &Child) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    most.unwrap().parse().unwrap()
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(WITHIN, stream.read_u8()).await.expect("no head comes").unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

async fn writes(stream: &mut TcpStream) {
    for number in 0..LARGE / PIECE {
        stream.write_all(&piece(number)).await.unwrap();
    }
}

async fn reads(stream: &mut TcpStream, from: usize) {
    let mut read = vec![0; PIECE];
    for number in from..LARGE / PIECE {
        timeout(WITHIN, stream.read_exact(&mut read)).await.expect("it does not go on").unwrap();
        assert!(read == piece(number), "piece {number} is another");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_larger_than_any_buffer_is_passed_on_piece_by_piece_both_ways() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::with("streaming", &before(upstream.local_addr().unwrap()));
    let (child, edge) = place.up().await;
    let idle = most_memory(&child);
    let mut client = TcpStream::connect(edge).await.unwrap();
    let asks = format!("POST /demo/a HTTP/1.1\r\nhost: e\r\ncontent-length: {LARGE}\r\n\r\n");
    client.write_all(asks.as_bytes()).await.unwrap();
    let first = piece(0);
    client.write_all(&first).await.unwrap();
    // The client has not sent the rest, and waits until the first of it has arrived.
    let (mut server, _) = timeout(WITHIN, upstream.accept()).await.expect("nobody connects").unwrap();
    assert!(head(&mut server).await.contains(&format!("content-length: {LARGE}\r\n")));
    let mut read = vec![0; PIECE];
    timeout(WITHIN, server.read_exact(&mut read)).await.expect("the first of it does not come").unwrap();
    assert!(read == first);
    // The answer begins before the request has ended.
    let begins = b"HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nyes\r\n";
    server.write_all(begins).await.unwrap();
    assert!(head(&mut client).await.starts_with("http/1.1 200 "));
    let mut chunk = [0; 8];
    timeout(WITHIN, client.read_exact(&mut chunk)).await.expect("the answer does not begin").unwrap();
    assert_eq!(&chunk, b"3\r\nyes\r\n");
    let sends = async {
        for number in 1..LARGE / PIECE {
            client.write_all(&piece(number)).await.unwrap();
        }
    };
    tokio::join!(sends, reads(&mut server, 1));
    server.write_all(b"0\r\n\r\n").await.unwrap();
    timeout(WITHIN, client.read_exact(&mut [0; 5])).await.expect("the answer does not end").unwrap();

    client.write_all(b"GET /demo/b HTTP/1.1\r\nhost: e\r\n\r\n").await.unwrap();
    let (mut server, _) = timeout(WITHIN, upstream.accept()).await.expect("nobody connects").unwrap();
    head(&mut server).await;
    let answers = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
    server.write_all(answers.as_bytes()).await.unwrap();
    assert!(head(&mut client).await.contains(&format!("content-length: {LARGE}\r\n")));
    tokio::join!(writes(&mut server), reads(&mut client, 0));
    // Nobody between the two has ever held one of these bodies.
    let added = most_memory(&child) - idle;
    assert!(added < LARGE / 4 / 1024, "{added} kB over {idle} kB");
    drop((client, server));
    stopped(child).await;
}
