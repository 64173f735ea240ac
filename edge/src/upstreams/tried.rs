//! Some of the servers of a pool, as the bits of a word: those that are up, or those that a request has tried.

use crate::settings::MOST;

/// Some of the servers of a pool, by their places in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried(u64);

const _: () = assert!(MOST == u64::BITS as usize);

impl Tried {
    /// None of them.
    pub(crate) const NONE: Self = Self(0);

    /// The first so many.
    pub(super) fn all(many: usize) -> Self {
        Self(if many >= MOST { u64::MAX } else { (1 << many) - 1 })
    }

    /// These, and one more.
    #[must_use]
    pub(super) fn and(self, index: u8) -> Self {
        Self(self.0 | 1 << index)
    }

    /// These without those.
    #[must_use]
    pub(super) fn without(self, those: Self) -> Self {
        Self(self.0 & !those.0)
    }

    pub(super) fn has(self, index: u8) -> bool {
        self.0 & (1 << index) != 0
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }
}
