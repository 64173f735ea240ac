//! HTTP/2: a client is told, its streams end, and what does not end is counted.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{Connection, SendRequest, handshake};
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mainstay_hyper::{Doing, Server};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::{Up, ends, up, within};

type Sender = SendRequest<Empty<Bytes>>;

async fn client(server: &Up) -> (Sender, JoinHandle<hyper::Result<()>>) {
    let (sender, connection): (Sender, Connection<TokioIo<TcpStream>, Empty<Bytes>, TokioExecutor>) =
        handshake(TokioExecutor::new(), TokioIo::new(server.connect().await)).await.unwrap();
    (sender, tokio::spawn(connection))
}

async fn ask(mut sender: Sender, path: &'static str) -> hyper::Result<Bytes> {
    sender.ready().await?;
    let request = Request::builder().uri(format!("http://a{path}")).version(Version::HTTP_2);
    let response = sender.send_request(request.body(Empty::new()).unwrap()).await?;
    assert_eq!(response.status(), StatusCode::OK);
    Ok(response.into_body().collect().await?.to_bytes())
}

/// Without the cut it is not over at the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_streams_those_finish_that_can_and_the_rest_is_counted() {
    let deadline = Duration::from_millis(500);
    let server = up(Server::new().drain_timeout(deadline)).await;
    let (sender, connection) = client(&server).await;
    let (mut finish, mut stay) = (JoinSet::new(), JoinSet::new());
    for _ in 0..50 {
        finish.spawn(ask(sender.clone(), "/until-stop"));
        stay.spawn(ask(sender.clone(), "/never"));
    }
    server.site.entered(100).await;
    let down = server.down().await;
    assert!(down.took >= deadline && down.took < Duration::from_secs(2), "{:?}", down.took);
    let mut finished = 0;
    while let Some(answer) = within(finish.join_next()).await {
        assert_eq!(answer.unwrap().unwrap(), "hello");
        finished += 1;
    }
    assert_eq!(finished, 50);
    while let Some(answer) = within(stay.join_next()).await {
        answer.unwrap().unwrap_err();
    }
    assert_eq!(
        (down.served.requests, down.served.cut.len(), down.served.left.len()),
        (100, 1, 0),
        "{}",
        down.served
    );
    assert!(matches!(down.served.cut[0].doing, Doing::Answering { requests: 50, .. }), "{}", down.served);
    assert!(down.outcome.forced().is_empty(), "{}", down.outcome);
    let _ = within(connection).await;
}

/// Without the GOAWAY the client goes on to send, and is cut at the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_told_and_what_is_in_flight_is_answered() {
    let server = up(Server::new()).await;
    let (sender, connection) = client(&server).await;
    let (idle, idle_connection) = client(&server).await;
    assert_eq!(within(ask(idle.clone(), "/")).await.unwrap(), "hello");
    let waiting = tokio::spawn(ask(sender.clone(), "/wait"));
    server.site.entered(2).await;
    let site = server.site.clone();
    let stopping = tokio::spawn(server.down());
    // The idle one is closed, in good order.
    within(idle_connection).await.unwrap().unwrap();
    site.go.add_permits(1);
    assert_eq!(within(waiting).await.unwrap().unwrap(), "hello");
    within(connection).await.unwrap().unwrap();
    within(ask(sender, "/")).await.unwrap_err();
    let down = within(stopping).await.unwrap();
    assert_eq!((down.served.finished, down.served.cut.len()), (2, 0), "{}", down.served);
    assert!(down.took < Duration::from_secs(2), "{:?}", down.took);
}

/// Without the catch around a stream its panic fails the generation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_costs_its_stream_only() {
    let server = up(Server::new()).await;
    let (sender, _connection) = client(&server).await;
    within(ask(sender.clone(), "/panic")).await.unwrap_err();
    assert_eq!(within(ask(sender.clone(), "/")).await.unwrap(), "hello");
    drop(sender);
    let down = server.down().await;
    assert_eq!((down.served.panics, down.outcome.exit_code()), (1, 0), "{}", down.outcome);
}

/// Without the last call it is cut at the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_preface_does_not_hold_a_stop() {
    let server = up(Server::new()).await;
    let mut half = server.sent("PRI * HTT").await;
    crate::support::becomes(|| server.note().starts_with("1 open")).await;
    let down = server.down().await;
    assert!(down.took < Duration::from_secs(2), "{:?}", down.took);
    ends(&mut half).await;
    let _ = half.shutdown().await;
}
