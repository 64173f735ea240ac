//! What a readiness promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::thread;

use mainstay_sync::readiness::{Generation, Readiness};
use proptest::prelude::*;

use crate::support::{Polled, block_on, ends};

#[test]
fn handles_and_generations_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Readiness>();
    crosses::<Generation>();
}

#[test]
fn it_is_ready_from_the_set_to_the_drop() {
    let readiness = Readiness::new();
    assert_eq!((readiness.is_ready(), readiness.generation()), (false, 0));
    let generation = readiness.begin();
    assert_eq!((readiness.is_ready(), generation.number()), (false, 1));
    generation.set();
    generation.set();
    assert!(readiness.is_ready() && generation.is_ready());
    drop(generation);
    assert_eq!((readiness.is_ready(), readiness.generation()), (false, 1));
}

#[test]
fn every_waiter_is_woken_by_the_set() {
    let readiness = Readiness::new();
    let mut waits: Vec<_> = (0..10).map(|_| Polled::new(readiness.ready())).collect();
    assert!(waits.iter_mut().all(|wait| wait.poll().is_pending()));
    let generation = readiness.begin();
    assert!(waits.iter_mut().all(|wait| wait.poll().is_pending()));
    generation.set();
    assert!(waits.iter().all(Polled::woken));
    assert!(waits.iter_mut().all(|wait| wait.poll() == Poll::Ready(1)));
}

#[test]
fn unset_by_drop_is_not_ready() {
    let readiness = Readiness::new();
    let generation = readiness.begin();
    let (mut settled, mut ready) = (Polled::new(readiness.settled()), Polled::new(readiness.ready()));
    assert!(settled.poll().is_pending() && ready.poll().is_pending());
    drop(generation);
    assert!(settled.woken());
    let Poll::Ready(Err(error)) = settled.poll() else { panic!("it has ended") };
    assert_eq!(error.to_string(), "generation 1 ended before it was ready");
    assert!(ready.poll().is_pending(), "this one waits for the next");
    let next = readiness.begin();
    next.set();
    assert_eq!(ready.poll(), Poll::Ready(2));
}

#[test]
fn before_the_first_generation_it_is_waited_for() {
    let readiness = Readiness::new();
    let mut settled = Polled::new(readiness.settled());
    assert!(settled.poll().is_pending());
    let first = readiness.begin();
    assert!(settled.poll().is_pending());
    first.set();
    assert_eq!(settled.poll(), Poll::Ready(Ok(1)));
}

#[test]
fn a_late_word_of_an_older_generation_counts_for_nothing() {
    let readiness = Readiness::new();
    let first = readiness.begin();
    let mut settled = Polled::new(readiness.settled());
    assert!(settled.poll().is_pending());
    let second = readiness.begin();
    assert!(settled.woken() && matches!(settled.poll(), Poll::Ready(Err(_))));
    first.set();
    assert!(!readiness.is_ready() && !first.is_ready());
    second.set();
    drop(first);
    assert!(readiness.is_ready() && second.is_ready());
}

#[test]
fn many_generations_and_many_waiters_lose_nobody() {
    ends(|| {
        let readiness = Readiness::new();
        let last = Arc::new(AtomicU64::new(0));
        let waiters: Vec<_> = (0..4)
            .map(|_| {
                let (readiness, last) = (readiness.clone(), Arc::clone(&last));
                thread::spawn(move || {
                    let mut seen = 0;
                    while seen < 2_000 {
                        let number = block_on(readiness.ready());
                        assert!(number >= seen && last.load(Ordering::Relaxed) >= number);
                        seen = number;
                    }
                })
            })
            .collect();
        for number in 1..2_000 {
            let generation = readiness.begin();
            last.store(number, Ordering::Relaxed);
            generation.set();
        }
        let stays = readiness.begin();
        last.store(2_000, Ordering::Relaxed);
        stays.set();
        for waiter in waiters {
            waiter.join().expect("nothing panics");
        }
    });
}

proptest! {
    #[test]
    fn a_readiness_is_what_its_newest_generation_says(
        steps in proptest::collection::vec((0..3_u8, any::<usize>()), 1..60)
    ) {
        let readiness = Readiness::new();
        let mut generations: Vec<(Generation, bool)> = Vec::new();
        let mut newest = 0;
        for (step, which) in steps {
            match step {
                0 => {
                    newest += 1;
                    generations.push((readiness.begin(), false));
                }
                _ if generations.is_empty() => {}
                1 => {
                    let which = which % generations.len();
                    generations[which].0.set();
                    generations[which].1 = true;
                }
                _ => drop(generations.swap_remove(which % generations.len())),
            }
            let ready = generations.iter().any(|(one, set)| one.number() == newest && *set);
            prop_assert_eq!((readiness.is_ready(), readiness.generation()), (ready, newest));
            prop_assert_eq!(Polled::new(readiness.ready()).poll().is_ready(), ready);
        }
    }
}
