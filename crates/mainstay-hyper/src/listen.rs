//! Where connections come from: TCP and Unix listeners, and whatever else can accept.

use std::io;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use crate::Peer;

/// Accepts connections.
///
/// Implemented for tokio's TCP and Unix listeners, and behind the feature `tls` for `Tls` over either.
///
/// An implementation MUST be able to lose the future that polls it: what is accepted is either returned or still to
/// come. It MUST NOT wait for the peer inside of `poll_accept`, since one slow client would then hold up all others;
/// a handshake belongs into the reads of the connection. It MAY panic on neither.
pub trait Listen: Send + 'static {
    /// A connection; dropping it closes it.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Accepts the next connection.
    ///
    /// # Errors
    ///
    /// What the system says. An error of kind `InvalidInput` (it does not listen) ends the server; after any other one
    /// the next attempt follows, at once where one client has gone, with a growing pause where the machine is short.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Io, Peer)>>;

    /// Returns where it listens, for people.
    fn local(&self) -> String;

    /// Closes the listener, and returns at most so many connections that the kernel has already accepted.
    ///
    /// They were connected before the stop, and have perhaps said something; to drop them would be to reset them. The
    /// default returns none.
    fn close(self, most: usize) -> Vec<(Self::Io, Peer)>
    where
        Self: Sized,
    {
        let _ = most;
        Vec::new()
    }
}

impl Listen for TcpListener {
    type Io = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Io, Peer)>> {
        Self::poll_accept(self, cx).map_ok(|(stream, address)| {
            // Where it fails the connection is slower, or gone, which its first read tells.
            let _ = stream.set_nodelay(true);
            (stream, Peer::Tcp(address))
        })
    }

    fn local(&self) -> String {
        self.local_addr().map_or_else(|_| "tcp".to_owned(), |address| address.to_string())
    }

    fn close(self, most: usize) -> Vec<(Self::Io, Peer)> {
        let Ok(listener) = self.into_std() else { return Vec::new() };
        let accepted = std::iter::from_fn(|| listener.accept().ok()).take(most);
        accepted
            .filter_map(|(stream, address)| {
                stream.set_nonblocking(true).ok()?;
                let stream = TcpStream::from_std(stream).ok()?;
                let _ = stream.set_nodelay(true);
                Some((stream, Peer::Tcp(address)))
            })
            .collect()
    }
}

#[cfg(unix)]
mod unix {
    use super::{Context, Listen, Peer, Poll, io};
    use tokio::net::{UnixListener, UnixStream};

    impl Listen for UnixListener {
        type Io = UnixStream;

        fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Io, Peer)>> {
            Self::poll_accept(self, cx).map_ok(|(stream, _)| named(stream))
        }

        fn local(&self) -> String {
            let address = self.local_addr().ok();
            let path = address.as_ref().and_then(|address| address.as_pathname());
            path.map_or_else(|| "unix".to_owned(), |path| format!("unix:{}", path.display()))
        }

        fn close(self, most: usize) -> Vec<(Self::Io, Peer)> {
            let Ok(listener) = self.into_std() else { return Vec::new() };
            let accepted = std::iter::from_fn(|| listener.accept().ok()).take(most);
            accepted
                .filter_map(|(stream, _)| {
                    stream.set_nonblocking(true).ok()?;
                    UnixStream::from_std(stream).ok().map(named)
                })
                .collect()
        }
    }

    fn named(stream: UnixStream) -> (UnixStream, Peer) {
        let credentials = stream.peer_cred().ok();
        let peer = Peer::Unix {
            pid: credentials.as_ref().and_then(tokio::net::unix::UCred::pid),
            uid: credentials.as_ref().map(tokio::net::unix::UCred::uid),
        };
        (stream, peer)
    }
}
