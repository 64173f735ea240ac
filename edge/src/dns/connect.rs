//! Connections to where names lead, and literal addresses as they are.

use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::http::uri::Authority;
use hyper_util::client::legacy::connect::dns::Name;
use tokio::net::TcpStream;
use tower_service::Service;

use super::{Dns, literal};

/// What connects, and what a client's connector asks for names. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connect(Arc<Dns>);

impl Connect {
    pub(crate) fn new(dns: Arc<Dns>) -> Self {
        Self(dns)
    }

    /// Connects to a server, trying its addresses one after the other.
    pub(crate) async fn to(&self, server: &Authority) -> io::Result<TcpStream> {
        let port = server.port_u16().unwrap_or(80);
        let host = server.host();
        if let Some(address) = literal(host) {
            return TcpStream::connect((address, port)).await;
        }
        let addresses: Vec<SocketAddr> = self.known(host)?.iter().map(|ip| (*ip, port).into()).collect();
        TcpStream::connect(&*addresses).await
    }

    fn known(&self, host: &str) -> io::Result<Arc<[IpAddr]>> {
        let addresses = self.0.addresses(host);
        if addresses.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{host}: {}", self.0.why_none(host)),
            ));
        }
        Ok(addresses)
    }
}

impl Service<Name> for Connect {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Answers at once; the port is the connector's to fill in.
    fn call(&mut self, name: Name) -> Self::Future {
        let known = self.known(name.as_str());
        ready(known.map(|known| known.iter().map(|ip| (*ip, 0).into()).collect::<Vec<_>>().into_iter()))
    }
}
