//! An append-only list that is read without a lock: entries never move once they are in.

use std::{
    array,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The first bucket holds this many, each further one twice as many as the one before.
const FIRST: usize = 16;
const BUCKETS: usize = 28;

type Bucket<T> = Box<[OnceLock<T>]>;

/// Invariants: 1. only the holder of the store's lock appends; 2. every place below `len` is filled, so that
/// a reader who loads `len` may read all of it; 3. nothing moves or leaves before the list itself does.
pub(crate) struct Entries<T> {
    buckets: [OnceLock<Bucket<T>>; BUCKETS],
    len: AtomicUsize,
}

impl<T> Entries<T> {
    pub(crate) fn new() -> Self {
        Entries { buckets: array::from_fn(|_| OnceLock::new()), len: AtomicUsize::new(0) }
    }

    pub(crate) fn len(&self) -> usize {
        // Acquire: pairs with the release in `append`, so that the places below are seen filled.
        self.len.load(Ordering::Acquire)
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        let (bucket, offset) = place(at);
        self.buckets.get(bucket)?.get()?.get(offset)?.get()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// Appends, and returns the place. The caller holds the store's lock.
    pub(crate) fn append(&self, entry: T) -> usize {
        let at = self.len.load(Ordering::Relaxed);
        let (bucket, offset) = place(at);
        let places =
            self.buckets[bucket].get_or_init(|| (0..FIRST << bucket).map(|_| OnceLock::new()).collect());
        let filled = places[offset].set(entry).is_ok();
        debug_assert!(filled, "a place is filled once");
        self.len.store(at + 1, Ordering::Release);
        at
    }

    /// Takes everything out, in order.
    pub(crate) fn take(&mut self) -> Vec<T> {
        let len = std::mem::take(self.len.get_mut());
        let places = self.buckets.iter_mut().filter_map(OnceLock::take).flat_map(Vec::from);
        places.take(len).filter_map(OnceLock::into_inner).collect()
    }
}

/// The bucket of a place, and the offset in it.
fn place(at: usize) -> (usize, usize) {
    let bucket = (at / FIRST + 1).ilog2() as usize;
    (bucket, at - FIRST * ((1 << bucket) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other() {
        let mut expected = (0, 0);
        for at in 0..10_000 {
            assert_eq!(place(at), expected);
            expected.1 += 1;
            if expected.1 == FIRST << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
    }

    #[test]
    fn what_is_appended_is_read_and_taken_in_order() {
        let mut entries = Entries::new();
        for number in 0..1000 {
            assert_eq!(entries.append(number), number);
        }
        assert!(entries.iter().copied().eq(0..1000));
        assert_eq!(entries.get(1000), None);
        assert!(entries.take().into_iter().eq(0..1000));
        assert_eq!(entries.len(), 0);
    }
}
