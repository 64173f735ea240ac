//! Who is at the other end of a connection, as far as its socket tells.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Who is at the other end of a connection.
///
/// Its `Display` is the name that lines and reports use: `10.0.0.5:41234`, `unix:pid 4711`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A process of this machine.
    #[non_exhaustive]
    Unix {
        /// Its number, where the system tells.
        pid: Option<i32>,
        /// The user that it ran as when it connected.
        uid: Option<u32>,
    },
    /// What a [`Listen`](crate::Listen) of one's own says.
    Named(Arc<str>),
}

impl Peer {
    /// Names a peer in one's own words.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self::Named(name.into())
    }

    /// Returns the address, of a peer that has one.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            _ => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { pid: Some(pid), .. } => write!(f, "unix:pid {pid}"),
            Self::Unix { .. } => f.write_str("unix"),
            Self::Named(name) => f.write_str(name),
        }
    }
}
