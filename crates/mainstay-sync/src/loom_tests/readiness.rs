//! A generation that is set, dropped, or taken over from, against those who wait for it.

use loom::cell::UnsafeCell;
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use super::support::model;
use crate::Readiness;

#[test]
fn a_wait_meets_the_set_and_sees_what_came_before() {
    model(Some(3), || {
        let readiness = Readiness::new();
        let made = Arc::new(UnsafeCell::new(0));
        let generation = readiness.begin();
        let setting = {
            let made = Arc::clone(&made);
            thread::spawn(move || {
                made.with_mut(|_| ());
                generation.set();
                generation
            })
        };
        assert_eq!(block_on(readiness.ready()), 1);
        made.with_mut(|_| ());
        drop(setting.join().unwrap());
        assert!(!readiness.is_ready());
    });
}

#[test]
fn a_wait_meets_the_drop_of_one_that_was_never_set() {
    model(Some(3), || {
        let readiness = Readiness::new();
        let generation = readiness.begin();
        let dropping = thread::spawn(move || drop(generation));
        assert_eq!(block_on(readiness.settled()).unwrap_err().generation, 1);
        dropping.join().unwrap();
    });
}

#[test]
fn a_wait_goes_on_to_the_generation_that_is_ready() {
    model(Some(3), || {
        let readiness = Readiness::new();
        let first = readiness.begin();
        let restarting = {
            let readiness = readiness.clone();
            thread::spawn(move || {
                drop(first);
                let second = readiness.begin();
                second.set();
                second
            })
        };
        assert_eq!(block_on(readiness.ready()), 2);
        drop(restarting.join().unwrap());
    });
}

#[test]
fn a_late_set_meets_the_next_generation() {
    model(Some(3), || {
        let readiness = Readiness::new();
        let first = readiness.begin();
        let late = thread::spawn(move || {
            first.set();
            drop(first);
        });
        let second = readiness.begin();
        late.join().unwrap();
        assert_eq!((second.number(), readiness.is_ready()), (2, false));
        second.set();
        assert!(readiness.is_ready());
    });
}
