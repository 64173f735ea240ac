//! A reader that keeps the value it read last.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;

use super::slot::{Slot, Version};

/// Reads one snapshot over and over, at the price of one comparison while nothing changes.
///
/// From [`Snapshot::reader`](super::Snapshot::reader). Every load is as fresh as
/// [`Snapshot::load`](super::Snapshot::load) would be. It belongs to one loop, task or thread, and keeps the
/// version it read last alive until its next load. Clone it for a second one.
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
    cache: Cache<Source<T>, Arc<Version<T>>>,
    /// The same slot again, to speak of it while the cache is borrowed.
    slot: Arc<Slot<T>>,
}

/// Lets the cache find the pointer inside of the shared slot.
struct Source<T>(Arc<Slot<T>>);

impl<T: Send + Sync + 'static> Reader<T> {
    pub(super) fn new(slot: Arc<Slot<T>>) -> Self {
        Self { cache: Cache::new(Source(Arc::clone(&slot))), slot }
    }

    /// Reads the current value.
    ///
    /// # Panics
    ///
    /// When the snapshot is empty, as [`Snapshot::load`](super::Snapshot::load) does.
    #[inline]
    #[track_caller]
    pub fn load(&mut self) -> &T {
        match &self.cache.load().value {
            Some(value) => value,
            None => self.slot.read_while_empty(),
        }
    }

    /// Reads the current value, or `None` if there is none.
    #[inline]
    pub fn try_load(&mut self) -> Option<&T> {
        self.cache.load().value.as_deref()
    }
}

impl<T> Deref for Source<T> {
    type Target = ArcSwap<Version<T>>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.0.current
    }
}

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), slot: Arc::clone(&self.slot) }
    }
}

impl<T> Clone for Source<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
