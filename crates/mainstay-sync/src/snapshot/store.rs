//! The snapshot itself: publish on one side, load on the other.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::ambient::{self, PIN, TRANSACTION};
use super::inner::Inner;
use super::shim::Guard;
use super::table::Value;
use super::{Changed, Loaded, Made, Reader, publish, read};

/// One immutable value, atomically replaced as a whole.
///
/// Reading takes no lock and allocates nothing. Not `Clone`: a snapshot has an owner, and is shared by
/// sharing the owner. See the [module](super) for patterns and limitations.
///
/// # Examples
///
/// ```
/// use mainstay_sync::Snapshot;
///
/// let limit = Snapshot::new(10);
/// assert_eq!(*limit.load(), 10);
/// limit.publish(20);
/// assert_eq!((*limit.load(), limit.version()), (20, 1));
/// ```
pub struct Snapshot<T> {
    inner: Arc<Inner>,
    value: PhantomData<Arc<T>>,
}

impl<T: Send + Sync + 'static> Snapshot<T> {
    /// Makes a snapshot that holds `value`.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self::from_arc(Arc::new(value))
    }

    /// Makes a snapshot that holds what the `Arc` points to; [`load_full`](Self::load_full) gives the same
    /// allocation.
    #[track_caller]
    pub fn from_arc(value: Arc<T>) -> Self {
        Self::make(Some(value))
    }

    /// Makes a snapshot that holds nothing yet.
    ///
    /// The place of the call is remembered, and named when the snapshot is read while it is empty.
    #[track_caller]
    pub fn empty() -> Self {
        Self::make(None)
    }

    #[track_caller]
    fn make(value: Option<Value>) -> Self {
        Self { inner: Arc::new(Inner::new(value, Made::here::<T>())), value: PhantomData }
    }

    #[inline]
    pub(super) fn inner(&self) -> &Inner {
        &self.inner
    }

    #[cfg(all(test, mainstay_loom))]
    pub(super) fn inner_arc(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Takes the current version to read it.
    ///
    /// What was taken stays as it is, whatever is published meanwhile. Neither locks nor allocates.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_sync::Snapshot;
    ///
    /// let motto = Snapshot::new(String::from("hold fast"));
    /// assert_eq!(motto.load().len(), 9);
    /// ```
    ///
    /// # Panics
    ///
    /// When the snapshot is empty (`MS0401`). The text names the type, the place where the snapshot was made,
    /// the place of this call, and what to do.
    #[inline]
    #[track_caller]
    pub fn load(&self) -> Loaded<T> {
        let (table, index) = self.read();
        if table.slots[index].value.is_none() {
            self.inner.read_while_empty();
        }
        Loaded::new(table, index)
    }

    /// Takes the current version to read it, or `None` if there is no value.
    #[inline]
    pub fn try_load(&self) -> Option<Loaded<T>> {
        let (table, index) = self.read();
        table.slots[index].value.is_some().then(|| Loaded::new(table, index))
    }

    /// Takes the current value to keep it.
    ///
    /// Counts up and down on the value itself, which threads that do so at once feel; prefer
    /// [`load`](Self::load) for a look.
    ///
    /// # Panics
    ///
    /// When the snapshot is empty, as [`load`](Self::load) does.
    #[inline]
    #[track_caller]
    pub fn load_full(&self) -> Arc<T> {
        let (table, index) = self.read();
        match table.slots[index].arc() {
            Some(value) => value,
            None => self.inner.read_while_empty(),
        }
    }

    /// The table to read from and the index in it, in one inlined piece: handing a guard through several
    /// functions costs as much as the load.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "as it says")]
    fn read(&self) -> (Guard, usize) {
        let flags = ambient::flags();
        if flags & (PIN | TRANSACTION) == 0 {
            let (table, index) = self.inner.glance();
            if index < table.slots.len() {
                return (table, index);
            }
        } else if flags & PIN != 0
            && let Some(home) = self.inner.home()
            && let Some(stripe) = ambient::pinned(home.index, self.inner.id)
        {
            return (Guard::from_inner(stripe), home.index);
        }
        read::slow(&self.inner)
    }

    /// Replaces the value, whole.
    ///
    /// Visible at once to everybody who loads from now on. Publishes are ordered, one after the other, and
    /// each is one [`version`](Self::version). The old value is dropped here, or by whoever still reads it.
    ///
    /// # Panics
    ///
    /// When the destructor of the old value does, after the new one is visible and waiters are woken.
    pub fn publish(&self, value: T) {
        self.publish_arc(Arc::new(value));
    }

    /// Replaces the value by what the `Arc` points to; otherwise as [`publish`](Self::publish).
    pub fn publish_arc(&self, value: Arc<T>) {
        let value: Value = value;
        publish::publish(&self.inner, Some(&value));
    }

    /// Takes the value away: the snapshot is empty again.
    ///
    /// A change like any other, unless it was empty already.
    pub fn clear(&self) {
        publish::publish(&self.inner, None);
    }

    /// Counts the visible changes since the snapshot was made: 0 at first, one more for each publish and each
    /// clear.
    pub fn version(&self) -> u64 {
        self.inner.version()
    }

    /// Waits for a change, and gives the version then.
    ///
    /// The version is looked at when this is *called*: a change between the call and the await is not missed.
    /// Several publishes may be one wake-up, so load again to see what there is now. Any number of waits may
    /// go on at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_sync::Snapshot;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let limit = Snapshot::new(1);
    /// let changed = limit.changed();
    /// limit.publish(2);
    /// limit.publish(3);
    /// assert_eq!(changed.await, 2); // two changes, one wake-up
    /// assert_eq!(*limit.load(), 3);
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets the wait and changes nothing else. A new one starts from the version of
    /// its own call, so make it before the value is read.
    pub fn changed(&self) -> Changed<'_> {
        Changed::new(&self.inner)
    }

    /// Makes a reader for a hot loop, which keeps the value it read last.
    pub fn reader(&self) -> Reader<T> {
        Reader::new(Arc::clone(&self.inner))
    }
}

/// Empty.
impl<T: Send + Sync + 'static> Default for Snapshot<T> {
    #[track_caller]
    fn default() -> Self {
        Self::empty()
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, index) = self.inner.visible();
        let slot = &table.slots[index];
        f.debug_struct("Snapshot").field("version", &slot.version).field("value", &slot.get::<T>()).finish()
    }
}
