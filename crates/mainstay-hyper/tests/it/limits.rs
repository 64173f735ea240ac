//! What a client may take, and what a machine that is short of descriptors costs: exactly, on a paused clock.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use mainstay_hyper::{Doing, Server};
use mainstay_registry::Deadlines;
use mainstay_sync::Gate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::support::{ends, get, hello, paused, paused_with};

const HEADER: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(60);
const WRITE: Duration = Duration::from_secs(30);

fn server() -> Server {
    Server::new().header_timeout(HEADER).idle_timeout(IDLE)
}

/// What takes longer on the paused clock never ends.
async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(IDLE * 60, future).await.expect("it never ends")
}

/// What a timer of milliseconds may be late.
fn about(time: Duration, expected: Duration) {
    assert!(time >= expected && time < expected + Duration::from_millis(5), "{time:?}, not {expected:?}");
}

/// Without the limit it is closed when it is idle for too long, or never.
#[tokio::test(start_paused = true)]
async fn a_head_has_its_time_from_the_accept_at_first_and_later_from_its_first_byte() {
    let (clients, server) = paused(server()).await;
    let since = Instant::now();
    let mut silent = clients.connect();
    let mut slow = clients.connect();
    let mut kept = clients.connect();
    kept.write_all(get("/").as_bytes()).await.unwrap();
    hello(&mut kept).await;
    let bytes = tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_secs(1));
        let mut bytes = 0;
        loop {
            beat.tick().await;
            if slow.write_all(b"G").await.is_err() {
                return bytes;
            }
            bytes += 1;
        }
    });
    in_time(silent.read_to_end(&mut Vec::new())).await.unwrap();
    about(since.elapsed(), HEADER);
    assert_eq!(bytes.await.unwrap(), 10);

    tokio::time::advance(Duration::from_secs(10)).await;
    kept.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let since = Instant::now();
    in_time(kept.read_to_end(&mut Vec::new())).await.unwrap();
    about(since.elapsed(), HEADER);
    let down = server.down().await;
    assert_eq!(
        (down.served.slow_heads, down.served.idle, down.served.cut.len()),
        (3, 0, 0),
        "{}",
        down.served
    );
}

/// Without the limit it is never closed.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_has_its_time_from_its_last_answer() {
    let (clients, server) = paused(server()).await;
    let mut client = clients.connect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(9)).await;
        client.write_all(get("/").as_bytes()).await.unwrap();
        hello(&mut client).await;
    }
    client.write_all(get("/wait").as_bytes()).await.unwrap();
    // Work is not idle, however long it takes.
    tokio::time::sleep(IDLE * 10).await;
    server.site.go.add_permits(1);
    hello(&mut client).await;
    let since = Instant::now();
    in_time(client.read_to_end(&mut Vec::new())).await.unwrap();
    about(since.elapsed(), IDLE);
    let down = server.down().await;
    assert_eq!((down.served.idle, down.served.requests, down.served.cut.len()), (1, 4, 0), "{}", down.served);
}

/// Without the limit it is never closed: bytes that are no request keep nothing open.
#[tokio::test(start_paused = true)]
async fn an_http2_connection_without_streams_is_idle_whatever_it_sends() {
    let (clients, server) = paused(server()).await;
    let mut client = clients.connect();
    let since = Instant::now();
    // The preface, empty SETTINGS, and then a PING every second.
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let (mut read, mut write) = tokio::io::split(client);
    let pings = tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_secs(1));
        while write.write_all(b"\0\0\x08\x06\0\0\0\0\0\0\0\0\0\0\0\0\0").await.is_ok() {
            beat.tick().await;
        }
    });
    let mut said = Vec::new();
    let _ = in_time(read.read_to_end(&mut said)).await;
    // It never acknowledges the PING of the graceful end, so it has the same time once more.
    about(since.elapsed(), IDLE * 2);
    assert!(said.windows(9).any(|frame| frame[3] == 7), "there was no GOAWAY");
    pings.abort();
    assert_eq!(server.down().await.served.idle, 1);
}

/// Without the pause every failure of the queue is taken at once.
#[tokio::test(start_paused = true)]
async fn a_machine_out_of_descriptors_is_waited_for_and_costs_no_core() {
    let (clients, server) = paused(server()).await;
    let since = Instant::now();
    for _ in 0..10 {
        clients.fail(io::Error::from_raw_os_error(24));
    }
    // One that went away costs nothing.
    clients.fail(io::ErrorKind::ConnectionAborted.into());
    let mut client = clients.connect();
    client.write_all(get("/").as_bytes()).await.unwrap();
    hello(&mut client).await;
    let pauses = 10 + 20 + 40 + 80 + 160 + 320 + 640 + 3 * 1000;
    let took = since.elapsed();
    let expected = Duration::from_millis(pauses);
    assert!(took >= expected && took < expected + Duration::from_millis(50), "{took:?}");
    assert_eq!(server.down().await.served.accept_failures, 11);
}

/// Without the limit it is served for ever; with one on the whole answer the slow one would be closed as well.
#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_an_answer_has_its_time_from_the_last_byte_that_found_room() {
    let (clients, server) = paused(server().write_timeout(WRITE)).await;
    for path in ["/big", "/pieces"] {
        let mut slow = clients.connect();
        slow.write_all(get(path).as_bytes()).await.unwrap();
        for _ in 0..10 {
            tokio::time::sleep(WRITE / 2).await;
            slow.read_exact(&mut [0; 100]).await.unwrap();
        }
        // Some more has found room now, if not at once.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let since = Instant::now();
        let closed = server.note();
        assert!(closed.starts_with("1 open"), "{closed}");
        let gone = async {
            while !server.note().starts_with("0 open") {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(WRITE * 2, gone).await.expect("it is never closed");
        let took = since.elapsed();
        assert!(took <= WRITE && took + Duration::from_millis(10) > WRITE, "{took:?}");
        in_time(slow.read_to_end(&mut Vec::new())).await.unwrap();
    }
    let down = server.down().await;
    assert_eq!((down.served.stalled, down.served.cut.len()), (2, 0), "{}", down.served);
}

/// Without the limit its stream is held for ever: the connection itself takes everything.
#[tokio::test(start_paused = true)]
async fn a_stream_of_http2_whose_window_stays_shut_is_reset_and_the_others_go_on() {
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let (clients, server) = paused(server().write_timeout(WRITE)).await;
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(100)
        .handshake(TokioIo::new(clients.connect()))
        .await
        .unwrap();
    tokio::spawn(connection);
    let ask = async |path: &str| {
        let request = hyper::Request::get(format!("http://a{path}")).body(Empty::<Bytes>::new()).unwrap();
        sender.clone().send_request(request).await.unwrap().into_body()
    };
    let since = Instant::now();
    let shut = ask("/pieces").await;
    let mut slow = ask("/pieces").await;
    for _ in 0..11 {
        tokio::time::sleep(WRITE / 10).await;
        // A piece, of which the window lets pass a little at a time.
        for _ in 0..11 {
            slow.frame().await.unwrap().unwrap();
        }
    }
    about(since.elapsed(), WRITE + WRITE / 10);
    let reset = tokio::time::timeout(WRITE, shut.collect()).await.expect("it is held");
    let error = reset.unwrap_err();
    assert!(format!("{error:?}").contains("CANCEL"), "{error:?}");
    assert_eq!(ask("/").await.collect().await.unwrap().to_bytes(), "hello");
    drop(slow);
    server.ask();
    assert_eq!(server.down().await.served.stalled, 1);
}

/// Without it the runtime aborts the server, and there is nothing to report.
#[tokio::test(start_paused = true)]
async fn a_stop_ends_within_the_time_of_its_task_whatever_that_is() {
    for (stop, own, took) in [
        (Duration::from_secs(20), None, Duration::from_millis(19_800)),
        (Duration::from_secs(1), None, Duration::from_millis(800)),
        (Duration::from_millis(200), None, Duration::from_millis(100)),
        (Duration::from_secs(1), Some(Duration::from_secs(4)), Duration::from_millis(800)),
        (Duration::from_secs(20), Some(Duration::from_secs(4)), Duration::from_secs(4)),
    ] {
        let server = own.into_iter().fold(Server::new(), Server::drain_timeout);
        let (clients, server) = paused_with(server, Deadlines::new().stop(stop)).await;
        let mut never = clients.connect();
        never.write_all(get("/never").as_bytes()).await.unwrap();
        server.site.entered(1).await;
        let down = server.down().await;
        about(down.served.stop_took, took);
        assert_eq!((down.served.cut.len(), down.outcome.forced().len()), (1, 0), "{}", down.outcome);
    }
}

/// Without the linger from its end the next request is lost: the last call comes while its client thinks.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_begun_before_the_stop_has_a_linger_of_its_own() {
    let (clients, server) = paused(server().linger(Duration::from_millis(500))).await;
    let mut client = clients.connect();
    client.write_all(get("/wait").as_bytes()).await.unwrap();
    server.site.entered(1).await;
    server.ask();
    tokio::time::sleep(Duration::from_millis(400)).await;
    server.site.go.add_permits(1);
    assert!(!hello(&mut client).await.contains("connection: close"));
    tokio::time::sleep(Duration::from_millis(400)).await;
    client.write_all(get("/").as_bytes()).await.unwrap();
    assert!(hello(&mut client).await.contains("connection: close"));
    ends(&mut client).await;
    let down = server.down().await;
    assert_eq!((down.served.finished, down.served.cut.len()), (1, 0), "{}", down.served);
}

#[tokio::test(start_paused = true)]
async fn who_closes_the_gate_and_asks_for_no_stop_waits_four_seconds() {
    let gate = Gate::unlimited();
    let (clients, mut server) = paused(Server::new().gate(gate.clone())).await;
    let mut never = clients.connect();
    never.write_all(get("/never").as_bytes()).await.unwrap();
    server.site.entered(1).await;
    gate.close();
    about(server.served().await.stop_took, Duration::from_secs(4));
}

/// Without the deadline of the stop it is the runtime that aborts the task, after 5 s.
#[tokio::test(start_paused = true)]
async fn a_stop_takes_its_deadline_and_not_a_second_more() {
    let (clients, server) = paused(server().linger(Duration::from_millis(500))).await;
    let mut never = clients.connect();
    never.write_all(get("/never").as_bytes()).await.unwrap();
    let mut idle = clients.connect();
    idle.write_all(get("/").as_bytes()).await.unwrap();
    hello(&mut idle).await;
    server.site.entered(2).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let since = Instant::now();
    server.ask();
    ends(&mut idle).await;
    about(since.elapsed(), Duration::from_millis(500));
    ends(&mut never).await;
    about(since.elapsed(), Duration::from_millis(4800));
    let down = server.down().await;
    about(down.served.stop_took, Duration::from_millis(4800));
    assert_eq!((down.served.finished, down.served.cut.len()), (1, 1), "{}", down.served);
    about(down.served.cut[0].age, Duration::from_millis(10_800));
    assert!(matches!(down.served.cut[0].doing, Doing::Answering { requests: 1, .. }));
    let said = down.served.to_string();
    assert!(said.ends_with("finished 1, cut 1 (memory in an answer after 10.8s)"), "{said}");
}

/// Without the end it would be tried for ever.
#[tokio::test(start_paused = true)]
async fn a_listener_that_is_none_ends_its_server() {
    use std::sync::{Arc, Mutex};

    use mainstay_registry::Registry;
    use mainstay_runtime::{RunContext, Runtime, Signals, runnable};

    use crate::support::{Site, memory};

    let (clients, listener) = memory();
    let listener = Mutex::new(Some(listener));
    let http = runnable("http", move |(), cx: RunContext| {
        let listener = listener.lock().unwrap().take().unwrap();
        async move {
            let site = Site::new();
            let _never = mainstay_hyper::serve(
                &cx,
                listener,
                mainstay_hyper::service_fn(move |r| site.clone().answer(r)),
            )
            .await?;
            Ok(())
        }
    });
    let registry: Registry<()> = Registry::new();
    registry.insert(Arc::new(http));
    clients.fail(io::ErrorKind::InvalidInput.into());
    let outcome = in_time(Runtime::new(registry, ()).signals(Signals::none()).inline().run()).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(outcome.to_string().contains("MS0701: cannot accept on memory, and never will"), "{outcome}");
}
