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
