//! The counters of requests: each a few additions, on a stripe that is nearly always one thread's own.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// As many as there usually are threads that answer, at most.
const STRIPES: usize = 8;

/// Where the histogram's buckets end, in microseconds; the last one has no end. Those of Prometheus' clients, and three
/// below: what is not passed on takes less than their first.
pub(super) const BOUNDS: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// Counters, once for each stripe: a thread counts in its own, so that two cores do not pass one cache line back and
/// forth for every request. Nothing is ever taken back, and who reads adds them up.
///
/// All of them are relaxed. Each number stands for itself, nobody decides by one what another is, and an addition is
/// never lost whatever its order.
pub(super) struct Striped<T>(Box<[Own<T>]>);

/// Two cache lines: neighbours are fetched in pairs.
#[derive(Default)]
#[repr(align(128))]
struct Own<T>(T);

/// What is counted of every request.
#[derive(Default)]
pub(super) struct Counters {
    begun: AtomicU64,
    /// Those that have ended, by the first digit of their status; the first of all is for what is none.
    classes: [AtomicU64; CLASSES],
    cut: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    micros: AtomicU64,
    buckets: [AtomicU64; BOUNDS.len() + 1],
}

const CLASSES: usize = 6;

/// What they say at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(super) begun: u64,
    pub(super) classes: [u64; CLASSES],
    pub(super) cut: u64,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) micros: u64,
    pub(super) buckets: [u64; BOUNDS.len() + 1],
}

/// What is counted of one answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) status: u16,
    pub(crate) sent: u64,
    pub(crate) took: Duration,
    /// 1 if it was cut short.
    pub(crate) cut: u64,
}

impl<T: Default> Default for Striped<T> {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| Own::default()).collect())
    }
}

impl<T> Striped<T> {
    /// The stripe of this thread.
    #[inline]
    fn own(&self) -> &T {
        &self.0[stripe()].0
    }

    fn sum(&self, of: impl Fn(&T) -> &AtomicU64) -> u64 {
        self.0.iter().map(|own| of(&own.0).load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

impl Striped<Counters> {
    #[inline]
    pub(super) fn begin(&self) {
        add(&self.own().begun, 1);
    }

    #[inline]
    pub(super) fn receive(&self, bytes: u64) {
        add(&self.own().received, bytes);
    }

    #[inline]
    pub(super) fn end(&self, counted: Counted) {
        let own = self.own();
        let micros = u64::try_from(counted.took.as_micros()).unwrap_or(u64::MAX);
        add(&own.classes[class(counted.status)], 1);
        add(&own.buckets[bucket(micros)], 1);
        add(&own.micros, micros);
        add(&own.sent, counted.sent);
        if counted.cut > 0 {
            add(&own.cut, counted.cut);
        }
    }

    pub(super) fn totals(&self) -> Totals {
        // What has ended is read first: so it is never more than what has begun.
        let classes = std::array::from_fn(|class| self.sum(|own| &own.classes[class]));
        Totals {
            classes,
            cut: self.sum(|own| &own.cut),
            received: self.sum(|own| &own.received),
            sent: self.sum(|own| &own.sent),
            micros: self.sum(|own| &own.micros),
            buckets: std::array::from_fn(|bucket| self.sum(|own| &own.buckets[bucket])),
            begun: self.sum(|own| &own.begun),
        }
    }
}

impl Totals {
    /// How many have ended.
    pub(super) fn ended(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// How many are being answered.
    pub(super) fn in_flight(&self) -> u64 {
        self.begun.saturating_sub(self.ended())
    }
}

fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    // Where a thread is ending, any of them will do.
    OWN.try_with(|own| *own).unwrap_or_default()
}

#[inline]
fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn class(status: u16) -> usize {
    let class = usize::from(status / 100);
    if class < CLASSES { class } else { 0 }
}

fn bucket(micros: u64) -> usize {
    BOUNDS.partition_point(|bound| *bound < micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(status: u16, micros: u64) -> Counted {
        Counted { status, sent: 10, took: Duration::from_micros(micros), cut: u64::from(status == 499) }
    }

    #[test]
    fn a_request_is_in_flight_until_it_ends_and_then_in_its_class_and_bucket() {
        let counters = Striped::<Counters>::default();
        for _ in 0..4 {
            counters.begin();
        }
        counters.receive(7);
        counters.end(counted(200, 250));
        counters.end(counted(499, 251));
        counters.end(counted(999, u64::MAX));
        let totals = counters.totals();
        assert_eq!((totals.begun, totals.ended(), totals.in_flight()), (4, 3, 1));
        assert_eq!((totals.classes, totals.cut), ([1, 0, 1, 0, 1, 0], 1));
        assert_eq!((totals.received, totals.sent), (7, 30));
        assert_eq!((totals.buckets[0], totals.buckets[1], totals.buckets[14]), (1, 1, 1));
    }

    #[test]
    fn no_addition_is_lost_where_many_threads_count_and_one_reads() {
        let counters = Striped::<Counters>::default();
        std::thread::scope(|scope| {
            // More of them than there are stripes.
            for _ in 0..2 * STRIPES {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        counters.begin();
                        counters.end(counted(200, 1));
                    }
                });
            }
            for _ in 0..100 {
                let totals = counters.totals();
                assert!(totals.ended() <= totals.begun, "{totals:?}");
            }
        });
        let totals = counters.totals();
        assert_eq!((totals.begun, totals.classes[2]), (16_000, 16_000));
    }

    #[test]
    fn the_bounds_grow() {
        assert!(BOUNDS.is_sorted());
        assert_eq!((bucket(0), bucket(10_000_000), bucket(10_000_001)), (0, 13, 14));
    }
}
