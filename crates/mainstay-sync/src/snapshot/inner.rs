//! What one snapshot is made of, whatever its type: where its value is, the writers' turn, and who is told.
//!
//! Invariants:
//!
//! 1. A table never changes. Where the value is found: in the current table of the daemon that the snapshot
//!    has joined, else in its own table of one.
//! 2. Joining is once and for ever. The daemon's table has the value first, then `home` is set, then the own
//!    table is emptied. So whoever finds the own table empty finds a home, and whoever finds a home finds a
//!    slot. Only a daemon that is [closed](super::Epochs::close) goes the way back: first the own table, then
//!    the daemon's.
//! 3. `hint` is raised *before* a table is replaced, so that a reader that sees the old number has seen
//!    nothing newer. What a reader has seen it takes from the slot that it read, never from the hint. A wait
//!    for a change goes by the number in the visible table alone. Either of the two the other way round loses
//!    an update for ever.
//! 4. No code of a user runs in a writer's turn: not the destructor of an old value, not a waker.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64 as Plain, Ordering};

use super::Made;
use super::core::Core;
use super::shim::{Current, Guard, Once};
use super::table::{Held, Slot, Value};
use crate::bell::Bell;
use crate::sync::atomic::AtomicU64;
use crate::sync::{Mutex, MutexGuard, lock};

/// The shared inside of a snapshot and its readers.
pub(super) struct Inner {
    /// What no other snapshot of the process has; never 0.
    pub(super) id: u64,
    home: Once<Home>,
    own: Current,
    pub(super) hint: AtomicU64,
    turn: Mutex<()>,
    pub(super) bell: Bell,
    pub(super) made: Made,
}

/// Where a snapshot that has joined a daemon lives.
pub(super) struct Home {
    pub(super) core: Arc<Core>,
    pub(super) index: usize,
}

/// What a publish did.
pub(super) enum Replaced {
    /// It is visible; what was there before is to be dropped when nothing is locked.
    Visible(Arc<Held>),
    /// There was nothing to clear.
    Unchanged,
    /// The value lives elsewhere by now.
    Elsewhere,
}

impl Inner {
    pub(super) fn new(value: Option<Value>, made: Made) -> Self {
        static IDS: Plain = Plain::new(1);
        // Relaxed: only that no two are the same matters.
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        Self {
            id,
            home: Once::new(),
            own: Current::new(Held::single(Slot { id, version: 0, value })),
            hint: AtomicU64::new(0),
            turn: Mutex::new(()),
            bell: Bell::default(),
            made,
        }
    }

    /// Where the snapshot lives, once it has joined a daemon.
    #[inline]
    pub(super) fn home(&self) -> Option<&Home> {
        self.home.get()
    }

    /// The table that has the visible value now, and the index in it; no pin and no transaction is asked.
    ///
    /// The fast one: the index may be past the end of the table. Then [`visible`](Self::visible) knows.
    #[inline]
    pub(super) fn glance(&self) -> (Guard, usize) {
        match self.home.get() {
            Some(home) => (home.core.current.load(), home.index),
            None => (self.own.load(), 0),
        }
    }

    /// The table that has the visible value now, and the index in it; no pin and no transaction is asked.
    pub(super) fn visible(&self) -> (Guard, usize) {
        loop {
            let (table, index) = self.glance();
            if table.slot(index, self.id).is_some() {
                return (table, index);
            }
            // Alone a moment ago, and emptied since: the next turn sees the home. Or the daemon is closed.
            let own = self.own.load();
            if own.slot(0, self.id).is_some() {
                return (own, 0);
            }
        }
    }

    /// The visible value now, in a table of its own.
    pub(super) fn visible_single(&self) -> Arc<Held> {
        let (table, index) = self.visible();
        if table.slots.len() == 1 && table.joins.is_none() {
            return Guard::into_inner(table);
        }
        Held::single(table.slots[index].clone())
    }

    /// The number of the visible version.
    pub(super) fn version(&self) -> u64 {
        let (table, index) = self.visible();
        table.slots[index].version
    }

    /// Replaces the value in the own table, if it is there.
    pub(super) fn replace_own(&self, value: Option<&Value>) -> Replaced {
        let _turn = lock(&self.turn);
        let before = self.own.load();
        let Some(slot) = before.slot(0, self.id) else { return Replaced::Elsewhere };
        if value.is_none() && slot.value.is_none() {
            return Replaced::Unchanged;
        }
        let version = slot.version + 1;
        drop(before);
        self.hint.store(version, Ordering::Release);
        Replaced::Visible(self.own.swap(Held::single(Slot { id: self.id, version, value: value.cloned() })))
    }

    /// Holds the writers' turn of a snapshot that is about to join; `None` if another daemon was first.
    pub(super) fn join(&self) -> Option<Joining<'_>> {
        let turn = lock(&self.turn);
        if self.home.get().is_some() {
            return None;
        }
        Some(Joining { inner: self, before: self.own.load_full(), _turn: turn })
    }

    /// Gives a value back that a daemon had, when it is closed and before it is emptied.
    pub(super) fn give_back(&self, slot: Slot) -> Arc<Held> {
        let _turn = lock(&self.turn);
        self.own.swap(Held::single(slot))
    }

    /// Panics: the snapshot is empty, and the reader said that it would not be.
    #[cold]
    #[track_caller]
    pub(super) fn read_while_empty(&self) -> ! {
        let why = if self.version() == 0 { "nobody has published it yet" } else { "it was cleared" };
        panic!(
            "MS0401: the snapshot of {made} is empty, and was read at {reader}: {why}; \
             declare `.requires` on the provider that publishes it, or use `try_load` where it may be empty",
            made = self.made,
            reader = Location::caller(),
        )
    }
}

/// The writers' turn of a snapshot that joins a daemon.
pub(super) struct Joining<'a> {
    inner: &'a Inner,
    pub(super) before: Arc<Held>,
    _turn: MutexGuard<'a, ()>,
}

impl Joining<'_> {
    /// Is called when the daemon's table has the value: from here on it is found there, and only there.
    pub(super) fn complete(self, core: &Arc<Core>, index: usize) {
        let home = self.inner.home.set(Home { core: Arc::clone(core), index });
        assert!(home.is_ok(), "a snapshot joins in its turn, and once");
        // Not the last of it: `before` has it, and the note for older pins.
        self.inner.own.swap(Held::nothing());
    }
}

/// Leaves the table of its daemon, so that the value goes with the snapshot.
impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(home) = self.home.get() {
            home.core.release(home.index, self.id);
        }
    }
}
