//! The engine of a gate: the word, the queue, and what moves between them.
//!
//! Invariants:
//!
//! 1. The count of the word is the number of permits, plus those of the queue that were told `Admitted` and
//!    have not yet taken it. It goes up only by a compare-and-swap that has seen the gate open and the count
//!    below the capacity *in the same word*: nobody is admitted too many, also while the capacity changes, and
//!    nobody after the close.
//! 2. `QUEUE` is set exactly while somebody is in the queue (as seen under the lock). It is set by a
//!    compare-and-swap that has seen the gate full. So one who leaves either comes before it, and then the
//!    compare-and-swap fails and there is a place; or comes after it, sees the flag, and looks after the
//!    queue: no wake-up is lost.
//! 3. While `QUEUE` is set nobody but the holder of the lock raises the count: first come, first served.
//! 4. Who was told `Admitted` has a place. If it does not take it (dropped, or past its timeout), leaving
//!    gives the place back as a permit does, to the next.
//! 5. Wakers are woken with no lock held.
//!
//! Orderings. The word alone decides, so its decisions need none. They matter for what users do *inside*:
//!
//! - Leaving is `Release` and every admission `Acquire`. With `Relaxed`, a gate of capacity 1 around a
//!   non-atomic value would let the second write it before the first one's writes are seen. All changes of the
//!   word are read-modify-writes, so an admission acquires from *all* who left before, not only the last.
//! - Also the admission of one who waits (`admit_waiting`) is `Acquire`: two leave, A and B, and B finds the
//!   queue and admits two. The second goes in with A's place, and A never touched the lock.
//! - The look for the end of a drain is `Acquire`: otherwise whoever drained would free what the last to leave
//!   has still been writing.
//! - Closing is `Release`, and looks for it `Acquire`: what was written before the close (why, until when) is
//!   there for those who see it.

use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::clock;
use super::word::{Close, Word};
use super::{Drained, EnterError, TryEnterError};
use crate::bell::Bell;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, lock};
use crate::waiters::{Key, Waiters, Woken};

pub(super) struct Shared {
    word: AtomicU64,
    inner: Mutex<Inner>,
    /// Rung when the gate is closed or forced, when its deadline comes nearer, and when the last has left.
    bell: Bell,
}

#[derive(Default)]
struct Inner {
    queue: Waiters<Answer>,
    acquire_timeout: Option<Duration>,
    /// When those inside are forced; gone once they were.
    deadline: Option<Instant>,
    /// How many were inside when they were forced.
    left: usize,
}

/// What one who waits is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Admitted,
    Closed,
}

/// What becomes of one that found no place at once.
pub(super) enum Enqueued {
    Answered(Answer),
    Waits(Key, Option<Duration>),
}

impl Shared {
    pub(super) fn new(capacity: Option<usize>) -> Self {
        Self {
            word: AtomicU64::new(Word::new(capacity).0),
            inner: Mutex::new(Inner::default()),
            bell: Bell::default(),
        }
    }

    pub(super) fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    pub(super) fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.inner).queue.waiting()
    }

    /// Takes a place, if there is one and nobody waits for it.
    #[inline]
    pub(super) fn try_admit(&self) -> Result<(), TryEnterError> {
        let mut word = Word(self.word.load(Ordering::Relaxed));
        loop {
            if let Some(refusal) = word.refusal() {
                return Err(refusal);
            }
            let more = word.with_more(1).0;
            match self.word.compare_exchange_weak(word.0, more, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(changed) => word = Word(changed),
            }
        }
    }

    /// Gives a place back.
    #[inline]
    pub(super) fn release(&self) {
        let before = Word(self.word.fetch_sub(1, Ordering::Release));
        if before.somebody_cares() {
            self.released(before);
        }
    }

    #[inline(never)]
    fn released(&self, before: Word) {
        if before.has_queue() {
            // A close in between has emptied the queue, and rings for the emptiness after it has seen it.
            let woken = self.admit_waiting(&mut lock(&self.inner));
            woken.wake();
        } else if before.count() == 1 {
            self.bell.ring();
        }
    }

    /// Puts one at the end of the queue, or answers if that has become unnecessary.
    pub(super) fn enqueue(&self, waker: &Waker) -> Enqueued {
        let waker = waker.clone();
        let mut inner = lock(&self.inner);
        let before = self.change(Ordering::Acquire, |word| match word.refusal() {
            None => word.with_more(1),
            Some(TryEnterError::Full { .. }) => word.with_queue(),
            Some(TryEnterError::Closed) => word,
        });
        match before.refusal() {
            None => Enqueued::Answered(Answer::Admitted),
            Some(TryEnterError::Closed) => Enqueued::Answered(Answer::Closed),
            Some(TryEnterError::Full { .. }) => {
                Enqueued::Waits(inner.queue.push(waker), inner.acquire_timeout)
            }
        }
    }

    /// What one in the queue was told, and out of its slot with it; if nothing, its waker is kept up to date.
    pub(super) fn answer(&self, key: &mut Option<Key>, waker: &Waker) -> Option<Answer> {
        let mut inner = lock(&self.inner);
        let answer = inner.queue.told(key.as_ref()?);
        let unused = match (answer, key.as_ref()) {
            (Some(_), _) => key.take().and_then(|key| inner.queue.leave(key).1),
            (None, key) => inner.queue.renew(key?, waker),
        };
        drop(inner);
        drop(unused);
        answer
    }

    /// Takes one out of the queue, with what it was told until now.
    pub(super) fn leave_queue(&self, key: Key) -> Option<Answer> {
        let mut inner = lock(&self.inner);
        let (answer, unused) = inner.queue.leave(key);
        // It may have been the last of the queue.
        let woken = if answer.is_none() { self.admit_waiting(&mut inner) } else { Woken::default() };
        drop(inner);
        drop(unused);
        woken.wake();
        answer
    }

    /// Admits from the head of the queue as many as there are places, and clears the flag with the last.
    fn admit_waiting(&self, inner: &mut Inner) -> Woken {
        let waiting = inner.queue.waiting();
        let places = |word: Word| word.capacity().saturating_sub(word.count()).min(waiting);
        let before = self.change(Ordering::Acquire, |word| {
            let admitted = word.with_more(places(word));
            if places(word) == waiting { admitted.without_queue() } else { admitted }
        });
        (0..places(before)).filter_map(|_| inner.queue.tell_first(Answer::Admitted)).collect()
    }

    pub(super) fn set_capacity(&self, capacity: Option<usize>) {
        let woken = {
            let mut inner = lock(&self.inner);
            self.change(Ordering::Relaxed, |word| word.with_capacity(capacity));
            self.admit_waiting(&mut inner)
        };
        woken.wake();
    }

    pub(super) fn set_acquire_timeout(&self, timeout: Option<Duration>) {
        lock(&self.inner).acquire_timeout = timeout;
    }

    /// Closes, and answers everybody who waits.
    pub(super) fn close(&self, how: Close) {
        let refused: Woken = {
            let mut inner = lock(&self.inner);
            let before = self.change(Ordering::Release, |word| word.closed(how));
            if before == before.closed(how) {
                return; // it was already, and whoever did it has answered and rung
            }
            if how == Close::Forced {
                inner.left = before.count();
                inner.deadline = None;
            }
            std::iter::from_fn(|| inner.queue.tell_first(Answer::Closed)).collect()
        };
        refused.wake();
        self.bell.ring();
    }

    /// Closes, and forces after so long at the latest; an earlier deadline stays.
    pub(super) fn force_after(&self, within: Duration) {
        self.close(Close::Gently);
        let Some(deadline) = clock::after(within) else { return };
        {
            let mut inner = lock(&self.inner);
            if self.word().is_forced() || inner.deadline.is_some_and(|earlier| earlier <= deadline) {
                return;
            }
            inner.deadline = Some(deadline);
        }
        self.bell.ring();
    }

    /// Changes the word, unless it is so already; gives what it was.
    fn change(&self, ordering: Ordering, next: impl Fn(Word) -> Word) -> Word {
        let change = |word| Some(next(Word(word)).0).filter(|next| *next != word);
        let (Ok(before) | Err(before)) = self.word.fetch_update(ordering, Ordering::Relaxed, change);
        Word(before)
    }

    /// When those inside are forced, if that is known and still to come.
    pub(super) fn deadline(&self) -> Option<Instant> {
        lock(&self.inner).deadline
    }

    /// Whether those inside are to end now, noticed by somebody or not.
    pub(super) fn is_forced(&self) -> bool {
        let word = self.word();
        word.is_forced() || word.is_closed() && self.deadline().is_some_and(clock::is_over)
    }

    /// How the drain ended, if it has.
    pub(super) fn drained(&self) -> Option<Drained> {
        let word = self.word();
        if word.is_forced() {
            // The flag is raised and the number written under one lock.
            let left = lock(&self.inner).left;
            return Some(if left == 0 { Drained::All } else { Drained::Forced { left } });
        }
        (word.is_closed() && word.count() == 0).then_some(Drained::All)
    }
}

impl From<Answer> for Result<(), EnterError> {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Admitted => Ok(()),
            Answer::Closed => Err(EnterError::Closed),
        }
    }
}
