//! The limit of one route: so many inside, so many that wait for so long, and the rest is refused at once.

use std::time::Duration;

use mainstay::gate::EnterError;
use mainstay::{Gate, OwnedPermit};

use crate::settings::RouteMost;

/// The gate of one route, and the room before it.
#[derive(Debug)]
pub(super) struct RouteGate {
    gate: Gate,
    /// Those who wait are inside of this one: so they are never more than may be.
    queue: Gate,
}

/// Why a route has no place: how long one should stay away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy {
    pub(super) for_another: Duration,
}

impl Default for RouteGate {
    fn default() -> Self {
        Self { gate: Gate::unlimited(), queue: Gate::unlimited() }
    }
}

impl RouteGate {
    /// Changes the limit, or takes it away. Who is inside stays; who waits for a place that there is now, gets it.
    pub(super) fn turn(&self, most: Option<&RouteMost>) {
        // The time first, for those who begin to wait between these lines.
        self.gate.set_acquire_timeout(most.map(|most| most.wait));
        self.queue.set_capacity(most.map(|most| most.waiting));
        self.gate.set_capacity(most.map(|most| most.inside.get()));
    }

    /// Goes in, and waits for it where that is allowed.
    ///
    /// # Errors
    ///
    /// Where as many wait already as may, or its time is over.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its turn.
    pub(super) async fn enter(&self) -> Result<OwnedPermit, Busy> {
        if let Ok(permit) = self.gate.try_enter_owned() {
            return Ok(permit);
        }
        let Ok(_waits) = self.queue.try_enter() else {
            return Err(Busy { for_another: Duration::from_secs(1) });
        };
        self.gate.enter_owned().await.map_err(|error| Busy {
            for_another: match error {
                EnterError::TimedOut { after, .. } => after,
                _ => Duration::ZERO,
            },
        })
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.count()
    }

    /// How many are inside, and how many wait.
    #[cfg(test)]
    fn count(&self) -> (usize, usize) {
        (self.gate.count(), self.waiting())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use tokio::time::Instant;

    use super::*;

    fn most(inside: usize, waiting: usize, wait: Duration) -> RouteMost {
        RouteMost { inside: NonZeroUsize::new(inside).unwrap(), waiting, wait }
    }

    const WAIT: Duration = Duration::from_secs(3);

    fn gate(inside: usize, waiting: usize) -> Arc<RouteGate> {
        let gate = RouteGate::default();
        gate.turn(Some(&most(inside, waiting, WAIT)));
        Arc::new(gate)
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_queue_a_request_is_refused_at_once_and_in_it_when_its_time_is_over() {
        let (gate, since) = (gate(1, 2), Instant::now());
        let inside = gate.enter().await.unwrap();
        let mut one = Box::pin(gate.enter());
        let mut other = Box::pin(gate.enter());
        assert!((&mut one).now_or_never().is_none() && (&mut other).now_or_never().is_none());
        assert_eq!(gate.count(), (1, 2));
        assert_eq!(gate.enter().await.unwrap_err(), Busy { for_another: Duration::from_secs(1) });
        assert_eq!(since.elapsed(), Duration::ZERO);
        assert_eq!(one.await.unwrap_err(), Busy { for_another: WAIT });
        assert_eq!((since.elapsed(), gate.count()), (WAIT, (1, 1)));
        drop((inside, other));
        assert_eq!(gate.count(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_becomes_free_goes_to_the_first_who_waits() {
        let gate = gate(1, 2);
        let inside = gate.enter().await.unwrap();
        let mut first = Box::pin(gate.enter());
        let mut second = Box::pin(gate.enter());
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        drop(inside);
        assert!((&mut second).now_or_never().is_none());
        let first = first.await.unwrap();
        // Who has left the queue makes room in it.
        let mut third = Box::pin(gate.enter());
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        drop(second.await.unwrap());
        drop(third.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_counts_who_is_inside_and_drops_nobody() {
        let gate = Arc::new(RouteGate::default());
        let mut inside: Vec<_> = (0..3).filter_map(|_| gate.enter().now_or_never()?.ok()).collect();
        gate.turn(Some(&most(2, 1, WAIT)));
        let mut waits = Box::pin(gate.enter());
        assert!((&mut waits).now_or_never().is_none());
        inside.pop();
        assert!((&mut waits).now_or_never().is_none(), "there are as many as may be");
        // A higher one admits who waits, without anybody leaving; and so does none.
        gate.turn(Some(&most(3, 1, WAIT)));
        inside.push(waits.now_or_never().unwrap().unwrap());
        let mut waits = Box::pin(gate.enter());
        assert!((&mut waits).now_or_never().is_none());
        gate.turn(None);
        drop(waits.now_or_never().unwrap().unwrap());
        assert_eq!(gate.count(), (3, 0));
    }
}
