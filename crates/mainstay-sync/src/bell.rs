//! The one loop in which a future waits for a condition that others announce, in a form that loom sees.

use std::fmt;
use std::task::{Context, Poll, Waker};

use crate::sync::{Mutex, lock};
use crate::waiters::{Key, Waiters, Woken};

/// Wakes everybody who listens.
///
/// Whoever makes the condition true does so first and [rings](Bell::ring) second; whoever waits registers
/// first and looks second. Both take the same lock in between. If the one who rings has it first, the look
/// comes after the ring and sees the condition; if the one who registers has it first, the ring finds it. So
/// no wake-up is lost, and none is passed on: a listener that is dropped takes nothing from another.
#[derive(Default)]
pub(crate) struct Bell {
    listeners: Mutex<Waiters<()>>,
}

impl Bell {
    /// Wakes all who have registered.
    pub(crate) fn ring(&self) {
        let woken: Woken = {
            let mut listeners = lock(&self.listeners);
            std::iter::from_fn(|| listeners.tell_first(())).collect()
        };
        woken.wake();
    }

    /// Makes a listener; it registers when it has to wait, not before.
    pub(crate) fn listener(&self) -> Listener<'_> {
        Listener { bell: self, key: None }
    }
}

/// The waiting half of a future.
pub(crate) struct Listener<'a> {
    bell: &'a Bell,
    key: Option<Key>,
}

impl Listener<'_> {
    /// Is ready with the first `Some` that `look` gives; to be polled again after each ring.
    pub(crate) fn poll<R>(&mut self, cx: &mut Context<'_>, mut look: impl FnMut() -> Option<R>) -> Poll<R> {
        if let Some(found) = look() {
            self.leave();
            return Poll::Ready(found);
        }
        self.register(cx.waker());
        match look() {
            Some(found) => {
                self.leave();
                Poll::Ready(found)
            }
            None => Poll::Pending,
        }
    }

    fn register(&mut self, waker: &Waker) {
        let unused; // dropped when the lock is free
        let mut listeners = lock(&self.bell.listeners);
        match self.key.take() {
            Some(key) if listeners.told(&key).is_none() => {
                unused = listeners.renew(&key, waker);
                self.key = Some(key);
            }
            key => {
                unused = key.and_then(|key| listeners.leave(key).1);
                self.key = Some(listeners.push(waker.clone()));
            }
        }
        drop(listeners);
        drop(unused);
    }

    fn leave(&mut self) {
        if let Some(key) = self.key.take() {
            let left = lock(&self.bell.listeners).leave(key);
            drop(left);
        }
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}

impl fmt::Debug for Listener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("registered", &self.key.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_right_after_any_look_is_not_missed() {
        for after in 1..=2 {
            let bell = Bell::default();
            let mut looks = 0;
            let mut rung = false;
            let mut listener = bell.listener();
            let mut cx = Context::from_waker(Waker::noop());
            let mut poll = || {
                listener.poll(&mut cx, || {
                    looks += 1;
                    if looks == after {
                        bell.ring(); // another thread, in the worst instant: it comes true after this look
                        rung = true;
                        return None;
                    }
                    (looks > after).then_some(looks)
                })
            };
            // After the first look the second one sees it; after the second look the waker was there to wake.
            let first = poll();
            assert_eq!(first.is_ready(), after == 1);
            if first.is_pending() {
                assert_eq!(poll(), Poll::Ready(after + 1));
            }
            assert!(rung);
        }
    }

    #[test]
    fn a_listener_that_is_dropped_leaves_its_slot() {
        let bell = Bell::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut listener = bell.listener();
        assert!(listener.poll(&mut cx, || None::<()>).is_pending());
        assert_eq!(lock(&bell.listeners).waiting(), 1);
        drop(listener);
        assert_eq!(lock(&bell.listeners).waiting(), 0);
    }
}
