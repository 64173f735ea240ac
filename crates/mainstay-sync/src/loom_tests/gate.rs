//! Who enters, who leaves, and who closes.

use loom::cell::UnsafeCell;
use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::support::{model, poll_once};
use crate::gate::{Drained, EnterError, Gate, TryEnterError};

/// What is inside the gate: loom fails a model in which two touch it at once, or one before it sees the other.
fn touch(inside: &UnsafeCell<u32>) {
    inside.with_mut(|_| ());
}

#[test]
fn two_who_wait_for_one_place_both_get_it_and_never_at_once() {
    model(None, || {
        let gate = Gate::new(1);
        let inside = Arc::new(UnsafeCell::new(0));
        let threads = [(); 2].map(|()| {
            let (gate, inside) = (gate.clone(), Arc::clone(&inside));
            thread::spawn(move || {
                let _permit = block_on(gate.enter()).unwrap();
                touch(&inside);
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((gate.count(), gate.waiting()), (0, 0));
        assert!(gate.try_enter().is_ok());
    });
}

#[test]
fn three_wait_for_one_place() {
    model(Some(2), || {
        let gate = Gate::new(1);
        let inside = Arc::new(UnsafeCell::new(0));
        let enter = |gate: &Gate, inside: &UnsafeCell<u32>| {
            let _permit = block_on(gate.enter()).unwrap();
            touch(inside);
        };
        let threads = [(); 2].map(|()| {
            let (gate, inside) = (gate.clone(), Arc::clone(&inside));
            thread::spawn(move || enter(&gate, &inside))
        });
        enter(&gate, &inside);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((gate.count(), gate.waiting()), (0, 0));
    });
}

#[test]
fn a_place_that_another_gave_back_shows_what_was_done_in_it() {
    // Two leave; one of them may find the queue and admit both who wait, one with the other's place.
    model(Some(2), || {
        let gate = Gate::new(2);
        let insides = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
        let threads = [0, 1].map(|mine| {
            let (permit, insides) = (gate.try_enter_owned().unwrap(), Arc::clone(&insides));
            thread::spawn(move || {
                touch(&insides[mine]);
                drop(permit);
            })
        });
        let (mut first, mut second) = (gate.enter_owned(), gate.enter_owned());
        let polled = [poll_once(&mut first).is_ready(), poll_once(&mut second).is_ready()];
        if polled == [false, false] {
            let _permits = (block_on(first).unwrap(), block_on(second).unwrap());
            insides.iter().for_each(touch);
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_close_meets_an_enter() {
    model(None, || {
        let gate = Gate::new(1);
        let permit = gate.try_enter_owned().unwrap();
        let entering = {
            let gate = gate.clone();
            thread::spawn(move || block_on(gate.enter()).map(drop))
        };
        gate.close();
        assert_eq!(entering.join().unwrap(), Err(EnterError::Closed));
        drop(permit);
        assert_eq!(block_on(gate.drained()), Drained::All);
    });
}

#[test]
fn a_close_meets_an_enter_and_the_release_it_waits_for() {
    model(Some(3), || {
        let gate = Gate::new(1);
        let permit = gate.try_enter_owned().unwrap();
        let entering = {
            let gate = gate.clone();
            thread::spawn(move || block_on(gate.enter()).map(drop))
        };
        let leaving = thread::spawn(move || drop(permit));
        gate.close();
        assert_eq!(block_on(gate.drained()), Drained::All);
        assert_eq!(gate.count(), 0, "nobody comes in after the drain");
        // In or refused, as it came; but it has an answer.
        assert!(matches!(entering.join().unwrap(), Ok(()) | Err(EnterError::Closed)));
        leaving.join().unwrap();
    });
}

#[test]
fn a_waiter_is_dropped_at_the_hand_over() {
    model(None, || {
        let gate = Gate::new(1);
        let permit = gate.try_enter_owned().unwrap();
        let (mut dropped, mut kept) = (gate.enter_owned(), gate.enter_owned());
        assert!(poll_once(&mut dropped).is_pending() && poll_once(&mut kept).is_pending());
        let leaving = thread::spawn(move || drop(permit));
        drop(dropped);
        drop(block_on(kept).unwrap());
        leaving.join().unwrap();
        assert_eq!((gate.count(), gate.waiting()), (0, 0));
        assert!(gate.try_enter().is_ok());
    });
}

#[test]
fn the_only_waiter_is_dropped_at_the_hand_over_while_another_comes() {
    model(Some(3), || {
        let gate = Gate::new(1);
        let permit = gate.try_enter_owned().unwrap();
        let mut dropped = gate.enter_owned();
        assert!(poll_once(&mut dropped).is_pending());
        let leaving = thread::spawn(move || drop(permit));
        let coming = {
            let gate = gate.clone();
            thread::spawn(move || drop(block_on(gate.enter()).unwrap()))
        };
        drop(dropped);
        leaving.join().unwrap();
        coming.join().unwrap();
        assert_eq!((gate.count(), gate.waiting()), (0, 0));
        assert!(gate.try_enter().is_ok());
    });
}

#[test]
fn a_drain_meets_a_try_enter() {
    model(None, || {
        let gate = Gate::new(2);
        let inside = Arc::new(UnsafeCell::new(0));
        let trying = {
            let (gate, inside) = (gate.clone(), Arc::clone(&inside));
            thread::spawn(move || match gate.try_enter() {
                Ok(_permit) => touch(&inside),
                Err(error) => assert_eq!(error, TryEnterError::Closed),
            })
        };
        gate.close();
        assert_eq!(block_on(gate.drained()), Drained::All);
        touch(&inside); // nobody is inside, and what was done there is seen
        assert_eq!(gate.count(), 0);
        trying.join().unwrap();
    });
}

#[test]
fn a_drain_is_waited_for_before_it_begins() {
    model(None, || {
        let gate = Gate::unlimited();
        let permit = gate.try_enter_owned().unwrap();
        let waiting = {
            let gate = gate.clone();
            thread::spawn(move || block_on(gate.drained()))
        };
        gate.close();
        drop(permit);
        assert_eq!(waiting.join().unwrap(), Drained::All);
    });
}

#[test]
fn a_force_meets_the_last_to_leave_and_everyone_gets_one_answer() {
    model(Some(3), || {
        let gate = Gate::unlimited();
        let permit = gate.try_enter_owned().unwrap();
        let leaving = thread::spawn(move || drop(permit));
        let waiting = {
            let gate = gate.clone();
            thread::spawn(move || block_on(gate.drained()))
        };
        gate.force();
        let (mine, theirs) = (block_on(gate.drained()), waiting.join().unwrap());
        assert_eq!(mine, theirs);
        assert!(mine.left() <= 1);
        block_on(gate.emptied());
        leaving.join().unwrap();
    });
}

#[test]
fn those_inside_hear_of_the_drain_and_of_the_force() {
    model(Some(3), || {
        let gate = Gate::unlimited();
        let permit = gate.try_enter_owned().unwrap();
        let inside = thread::spawn(move || {
            block_on(async {
                permit.draining().await;
                permit.forced().await;
            });
        });
        gate.close();
        gate.force();
        block_on(gate.emptied());
        inside.join().unwrap();
    });
}

#[test]
fn a_higher_capacity_meets_one_who_comes_to_wait() {
    model(None, || {
        let gate = Gate::new(0);
        let entering = {
            let gate = gate.clone();
            thread::spawn(move || drop(block_on(gate.enter()).unwrap()))
        };
        gate.set_capacity(Some(1));
        entering.join().unwrap();
        assert_eq!((gate.count(), gate.waiting()), (0, 0));
    });
}

#[test]
fn nobody_comes_in_after_the_capacity_was_taken() {
    model(None, || {
        let gate = Gate::new(1);
        let admitted = Arc::new(AtomicUsize::new(0));
        let trying = {
            let (gate, admitted) = (gate.clone(), Arc::clone(&admitted));
            thread::spawn(move || {
                let permit = gate.try_enter_owned().ok();
                admitted.store(usize::from(permit.is_some()), Ordering::Relaxed);
                permit
            })
        };
        gate.set_capacity(Some(0));
        let inside = gate.count();
        let permit = trying.join().unwrap();
        assert_eq!(inside, admitted.load(Ordering::Relaxed));
        assert!(gate.try_enter().is_err());
        drop(permit);
    });
}
