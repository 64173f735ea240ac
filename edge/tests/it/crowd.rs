//! Everybody at once: whatever the clients do, a stop ends within its deadline, finishes what can finish, and counts the
//! rest.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::place::{Place, WITHIN, ends, said};
use crate::websocket::{ASKS, GOING_AWAY, GRANTS, comes, head, over};

/// How long the stop may wait for what is in flight.
const DRAIN: Duration = Duration::from_secs(4);

const SETTINGS: &str = "listen: 127.0.0.1:0\nfiles: public\nroutes:\n  /asked: text answered\n  \
                        /chat/: upstream chat\nlimits:\n  header: 60s\n  linger: 250ms\n  drain: 4s\n";

/// More than the kernel holds for a client that does not read.
const BIG: usize = 32 << 20;

/// Sends these bytes, and nothing more.
async fn sent(server: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// Sends them, and waits until the answer has begun.
async fn begun(server: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = sent(server, bytes).await;
    let first = timeout(WITHIN, stream.read_u8()).await.expect("the answer does not begin");
    assert_eq!(first.unwrap(), b'H');
    stream
}

/// Sends a byte a second until the connection ends.
async fn trickles(mut stream: TcpStream) {
    let (mut second, mut back) = (interval(Duration::from_secs(1)), [0]);
    loop {
        tokio::select! {
            _ = second.tick() => if stream.write_all(b"a").await.is_err() { return },
            read = stream.read(&mut back) => if !matches!(read, Ok(1)) { return },
        }
    }
}

/// Connections that have had an answer, and say no more: 1,000, where so many files may be open.
async fn idle(server: SocketAddr) -> Vec<TcpStream> {
    let most = getrlimit(Resource::Nofile).current.map_or(1000, |most| most.saturating_sub(400) / 2);
    let mut streams = Vec::new();
    for _ in 0..most.min(1000) {
        streams.push(sent(server, "GET /asked HTTP/1.1\r\nhost: e\r\n\r\n").await);
    }
    for stream in &mut streams {
        let mut answer = Vec::new();
        while !answer.ends_with(b"answered\n") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{answer:?}");
        }
    }
    streams
}

/// Reads a whole answer, no more than some at a time.
async fn slowly(mut stream: TcpStream) -> usize {
    let (mut beat, mut some, mut whole) = (interval(Duration::from_millis(5)), vec![0; 512 << 10], 0);
    loop {
        match stream.read(&mut some).await.unwrap() {
            0 => return whole,
            read => whole += read,
        }
        beat.tick().await;
    }
}

/// A WebSocket through edge: both of its ends, and a word that has passed.
async fn chats(edge: SocketAddr, upstream: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client = sent(edge, &ASKS.replace("/demo/chat", "/chat/a")).await;
    let (mut server, _) = timeout(WITHIN, upstream.accept()).await.expect("nobody connects").unwrap();
    head(&mut server).await;
    server.write_all(GRANTS.as_bytes()).await.unwrap();
    server.write_all(b"\x81\x05hello").await.unwrap();
    head(&mut client).await;
    comes(&mut client, b"\x81\x05hello").await;
    (client, server)
}

type Sender = SendRequest<Empty<Bytes>>;

/// Opens a stream whose answer has begun, and takes so long.
async fn stream(sender: &Sender, milliseconds: u32) -> Response<Incoming> {
    let mut sender = sender.clone();
    sender.ready().await.unwrap();
    let request =
        Request::get(format!("http://edge/demo/slow?ms={milliseconds}")).body(Empty::new()).unwrap();
    let answer = timeout(WITHIN, sender.send_request(request)).await.expect("the answer does not begin");
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}

/// Fails when the stop has no deadline of its own for what is in flight: it then takes 19.9 s, which is the provider's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_crowd_does_a_stop_is_in_time_finishes_what_can_and_counts_the_rest() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pool = format!(
        "upstreams:\n  chat:\n    servers: ['{}']\n    check: {{interval: off}}\n",
        upstream.local_addr().unwrap()
    );
    let place = Place::with("crowd", &format!("{SETTINGS}{pool}"));
    place.write("public/big", &"x".repeat(BIG));
    let (child, server) = place.up().await;

    // These five do not end by themselves.
    let half = sent(server, "GET / HTTP/1.1\r\nhost: ed").await;
    let mut slow = JoinSet::new();
    slow.spawn(trickles(sent(server, "GET / HTTP/1.1\r\nx: ").await));
    let body = "POST /demo/echo HTTP/1.1\r\nhost: e\r\ncontent-length: 1000\r\n\r\na";
    slow.spawn(trickles(begun(server, body).await));
    let deaf = begun(server, "GET /files/big HTTP/1.1\r\nhost: e\r\n\r\n").await;
    let (mut stays, mut its) = chats(server, &upstream).await;

    // These do.
    let (mut goes, mut with) = chats(server, &upstream).await;
    let idle = idle(server).await;
    let download = begun(server, "GET /files/big HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n").await;
    let download = tokio::spawn(slowly(download));

    // Of a hundred streams of one connection some do.
    let socket = TcpStream::connect(server).await.unwrap();
    let (sender, connection) =
        handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    let connection = tokio::spawn(connection);
    let (mut finish, mut stay) = (JoinSet::new(), JoinSet::new());
    for _ in 0..50 {
        stay.spawn(stream(&sender, 60_000).await.into_body().collect());
    }
    for _ in 0..50 {
        finish.spawn(stream(&sender, 800).await.into_body().collect());
    }

    child.terminate().unwrap();
    // Both WebSockets are told; one of them ends.
    for told in [&mut stays, &mut goes] {
        comes(told, &GOING_AWAY).await;
    }
    goes.write_all(b"\x88\x82\0\0\0\0\x03\xE9").await.unwrap();
    comes(&mut with, b"\x88\x82\0\0\0\0\x03\xE9").await;
    drop(with);
    over(&mut goes).await;
    let ended = ends(child, 0).await;
    said(&ended, "stop SIGTERM · 0 in flight · hooks 10/10 · 6 cut · ");
    for cut in [&mut stays, &mut its] {
        over(cut).await;
    }
    assert!(ended.took >= DRAIN && ended.took < DRAIN + Duration::from_secs(2), "{:?}", ended.took);

    assert!(download.await.unwrap() > BIG);
    while let Some(answer) = finish.join_next().await {
        assert!(answer.unwrap().unwrap().to_bytes().ends_with(b"10 of 10\n"));
    }
    while let Some(answer) = stay.join_next().await {
        answer.unwrap().unwrap_err();
    }
    for mut stream in idle {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "it was told something else than the end");
    }
    // Nobody is held: the connections are gone.
    let over = async { while slow.join_next().await.is_some() {} };
    timeout(WITHIN, over).await.expect("a slow one can still send");
    timeout(WITHIN, connection).await.expect("the HTTP/2 connection goes on").unwrap().ok();
    drop((half, deaf));
}
