//! TLS over any listener, with a configuration that a reload replaces.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mainstay_sync::Snapshot;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::listen::Listen;
use crate::peer::Peer;

/// TLS by rustls over a listener; behind the feature `tls`.
///
/// Its configuration (certificates, keys, the versions of HTTP that it offers by ALPN) is a [`Snapshot`]: what a reload
/// has published counts for the connections that are accepted from then on, and those that are open keep theirs. While
/// the snapshot is empty, handshakes fail.
///
/// A handshake goes on in its connection's own task, and is limited by
/// [`Server::header_timeout`](crate::Server::header_timeout). Which cryptography rustls uses is the caller's choice: a
/// feature of `tokio-rustls`, or a provider of one's own.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use mainstay_hyper::Tls;
/// use mainstay_sync::Snapshot;
/// use tokio::net::TcpListener;
/// use tokio_rustls::rustls::ServerConfig;
///
/// /// The reload hook of the provider publishes into the same snapshot.
/// async fn listen(config: &Arc<Snapshot<Arc<ServerConfig>>>) -> std::io::Result<Tls<TcpListener>> {
///     Ok(Tls::new(TcpListener::bind("0.0.0.0:443").await?, Arc::clone(config)))
/// }
/// ```
#[derive(Debug)]
pub struct Tls<L> {
    listener: L,
    config: Arc<Snapshot<Arc<ServerConfig>>>,
}

impl<L: Listen> Tls<L> {
    /// Makes one over this listener.
    ///
    /// For HTTP/2 the configuration's `alpn_protocols` must have `h2`, and `http/1.1` beside it.
    pub fn new(listener: L, config: Arc<Snapshot<Arc<ServerConfig>>>) -> Self {
        Self { listener, config }
    }
}

impl<L: Listen> Listen for Tls<L> {
    type Io = TlsIo<L::Io>;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Io, Peer)>> {
        let (stream, peer) = ready!(self.listener.poll_accept(cx))?;
        Poll::Ready(Ok((wrap(&self.config, stream), peer)))
    }

    fn local(&self) -> String {
        self.listener.local()
    }

    fn close(self, most: usize) -> Vec<(Self::Io, Peer)> {
        let Self { listener, config } = self;
        listener.close(most).into_iter().map(|(stream, peer)| (wrap(&config, stream), peer)).collect()
    }
}

fn wrap<Io>(config: &Snapshot<Arc<ServerConfig>>, stream: Io) -> TlsIo<Io>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    TlsIo(match config.try_load() {
        Some(config) => State::Shaking(Box::new(TlsAcceptor::from(Arc::clone(&config)).accept(stream))),
        None => State::Refused,
    })
}

/// A connection of [`Tls`]; its handshake is a part of its first read.
pub struct TlsIo<Io>(State<Io>);

enum State<Io> {
    Shaking(Box<Accept<Io>>),
    Open(Box<TlsStream<Io>>),
    /// There was no configuration.
    Refused,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> TlsIo<Io> {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<Io>>>> {
        if let State::Shaking(accept) = &mut self.0 {
            match ready!(Pin::new(&mut **accept).poll(cx)) {
                Ok(stream) => self.0 = State::Open(Box::new(stream)),
                Err(error) => {
                    self.0 = State::Refused;
                    return Poll::Ready(Err(error));
                }
            }
        }
        match &mut self.0 {
            State::Open(stream) => Poll::Ready(Ok(Pin::new(&mut **stream))),
            _ => Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, "there was no TLS handshake"))),
        }
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsIo<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_read(cx, buf)
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsIo<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Open(stream) => Pin::new(&mut **stream).poll_flush(cx),
            // A handshake flushes what it has written; nothing else was.
            State::Shaking(_) | State::Refused => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Open(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            // Nothing was said, so nothing is to be said.
            State::Shaking(_) | State::Refused => Poll::Ready(Ok(())),
        }
    }
}

impl<Io> fmt::Debug for TlsIo<Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIo").finish_non_exhaustive()
    }
}
