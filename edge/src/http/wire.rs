//! Connections to upstreams that know whether they were used before, and whether their last request was answered with
//! as much as a byte.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::Uri;
use hyper_util::client::legacy::Error;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::dns::Connect;

/// Makes the connections.
#[derive(Clone)]
pub(super) struct Wires(HttpConnector<Connect>);

/// A connection.
pub(super) struct Wire {
    stream: TcpStream,
    heard: Arc<Heard>,
}

/// What is known of one; its clients see it with their errors.
#[derive(Debug, Default)]
struct Heard {
    /// Something was read before what was written last.
    before: AtomicBool,
    /// Something was read since.
    since: AtomicBool,
}

impl Wires {
    pub(super) fn new(connect: Connect) -> Self {
        let mut connector = HttpConnector::new_with_resolver(connect);
        connector.set_nodelay(true);
        Self(connector)
    }
}

/// Whether a request has failed on a connection that had been idle, without a byte of an answer: most likely it was
/// closed there, and the request never read.
pub(super) fn was_stale(error: &Error) -> bool {
    let mut extras = hyper::http::Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extras);
    }
    extras.get::<Arc<Heard>>().is_some_and(|heard| {
        // The error is told after what was read.
        heard.before.load(Ordering::Acquire) && !heard.since.load(Ordering::Acquire)
    })
}

impl Service<Uri> for Wires {
    type Response = TokioIo<Wire>;
    type Error = <HttpConnector<Connect> as Service<Uri>>::Error;
    type Future = Connecting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Connecting(Box::pin(self.0.call(to)))
    }
}

/// A connection that is being made.
pub(super) struct Connecting(Pin<Box<<HttpConnector<Connect> as Service<Uri>>::Future>>);

impl Future for Connecting {
    type Output = Result<TokioIo<Wire>, <HttpConnector<Connect> as Service<Uri>>::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = ready!(self.0.as_mut().poll(cx))?;
        Poll::Ready(Ok(TokioIo::new(Wire { stream: stream.into_inner(), heard: Arc::default() })))
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(Arc::clone(&self.heard))
    }
}

impl Wire {
    /// Something is about to be written; whether that succeeds does not matter.
    fn writes(&mut self) -> Pin<&mut TcpStream> {
        if self.heard.since.load(Ordering::Relaxed) {
            self.heard.since.store(false, Ordering::Release);
            self.heard.before.store(true, Ordering::Release);
        }
        Pin::new(&mut self.stream)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.heard.since.store(true, Ordering::Release);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writes().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes().poll_write_vectored(cx, bufs)
    }
}
