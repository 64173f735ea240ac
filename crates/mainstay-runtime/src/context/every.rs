//! A ticker that ends with its task.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// Ticks until its task is asked to stop; made by [`RunContext::every`](crate::RunContext::every).
pub struct Every {
    period: Duration,
    /// When the next tick is due; `None` beyond what the clock knows.
    due: Option<Instant>,
    skipped: u64,
    token: CancellationToken,
}

impl Every {
    pub(super) fn new(period: Duration, token: CancellationToken) -> Self {
        assert!(!period.is_zero(), "the period of a ticker must not be zero");
        Self { period, due: Some(now()), skipped: 0, token }
    }

    /// The next tick, or `None` when the task is asked to stop.
    ///
    /// # Cancel safety
    ///
    /// Safe: no tick is lost.
    pub async fn next(&mut self) -> Option<()> {
        let due = self.due;
        let tick = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        self.token.run_until_cancelled(tick).await?;
        self.ticked(due?, now());
        Some(())
    }

    /// Returns how many ticks the last one stood for beside itself: they were due while the work of the one before it
    /// went on, and are not made up for.
    ///
    /// Whoever counts them sees that the work takes longer than its period.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use mainstay_runtime::RunContext;
    ///
    /// # async fn sweep() {}
    /// async fn sweeper(cx: RunContext) {
    ///     let mut ticks = cx.every(Duration::from_secs(60));
    ///     while ticks.next().await.is_some() {
    ///         if ticks.skipped() > 0 {
    ///             eprintln!("the last sweep took more than {} minutes", ticks.skipped());
    ///         }
    ///         sweep().await;
    ///     }
    /// }
    /// ```
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The beat is kept: the next tick is due at the first multiple of the period that is still to come.
    fn ticked(&mut self, due: Instant, now: Instant) {
        let late = now.saturating_duration_since(due).as_nanos();
        let skipped = late / self.period.as_nanos();
        self.skipped = u64::try_from(skipped).unwrap_or(u64::MAX);
        let beats = u32::try_from(skipped).ok().and_then(|skipped| skipped.checked_add(1));
        // What is so late that it cannot be counted has no beat to keep.
        let next = beats.and_then(|beats| due.checked_add(self.period.checked_mul(beats)?));
        self.due = next.or_else(|| now.checked_add(self.period));
    }
}

/// Of tokio, which also waits for the ticks.
fn now() -> Instant {
    Instant::from_std(Clock::Ambient.now())
}

impl fmt::Debug for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Every")
            .field("period", &self.period)
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}
