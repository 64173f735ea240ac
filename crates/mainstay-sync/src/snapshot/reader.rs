//! A reader that keeps the value it read last.

use std::fmt;
use std::mem;
use std::sync::Arc;

use super::ambient::{self, TRANSACTION};
use super::inner::Inner;
use super::read;
use crate::sync::atomic::Ordering;

/// Reads one snapshot over and over, at the price of one comparison while nothing changes.
///
/// From [`Snapshot::reader`](super::Snapshot::reader). Every load is as fresh as
/// [`Snapshot::load`](super::Snapshot::load) outside of a pin would be; a pin does not bind it. It belongs to
/// one loop, task or thread, and keeps the value it read last alive until its next load. Clone it for a
/// second one.
///
/// # Examples
///
/// ```
/// use mainstay_sync::Snapshot;
///
/// let limit = Snapshot::new(1);
/// let mut reader = limit.reader();
/// assert_eq!(*reader.load(), 1);
/// limit.publish(2);
/// assert_eq!(*reader.load(), 2);
/// ```
pub struct Reader<T> {
    inner: Arc<Inner>,
    /// The version that was read last, or one that no snapshot ever has.
    seen: u64,
    value: Option<Arc<T>>,
}

/// What was read is not the visible version, so the next load looks again.
const NOT_VISIBLE: u64 = u64::MAX;

impl<T: Send + Sync + 'static> Reader<T> {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        let mut reader = Self { inner, seen: NOT_VISIBLE, value: None };
        reader.read();
        reader
    }

    /// Reads the current value.
    ///
    /// # Panics
    ///
    /// When the snapshot is empty, as [`Snapshot::load`](super::Snapshot::load) does.
    #[inline]
    #[track_caller]
    pub fn load(&mut self) -> &T {
        self.refresh();
        match &self.value {
            Some(value) => value,
            None => self.inner.read_while_empty(),
        }
    }

    /// Reads the current value, or `None` if there is none.
    #[inline]
    pub fn try_load(&mut self) -> Option<&T> {
        self.refresh();
        self.value.as_deref()
    }

    #[inline]
    fn refresh(&mut self) {
        // Acquire, of the release that comes before the new table: who reads an old number has seen no newer
        // value.
        let hint = self.inner.hint.load(Ordering::Acquire);
        if hint != self.seen || ambient::flags() & TRANSACTION != 0 {
            self.read();
        }
    }

    #[cold]
    fn read(&mut self) {
        let (version, value) = if let Some(held) = read::staged(&self.inner) {
            (NOT_VISIBLE, held.slots[0].arc())
        } else {
            let (table, index) = self.inner.visible();
            (table.slots[index].version, table.slots[index].arc())
        };
        self.seen = version;
        // Last: the destructor of the old value may panic.
        drop(mem::replace(&mut self.value, value));
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), seen: self.seen, value: self.value.clone() }
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
