//! Accepts connections until it is told to stop, then lets each of them finish.
//!
//! The life of a stop: answers say `connection: close` from now on → what the kernel has accepted is accepted
//! → no new connection, unless the socket is kept for the next one who serves → each connection may say one more thing for the time of the linger → the last call
//! (see `line`) → the end, when the last answer is written. How long that may take is the caller's to bound,
//! by dropping the future.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use mainstay::GuardGroup;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::body::{Body, Counted};
use super::line::Line;
use crate::settings::Limits;

/// Answers requests.
pub(crate) trait Site: Send + Sync + 'static {
    /// Answers one.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;

    /// How long the clients of the next connection may take.
    fn limits(&self) -> Limits;
}

/// A listening socket. It is closed by its last holder; what the kernel connects while nobody serves on it waits.
pub(crate) type Socket = Arc<std::net::TcpListener>;

/// Serves a site on a socket until `stop`, and then what is in flight. Requests are counted in `in_flight`.
pub(crate) async fn serve<H: Site>(
    socket: Socket,
    site: &Arc<H>,
    in_flight: &GuardGroup,
    stop: &CancellationToken,
) -> io::Result<()> {
    let listener = TcpListener::from_std(socket.try_clone()?)?;
    let mut connections = JoinSet::new();
    let mut pause = Pause::default();
    let connect = |stream: TcpStream| connection(stream, Arc::clone(site), in_flight.clone(), stop.clone());
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => {
                say_panic(&ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                pause = Pause::default();
                connections.spawn(connect(stream));
            }
            Err(error) => {
                if let Some(time) = pause.after(&error) {
                    let _ = stop.run_until_cancelled(sleep(time)).await;
                }
            }
        }
    }
    drop(listener);
    // Whoever keeps the socket goes on with it. Else, who was connected by the kernel before the stop is answered, and
    // who comes later is refused.
    if let Some(socket) = Arc::into_inner(socket) {
        while let Ok((stream, _)) = socket.accept() {
            stream.set_nonblocking(true)?;
            connections.spawn(connect(TcpStream::from_std(stream)?));
        }
    }
    while let Some(ended) = connections.join_next().await {
        say_panic(&ended);
    }
    Ok(())
}

/// Serves one connection to its end.
async fn connection<H: Site>(
    stream: TcpStream,
    site: Arc<H>,
    in_flight: GuardGroup,
    stop: CancellationToken,
) {
    // What fails on one line is the client's affair: it went away, or did not speak HTTP.
    let _ = stream.set_nodelay(true);
    let limits = site.limits();
    let mine = GuardGroup::new();
    let (line, handle) = Line::new(stream);
    let service = service_fn(|request| {
        let guards = (in_flight.guard(), mine.guard());
        let (site, stop) = (&site, &stop);
        async move {
            // Asked before it is answered: what is said to be the last answer on a door knows why it is. One that was
            // begun earlier is followed by another within the linger, or by the last call.
            let last = stop.is_cancelled();
            let mut answer = site.answer(request).await;
            if last {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer.map(|body| Counted { body, _guards: guards }))
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header)
            .serve_connection(TokioIo::new(line), service)
    );
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
    }
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = sleep(limits.linger) => {}
    }
    if mine.count() > 0 || handle.is_full() {
        // It ends behind the answer that is being written. (An answer is no longer counted when its last
        // piece was handed over, which is before the kernel took it: for hyper the end of the line is then a
        // broken one.)
        connection.as_mut().graceful_shutdown();
    } else {
        handle.last_call();
    }
    let _ = connection.await;
}

/// How long to wait after a failed accept.
#[derive(Default)]
struct Pause {
    failures: u32,
}

impl Pause {
    /// `None` where the failure is that of one client; else a time that grows to one second: out of
    /// descriptors or memory, the next attempt would fail at once, and a loop without a pause takes a core.
    fn after(&mut self, error: &io::Error) -> Option<Duration> {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            return None;
        }
        if self.failures == 0 {
            tracing::warn!(%error, "accepting failed, trying again");
        }
        let time = Duration::from_millis(10 << self.failures.min(7)).min(Duration::from_secs(1));
        self.failures += 1;
        Some(time)
    }
}

fn say_panic(ended: &Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "answering panicked; its connection is gone, the others are not touched");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::drive::{Client, Load};
    use crate::http::body::text;

    const LINGER: Duration = Duration::from_millis(200);
    const BIG: usize = 8 << 20;

    /// Answers `/big` with many bytes, anything else with what was sent.
    struct Echo;

    impl Site for Echo {
        async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
            use http_body_util::BodyExt;
            match request.uri().path() {
                "/big" => Response::new(text(vec![7; BIG])),
                "/panic" => panic!("as asked"),
                _ => Response::new(request.into_body().map_err(Into::into).boxed_unsync()),
            }
        }

        fn limits(&self) -> Limits {
            Limits { header: Duration::from_secs(30), linger: LINGER }
        }
    }

    struct Running {
        address: SocketAddr,
        stop: CancellationToken,
        in_flight: GuardGroup,
        server: JoinHandle<io::Result<()>>,
    }

    async fn running() -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop, in_flight) =
            (listener.local_addr().unwrap(), CancellationToken::new(), GuardGroup::new());
        let (theirs, count) = (stop.clone(), in_flight.clone());
        let socket = Arc::new(listener.into_std().unwrap());
        let server = tokio::spawn(async move { serve(socket, &Arc::new(Echo), &count, &theirs).await });
        Running { address, stop, in_flight, server }
    }

    impl Running {
        async fn stopped(self) -> Duration {
            let since = Instant::now();
            self.stop.cancel();
            self.server.await.unwrap().unwrap();
            assert_eq!(self.in_flight.count(), 0);
            since.elapsed()
        }
    }

    #[tokio::test]
    async fn a_stop_under_keep_alive_load_loses_no_request() {
        let server = running().await;
        let load = Load::start(server.address, 8, vec![("/", Box::new(|answer| answer.body.is_empty()))]);
        let mut seen = Client::new(server.address);
        while load.so_far().sent < 200 {
            seen.get("/").await.unwrap();
        }
        load.farewell();
        let took = server.stopped().await;
        let tally = load.ended().await;
        assert_eq!((tally.failed, tally.failures), (0, vec![]));
        assert!(tally.sent >= 200 && took < Duration::from_secs(2), "{took:?}");
    }

    #[tokio::test]
    async fn who_was_connected_before_the_stop_is_answered() {
        use std::io::{Read, Write};
        let server = running().await;
        // On this one thread the server has no turn before it is stopped: the kernel alone has connected
        // them.
        let mut clients: Vec<std::net::TcpStream> =
            (0..20).map(|_| std::net::TcpStream::connect(server.address).unwrap()).collect();
        for client in &mut clients {
            client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        }
        server.stopped().await;
        for mut client in clients {
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close"), "{answer}");
        }
    }

    #[tokio::test]
    async fn half_a_head_is_cut_after_the_linger() {
        let server = running().await;
        let mut half = TcpStream::connect(server.address).await.unwrap();
        half.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
        // An answer on a second connection shows that the first was accepted.
        Client::new(server.address).get("/").await.unwrap();
        let took = server.stopped().await;
        assert!(took >= LINGER && took < LINGER + Duration::from_secs(2), "{took:?}");
    }

    #[tokio::test]
    async fn without_connections_a_stop_does_not_linger() {
        let took = running().await.stopped().await;
        assert!(took < LINGER, "{took:?}");
    }

    #[tokio::test]
    async fn an_answer_that_is_read_slowly_is_written_to_its_end() {
        let server = running().await;
        let mut slow = TcpStream::connect(server.address).await.unwrap();
        slow.write_all(b"GET /big HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut first = [0; 1000];
        slow.read_exact(&mut first).await.unwrap();
        let mut idle = TcpStream::connect(server.address).await.unwrap();
        let stopping = tokio::spawn(server.stopped());
        // Reading goes on only when the linger is over, which the end of an idle connection tells.
        assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
        let mut rest = Vec::new();
        slow.read_to_end(&mut rest).await.unwrap();
        stopping.await.unwrap();
        let head = first.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(first.len() - head + rest.len(), BIG);
    }

    #[tokio::test]
    async fn what_is_in_flight_is_counted_and_streamed_both_ways() {
        let server = running().await;
        let body: Bytes = (0..4 << 20).map(|byte: u32| byte.to_le_bytes()[1]).collect();
        let answer = Client::new(server.address).post("/", body.clone()).await.unwrap();
        assert!(answer.body == body && !answer.last);
        server.stopped().await;
    }

    #[tokio::test]
    async fn a_panic_while_answering_costs_its_connection_only() {
        let server = running().await;
        let mut other = Client::new(server.address);
        other.get("/").await.unwrap();
        Client::new(server.address).get("/panic").await.unwrap_err();
        other.get("/").await.unwrap();
        server.stopped().await;
    }

    #[test]
    fn accepting_pauses_when_the_machine_is_short_and_not_for_one_client() {
        let mut pause = Pause::default();
        assert_eq!(pause.after(&io::ErrorKind::ConnectionAborted.into()), None);
        let short = io::Error::other("too many open files");
        let times: Vec<u128> = (0..10).map(|_| pause.after(&short).unwrap().as_millis()).collect();
        assert_eq!(times, [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
    }
}
