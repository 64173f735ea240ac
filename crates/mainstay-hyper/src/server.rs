//! The options of a server.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use mainstay_registry::Code;
use mainstay_runtime::RunContext;
use mainstay_sync::Gate;
use tower_service::Service;

use crate::accept;
use crate::codes;
use crate::listen::Listen;
use crate::served::Served;

/// Which versions of HTTP a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Versions {
    /// Both; the first bytes of a connection tell which.
    #[default]
    Both,
    /// HTTP/1.0 and HTTP/1.1.
    Http1,
    /// HTTP/2, by prior knowledge or as TLS has agreed.
    Http2,
}

/// What a client may take, and a stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) header: Duration,
    pub(crate) idle: Duration,
    pub(crate) write: Duration,
    pub(crate) linger: Duration,
    /// The most that a stop waits; `None` is as long as its task may take.
    pub(crate) drain: Option<Duration>,
    pub(crate) versions: Versions,
    pub(crate) streams: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(60),
            linger: Duration::from_millis(100),
            drain: None,
            versions: Versions::Both,
            streams: None,
        }
    }
}

/// A server to be: the options, with their defaults.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use mainstay_hyper::Server;
/// use mainstay_sync::Gate;
///
/// let server = Server::new()
///     .gate(Gate::new(10_000))
///     .header_timeout(Duration::from_secs(5))
///     .idle_timeout(Duration::from_secs(30));
/// # let _ = server;
/// ```
#[derive(Clone)]
pub struct Server {
    limits: Limits,
    renew: Option<Arc<dyn Fn() -> Self + Send + Sync>>,
    pub(crate) gate: Gate,
}

impl Default for Server {
    fn default() -> Self {
        Self { limits: Limits::default(), renew: None, gate: Gate::unlimited() }
    }
}

impl Server {
    /// Makes one with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Admits connections through this gate; the default is one without a limit.
    ///
    /// A permit is taken before a connection is accepted, and given back when it is gone: what finds no place waits in
    /// the kernel's queue. A gate that is closed stops the server as its task's stop does, and one that is forced cuts
    /// what is left. The server itself closes no gate, so that its next generation finds it open.
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// Sets how long a client may take to send the head of a request; 10 s by default.
    ///
    /// It is counted from the first byte, and for the first request from the accept, so that it limits a TLS handshake
    /// and a client that says nothing as well. Then the connection is closed. The heads of HTTP/2 streams are limited
    /// by [`idle_timeout`](Self::idle_timeout).
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.limits.header = timeout;
        self
    }

    /// Sets how long a connection may wait for the next request; 75 s by default, as nginx has it.
    ///
    /// Then it is closed, with HTTP/2 after a GOAWAY. Bytes that are no request (a PING, half a head of a stream) do
    /// not count as one.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle = timeout;
        self
    }

    /// Sets how long a client may take nothing of what is written to it; 60 s by default, as nginx has it
    /// (`send_timeout`).
    ///
    /// It is counted from the last byte that found room, so it limits no client that reads slowly, however slowly. Then
    /// an HTTP/1.1 connection is closed; of HTTP/2 the stream is reset whose window stays shut, and the connection
    /// closed when the socket itself takes nothing. An upgraded connection is its owner's to limit.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.limits.write = timeout;
        self
    }

    /// Sets for how long a stop serves HTTP/1.1 connections on before it closes those that are idle; 100 ms by default.
    ///
    /// Answers that are begun in that time say `Connection: close`. A client that has just sent its next request gets it
    /// answered, where an immediate close would lose it; whose answer was begun before has the time from its end.
    /// HTTP/2 needs none, and a stop without connections does not take it.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.limits.linger = linger;
        self
    }

    /// Sets how long a stop waits for connections at most before it cuts what is left; by default as long as its task
    /// may take.
    ///
    /// That is up to the [`RunContext::stop_deadline`], less 200 ms for those that are cut to be gone and for the
    /// caller to say so; of a stop deadline that is shorter than 400 ms it is half. A longer timeout changes nothing. A
    /// server whose [`gate`](Self::gate) was closed, and whose task was not asked to stop, waits 4 s without one.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.limits.drain = Some(timeout);
        self
    }

    /// Sets which versions it speaks; [`Versions::Both`] by default.
    pub fn versions(mut self, versions: Versions) -> Self {
        self.limits.versions = versions;
        self
    }

    /// Sets how many streams an HTTP/2 client may have open at one time; hyper's default is 200.
    pub fn max_streams(mut self, streams: u32) -> Self {
        self.limits.streams = Some(streams);
        self
    }

    /// Asks for the options anew, for each connection that is accepted and once for the stop, so that a reload changes
    /// them; the gate stays what it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use mainstay_hyper::Server;
    /// use mainstay_sync::Snapshot;
    ///
    /// fn server(header: Arc<Snapshot<Duration>>) -> Server {
    ///     Server::new().renewed_by(move || Server::new().header_timeout(*header.load()))
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// A panic of the function is one of the task that serves.
    pub fn renewed_by(mut self, options: impl Fn() -> Self + Send + Sync + 'static) -> Self {
        self.renew = Some(Arc::new(options));
        self
    }

    /// What counts now.
    pub(crate) fn limits(&self) -> Limits {
        self.renew.as_ref().map_or(self.limits, |renew| renew().limits)
    }

    /// Serves until the task of the context is asked to stop, then lets every connection finish, for as long as the
    /// task may take or the [`drain_timeout`](Self::drain_timeout) says.
    ///
    /// Every connection is a child of the generation, with its peer in its name, and so is every stream of HTTP/2:
    /// none outlives it. An upgraded connection belongs to whoever asked for the upgrade, and is still waited for, and
    /// closed at the deadline under whatever task holds it. A panic costs its connection or stream. How many
    /// connections are open is the note of the task.
    ///
    /// The service is a tower service: an `axum::Router`, the routes of tonic, or [`service_fn`](crate::service_fn).
    /// It is cloned for every connection and every request. A request has its [`Connection`](crate::Connection) among
    /// its extensions.
    ///
    /// # Phase
    ///
    /// Run.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use mainstay_hyper::Server;
    /// use mainstay_runtime::{RunContext, runnable};
    /// use tokio::net::TcpListener;
    ///
    /// let http = runnable("http", async |(), cx: RunContext| {
    ///     let router = Router::new().route("/", get(async || "hello\n"));
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let served = Server::new().serve(&cx, listener, router).await?;
    ///     tracing::info!(%served);
    ///     Ok(())
    /// });
    /// # let _: &dyn mainstay_registry::Provider<()> = &http;
    /// ```
    ///
    /// # Errors
    ///
    /// [`ServeError::Listener`] (`MS0701`) when the listener cannot accept and never will. A machine that is short of
    /// descriptors or memory is waited for, with a pause that grows to a second.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped the listener is closed and every connection cut; those that were cut are named in a
    /// log line.
    pub fn serve<L, S, B>(
        self,
        cx: &RunContext,
        listener: L,
        service: S,
    ) -> impl Future<Output = Result<Served, ServeError>> + Send + use<L, S, B>
    where
        L: Listen,
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        accept::serve(self, cx.clone(), listener, service)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("limits", &self.limits)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

/// Serves with the defaults of [`Server`].
///
/// # Phase
///
/// Run.
///
/// # Errors
///
/// As [`Server::serve`].
///
/// # Cancel safety
///
/// As [`Server::serve`].
pub fn serve<L, S, B>(
    cx: &RunContext,
    listener: L,
    service: S,
) -> impl Future<Output = Result<Served, ServeError>> + Send + use<L, S, B>
where
    L: Listen,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Server::new().serve(cx, listener, service)
}

/// Why a server ended without being asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The listener does not listen: the system said `EINVAL`, as for a socket that was shut down.
    #[error("{}: cannot accept on {local}, and never will", codes::LISTENER_LOST)]
    #[non_exhaustive]
    Listener {
        /// Where it listened.
        local: String,
        /// What the system said.
        source: io::Error,
        /// What came of it until then; the connections were drained as in a stop.
        served: Box<Served>,
    },
}

impl ServeError {
    /// Returns the stable code: `MS0701`.
    pub fn code(&self) -> Code {
        match self {
            Self::Listener { .. } => codes::LISTENER_LOST,
        }
    }
}
