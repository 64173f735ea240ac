//! Serves a site on a socket that others may hold as well.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Weak};

use hyper::body::Incoming;
use hyper::{Request, Response};
use mainstay::{Result, ResultExt, RunContext};
use mainstay_hyper::{Served, Server, service_fn};
use tokio::net::TcpListener;

use super::body::Body;
use crate::settings::Limits;

/// Answers requests.
pub(crate) trait Site: Send + Sync + 'static {
    /// Answers one.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;

    /// How long the clients of the next connection may take.
    fn limits(&self) -> Limits;

    /// It was served on one socket, until that was closed.
    fn served(&self, _: &Served) {}
}

/// A listening socket. It is closed by its last holder; what the kernel connects while nobody serves on it waits.
pub(crate) type Socket = Arc<std::net::TcpListener>;

/// Serves a site on a socket until the task of the context is asked to stop, and then what is in flight, for as long as
/// that task may take.
///
/// The socket is not held: whoever keeps it goes on with it, and when nobody does, who comes after the stop is refused.
/// One that nobody holds is served no more.
pub(crate) async fn serve<H: Site>(
    cx: &RunContext,
    socket: &Weak<std::net::TcpListener>,
    site: &Arc<H>,
) -> Result<()> {
    let Some(listener) = listener(socket).boxed()? else { return Ok(()) };
    let (limited, answering) = (Arc::clone(site), Arc::clone(site));
    let server = Server::new().renewed_by(move || {
        let Limits { header, linger, drain } = limited.limits();
        Server::new().header_timeout(header).linger(linger).drain_timeout(drain)
    });
    let service = service_fn(move |request| {
        let site = Arc::clone(&answering);
        async move { Ok::<_, Infallible>(site.answer(request).await) }
    });
    let report = server.serve(cx, listener, service).await.boxed()?;
    site.served(&report);
    Ok(())
}

fn listener(socket: &Weak<std::net::TcpListener>) -> io::Result<Option<TcpListener>> {
    socket.upgrade().map(|socket| TcpListener::from_std(socket.try_clone()?)).transpose()
}
