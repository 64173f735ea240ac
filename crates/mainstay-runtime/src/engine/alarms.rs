//! Alarms: moments that somebody outside of the machine waits for, served by the supervision thread beside its own.
//!
//! A task cannot keep its own time: with every worker blocked, no timer of its runtime fires. What rings sets flags
//! and wakes a task of tokio's, and nothing else; it holds what it rings weakly.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use crate::context::Alarm;

/// So many may be kept for those who are gone before they are looked for.
const SOME: usize = 1024;

#[derive(Default)]
pub(crate) struct Alarms(Mutex<Set>);

#[derive(Default)]
struct Set {
    heap: BinaryHeap<Reverse<Due>>,
    serial: u64,
    /// With so many, those of who is gone are thrown away.
    sweep_at: usize,
}

struct Due {
    at: Instant,
    /// Those of one moment ring in the order in which they were set.
    serial: u64,
    key: u64,
    who: Weak<dyn Alarm>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.serial == other.serial
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}

impl Alarms {
    fn lock(&self) -> MutexGuard<'_, Set> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets one. True: it is the next to ring, and the supervisor may sleep for too long.
    pub(crate) fn set(&self, at: Instant, key: u64, who: Weak<dyn Alarm>) -> bool {
        let mut alarms = self.lock();
        if alarms.heap.len() >= alarms.sweep_at.max(SOME) {
            alarms.heap.retain(|Reverse(at)| at.who.strong_count() > 0);
            alarms.sweep_at = alarms.heap.len() * 2;
        }
        alarms.serial += 1;
        let serial = alarms.serial;
        alarms.heap.push(Reverse(Due { at, serial, key, who }));
        alarms.heap.peek().is_some_and(|Reverse(next)| next.serial == serial)
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.lock().heap.peek().map(|Reverse(next)| next.at)
    }

    /// Rings every alarm whose time has come.
    pub(crate) fn ring(&self, now: Instant) {
        loop {
            let due = {
                let mut alarms = self.lock();
                match alarms.heap.peek() {
                    Some(Reverse(next)) if next.at <= now => alarms.heap.pop(),
                    _ => return,
                }
            };
            if let Some(Reverse(Due { key, who, .. })) = due
                && let Some(who) = who.upgrade()
            {
                who.rings(key, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    #[derive(Default)]
    struct Bell(Mutex<Vec<u64>>);

    impl Alarm for Bell {
        fn rings(self: Arc<Self>, key: u64, _: Instant) {
            self.0.lock().unwrap().push(key);
        }
    }

    #[test]
    fn alarms_ring_in_the_order_of_their_times_and_say_when_they_are_the_next() {
        let (alarms, bell, now) = (Alarms::default(), Arc::new(Bell::default()), Clock::Real.now());
        let set = |after, key| {
            let who: Arc<dyn Alarm> = Arc::<Bell>::clone(&bell);
            alarms.set(now + Duration::from_secs(after), key, Arc::downgrade(&who))
        };
        assert!(set(5, 1), "the first is the next");
        assert!(!set(9, 2));
        assert!(set(1, 3), "an earlier one is the next");
        assert!(!set(5, 4));
        alarms.ring(now + Duration::from_secs(5));
        assert_eq!(*bell.0.lock().unwrap(), [3, 1, 4]);
        assert_eq!(alarms.next(), Some(now + Duration::from_secs(9)));
    }

    /// With the sweep switched off, a hundred thousand are kept.
    #[test]
    fn alarms_of_who_is_gone_are_not_kept() {
        let (alarms, now) = (Alarms::default(), Clock::Real.now());
        for key in 0..100_000 {
            let who: Arc<dyn Alarm> = Arc::new(Bell::default());
            alarms.set(now + Duration::from_secs(5), key, Arc::downgrade(&who));
        }
        assert!(alarms.lock().heap.len() <= SOME + 1);
    }
}
