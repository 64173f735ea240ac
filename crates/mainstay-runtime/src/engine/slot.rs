//! A slot: the running hook or task of one kind, found by its serial.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::cell::{Cell, Seen, Work};
use crate::exit::Exit;

#[derive(Default)]
pub(crate) struct Slot(Mutex<Held>);

#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    /// Aborted before it was put in: two threads carry actions out beside each other.
    Aborted(u64),
    Running(u64, Arc<Cell>),
}

impl Slot {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a cell in. False: it was aborted already, and must not be spawned.
    pub(crate) fn put(&self, serial: u64, cell: &Arc<Cell>) -> bool {
        let mut held = self.held();
        match &*held {
            Held::Aborted(aborted) if *aborted == serial => return false,
            // Nobody waits for this one any more: its successor is here already.
            Held::Running(newer, _) if *newer > serial => return false,
            _ => {}
        }
        let old = std::mem::replace(&mut *held, Held::Running(serial, Arc::clone(cell)));
        drop(held);
        // A hook that still blocks its thread may have been here: its cell goes with its task.
        drop(old);
        true
    }

    pub(crate) fn clear(&self, serial: u64) {
        let mut held = self.held();
        if matches!(*held, Held::Running(running, _) if running == serial) {
            let old = std::mem::take(&mut *held);
            drop(held);
            drop(old);
        }
    }

    /// Aborts it. What was never polled ends here and now: its future is ours, and holds nothing of the user's but
    /// references that others hold as well.
    pub(crate) fn abort(&self, serial: u64) {
        let cell = {
            let mut held = self.held();
            match &*held {
                Held::Running(running, cell) if *running == serial => Arc::clone(cell),
                // It has ended, and its successor is not to be touched.
                Held::Running(newer, _) if *newer > serial => return,
                Held::Aborted(newer) if *newer > serial => return,
                _ => {
                    *held = Held::Aborted(serial);
                    return;
                }
            }
        };
        cancel(&cell);
    }

    pub(crate) fn seen(&self, serial: u64, now: Instant) -> Seen {
        match &*self.held() {
            Held::Running(running, cell) if *running == serial => cell.seen(now),
            // Over, or not yet put in: nothing to complain of.
            _ => Seen { begun: true, ..Seen::default() },
        }
    }

    /// The cell, if nobody has polled it yet.
    pub(crate) fn unpolled(&self, now: Instant) -> Option<Arc<Cell>> {
        match &*self.held() {
            Held::Running(_, cell) if !cell.seen(now).begun => Some(Arc::clone(cell)),
            _ => None,
        }
    }
}

/// Ends what was never polled; asks what was to end at its next poll.
pub(crate) fn cancel(cell: &Arc<Cell>) {
    if let Some(Work { future, done }) = cell.take() {
        drop(future);
        done.ended(Exit::NeverBegan);
    } else {
        cell.abort();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cell::{Done, Label};
    use crate::clock::Clock;

    struct Nobody;

    impl Done for Nobody {
        fn ended(self: Box<Self>, _: Exit) {}
    }

    /// One that nobody polls.
    pub(in crate::engine) fn cell() -> Arc<Cell> {
        let future = Box::pin(std::future::pending());
        Cell::new(Work { future, done: Box::new(Nobody) }, None, Label::None, Clock::Real)
    }

    /// An old hook that is carried out late, after its successor, must not touch it.
    #[test]
    fn an_old_abort_or_start_does_not_touch_the_successor() {
        let slot = Slot::default();
        let new = cell();
        assert!(slot.put(5, &new));
        slot.abort(3);
        assert!(!slot.put(3, &cell()), "nobody waits for the old one");
        assert!(new.take().is_some(), "it was not cancelled");
        let now = Clock::Real.now();
        assert_eq!(slot.seen(5, now), new.seen(now), "and can still be found");
    }

    #[test]
    fn an_abort_that_overtakes_the_start_is_heard_at_the_start() {
        let slot = Slot::default();
        slot.abort(5);
        assert!(!slot.put(5, &cell()));
        assert!(slot.put(6, &cell()));
    }
}
