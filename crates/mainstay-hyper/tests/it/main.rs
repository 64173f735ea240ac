//! What a server promises, against clients that do not behave, on real sockets and on a paused clock.
#![allow(clippy::disallowed_methods, reason = "clients have tasks and clocks of their own")]
#![allow(unreachable_pub, reason = "a test binary is all there is of it")]
#![allow(clippy::similar_names, reason = "a server, and what it has served")]

mod abort;
mod grpc;
mod http1;
mod http2;
mod limits;
mod listeners;
mod stop;
mod support;
mod tls;
mod upgraded;
