//! Serves HTTP with hyper, and ends within its deadline, whatever the clients do.
//!
//! [`serve`] takes a listener and a tower service (an axum router, the routes of tonic, or an async function by
//! [`service_fn`]), and serves HTTP/1.1 and HTTP/2 until its task is asked to stop. [`Server`] has the options.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use hyper::body::Incoming;
//! use hyper::{Request, Response};
//! use mainstay_hyper::{serve, service_fn};
//! use mainstay_runtime::{RunContext, runnable};
//! use tokio::net::TcpListener;
//!
//! async fn hello(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new("hello\n".to_owned()))
//! }
//!
//! let http = runnable("http", async |(), cx: RunContext| {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let served = serve(&cx, listener, service_fn(hello)).await?;
//!     tracing::info!(%served);
//!     Ok(())
//! });
//! # let _: &dyn mainstay_registry::Provider<()> = &http;
//! ```
//!
//! # The stop
//!
//! 1. *Asked*: answers of HTTP/1.1 that are begun from now on say `Connection: close`, HTTP/2 clients get a GOAWAY, and
//!    [`Connection::draining`] completes for whoever answers without end. What the kernel has accepted is accepted; the
//!    listener is closed.
//! 2. *The last call*, after the [linger](Server::linger) of 100 ms: a connection with nothing in flight ends, one with
//!    half a head as well; the others end behind the answer that is in flight.
//! 3. *The deadline*, 200 ms before that of its task (5 s, see
//!    [`RunContext::stop_deadline`](mainstay_runtime::RunContext::stop_deadline)), or after the
//!    [drain timeout](Server::drain_timeout): what is left is cut. Its socket is closed whatever its task does, also that
//!    of an upgraded connection, which is some other task's.
//!
//! It is over with the last connection, and at most 100 ms after the deadline. [`Served`] then says how many finished,
//! and who was cut: the peer, its age, and [what it was doing](Doing). A log line has the same.
//!
//! | a client that | ends | is counted as |
//! | --- | --- | --- |
//! | is idle | at the last call | finished |
//! | has sent half a head, or a byte a second of it | at the last call | cut, *reading a head* |
//! | waits for its answer, or reads it | behind it | finished |
//! | never reads its answer, or never ends its request | at the deadline | cut, *in an answer* or *writing* |
//! | was upgraded | when its handler ends, at the deadline at last | finished, or cut, *upgraded* |
//! | has streams of HTTP/2 | behind the last one, at the deadline at last | finished, or cut, *in n answers* |
//!
//! # Patterns
//!
//! **Limit the connections**, not the requests, by [`Server::gate`]; what finds no place waits in the kernel's queue.
//! Limits of requests are a layer of tower's.
//!
//! **Say goodbye on upgraded connections**: hand the [`Connection`] to the task that owns it, and select over its
//! [`draining`](Connection::draining).
//!
//! # Beside the facade
//!
//! `mainstay` does not re-export this crate: a daemon without HTTP builds none of it. Depend on both; their types are the
//! same.
//!
//! ```toml
//! [dependencies]
//! mainstay = "0.1"
//! mainstay-hyper = { version = "0.1", features = ["tls"] }
//! ```
//!
//! # Limitations
//!
//! - While no stop is asked for, a request's body may take any time, and so may an answer whose client reads on, however
//!   slowly: that is the service's, which knows how long they may be. A client that takes nothing is
//!   [limited](Server::write_timeout).
//! - What waits in the kernel's queue when the gate is closed finds it closed, and is reset; at a stop it is served.
//! - An idle HTTP/2 client that does not answer the PING of a graceful shutdown is waited for until the deadline: it
//!   cannot be known whether it still reads.
//! - A handler that blocks its thread cannot be ended. Its socket is closed, it is in [`Served::left`], and the runtime
//!   names the child.

mod accept;
mod caught;
mod child;
mod clock;
pub mod codes;
mod connection;
mod doing;
mod drive;
mod flow;
mod line;
mod listen;
mod log;
mod pause;
mod peer;
mod request;
mod roster;
mod served;
mod server;
mod service;
mod shared;
mod streams;
#[cfg(feature = "tls")]
mod tls;
mod watch;

pub use self::connection::Connection;
pub use self::doing::Doing;
pub use self::listen::Listen;
pub use self::peer::Peer;
pub use self::served::{Cut, Served};
pub use self::server::{ServeError, Server, Versions, serve};
pub use self::service::{ServiceFn, service_fn};
#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsIo};
