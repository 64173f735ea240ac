//! Numbers that threads have of their own: which stripe to pin with, and how to name a pin.

use std::cell::Cell;
use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

thread_local! {
    /// No destructor, so it is there to the very end of a thread.
    static NUMBERS: Cell<Numbers> = const { Cell::new(Numbers { thread: usize::MAX, pins: 0 }) };
}

#[derive(Clone, Copy)]
struct Numbers {
    thread: usize,
    pins: u64,
}

static THREADS: AtomicUsize = AtomicUsize::new(0);
static COUNT: OnceLock<usize> = OnceLock::new();

/// How many stripes an epoch has: a power of two, at least the number of cores up to 64.
///
/// More threads than cores share a stripe, but do not run at the same time.
pub(super) fn count() -> usize {
    *COUNT.get_or_init(|| {
        let cores = thread::available_parallelism().map_or(4, NonZero::get);
        cores.next_power_of_two().clamp(4, 64)
    })
}

/// The number of the calling thread.
#[inline]
pub(super) fn number() -> usize {
    NUMBERS.with(|numbers| numbers.get().ensure(numbers).thread)
}

/// A number that no other pin has.
#[inline]
pub(super) fn pin() -> u64 {
    NUMBERS.with(|numbers| {
        let Numbers { thread, pins } = numbers.get().ensure(numbers);
        numbers.set(Numbers { thread, pins: pins + 1 });
        ((thread as u64) << 40) | pins
    })
}

impl Numbers {
    #[inline]
    fn ensure(self, cell: &Cell<Self>) -> Self {
        if self.thread == usize::MAX { Self::first(cell) } else { self }
    }

    #[cold]
    fn first(cell: &Cell<Self>) -> Self {
        // Relaxed: only that no two are the same matters.
        let numbers = Self { thread: THREADS.fetch_add(1, Ordering::Relaxed), pins: 0 };
        cell.set(numbers);
        numbers
    }
}
