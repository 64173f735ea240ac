//! The wait for an empty group against the last drops.

use loom::cell::UnsafeCell;
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use super::support::{model, poll_once};
use crate::GuardGroup;

#[test]
fn a_wait_meets_the_last_drop() {
    model(None, || {
        let group = GuardGroup::new();
        let done = Arc::new(UnsafeCell::new(0));
        let dropping = {
            let (guard, done) = (group.guard(), Arc::clone(&done));
            thread::spawn(move || {
                done.with_mut(|_| ());
                drop(guard);
            })
        };
        block_on(group.wait_empty());
        done.with_mut(|_| ()); // what was done under the guard is seen
        assert_eq!(group.count(), 0);
        dropping.join().unwrap();
    });
}

#[test]
fn a_wait_meets_the_last_two_drops() {
    model(Some(2), || {
        let group = GuardGroup::new();
        let done = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
        let dropping = [0, 1].map(|mine| {
            let (guard, done) = (group.guard(), Arc::clone(&done));
            thread::spawn(move || {
                done[mine].with_mut(|_| ());
                drop(guard);
            })
        });
        block_on(group.wait_empty());
        done.iter().for_each(|done| done.with_mut(|_| ()));
        for thread in dropping {
            thread.join().unwrap();
        }
    });
}

#[test]
fn two_waits_meet_the_last_drop() {
    model(Some(3), || {
        let group = GuardGroup::new();
        let guard = group.guard();
        let waiting = {
            let group = group.clone();
            thread::spawn(move || block_on(group.wait_empty()))
        };
        let dropping = thread::spawn(move || drop(guard));
        block_on(group.wait_empty());
        waiting.join().unwrap();
        dropping.join().unwrap();
    });
}

#[test]
fn a_wait_ends_though_the_group_is_refilled_at_once() {
    model(None, || {
        let group = GuardGroup::new();
        let guard = group.guard();
        let mut wait = group.wait_empty();
        let over = poll_once(&mut wait).is_ready();
        assert!(!over);
        let refilling = {
            let group = group.clone();
            thread::spawn(move || {
                drop(guard);
                group.guard()
            })
        };
        block_on(wait);
        let _refilled = refilling.join().unwrap();
        assert_eq!(group.count(), 1);
    });
}

#[test]
fn a_wait_is_dropped_at_the_last_drop() {
    model(Some(3), || {
        let group = GuardGroup::new();
        let guard = group.guard();
        let mut dropped = group.wait_empty();
        let mut kept = group.wait_empty();
        assert!(poll_once(&mut dropped).is_pending() && poll_once(&mut kept).is_pending());
        let dropping = thread::spawn(move || drop(guard));
        drop(dropped);
        block_on(kept);
        dropping.join().unwrap();
    });
}
