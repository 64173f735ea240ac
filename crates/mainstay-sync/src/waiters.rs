//! A queue of those who wait: each in a slot of its own, told one word, gone from anywhere at once.
//!
//! A waiter [pushes](Waiters::push) its waker and keeps the key. It stays in the queue until it is
//! [told](Waiters::tell_first) a word, and in its slot until it [leaves](Waiters::leave) with what it was
//! told, or with nothing. So a word that was told and never read is still there when the waiter is dropped.
//!
//! It is a doubly linked list through a vector, because a list of pinned nodes takes `unsafe`. Free slots are
//! chained and used again: nothing is allocated once the queue has been as long as it gets.
//!
//! Everything happens under the owner's lock, and wakers are never woken or dropped in here: they are handed
//! out, to be woken or dropped when the lock is free again, because they may run anything.

use std::task::Waker;

/// No slot.
const NONE: u32 = u32::MAX;

/// Names a slot; whoever has it is the only one who leaves that slot.
#[derive(Debug)]
pub(crate) struct Key(u32);

/// Those who wait, first come first.
#[derive(Debug)]
pub(crate) struct Waiters<T> {
    slots: Vec<Slot<T>>,
    /// The first free slot; the others follow through `after`.
    free: u32,
    first: u32,
    last: u32,
    waiting: usize,
}

#[derive(Debug)]
struct Slot<T> {
    /// There while it waits.
    waker: Option<Waker>,
    /// There from when it is told until it leaves.
    told: Option<T>,
    before: u32,
    after: u32,
}

impl<T> Default for Waiters<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: NONE, first: NONE, last: NONE, waiting: 0 }
    }
}

impl<T: Copy> Waiters<T> {
    /// How many wait and were not told yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Adds one at the end.
    pub(crate) fn push(&mut self, waker: Waker) -> Key {
        let slot = Slot { waker: Some(waker), told: None, before: self.last, after: NONE };
        let at = if self.free == NONE {
            let at =
                u32::try_from(self.slots.len()).ok().filter(|at| *at != NONE).expect("fewer than 2^32 wait");
            self.slots.push(slot);
            at
        } else {
            let at = self.free;
            self.free = self.slot(at).after;
            *self.slot(at) = slot;
            at
        };
        match self.last {
            NONE => self.first = at,
            last => self.slot(last).after = at,
        }
        self.last = at;
        self.waiting += 1;
        Key(at)
    }

    /// Tells the first that waits, and gives its waker, to be woken when the lock is free.
    pub(crate) fn tell_first(&mut self, word: T) -> Option<Waker> {
        let at = self.first;
        if at == NONE {
            return None;
        }
        self.unlink(at);
        let slot = self.slot(at);
        slot.told = Some(word);
        slot.waker.take()
    }

    /// What this one was told, if it was.
    pub(crate) fn told(&self, key: &Key) -> Option<T> {
        self.slots[key.0 as usize].told
    }

    /// Replaces the waker of one that waits, if it is another; gives the old one, to be dropped when the lock
    /// is free.
    pub(crate) fn renew(&mut self, key: &Key, waker: &Waker) -> Option<Waker> {
        let slot = self.slot(key.0);
        match &slot.waker {
            Some(old) if !old.will_wake(waker) => slot.waker.replace(waker.clone()),
            _ => None,
        }
    }

    /// Takes one out, wherever it is: what it was told, and its waker if it was not.
    #[expect(clippy::needless_pass_by_value, reason = "the slot is somebody else's from now on")]
    pub(crate) fn leave(&mut self, key: Key) -> (Option<T>, Option<Waker>) {
        let Key(at) = key;
        if self.slot(at).told.is_none() {
            self.unlink(at);
        }
        let free = self.free;
        let slot = self.slot(at);
        let left = (slot.told.take(), slot.waker.take());
        slot.after = free;
        self.free = at;
        left
    }

    fn unlink(&mut self, at: u32) {
        let Slot { before, after, .. } = *self.slot(at);
        match before {
            NONE => self.first = after,
            before => self.slot(before).after = after,
        }
        match after {
            NONE => self.last = before,
            after => self.slot(after).before = before,
        }
        self.waiting -= 1;
    }

    fn slot(&mut self, at: u32) -> &mut Slot<T> {
        &mut self.slots[at as usize]
    }
}

/// Wakers to be woken when the lock is free; one costs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Woken {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl Woken {
    pub(crate) fn wake(self) {
        self.first.into_iter().chain(self.rest).for_each(Waker::wake);
    }
}

impl Extend<Waker> for Woken {
    fn extend<I: IntoIterator<Item = Waker>>(&mut self, wakers: I) {
        let mut wakers = wakers.into_iter();
        if self.first.is_none() {
            self.first = wakers.next();
        }
        self.rest.extend(wakers);
    }
}

impl FromIterator<Waker> for Woken {
    fn from_iter<I: IntoIterator<Item = Waker>>(wakers: I) -> Self {
        let mut woken = Self::default();
        woken.extend(wakers);
        woken
    }
}

#[cfg(all(test, not(mainstay_loom)))]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_queue_from_which_anyone_may_leave(
            steps in proptest::collection::vec((0..4_u8, any::<usize>()), 1..200)
        ) {
            let mut waiters = Waiters::default();
            let mut keys: Vec<(usize, Key, Option<usize>)> = Vec::new();
            let mut model: VecDeque<usize> = VecDeque::new();
            for (name, (step, which)) in steps.into_iter().enumerate() {
                match step {
                    0 | 1 => {
                        keys.push((name, waiters.push(Waker::noop().clone()), None));
                        model.push_back(name);
                    }
                    2 => {
                        let first = model.pop_front();
                        prop_assert_eq!(waiters.tell_first(name).is_some(), first.is_some());
                        for (who, _, told) in &mut keys {
                            if Some(*who) == first {
                                *told = Some(name);
                            }
                        }
                    }
                    _ if keys.is_empty() => {}
                    _ => {
                        let (who, key, told) = keys.swap_remove(which % keys.len());
                        let (word, waker) = waiters.leave(key);
                        prop_assert_eq!((word, waker.is_none()), (told, told.is_some()));
                        model.retain(|waiting| *waiting != who);
                    }
                }
                prop_assert_eq!(waiters.waiting(), model.len());
                for (_, key, told) in &keys {
                    prop_assert_eq!(waiters.told(key), *told);
                }
            }
        }
    }

    #[test]
    fn slots_are_used_again() {
        let mut waiters = Waiters::<()>::default();
        for _ in 0..100 {
            let keys = [waiters.push(Waker::noop().clone()), waiters.push(Waker::noop().clone())];
            for key in keys {
                drop(waiters.leave(key));
            }
        }
        assert_eq!(waiters.slots.len(), 2);
    }
}
