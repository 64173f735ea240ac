//! The state of a gate in one word, and what each change makes of it.
//!
//! Count, capacity and the three flags share a word so that every decision (is there a place? was it closed
//! before or after? how many are left?) and every change is one read-modify-write, and all of them are
//! totally ordered, whatever the memory orderings.

use super::TryEnterError;

const BITS: u32 = 30;
/// The most permits at one time. As a capacity it means that there is none.
pub(super) const MOST: usize = (1 << BITS) - 1;

const COUNT: u64 = MOST as u64;
const CAPACITY: u64 = COUNT << BITS;
/// Somebody is in the queue. Set and cleared under the lock of the queue only; while it is set, the count goes
/// up under that lock only, so that nobody overtakes.
const QUEUE: u64 = 1 << (2 * BITS);
/// No more permits, for ever.
const CLOSED: u64 = QUEUE << 1;
/// Whoever is inside was told to end now.
const FORCED: u64 = CLOSED << 1;

/// How a gate is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    Gently,
    Forced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

impl Word {
    /// An open and empty gate.
    pub(super) fn new(capacity: Option<usize>) -> Self {
        Self(0).with_capacity(capacity)
    }

    pub(super) fn count(self) -> usize {
        (self.0 & COUNT) as usize
    }

    pub(super) fn capacity(self) -> usize {
        ((self.0 & CAPACITY) >> BITS) as usize
    }

    pub(super) fn has_queue(self) -> bool {
        self.0 & QUEUE != 0
    }

    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(super) fn is_forced(self) -> bool {
        self.0 & FORCED != 0
    }

    /// Whether one who leaves this word has anything to do but to leave.
    #[inline]
    pub(super) fn somebody_cares(self) -> bool {
        self.0 & (QUEUE | CLOSED) != 0
    }

    /// Why one more is not admitted, if so.
    #[inline]
    pub(super) fn refusal(self) -> Option<TryEnterError> {
        if self.is_closed() {
            Some(TryEnterError::Closed)
        } else if self.has_queue() || self.count() >= self.capacity() {
            Some(TryEnterError::Full { capacity: self.capacity() })
        } else {
            None
        }
    }

    /// With so many more inside; the caller has seen that there is room.
    #[inline]
    pub(super) fn with_more(self, count: usize) -> Self {
        Self(self.0 + count as u64)
    }

    pub(super) fn with_queue(self) -> Self {
        Self(self.0 | QUEUE)
    }

    pub(super) fn without_queue(self) -> Self {
        Self(self.0 & !QUEUE)
    }

    pub(super) fn with_capacity(self, capacity: Option<usize>) -> Self {
        let capacity = capacity.unwrap_or(MOST).min(MOST) as u64;
        Self(self.0 & !CAPACITY | capacity << BITS)
    }

    pub(super) fn closed(self, how: Close) -> Self {
        let forced = if how == Close::Forced { FORCED } else { 0 };
        Self(self.without_queue().0 | CLOSED | forced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_word_do_not_touch() {
        assert_eq!(COUNT & CAPACITY | (COUNT | CAPACITY) & (QUEUE | CLOSED | FORCED), 0);
        let word = Word::new(Some(5)).with_more(3).with_queue();
        assert_eq!((word.count(), word.capacity(), word.has_queue()), (3, 5, true));
        let word = word.with_capacity(None).closed(Close::Forced);
        assert_eq!((word.count(), word.capacity()), (3, MOST));
        assert!(word.is_closed() && word.is_forced() && !word.has_queue());
        assert!(!Word::new(None).closed(Close::Gently).is_forced());
    }

    #[test]
    fn even_a_gate_without_a_limit_never_counts_into_its_capacity() {
        let word = Word::new(None).with_more(MOST);
        assert!(matches!(word.refusal(), Some(TryEnterError::Full { .. })));
        assert_eq!(Word::new(Some(usize::MAX)).capacity(), MOST);
    }
}
