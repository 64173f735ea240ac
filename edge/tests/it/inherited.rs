//! Inherited sockets: served as any other, kept by a reload, left open by a stop, and refused for what they are not.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;

use edge::drive::{Child, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::{Place, WITHIN, ends, ready, said, stopped};

/// Listens here, and always on an address of its own beside it, where one sees what is in force.
fn settings(listen: &str, greeting: &str) -> String {
    format!("listen: {listen}\nalso: ['127.0.0.2:0']\ngreeting: {greeting}\n")
}

/// Waits until this is in force: what it says of itself then.
async fn in_force(beside: SocketAddr, greeting: &str) -> String {
    let begins = format!("greeting   {greeting}\n");
    let seen = async {
        loop {
            let status = Client::new(beside).get("/status").await.unwrap().text();
            if status.starts_with(&begins) {
                return status;
            }
        }
    };
    timeout(WITHIN, seen).await.unwrap_or_else(|_| panic!("'{greeting}' was not served"))
}

/// A client that is connected, and has asked, whether anybody serves or not: its answer.
async fn asks(server: SocketAddr, waiting: &mut JoinSet<String>) {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n").await.unwrap();
    waiting.spawn(async move {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    });
}

/// All of them were answered.
async fn answered(mut waiting: JoinSet<String>) {
    while let Some(answer) = timeout(WITHIN, waiting.join_next()).await.expect("somebody is left waiting") {
        let answer = answer.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[tokio::test]
async fn who_comes_between_two_processes_waits_for_the_next_one() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = socket.local_addr().unwrap();
    let place = Place::with("inherited", "listen: inherited\n");
    let child = place.start_on(socket.try_clone().unwrap());
    assert_eq!(ready(&child).await, server);
    assert_eq!(Client::new(server).get("/").await.unwrap().status, 200);
    stopped(child).await;
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        asks(server, &mut waiting).await;
    }
    let child = place.start_on(socket);
    answered(waiting).await;
    stopped(child).await;
}

#[tokio::test]
async fn a_reload_keeps_an_inherited_socket_gives_it_up_and_comes_back_to_it() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = socket.local_addr().unwrap();
    let place = Place::with("inherited-reload", &settings("inherited:web", "one"));
    let child = place.start_on(socket);
    assert_eq!(ready(&child).await, server);
    let beside = |line: &str| line.strip_prefix("       http://")?.parse().ok();
    let beside = child.line(WITHIN, beside).await.unwrap();
    let reloaded = async |listen: &str, greeting: &str| {
        place.write("http.yaml", &settings(listen, greeting));
        child.hang_up().unwrap();
        in_force(beside, greeting).await
    };
    let mut kept = Client::new(server);
    assert!(!kept.get("/").await.unwrap().last);

    let status = reloaded("inherited:web", "two").await;
    assert!(status.contains(&format!("listening  {server}, {beside}\n")), "{status}");
    assert!(!kept.get("/").await.unwrap().last);

    // Under its other name it is another door of the same socket: nobody is lost between the two.
    reloaded("inherited", "three").await;
    let mut waiting = JoinSet::new();
    asks(server, &mut waiting).await;
    answered(waiting).await;

    // Given up, it is nobody's: whoever comes waits until it is served again.
    kept.hang_up();
    kept.get("/").await.unwrap();
    reloaded("127.0.0.1:0", "four").await;
    // With this connection, which is told that it was its last answer, its door is closed.
    let last = async { while kept.get("/").await.is_ok_and(|answer| !answer.last) {} };
    timeout(WITHIN, last).await.unwrap();
    let mut waiting = JoinSet::new();
    asks(server, &mut waiting).await;
    reloaded("inherited", "five").await;
    answered(waiting).await;
    stopped(child).await;
}

#[tokio::test]
async fn what_cannot_be_listened_on_is_refused_with_its_place_and_what_was_expected() {
    let refuses = async |child: Child, part: &str| said(&ends(child, 75).await, part);
    let place = Place::with("inherited-not", "greeting: a\nlisten: inherited\n");
    refuses(
        place.start(),
        "http.yaml:2:9 cannot listen on inherited: no socket was inherited, LISTEN_FDS is not set: start edge from a",
    )
    .await;
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    refuses(place.start_on(datagrams), "inherited: descriptor 3 is not a stream socket that listens").await;
    let local = UnixListener::bind(place.path("socket")).unwrap();
    refuses(place.start_on(local), "inherited: descriptor 3 is not a socket of TCP").await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = std::net::TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    refuses(place.start_on(connected), "inherited: descriptor 3 is not a stream socket that listens").await;
    place.write("http.yaml", "listen: inherited:api\n");
    let child = place.start_on(socket.try_clone().unwrap());
    refuses(child, "http.yaml:1:9 cannot listen on inherited:api: no inherited socket has the name 'api'")
        .await;
    place.write("http.yaml", "listen: inherited\nalso: ['inherited:web']\n");
    refuses(place.start_on(socket), "http.yaml:2:8 inherited:web: 127.0.0.1:").await;
}
