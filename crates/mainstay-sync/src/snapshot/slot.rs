//! What one snapshot is made of: the current version in its slot, the writers' turn, and who is told.
//!
//! Invariants:
//!
//! 1. A [`Version`] never changes. The slot always points to one, and only whoever has the writers' turn
//!    replaces it.
//! 2. `latest` is raised *after* the slot was replaced, so that whoever is woken by it sees the new value. A
//!    wait for a change starts from the number in the slot, which is what was visible, never from `latest`:
//!    in between the two it would be woken by a change it had already seen.
//! 3. No code of a user runs in a writer's turn. The old version is dropped, and waiters are woken, after it:
//!    a destructor may panic, block, or publish again. A reader that drops the last hold on a version does it
//!    anywhere, and never in a turn, because the slot itself holds the version that a turn looks at.

use std::any::type_name;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

/// One version: the value, or that there is none, and its number.
pub(super) struct Version<T> {
    pub(super) number: u64,
    pub(super) value: Option<Arc<T>>,
}

/// The shared inside of a snapshot and its readers.
pub(super) struct Slot<T> {
    pub(super) current: ArcSwap<Version<T>>,
    pub(super) changes: Changes,
    turn: Mutex<()>,
    made: &'static Location<'static>,
}

/// What a wait for a change needs to know; the same for every type of value.
pub(super) struct Changes {
    /// The number of the latest version; read by waiters, written in a writer's turn.
    latest: AtomicU64,
    pub(super) notify: Notify,
}

impl<T> Slot<T> {
    pub(super) fn new(value: Option<Arc<T>>, made: &'static Location<'static>) -> Self {
        Self {
            current: ArcSwap::from_pointee(Version { number: 0, value }),
            changes: Changes { latest: AtomicU64::new(0), notify: Notify::new() },
            turn: Mutex::new(()),
            made,
        }
    }

    /// Makes `value` the current one. Clearing what is empty changes nothing.
    pub(super) fn replace(&self, value: Option<Arc<T>>) {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current.load();
        if value.is_none() && before.value.is_none() {
            return;
        }
        let number = before.number + 1;
        drop(before);
        let old = self.current.swap(Arc::new(Version { number, value }));
        // Release: whoever reads this number reads the slot after the swap.
        self.changes.latest.store(number, Ordering::Release);
        drop(turn);
        self.changes.notify.notify_waiters();
        drop(old);
    }

    /// Panics: the slot is empty, and the reader said that it would not be.
    #[cold]
    #[track_caller]
    pub(super) fn read_while_empty(&self) -> ! {
        let why = match self.changes.past(0) {
            None => "nobody has published it yet",
            Some(_) => "it was cleared",
        };
        panic!(
            "MS0401: the snapshot of `{value}` made at {made} is empty, and was read at {reader}: \
             {why}; declare `.requires` on the provider that publishes it, \
             or use `try_load` where it may be empty",
            value = type_name::<T>(),
            made = self.made,
            reader = Location::caller(),
        )
    }
}

impl Changes {
    /// The number of the latest version, if it is past `seen`.
    pub(super) fn past(&self, seen: u64) -> Option<u64> {
        let latest = self.latest.load(Ordering::Acquire);
        (latest > seen).then_some(latest)
    }
}
