//! The line to a client: a stream that notes when something is read, and that can be ended under its owner.
//!
//! Whoever serves it owns it: hyper, and after an upgrade the application. It ends in three ways: its owner drops it;
//! after a last call it says that the client has gone, but only where nothing more has arrived and nothing is in
//! flight; and when it is severed, everything that reads or writes it fails.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::shared::{Shared, Stream};

/// The most that is read ahead to tell the version.
type Ahead = [u8; 24];

pub(crate) struct Line {
    shared: Arc<Shared>,
    vectored: bool,
    /// What was read to tell the version, and is read once more.
    ahead: Ahead,
    from: usize,
    to: usize,
}

impl Line {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let mut vectored = false;
        if let Some(stream) = shared.take() {
            vectored = stream.is_write_vectored();
            drop(shared.put(stream));
        }
        Self { shared: Arc::clone(shared), vectored, ahead: Ahead::default(), from: 0, to: 0 }
    }

    /// Reads until it is known whether the connection begins like this; what was read is read again.
    pub(crate) async fn begins_with(&mut self, preface: &Ahead) -> io::Result<bool> {
        while self.to < preface.len() && preface.starts_with(&self.ahead[..self.to]) {
            let mut ahead = Ahead::default();
            let mut buf = ReadBuf::new(&mut ahead[self.to..]);
            std::future::poll_fn(|cx| {
                let read = self.poll(cx, Way::In, |stream, cx| stream.poll_read(cx, &mut buf));
                if read.is_pending() && self.shared.ends_here() { Poll::Ready(Ok(())) } else { read }
            })
            .await?;
            let read = buf.filled();
            if read.is_empty() {
                return Ok(false);
            }
            self.ahead[self.to..self.to + read.len()].copy_from_slice(read);
            self.to += read.len();
            self.shared.read_something();
        }
        Ok(preface.starts_with(&self.ahead[..self.to]))
    }

    /// Does one thing with the stream, outside of the lock.
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        way: Way,
        poll: impl FnOnce(Pin<&mut (dyn Stream + 'static)>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let (reader, writer) = self.shared.readers();
        // Before the look at the slot: who severs afterwards wakes this task.
        let waker = if way == Way::In { reader } else { writer };
        waker.register(cx.waker());
        let Some(mut stream) = self.shared.take() else { return Poll::Ready(Err(severed())) };
        let result = poll(Pin::new(&mut *stream), cx);
        match self.shared.put(stream) {
            Ok(()) => result,
            Err(_closed) => Poll::Ready(Err(severed())),
        }
    }

    /// The same, and keeps in mind whether it was taken.
    fn write<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut (dyn Stream + 'static)>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = self.poll(cx, Way::Out, poll);
        self.shared.set_full(written.is_pending());
        written
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

fn severed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the server has stopped, and has cut this connection")
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.from < self.to {
            let some = (self.to - self.from).min(buf.remaining());
            buf.put_slice(&self.ahead[self.from..self.from + some]);
            self.from += some;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = self.poll(cx, Way::In, |stream, cx| stream.poll_read(cx, buf));
        if read.is_pending() && self.shared.ends_here() {
            return Poll::Ready(Ok(()));
        }
        ready!(read)?;
        if buf.filled().len() > before {
            self.shared.read_something();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A stream that encrypts takes what it is given, and waits here.
        self.write(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, Way::Out, AsyncWrite::poll_shutdown)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.gone();
    }
}
