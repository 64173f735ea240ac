//! What a snapshot promises when many threads use it, by counting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use mainstay_sync::Snapshot;

use crate::support::{block_on, ends};

/// A value that can be seen to be whole, and counts those of its kind that live.
struct Whole {
    number: u64,
    inverse: u64,
    living: Arc<AtomicU64>,
}

impl Whole {
    fn new(number: u64, living: &Arc<AtomicU64>) -> Self {
        living.fetch_add(1, Ordering::Relaxed);
        Self { number, inverse: !number, living: Arc::clone(living) }
    }

    fn check(&self) -> u64 {
        assert_eq!(self.number, !self.inverse);
        self.number
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.inverse = self.number;
        self.living.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn readers_see_whole_values_in_order_and_every_value_is_freed() {
    const PUBLISHES: u64 = 20_000;
    ends(|| {
        let living = Arc::new(AtomicU64::new(0));
        let snapshot = Arc::new(Snapshot::new(Whole::new(0, &living)));
        let readers: Vec<_> = (0..4)
            .map(|way| {
                let snapshot = Arc::clone(&snapshot);
                thread::spawn(move || {
                    let mut reader = snapshot.reader();
                    let mut last = 0;
                    while last < PUBLISHES {
                        let number = match way {
                            0 => {
                                let loaded = snapshot.load();
                                assert_eq!(loaded.version(), loaded.check(), "one publish is one version");
                                loaded.check()
                            }
                            1 => snapshot.load_full().check(),
                            2 => reader.load().check(),
                            _ => {
                                let seen = snapshot.load().check();
                                assert!(reader.load().check() >= seen, "the reader is behind a load");
                                assert!(snapshot.version() >= seen, "the version is behind a load");
                                seen
                            }
                        };
                        assert!(number >= last, "{number} after {last}");
                        last = number;
                    }
                })
            })
            .collect();
        for number in 1..=PUBLISHES {
            snapshot.publish(Whole::new(number, &living));
        }
        for reader in readers {
            reader.join().expect("what is read is whole");
        }
        assert_eq!(living.load(Ordering::Relaxed), 1);
        drop(snapshot);
        assert_eq!(living.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn publishes_from_many_threads_are_all_counted() {
    const THREADS: u64 = 4;
    const PUBLISHES: u64 = 5_000;
    let snapshot = Arc::new(Snapshot::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let snapshot = Arc::clone(&snapshot);
            thread::spawn(move || (0..PUBLISHES).for_each(|value| snapshot.publish(value)))
        })
        .collect();
    for thread in threads {
        thread.join().expect("a publish does not panic");
    }
    assert_eq!(snapshot.version(), THREADS * PUBLISHES);
}

#[test]
fn whoever_follows_the_changes_sees_the_last_one() {
    const ROUNDS: u64 = 300;
    const PUBLISHES: u64 = 20;
    ends(|| {
        for _ in 0..ROUNDS {
            let snapshot = Arc::new(Snapshot::new(0));
            let followers: Vec<_> = (0..3)
                .map(|_| {
                    let snapshot = Arc::clone(&snapshot);
                    thread::spawn(move || {
                        loop {
                            let changed = snapshot.changed();
                            let seen = snapshot.load();
                            if *seen == PUBLISHES {
                                return;
                            }
                            let version = block_on(changed);
                            let now = snapshot.load();
                            assert!(now.version() >= version, "woken before the change was visible");
                        }
                    })
                })
                .collect();
            for value in 1..=PUBLISHES {
                snapshot.publish(value);
            }
            for follower in followers {
                follower.join().expect("a change that woke somebody is visible");
            }
        }
    });
}

#[test]
fn a_wait_is_not_woken_by_a_change_that_it_had_seen() {
    ends(|| {
        let snapshot = Arc::new(Snapshot::new(0_u64));
        let stop = Arc::new(AtomicBool::new(false));
        let publishing = {
            let (snapshot, stop) = (Arc::clone(&snapshot), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    snapshot.publish(0);
                }
                snapshot.publish(0);
            })
        };
        for _ in 0..20_000 {
            let seen = snapshot.load().version();
            assert!(block_on(snapshot.changed()) > seen);
        }
        stop.store(true, Ordering::Relaxed);
        publishing.join().expect("a publish does not panic");
    });
}
