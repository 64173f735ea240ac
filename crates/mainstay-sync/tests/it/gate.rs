//! What a gate promises.

use std::panic::catch_unwind;
use std::task::Poll;

use mainstay_sync::gate::{Drained, Enter, EnterError, EnterOwned, Gate, OwnedPermit, Permit, TryEnterError};

use crate::support::Polled;

#[test]
fn handles_permits_and_waits_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    fn this_crosses<T: Send + Sync>(_: T) {}
    crosses::<Gate>();
    crosses::<Permit<'static>>();
    crosses::<OwnedPermit>();
    crosses::<Enter<'static>>();
    crosses::<EnterOwned>();
    let gate = Gate::unlimited();
    let permit = gate.try_enter().unwrap();
    this_crosses(permit.draining());
    this_crosses(permit.forced());
    this_crosses(gate.drained());
    this_crosses(gate.emptied());
}

#[test]
fn no_more_are_admitted_than_the_capacity() {
    let gate = Gate::new(2);
    let permits = (gate.try_enter().unwrap(), gate.try_enter_owned().unwrap());
    assert_eq!(gate.count(), 2);
    let full = gate.try_enter().unwrap_err();
    assert!(matches!(full, TryEnterError::Full { capacity: 2, .. }));
    assert_eq!(full.to_string(), "the gate is full (capacity 2)");
    assert!(gate.try_enter_owned().is_err());
    drop(permits);
    assert_eq!(gate.count(), 0);
    assert!(gate.try_enter().is_ok());
}

#[test]
fn the_order_of_arrival_is_the_order_of_admission_and_one_is_woken_per_release() {
    let gate = Gate::new(1);
    let mut permit = Some(gate.try_enter_owned().unwrap());
    let mut waiters: Vec<_> = (0..5).map(|_| Polled::new(gate.enter_owned())).collect();
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_pending()));
    assert_eq!(gate.waiting(), 5);
    for turn in 0..5 {
        drop(permit.take());
        let woken: Vec<_> = waiters.iter().map(Polled::woken).collect();
        assert_eq!(woken, (0..5).map(|waiter| waiter == turn).collect::<Vec<_>>());
        assert!(gate.try_enter().is_err(), "nobody overtakes the one whose turn it is");
        let Poll::Ready(Ok(next)) = waiters[turn].poll() else { panic!("it is its turn") };
        permit = Some(next);
        waiters[turn] = Polled::new(gate.enter_owned()); // never polled: not in the queue
    }
    assert_eq!(gate.waiting(), 0);
}

#[test]
fn nobody_new_overtakes_those_who_wait() {
    let gate = Gate::new(1);
    let permit = gate.try_enter().unwrap();
    let mut first = Polled::new(gate.enter());
    assert!(first.poll().is_pending());
    drop(permit);
    let mut second = Polled::new(gate.enter());
    assert!(second.poll().is_pending(), "the place belongs to the first, polled or not");
    assert!(first.poll().is_ready());
    assert!(second.woken(), "its permit is dropped by now");
    assert!(second.poll().is_ready());
}

#[test]
fn one_who_is_dropped_in_the_queue_leaves_it() {
    let gate = Gate::new(1);
    let permit = gate.try_enter().unwrap();
    let (mut first, mut second) = (Polled::new(gate.enter()), Polled::new(gate.enter()));
    assert!(first.poll().is_pending() && second.poll().is_pending());
    drop(first);
    assert_eq!(gate.waiting(), 1);
    drop(permit);
    assert!(second.poll().is_ready());
}

#[test]
fn one_who_is_dropped_with_a_place_gives_it_to_the_next() {
    let gate = Gate::new(1);
    let permit = gate.try_enter().unwrap();
    let (mut first, mut second) = (Polled::new(gate.enter()), Polled::new(gate.enter_owned()));
    assert!(first.poll().is_pending() && second.poll().is_pending());
    drop(permit);
    assert!(first.woken() && !second.woken());
    drop(first);
    assert!(second.woken());
    drop(second);
    assert_eq!((gate.count(), gate.waiting()), (0, 0));
    assert!(gate.try_enter().is_ok());
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let gate = Gate::new(1);
    let permit = gate.try_enter().unwrap();
    let mut entering = Box::pin(gate.enter());
    for _ in 0..3 {
        // A `Polled` of its own for each poll: a task that moved.
        let mut polled = Polled::new(entering.as_mut());
        assert!(polled.poll().is_pending());
    }
    let mut last = Polled::new(entering.as_mut());
    assert!(last.poll().is_pending());
    drop(permit);
    assert!(last.woken());
    assert!(last.poll().is_ready());
}

#[test]
fn a_close_answers_everybody_at_once() {
    let gate = Gate::new(1);
    let permit = gate.try_enter().unwrap();
    let mut waiters: Vec<_> = (0..100).map(|_| Polled::new(gate.enter())).collect();
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_pending()));
    gate.close();
    gate.close();
    assert!(waiters.iter().all(Polled::woken));
    for mut waiter in waiters {
        assert!(matches!(waiter.poll(), Poll::Ready(Err(EnterError::Closed))));
    }
    assert!(matches!(Polled::new(gate.enter()).poll(), Poll::Ready(Err(EnterError::Closed))));
    assert_eq!(gate.try_enter().unwrap_err().to_string(), "the gate is closed");
    assert_eq!((gate.count(), gate.waiting(), gate.is_closed()), (1, 0, true));
    drop(permit);
    assert!(gate.try_enter().is_err(), "what is closed stays closed");
}

#[test]
fn a_place_that_was_given_before_the_close_is_kept() {
    let gate = Gate::new(1);
    let permit = gate.try_enter().unwrap();
    let mut waiter = Polled::new(gate.enter_owned());
    assert!(waiter.poll().is_pending());
    drop(permit);
    gate.close();
    let mut drained = Polled::new(gate.drained());
    assert!(drained.poll().is_pending(), "it is counted");
    let Poll::Ready(Ok(inside)) = waiter.poll() else { panic!("it was admitted before the close") };
    drop(inside);
    assert!(drained.woken());
    assert_eq!(drained.poll(), Poll::Ready(Drained::All));
}

#[test]
fn a_higher_capacity_admits_in_order_and_a_lower_one_waits() {
    let gate = Gate::new(0);
    let mut waiters: Vec<_> = (0..4).map(|_| Polled::new(gate.enter_owned())).collect();
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_pending()));
    gate.set_capacity(Some(3));
    assert_eq!(waiters.iter().map(Polled::woken).collect::<Vec<_>>(), [true, true, true, false]);
    let mut permits: Vec<_> = (0..3)
        .map(|at| match waiters[at].poll() {
            Poll::Ready(Ok(permit)) => permit,
            other => panic!("{other:?}"),
        })
        .collect();
    gate.set_capacity(Some(1));
    assert_eq!((gate.count(), gate.capacity()), (3, Some(1)));
    permits.pop();
    permits.pop();
    assert!(!waiters[3].woken() && gate.try_enter().is_err(), "one is inside, and one may be");
    permits.pop();
    assert!(waiters[3].woken());
    gate.set_capacity(None);
    assert_eq!(gate.capacity(), None);
    assert!(gate.try_enter().is_ok());
}

#[test]
fn a_capacity_beyond_counting_is_none() {
    assert_eq!(Gate::new(usize::MAX).capacity(), None);
    assert_eq!(Gate::unlimited().capacity(), None);
}

#[test]
fn a_permit_leaves_when_its_holder_panics() {
    let gate = Gate::new(1);
    let permit = gate.try_enter_owned().unwrap();
    let outcome = catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _permit = permit;
        panic!("the work failed");
    }));
    assert!(outcome.is_err());
    assert_eq!(gate.count(), 0);
}

#[test]
fn a_borrowed_permit_becomes_an_owned_one_in_the_same_place() {
    let gate = Gate::new(1);
    let permit = gate.try_enter().unwrap().into_owned();
    assert_eq!((gate.count(), permit.gate().count()), (1, 1));
    drop(gate);
    assert_eq!(permit.gate().capacity(), Some(1));
}

#[test]
fn an_open_gate_is_not_drained_however_empty() {
    let gate = Gate::unlimited();
    let mut drained = Polled::new(gate.drained());
    assert!(drained.poll().is_pending());
    drop(gate.try_enter().unwrap());
    assert!(drained.poll().is_pending());
    gate.close();
    assert!(drained.woken());
    assert_eq!(drained.poll(), Poll::Ready(Drained::All));
}

#[test]
fn those_inside_hear_of_the_drain_and_of_the_force() {
    let gate = Gate::unlimited();
    let (permit, other) = (gate.try_enter().unwrap(), gate.try_enter_owned().unwrap());
    let (mut draining, mut forced) = (Polled::new(permit.draining()), Polled::new(other.forced()));
    assert!(draining.poll().is_pending() && forced.poll().is_pending());
    gate.close();
    assert!(draining.woken() && draining.poll().is_ready());
    assert!(forced.poll().is_pending() && !other.is_forced());
    gate.force();
    assert!(forced.woken() && forced.poll().is_ready());
    assert!(permit.is_forced() && other.is_forced());
    assert!(Polled::new(permit.draining()).poll().is_ready());
}

#[test]
fn a_force_says_how_many_were_left_and_everyone_gets_the_same_answer() {
    let gate = Gate::unlimited();
    let mut before = Polled::new(gate.drained());
    assert!(before.poll().is_pending());
    let permits = (gate.try_enter().unwrap(), gate.try_enter().unwrap());
    gate.force();
    drop(permits.0);
    let Poll::Ready(forced) = before.poll() else { panic!("it is over") };
    assert_eq!((forced.left(), forced.to_string().as_str()), (2, "forced with 2 inside"));
    assert_eq!(Polled::new(gate.drained()).poll(), Poll::Ready(forced));
    let mut emptied = Polled::new(gate.emptied());
    assert!(emptied.poll().is_pending());
    drop(permits.1);
    assert!(emptied.woken() && emptied.poll().is_ready());
    gate.force();
    assert_eq!(Polled::new(gate.drained()).poll(), Poll::Ready(forced));
}

#[test]
fn a_force_of_an_empty_gate_leaves_nobody() {
    let gate = Gate::unlimited();
    gate.force();
    assert_eq!(Polled::new(gate.drained()).poll(), Poll::Ready(Drained::All));
}

#[test]
#[should_panic(expected = "not polled again")]
fn an_entry_is_over_when_it_has_ended() {
    let gate = Gate::unlimited();
    let mut entering = Polled::new(gate.enter());
    assert!(entering.poll().is_ready());
    let _ = entering.poll();
}
