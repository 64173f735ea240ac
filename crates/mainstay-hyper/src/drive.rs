//! One connection, from its first byte to its end: which version it speaks, its limits, and its part of a stop.
//!
//! In a stop an HTTP/1.1 connection serves on for the linger, and its answers say that they are the last ones: a
//! request that is on its way would be lost if it were closed at once. At the last call what has arrived is read, and
//! then it ends, or behind the answer that is in flight. An HTTP/2 client is told at once (GOAWAY), which loses
//! nothing. At the deadline everything ends where it stands.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use hyper::body::{Body, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use mainstay_runtime::RunContext;
use tower_service::Service;

use crate::doing::{Doing, Limit};
use crate::line::Line;
use crate::log;
use crate::request::answer;
use crate::server::{Limits, Versions};
use crate::shared::{Shared, Stage, count};
use crate::streams::Streams;
use crate::watch::{Order, Watch};

/// What every HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, or as it was asked to.
    Well,
    /// By the server, which did not wait any longer.
    Cut(Doing),
}

/// Errors as hyper takes them.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves one connection to its end.
pub(crate) async fn connection<S, B>(
    shared: &Arc<Shared>,
    service: S,
    limits: &Limits,
    cx: &RunContext,
) -> End
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let mut line = Line::new(shared);
    let mut watch = Watch::new(shared, limits);
    let http2 = match limits.versions {
        Versions::Http1 => false,
        Versions::Http2 => true,
        Versions::Both => match speaks_http2(&mut line, &mut watch, shared).await {
            Ok(http2) => http2,
            Err(end) => return end,
        },
    };
    let theirs = Arc::clone(shared);
    let service = service_fn(move |request| answer(service.clone(), request, &theirs));
    if http2 {
        shared.speaks_http2();
        let streams = Streams::new(cx, shared, limits.write);
        let end = {
            let mut builder = http2::Builder::new(streams.clone());
            builder.timer(TokioTimer::new());
            if let Some(most) = limits.streams {
                builder.max_concurrent_streams(most);
            }
            let connection = pin!(builder.serve_connection(TokioIo::new(line), service));
            drive(connection, http2::Connection::graceful_shutdown, shared, &mut watch).await
        };
        streams.end().await;
        end
    } else {
        let end = {
            let mut builder = http1::Builder::new();
            // The head is timed here, together with what comes before it.
            builder.header_read_timeout(None);
            let connection = builder.serve_connection(TokioIo::new(line), service).with_upgrades();
            let connection = pin!(connection);
            drive(connection, http1::UpgradeableConnection::graceful_shutdown, shared, &mut watch).await
        };
        // Whoever asked for an upgrade has the line now; without one it was dropped with the connection.
        if end == End::Well && !shared.is_gone() { upgraded(shared, &mut watch).await } else { end }
    }
}

/// Reads the version off the first bytes.
async fn speaks_http2(line: &mut Line, watch: &mut Watch<'_>, shared: &Shared) -> Result<bool, End> {
    loop {
        let order = {
            let preface = pin!(line.begins_with(PREFACE));
            tokio::select! {
                biased;
                order = watch.next() => order,
                read = preface => return read.map_err(|_| End::Well),
            }
        };
        match order {
            Order::Stage(Stage::LastCall) => {
                // What has arrived is read; then hyper sees the end, and says nothing to half a head.
                shared.last_call();
            }
            Order::Stage(Stage::Cut) => return Err(End::Cut(shared.doing())),
            Order::Stage(_) => {}
            Order::Quiet(_) => {
                count(&shared.tally.slow_heads);
                return Err(End::Well);
            }
        }
    }
}

/// Polls a connection and what it is told, until either ends it.
async fn drive<C>(
    mut connection: Pin<&mut C>,
    finish: impl Fn(Pin<&mut C>),
    shared: &Shared,
    watch: &mut Watch<'_>,
) -> End
where
    C: Future<Output = hyper::Result<()>>,
{
    // Where the last call was made before the version was known.
    let mut half = shared.ends_here().then(|| (shared.doing(), shared.requests()));
    let mut idle = false;
    if watch.told() >= Stage::Stop && shared.is_http2() {
        finish(connection.as_mut());
    }
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                if let Err(error) = ended {
                    log::ended(shared.peer(), &error);
                }
                return Poll::Ready(match half {
                    Some((Doing::ReadingHead, requests)) if shared.requests() == requests => {
                        End::Cut(Doing::ReadingHead)
                    }
                    _ => End::Well,
                });
            }
            let order = std::task::ready!(watch.poll(cx));
            match order {
                Order::Stage(Stage::Stop) if shared.is_http2() => finish(connection.as_mut()),
                Order::Stage(Stage::LastCall) if shared.is_http2() => {}
                Order::Stage(Stage::LastCall) if shared.is_busy() => finish(connection.as_mut()),
                Order::Stage(Stage::LastCall) => {
                    half = Some((shared.doing(), shared.requests()));
                    shared.last_call();
                }
                Order::Stage(Stage::Cut) => return Poll::Ready(End::Cut(shared.doing())),
                Order::Stage(_) => {}
                Order::Quiet(Limit::Head) => {
                    count(&shared.tally.slow_heads);
                    return Poll::Ready(End::Well);
                }
                Order::Quiet(Limit::Write) => {
                    count(&shared.tally.stalled);
                    return Poll::Ready(End::Well);
                }
                // It was asked to go, and did not.
                Order::Quiet(Limit::Idle) if idle => return Poll::Ready(End::Well),
                Order::Quiet(Limit::Idle) => {
                    idle = true;
                    count(&shared.tally.idle);
                    if shared.is_http2() {
                        finish(connection.as_mut());
                    } else {
                        shared.last_call();
                    }
                }
            }
        }
    })
    .await
}

/// Waits until whoever has an upgraded connection gives it up, or cuts it.
async fn upgraded(shared: &Shared, watch: &mut Watch<'_>) -> End {
    shared.is_upgraded();
    poll_fn(|cx| {
        loop {
            // Registered by the watch, before the look.
            let order = watch.poll(cx);
            if shared.is_gone() {
                return Poll::Ready(End::Well);
            }
            match std::task::ready!(order) {
                Order::Stage(Stage::Cut) => return Poll::Ready(End::Cut(Doing::Upgraded)),
                Order::Stage(_) | Order::Quiet(_) => {}
            }
        }
    })
    .await
}
