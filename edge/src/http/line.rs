//! The line to a client: a stream that, after its last call, ends where nothing more has arrived.
//!
//! A connection that is closed while a request is on its way loses it. After the last call everything that is
//! known to have arrived is still read, and answered; only then does the server see the end. A request whose
//! head was sent by half sees it too, so that nobody holds up a stop by sending slowly.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// One client's stream.
pub(crate) struct Line {
    stream: TcpStream,
    handle: LineHandle,
}

/// What is known and said of one line beside the server that reads and writes it.
#[derive(Clone, Default)]
pub(crate) struct LineHandle(Arc<State>);

/// Relaxed throughout: the line and its handle are used by one task.
#[derive(Default)]
struct State {
    last_call: AtomicBool,
    full: AtomicBool,
}

impl Line {
    pub(crate) fn new(stream: TcpStream) -> (Self, LineHandle) {
        let handle = LineHandle::default();
        (Self { stream, handle: handle.clone() }, handle)
    }

    /// Keeps in mind whether the kernel took what was written last.
    fn wrote<T>(&self, written: Poll<T>) -> Poll<T> {
        self.handle.0.full.store(written.is_pending(), Ordering::Relaxed);
        written
    }
}

impl LineHandle {
    /// Ends the line where it is empty. Whoever reads it must be polled once more.
    pub(crate) fn last_call(&self) {
        self.0.last_call.store(true, Ordering::Relaxed);
    }

    /// Whether a part of an answer waits for its reader.
    pub(crate) fn is_full(&self) -> bool {
        self.0.full.load(Ordering::Relaxed)
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending if self.handle.0.last_call.load(Ordering::Relaxed) => Poll::Ready(Ok(())),
            read => read,
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
