//! What a group of guards promises.

use std::hint;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::Poll;
use std::thread;

use mainstay_sync::guard::{Guard, GuardGroup, WaitEmpty};

use crate::support::{Polled, block_on, ends};

#[test]
fn handles_guards_and_waits_cross_threads() {
    fn crosses<T: Send + Sync + Unpin>() {}
    crosses::<GuardGroup>();
    crosses::<Guard>();
    crosses::<WaitEmpty<'static>>();
}

#[test]
fn a_wait_on_an_empty_group_ends_at_once() {
    assert_eq!(Polled::new(GuardGroup::new().wait_empty()).poll(), Poll::Ready(()));
}

#[test]
fn a_wait_ends_with_the_last_guard() {
    let group = GuardGroup::new();
    let (first, second) = (group.guard(), group.clone().guard());
    let mut wait = Polled::new(group.wait_empty());
    assert_eq!(wait.poll(), Poll::Pending);
    drop(first);
    assert!(!wait.woken());
    assert_eq!(wait.poll(), Poll::Pending);
    drop(second);
    assert!(wait.woken());
    assert_eq!(wait.poll(), Poll::Ready(()));
    assert_eq!(wait.poll(), Poll::Ready(()), "what is over stays over");
}

#[test]
fn a_group_that_is_refilled_at_once_was_empty_all_the_same() {
    let group = GuardGroup::new();
    let guard = group.guard();
    let mut unpolled = Polled::new(group.wait_empty());
    let mut polled = Polled::new(group.wait_empty());
    assert_eq!(polled.poll(), Poll::Pending);
    drop(guard);
    let _refill = group.guard();
    assert_eq!((polled.poll(), unpolled.poll()), (Poll::Ready(()), Poll::Ready(())));
}

#[test]
fn an_emptiness_before_the_wait_does_not_end_it() {
    let group = GuardGroup::new();
    let guard = group.guard();
    let mut earlier = Polled::new(group.wait_empty());
    assert_eq!(earlier.poll(), Poll::Pending);
    drop(guard);
    let _refill = group.guard();
    let mut later = Polled::new(group.wait_empty());
    assert_eq!((earlier.poll(), later.poll()), (Poll::Ready(()), Poll::Pending));
}

#[test]
fn every_waiter_is_woken() {
    let group = GuardGroup::new();
    let guard = group.guard();
    let mut waits: Vec<_> = (0..100).map(|_| Polled::new(group.wait_empty())).collect();
    assert!(waits.iter_mut().all(|wait| wait.poll().is_pending()));
    drop(guard);
    assert!(waits.iter().all(Polled::woken));
    assert!(waits.iter_mut().all(|wait| wait.poll().is_ready()));
}

#[test]
fn a_dropped_wait_takes_nothing_from_the_others() {
    let group = GuardGroup::new();
    let guard = group.guard();
    let mut kept = Polled::new(group.wait_empty());
    let mut dropped = Polled::new(group.wait_empty());
    assert_eq!((dropped.poll(), kept.poll()), (Poll::Pending, Poll::Pending));
    drop(guard);
    drop(dropped);
    assert!(kept.woken());
    assert_eq!(kept.poll(), Poll::Ready(()));
}

#[test]
fn a_guard_outlives_the_handle_of_its_group() {
    let group = GuardGroup::new();
    let guard = group.guard();
    drop(group);
    drop(guard);
}

#[test]
fn a_guard_leaves_when_its_holder_panics() {
    let group = GuardGroup::new();
    let held = group.guard();
    let outcome = catch_unwind(move || {
        let _held = held;
        panic!("the work failed");
    });
    assert!(outcome.is_err());
    assert_eq!(group.count(), 0);
}

#[test]
fn no_wake_up_is_lost_when_the_last_drop_meets_the_wait() {
    const ROUNDS: usize = 100_000;
    ends(|| {
        let group = GuardGroup::new();
        let (hand_over, taken) = mpsc::channel::<Guard>();
        let dropping = thread::spawn(move || {
            for round in 0..ROUNDS {
                let guard = loop {
                    match taken.try_recv() {
                        Ok(guard) => break guard,
                        Err(_) => hint::spin_loop(),
                    }
                };
                // A little later in each round, so that the drop meets every instant of the wait.
                (0..round % 64).for_each(|_| hint::spin_loop());
                drop(guard);
            }
        });
        let mut next = group.guard();
        for _ in 0..ROUNDS {
            hand_over.send(next).expect("the other thread drops what it gets");
            block_on(group.wait_empty());
            assert_eq!(group.count(), 0);
            next = group.guard();
        }
        dropping.join().expect("dropping a guard does not panic");
    });
}

#[test]
fn several_waiters_end_under_constant_traffic() {
    const THREADS: usize = 4;
    ends(|| {
        let group = GuardGroup::new();
        let start = Arc::new(Barrier::new(2 * THREADS));
        let workers: Vec<_> = (0..THREADS)
            .map(|_| {
                let (group, start) = (group.clone(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    let mut kept = None;
                    for _ in 0..20_000 {
                        let next = group.guard();
                        assert!(group.count() >= 1);
                        drop(kept.replace(next));
                    }
                })
            })
            .collect();
        let waiters: Vec<_> = (0..THREADS)
            .map(|_| {
                let (group, start) = (group.clone(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    (0..200).for_each(|_| block_on(group.wait_empty()));
                })
            })
            .collect();
        for thread in workers.into_iter().chain(waiters) {
            thread.join().expect("nothing panics");
        }
        assert_eq!(group.count(), 0);
    });
}

#[test]
fn what_was_done_under_guards_is_visible_after_the_wait() {
    const THREADS: u64 = 4;
    ends(|| {
        for _ in 0..500 {
            let group = GuardGroup::new();
            let done = Arc::new((0..THREADS).map(|_| AtomicU64::new(0)).collect::<Vec<_>>());
            for mine in 0..done.len() {
                let (guard, done) = (group.guard(), Arc::clone(&done));
                thread::spawn(move || {
                    done[mine].store(1, Ordering::Relaxed);
                    drop(guard);
                });
            }
            block_on(group.wait_empty());
            assert_eq!(done.iter().map(|one| one.load(Ordering::Relaxed)).sum::<u64>(), THREADS);
        }
    });
}
