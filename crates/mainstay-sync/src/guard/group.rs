//! The count of what is in flight, and the token whose drop takes one off.
//!
//! Invariants:
//!
//! 1. `state` is one word: its low half counts the guards that live, its high half numbers the waits
//!    (wrapping). Every change is one read-modify-write, so guards and waits are totally ordered.
//! 2. A wait looks at the guards and takes its number in one operation. If there are none, it is over.
//!    Otherwise a later drop that empties the group reads, in the same operation, a number of waits that
//!    includes this one.
//! 3. `emptied` is the highest number (wrapping) that was read by a drop that emptied the group, and only
//!    grows: a wait is over when `emptied` has reached its number. It is raised before anybody is woken.
//! 4. `state` is never more than [`FURTHEST`] waits ahead of `emptied`, so that wrapping numbers compare. At
//!    that distance waits share the last number; then, and only then, a wait may also end for an emptiness
//!    that was an instant before it and is not yet recorded.
//!
//! From 2 and 3: a wait ends if, and only if, the group was empty at some moment since the wait began.
//! Looking for emptiness only when polled would miss a group that is refilled at once; waking alone would
//! also end waits that began after the refill. And because numbers are compared, a drop that empties a group
//! nobody waits for reads one word more and is done.

use std::fmt;

use super::WaitEmpty;
use crate::bell::Bell;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How far apart two numbers of waits may be and still compare.
const FURTHEST: u32 = i32::MAX as u32;

/// Counts guards, and lets any number of waiters wait until there are none.
///
/// A handle: clones count together. See the [module](super) for patterns and limitations.
///
/// # Examples
///
/// ```
/// use mainstay_sync::GuardGroup;
///
/// let group = GuardGroup::new();
/// let first = group.guard();
/// let second = group.clone().guard();
/// assert_eq!(group.count(), 2);
/// drop((first, second));
/// assert_eq!(group.count(), 0);
/// ```
#[derive(Clone, Default)]
pub struct GuardGroup {
    shared: Arc<Shared>,
}

/// One piece of work in flight; dropping it is the operation.
///
/// Made by [`GuardGroup::guard`]. It keeps the count alive, not the handle: a group may be dropped before its
/// guards.
#[must_use = "the guard leaves its group when it is dropped, which is at once if it is not kept"]
pub struct Guard {
    shared: Arc<Shared>,
}

/// What the handles, the guards and the waits of one group have in common.
#[derive(Default)]
pub(super) struct Shared {
    state: AtomicU64,
    emptied: AtomicU32,
    bell: Bell,
}

impl GuardGroup {
    /// Makes an empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one guard.
    ///
    /// Two atomic increments; no lock and no allocation.
    ///
    /// # Panics
    ///
    /// When 2^31 guards live already, which takes leaking them.
    #[inline]
    pub fn guard(&self) -> Guard {
        // Relaxed: a guard publishes nothing when it is made. As a read-modify-write it continues the release
        // sequence of the drops before it, so that a wait that reads this word still acquires from them.
        let before = self.shared.state.fetch_add(1, Ordering::Relaxed);
        if guards(before) > FURTHEST {
            self.shared.too_many();
        }
        Guard { shared: Arc::clone(&self.shared) }
    }

    /// Counts the guards that live at this moment.
    ///
    /// For the eye and for reports: another thread may change it before the answer is used. What was done
    /// under a guard before its drop is visible to whoever no longer counts it.
    pub fn count(&self) -> usize {
        guards(self.shared.state.load(Ordering::Acquire)) as usize
    }

    /// Waits until the group is empty.
    ///
    /// Ends when the group has been empty at any moment since this call, the call itself included, even if it
    /// was refilled before the future was polled; and never for a moment before the call. Any number of waits
    /// may go on at once, and each of them ends. What was done under the guards before their drop is visible
    /// afterwards.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets the wait and changes nothing else. A new wait begins anew: an emptiness
    /// that the dropped one had seen does not count for it.
    pub fn wait_empty(&self) -> WaitEmpty<'_> {
        WaitEmpty::new(&self.shared)
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        // Release: what was done under this guard comes before the emptiness that others see. Acquire: the
        // one that empties the group passes on, through `emptied`, what the others released.
        let before = self.shared.state.fetch_sub(1, Ordering::AcqRel);
        if guards(before) == 1 {
            self.shared.was_empty_at(waits(before));
        }
    }
}

impl Shared {
    /// Takes the number of a new wait, or `None` if the group is empty and nothing has to be waited for.
    pub(super) fn begin_wait(&self) -> Option<u32> {
        let mut number = 0;
        let take = |state| {
            let behind = waits(state).wrapping_sub(self.emptied.load(Ordering::Relaxed));
            number = waits(state).wrapping_add(u32::from(behind < FURTHEST));
            (guards(state) > 0).then(|| state_of(number, guards(state)))
        };
        // Acquire, also where it fails because the group is empty: see `Guard::drop`. A wait itself publishes
        // nothing.
        let taken = self.state.fetch_update(Ordering::Acquire, Ordering::Acquire, take);
        taken.is_ok().then_some(number)
    }

    /// Tells whether the group has been empty since the wait of this number began.
    pub(super) fn is_over(&self, wait: u32) -> bool {
        reached(self.emptied.load(Ordering::Acquire), wait) || guards(self.state.load(Ordering::Acquire)) == 0
    }

    /// Where the emptiness is announced.
    pub(super) fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Records that the group was empty when this many waits had begun, and wakes them if somebody is to be
    /// told.
    #[inline]
    fn was_empty_at(&self, wait: u32) {
        // Relaxed: if another drop has stored this number already, it also wakes, or has woken, everybody up
        // to it.
        if self.emptied.load(Ordering::Relaxed) != wait {
            self.tell(wait);
        }
    }

    #[cold]
    fn tell(&self, wait: u32) {
        let raise = |emptied| (!reached(emptied, wait)).then_some(wait);
        if self.emptied.fetch_update(Ordering::AcqRel, Ordering::Acquire, raise).is_ok() {
            self.bell.ring();
        }
    }

    #[cold]
    fn too_many(&self) -> ! {
        self.state.fetch_sub(1, Ordering::Relaxed);
        panic!("more than 2^31 guards of one group live at once: they are being leaked");
    }
}

fn state_of(waits: u32, guards: u32) -> u64 {
    u64::from(waits) << 32 | u64::from(guards)
}

/// The low half of the word: the guards that live.
#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn guards(state: u64) -> u32 {
    state as u32
}

/// The high half of the word: how many waits have begun, wrapping.
fn waits(state: u64) -> u32 {
    (state >> 32) as u32
}

/// Whether the wrapping number `emptied` is at or past `wait`.
fn reached(emptied: u32, wait: u32) -> bool {
    emptied.wrapping_sub(wait) <= FURTHEST
}

impl fmt::Debug for GuardGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardGroup").field("count", &self.count()).finish()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_waits_may_wrap() {
        let group = GuardGroup::new();
        group.shared.state.store(u64::from(u32::MAX) << 32, Ordering::Relaxed);
        group.shared.emptied.store(u32::MAX, Ordering::Relaxed);

        let guard = group.guard();
        let wait = group.shared.begin_wait();
        assert_eq!(wait, Some(0));
        assert!(!group.shared.is_over(0));
        drop(guard);
        let _refilled = group.guard();
        assert!(group.shared.is_over(0));
        assert_eq!(group.count(), 1);
    }

    #[test]
    fn one_guard_too_many_panics_and_is_not_counted() {
        let group = GuardGroup::new();
        let full = FURTHEST + 1;
        group.shared.state.store(u64::from(full), Ordering::Relaxed);
        let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| group.guard()));
        assert!(refused.is_err());
        assert_eq!(group.count(), full as usize);
    }
}
