//! The clock of the gates; asked only by those who wait and have a limit.

#![allow(clippy::disallowed_methods, reason = "this file is the edge at which time comes in")]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// What time it is in so long; `None` is further away than the clock counts.
pub(super) fn after(duration: Duration) -> Option<Instant> {
    Instant::now().checked_add(duration)
}

/// Whether this instant is over.
pub(super) fn is_over(instant: Instant) -> bool {
    Instant::now() >= instant
}

/// A timer of tokio; made where there really is a wait.
#[derive(Debug)]
pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    pub(super) fn until(deadline: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(deadline)) }
    }

    /// Moves the timer, if it is not there already.
    pub(super) fn move_to(&mut self, deadline: Instant) {
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }
}
