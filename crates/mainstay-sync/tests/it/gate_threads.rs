//! A gate under many threads, counted.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use mainstay_sync::gate::{Drained, Gate, TryEnterError};

use crate::support::{Polled, block_on, ends};

/// Counts who is inside by itself.
#[derive(Default)]
struct Counted {
    inside: AtomicUsize,
    most: AtomicUsize,
    entries: AtomicUsize,
}

impl Counted {
    fn visit(&self) {
        let now = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.entries.fetch_add(1, Ordering::SeqCst);
        std::hint::spin_loop();
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn many_threads_never_are_more_than_the_capacity_and_all_get_in() {
    const THREADS: usize = 8;
    const ENTRIES: usize = 5_000;
    ends(|| {
        for capacity in [1, 2, 4] {
            let (gate, counted) = (Gate::new(capacity), Arc::new(Counted::default()));
            let start = Arc::new(Barrier::new(THREADS));
            let threads: Vec<_> = (0..THREADS)
                .map(|mine| {
                    let (gate, counted, start) = (gate.clone(), Arc::clone(&counted), Arc::clone(&start));
                    thread::spawn(move || {
                        start.wait();
                        for entry in 0..ENTRIES {
                            if (mine + entry) % 5 == 0 {
                                // Comes, waits perhaps, and goes away again at whatever moment this is.
                                let mut given_up = Polled::new(gate.enter());
                                drop(given_up.poll());
                            }
                            if (mine + entry) % 3 == 0
                                && let Ok(_permit) = gate.try_enter()
                            {
                                counted.visit();
                                continue;
                            }
                            let _permit = block_on(gate.enter()).expect("it is open");
                            counted.visit();
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("nothing panics");
            }
            assert_eq!(counted.entries.load(Ordering::SeqCst), THREADS * ENTRIES);
            assert!(counted.most.load(Ordering::SeqCst) <= capacity);
            assert_eq!((gate.count(), gate.waiting()), (0, 0));
        }
    });
}

#[test]
fn a_capacity_that_changes_all_the_time_loses_nobody() {
    const THREADS: usize = 4;
    ends(|| {
        let (gate, counted) = (Gate::new(1), Arc::new(Counted::default()));
        let done = Arc::new(AtomicBool::new(false));
        let changing = {
            let (gate, done) = (gate.clone(), Arc::clone(&done));
            thread::spawn(move || {
                for capacity in (0..=3).cycle() {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    gate.set_capacity(Some(capacity));
                    thread::yield_now();
                }
            })
        };
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (gate, counted) = (gate.clone(), Arc::clone(&counted));
                thread::spawn(move || {
                    for _ in 0..2_000 {
                        let _permit = block_on(gate.enter()).expect("it is open");
                        counted.visit();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("nothing panics");
        }
        done.store(true, Ordering::SeqCst);
        changing.join().expect("nothing panics");
        assert!(counted.most.load(Ordering::SeqCst) <= 3);
        assert_eq!((gate.count(), gate.waiting()), (0, 0));
    });
}

#[test]
fn nobody_is_inside_after_a_drain_and_everybody_has_an_answer() {
    const THREADS: usize = 4;
    ends(|| {
        for round in 0..500 {
            let (gate, counted) = (Gate::new(2), Arc::new(Counted::default()));
            let start = Arc::new(Barrier::new(THREADS + 2));
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (gate, counted, start) = (gate.clone(), Arc::clone(&counted), Arc::clone(&start));
                    thread::spawn(move || {
                        start.wait();
                        while let Ok(_permit) = block_on(gate.enter()) {
                            counted.visit();
                        }
                    })
                })
                .collect();
            let early = {
                let (gate, start) = (gate.clone(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    block_on(gate.drained())
                })
            };
            start.wait();
            (0..round).for_each(|_| std::hint::spin_loop());
            gate.close();
            assert_eq!(block_on(gate.drained()), Drained::All);
            assert_eq!(counted.inside.load(Ordering::SeqCst), 0);
            let entries = counted.entries.load(Ordering::SeqCst);
            assert!(matches!(gate.try_enter(), Err(TryEnterError::Closed)));
            assert_eq!(early.join().expect("nothing panics"), Drained::All);
            for thread in threads {
                thread.join().expect("nothing panics");
            }
            assert_eq!(counted.entries.load(Ordering::SeqCst), entries, "nobody came in after the drain");
        }
    });
}
