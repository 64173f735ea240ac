//! The version that one reader has taken.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::Guard;

use super::slot::Version;

/// One version of a snapshot, held for reading; dereferences to the value.
///
/// From [`Snapshot::load`](super::Snapshot::load). It borrows from nothing, is `Send`, and may be held across
/// awaits; see the [limitations](super#limitations) for what holding many of them costs.
#[must_use = "a version that is not read need not be loaded"]
pub struct Loaded<T> {
    /// Never an empty version: whoever makes a `Loaded` has looked.
    pub(super) version: Guard<Arc<Version<T>>>,
}

impl<T> Loaded<T> {
    /// Tells which version this is: how many changes came before it, as
    /// [`Snapshot::version`](super::Snapshot::version) counts them.
    pub fn version(&self) -> u64 {
        self.version.number
    }
}

impl<T> Deref for Loaded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.version.value {
            Some(value) => value,
            None => unreachable!("a loaded version has a value"),
        }
    }
}

impl<T> AsRef<T> for Loaded<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: fmt::Debug> fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("version", &self.version()).field("value", &**self).finish()
    }
}
