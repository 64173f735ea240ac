//! The one place of this crate that asks for the time.
#![allow(
    clippy::disallowed_methods,
    reason = "connections have ages and timers; their policies are told the time"
)]

use tokio::time::Instant;

/// The time of the runtime that serves: paused where a test has paused it.
pub(crate) fn now() -> Instant {
    Instant::now()
}
