//! Listeners: a reload adds some before its commit and takes others away after it, or changes nothing.

use std::net::SocketAddr;

use edge::drive::{Child, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::{Place, WITHIN, stopped};

/// Line 2, column 8 is where the first of the others begins.
fn settings(greeting: &str, also: &str) -> String {
    format!("listen: 127.0.0.1:0\nalso: [{also}]\ngreeting: {greeting}\n")
}

/// Reloads this, and waits until it is served: the addresses that are listened on then.
async fn reloaded(
    place: &Place,
    child: &Child,
    server: SocketAddr,
    greeting: &str,
    also: &str,
) -> Vec<SocketAddr> {
    place.write("http.yaml", &settings(greeting, also));
    child.hang_up().unwrap();
    listening(server, greeting).await
}

async fn listening(server: SocketAddr, greeting: &str) -> Vec<SocketAddr> {
    let mut client = Client::new(server);
    let seen = async {
        loop {
            let status = client.get("/status").await.unwrap().text();
            if status.starts_with(&format!("greeting   {greeting}\n")) {
                let line = status.lines().find_map(|line| line.strip_prefix("listening  ")).unwrap();
                return line.split(", ").map(|address| address.parse().unwrap()).collect();
            }
        }
    };
    timeout(WITHIN, seen).await.unwrap_or_else(|_| panic!("'{greeting}' was not served"))
}

async fn refused(place: &Place, child: &Child, greeting: &str, also: &str) -> String {
    place.write("http.yaml", &settings(greeting, also));
    let before = child.said().count();
    child.hang_up().unwrap();
    let named = |line: &str| line.contains("reload of 'http' failed").then(|| line.to_owned());
    let (line, number) = child.said().line_after(before, WITHIN, named).await.unwrap();
    let over = |line: &str| line.contains("reload refused").then_some(());
    child.said().line_after(number, WITHIN, over).await.unwrap();
    line
}

/// An address that is free now.
async fn free(ip: &str) -> SocketAddr {
    TcpListener::bind((ip, 0)).await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn an_added_listener_serves_from_the_commit_and_a_removed_one_finishes_what_it_has() {
    let place = Place::with("listen", &settings("one", ""));
    let (child, server) = place.up().await;
    assert_eq!(listening(server, "one").await, [server]);

    let two = reloaded(&place, &child, server, "two", "127.0.0.2:0").await;
    assert_eq!((two.len(), two[0]), (2, server));
    let mut kept = Client::new(two[1]);
    assert!(!kept.get("/").await.unwrap().last);
    let mut slow = TcpStream::connect(two[1]).await.unwrap();
    slow.write_all(b"GET /demo/slow?ms=600 HTTP/1.1\r\nhost: edge\r\n\r\n").await.unwrap();
    slow.read_u8().await.unwrap();

    // It stays what it is as long as it is written.
    assert_eq!(reloaded(&place, &child, server, "three", "127.0.0.2:0").await, two);
    assert!(!kept.get("/").await.unwrap().last);

    assert_eq!(reloaded(&place, &child, server, "four", "").await, [server]);
    let closed = async { while TcpStream::connect(two[1]).await.is_ok() {} };
    timeout(WITHIN, closed).await.expect("the removed listener still accepts");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("10 of 10\n\r\n0\r\n\r\n"), "{answer}");
    stopped(child).await;
}

#[tokio::test]
async fn who_is_queued_at_a_removed_listener_is_answered() {
    let place = Place::with("queued", &settings("one", "127.0.0.2:0"));
    let (child, server) = place.up().await;
    let removed = listening(server, "one").await[1];
    // Off the processor, it accepts nobody: the kernel does.
    child.pause().unwrap();
    let mut queued = JoinSet::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(removed).await.unwrap();
        stream.write_all(b"GET /status HTTP/1.1\r\nhost: edge\r\n\r\n").await.unwrap();
        queued.spawn(async move {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        });
    }
    place.write("http.yaml", &settings("two", ""));
    child.hang_up().unwrap();
    child.go_on().unwrap();
    assert_eq!(listening(server, "two").await, [server]);
    while let Some(answer) = timeout(WITHIN, queued.join_next()).await.expect("somebody is left waiting") {
        let answer = answer.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let closed = async { while TcpStream::connect(removed).await.is_ok() {} };
    timeout(WITHIN, closed).await.expect("the removed listener still accepts");
    stopped(child).await;
}

#[tokio::test]
async fn a_taken_address_is_refused_with_its_place_and_what_was_bound_is_closed() {
    let place = Place::with("taken", &settings("one", ""));
    let (child, server) = place.up().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let bound = free("127.0.0.2").await;
    let line = refused(&place, &child, "two", &format!("'{bound}', '{address}'")).await;
    let column = "also: ['".len() + bound.to_string().len() + "', ".len() + 1;
    assert!(line.contains(&format!("http.yaml:2:{column} cannot listen on {address}: Address")), "{line}");
    assert_eq!(listening(server, "one").await, [server]);
    // Nobody listens there any more.
    TcpListener::bind(bound).await.unwrap();

    drop(taken);
    let moved = free("127.0.0.2").await;
    let three = reloaded(&place, &child, server, "three", &format!("'{moved}', '{address}'")).await;
    assert_eq!(three, [server, moved, address]);
    for address in three {
        assert_eq!(Client::new(address).get("/").await.unwrap().status, 200);
    }
    stopped(child).await;
}

#[tokio::test]
async fn the_address_that_it_started_on_can_move_while_it_is_served() {
    let place = Place::with("moves-on", &settings("one", ""));
    let (child, server) = place.up().await;
    let mut client = Client::new(server);
    client.get("/").await.unwrap();
    place.write("http.yaml", "listen: 127.0.0.2:0\ngreeting: two\n");
    child.hang_up().unwrap();
    // The answer that is the last one on the old address knows the new one, and so do those before it.
    let last = async {
        loop {
            let answer = client.get("/status").await.unwrap();
            if answer.last {
                return answer.text();
            }
        }
    };
    let last = timeout(WITHIN, last).await.expect("the old address goes on");
    assert!(last.contains("greeting   two\n") && last.contains("listening  127.0.0.2:"), "{last}");
    stopped(child).await;
}
