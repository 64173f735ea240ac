//! A ticker that ends with its task.

use std::fmt;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Ticks until its task is asked to stop; made by [`RunContext::every`](crate::RunContext::every).
pub struct Every {
    interval: Interval,
    token: CancellationToken,
}

impl Every {
    pub(super) fn new(period: Duration, token: CancellationToken) -> Self {
        let mut interval = tokio::time::interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { interval, token }
    }

    /// The next tick, or `None` when the task is asked to stop.
    ///
    /// # Cancel safety
    ///
    /// Safe: no tick is lost.
    pub async fn next(&mut self) -> Option<()> {
        self.token.run_until_cancelled(self.interval.tick()).await.map(|_| ())
    }
}

impl fmt::Debug for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Every").field("period", &self.interval.period()).finish_non_exhaustive()
    }
}
