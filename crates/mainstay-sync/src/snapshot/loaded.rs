//! The version that one reader has taken.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use super::shim::Guard;
use super::table::Slot;

/// One version of a snapshot, held for reading; dereferences to the value.
///
/// From [`Snapshot::load`](super::Snapshot::load). It borrows from nothing, is `Send`, and may be held across
/// awaits; see the [limitations](super#limitations) for what holding many of them costs.
#[must_use = "a version that is not read need not be loaded"]
pub struct Loaded<T> {
    table: Guard,
    /// Never of an empty slot, nor of one of another type: whoever makes a `Loaded` has looked.
    index: usize,
    value: PhantomData<Arc<T>>,
}

impl<T: 'static> Loaded<T> {
    #[inline]
    pub(super) fn new(table: Guard, index: usize) -> Self {
        Self { table, index, value: PhantomData }
    }

    #[inline]
    fn slot(&self) -> &Slot {
        &self.table.slots[self.index]
    }
}

impl<T> Loaded<T> {
    /// Tells which version this is: how many changes came before it, as
    /// [`Snapshot::version`](super::Snapshot::version) counts them.
    ///
    /// Of a value that is staged it is the version that it will be, if nothing else is published before the
    /// commit.
    pub fn version(&self) -> u64 {
        self.table.slots[self.index].version
    }
}

impl<T: 'static> Deref for Loaded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match self.slot().get() {
            Some(value) => value,
            None => unreachable!("a loaded version has a value"),
        }
    }
}

impl<T: 'static> AsRef<T> for Loaded<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: fmt::Display + 'static> fmt::Display for Loaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("version", &self.version()).field("value", &**self).finish()
    }
}
