//! What is read through a pin.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use mainstay_sync::snapshot::{Epochs, Pinned, Snapshot};

use crate::support::{Lives, Polled, block_on};

fn member<T: Send + Sync + 'static>(epochs: &Epochs, value: T) -> Snapshot<T> {
    let snapshot = Snapshot::empty();
    epochs.enter("provider", || snapshot.publish(value));
    snapshot
}

#[test]
fn everything_that_a_pin_reads_is_of_one_epoch() {
    let epochs = Epochs::new();
    let (one, other) = (member(&epochs, 1), member(&epochs, "one"));
    let pin = epochs.pin();
    let open = epochs.begin();
    open.handle().enter(|| (one.publish(2), other.publish("two")));
    assert_eq!(open.commit().published(), 2);
    assert_eq!((*pin.load(&one), *pin.load(&other)), (1, "one"));
    assert_eq!((pin.version(&one), pin.epoch(), one.version(), epochs.epoch()), (1, 2, 2, 3));
    let pin = epochs.pin();
    assert_eq!((*pin.load(&one), *pin.load(&other)), (2, "two"));
}

#[test]
fn what_a_pin_gives_borrows_from_it_and_not_from_the_snapshot() {
    let epochs = Epochs::new();
    let pin;
    let value: &String = {
        let snapshot = member(&epochs, "kept".to_owned());
        pin = epochs.pin();
        pin.load(&snapshot)
    };
    assert_eq!(value, "kept");
}

#[test]
fn a_plain_load_in_the_scope_of_a_pin_reads_its_epoch() {
    let epochs = Epochs::new();
    let snapshot = member(&epochs, 1);
    let pin = epochs.pin();
    snapshot.publish(2);
    pin.enter(|| {
        assert_eq!((*snapshot.load(), *snapshot.load_full(), snapshot.load().version()), (1, 1, 1));
        assert_eq!(snapshot.try_load().as_deref(), Some(&1));
        let newer = epochs.pin();
        assert_eq!(*newer.enter(|| snapshot.load()), 2, "the innermost pin counts");
        assert_eq!(*snapshot.load(), 1);
    });
    assert_eq!(*snapshot.load(), 2);
}

#[test]
fn an_ambient_pin_holds_across_awaits_and_is_not_there_in_between() {
    let epochs = Epochs::new();
    let snapshot = member(&epochs, 1);
    let pin = epochs.pin();
    let mut scope = Polled::new(pin.scope(async {
        let before = *snapshot.load();
        tokio::task::yield_now().await;
        (before, *snapshot.load(), Pinned::current().is_some())
    }));
    assert_eq!(scope.poll(), Poll::Pending);
    snapshot.publish(2);
    assert_eq!(*snapshot.load(), 2);
    assert!(Pinned::current().is_none());
    assert_eq!(scope.poll(), Poll::Ready((1, 1, true)));
}

#[test]
fn a_pin_that_goes_with_its_scope_holds_the_epoch_until_then() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::empty();
    epochs.enter("provider", || snapshot.publish(Lives::new()));
    let value = snapshot.load().watch();
    let mut scope = Polled::new(epochs.pin().into_scope(async {
        tokio::task::yield_now().await;
        snapshot.load().watch().lives()
    }));
    assert!(scope.poll().is_pending());
    assert!(Pinned::current().is_none());
    snapshot.publish(Lives::new());
    assert!(value.lives());
    assert_eq!(scope.poll(), Poll::Ready(true));
    drop(scope);
    assert!(!value.lives());

    let second = snapshot.load().watch();
    epochs.pin().into_enter(|| {
        snapshot.publish(Lives::new());
        let kept = Pinned::current().expect("it is ambient");
        assert_eq!((kept.version(&snapshot), snapshot.load().version()), (2, 2));
        assert!(second.lives());
    });
    assert!(!second.lives());

    let third = snapshot.load().watch();
    let mut cancelled = Polled::new(epochs.pin().into_scope(std::future::pending::<()>()));
    assert!(cancelled.poll().is_pending());
    snapshot.publish(Lives::new());
    drop(cancelled);
    assert!(!third.lives());
}

#[test]
fn a_reader_a_version_and_a_wait_are_not_bound_by_a_pin() {
    let epochs = Epochs::new();
    let snapshot = member(&epochs, 1);
    let (pin, mut reader) = (epochs.pin(), snapshot.reader());
    let mut changed = Polled::new(snapshot.changed());
    pin.enter(|| {
        snapshot.publish(2);
        assert_eq!((*reader.load(), snapshot.version(), *snapshot.load()), (2, 2, 1));
        assert_eq!(changed.poll(), Poll::Ready(2));
        assert_eq!(Polled::new(snapshot.changed()).poll(), Poll::Pending, "it starts from what is visible");
    });
}

#[test]
fn a_pin_lives_in_tasks_and_threads_that_carry_it() {
    let epochs = Epochs::new();
    let snapshot = Arc::new(member(&epochs, 1));
    let pin = epochs.pin();
    let carried = pin.enter(|| Pinned::current().expect("it is ambient"));
    let plain = {
        let snapshot = Arc::clone(&snapshot);
        pin.enter(|| thread::spawn(move || *snapshot.load()))
    };
    snapshot.publish(2);
    assert!(matches!(plain.join().unwrap(), 1 | 2), "what is spawned does not carry it by itself");
    let there = Arc::clone(&snapshot);
    let task =
        thread::spawn(move || block_on(carried.scope(async { (*there.load(), *carried.load(&there)) })));
    assert_eq!(task.join().unwrap(), (1, 1));
}

#[test]
fn a_snapshot_of_no_daemon_has_within_one_pin_the_value_of_its_first_read() {
    let epochs = Epochs::new();
    let (alone, other) = (Snapshot::new(0), Snapshot::new(0));
    let pin = epochs.pin();
    alone.publish(1);
    assert_eq!(*pin.load(&alone), 1);
    alone.publish(2);
    assert_eq!((*pin.load(&alone), pin.version(&alone)), (1, 1));
    assert_eq!(*pin.clone().load(&alone), 1);
    assert_eq!(*pin.enter(|| alone.load()), 1);
    assert_eq!((*alone.load(), *epochs.pin().load(&alone)), (2, 2), "for one pin, that is");

    let _ = pin.enter(|| other.load());
    other.publish(1);
    assert_eq!((*pin.load(&other), *other.load()), (0, 1), "what is met in its scope, the pin has met");
}

#[test]
fn a_first_read_holds_for_every_clone_and_scope_of_the_pin() {
    let epochs = Epochs::new();
    let snapshots: Vec<_> = (0..4).map(|_| Snapshot::new(0)).collect();
    let publish = |value| snapshots.iter().for_each(|snapshot| snapshot.publish(value));
    let pin = epochs.pin();
    let clone = pin.clone();
    publish(1);
    clone.load(&snapshots[0]);
    drop(clone);
    block_on(pin.scope(async {
        let _ = snapshots[1].load();
        publish(2);
        assert_eq!((*pin.load(&snapshots[1]), *Pinned::current().unwrap().load(&snapshots[1])), (1, 1));
    }));
    assert_eq!((*pin.load(&snapshots[0]), *pin.load(&snapshots[1])), (1, 1));

    // A scope that is dropped half-way, and what its destructor reads.
    let mut cancelled = Polled::new(pin.scope(async {
        let _read = OnDrop(|| drop(snapshots[2].load()));
        std::future::pending::<()>().await;
    }));
    assert!(cancelled.poll().is_pending());
    drop(cancelled);
    publish(3);
    assert_eq!((*pin.load(&snapshots[2]), *pin.load(&snapshots[3])), (2, 3));
}

#[test]
fn a_first_read_stays_when_the_snapshot_joins_the_daemon() {
    let epochs = Epochs::new();
    let alone = Snapshot::new(0);
    let pin = epochs.pin();
    assert_eq!(*pin.load(&alone), 0);
    alone.publish(1);
    epochs.enter("provider", || alone.publish(2));
    assert_eq!((*pin.load(&alone), *epochs.pin().load(&alone)), (0, 2));
}

#[test]
fn a_snapshot_of_another_daemon_has_within_one_pin_the_value_of_its_first_read() {
    let (mine, theirs) = (Epochs::new(), Epochs::new());
    let other = member(&theirs, 1);
    let (pin, held) = (mine.pin(), member(&theirs, Lives::new()));
    assert_eq!(*pin.load(&other), 1);
    other.publish(2);
    assert_eq!((*pin.load(&other), *pin.enter(|| other.load()), *other.load()), (1, 1, 2));
    let watched = held.load().watch();
    held.publish(Lives::new());
    assert!(!watched.lives(), "the pin holds that value, not their epoch");
}

#[test]
fn many_first_reads_go_without_a_recursion() {
    let epochs = Epochs::new();
    let pin = epochs.pin();
    let snapshots: Vec<_> = (0..3_000).map(Snapshot::new).collect();
    assert_eq!(snapshots.iter().map(|snapshot| *pin.load(snapshot)).sum::<i32>(), 3_000 * 2_999 / 2);
    drop(pin);
}

#[test]
fn an_empty_one_is_empty_in_its_epoch() {
    let epochs = Epochs::new();
    let (early, late) = (member(&epochs, 1), Snapshot::<u8>::empty());
    let pin = epochs.pin();
    early.clear();
    epochs.enter("provider", || late.publish(1));
    assert_eq!((pin.try_load(&early), pin.try_load(&late)), (Some(&1), None));
    assert!(early.try_load().is_none());
    let line = line!() + 1;
    let panic = catch_unwind(AssertUnwindSafe(|| pin.load(&late))).expect_err("it is empty");
    let text = panic.downcast::<String>().unwrap();
    assert!(text.starts_with("MS0401: the snapshot of `u8` made at "), "{text}");
    assert!(text.contains(&format!("read at {}:{line}:", file!())), "{text}");
    assert!(pin.enter(|| late.try_load()).is_none());
    assert!(catch_unwind(AssertUnwindSafe(|| pin.enter(|| late.load()))).is_err());
    assert!(Pinned::current().is_none(), "a panic takes the pin out again");
}

#[test]
fn with_many_pins_held_a_load_elsewhere_keeps_its_fast_path() {
    let epochs = Epochs::new();
    let snapshots: Vec<_> = (0..20).map(|value| member(&epochs, value)).collect();
    let pins: Vec<_> = (0..20).map(|_| epochs.pin()).collect();
    let sum: i32 =
        pins.iter().map(|pin| snapshots.iter().map(|snapshot| *pin.load(snapshot)).sum::<i32>()).sum();
    assert_eq!(sum, 20 * 190);
    // Each of the eight fast slots of this thread is free: eight guards at once and none of them has a count.
    let value = Arc::new(0);
    let foreign = arc_swap::ArcSwap::from(Arc::clone(&value));
    let guards: Vec<_> = (0..8).map(|_| foreign.load()).collect();
    assert_eq!((Arc::strong_count(&value), guards.len()), (2, 8));
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Scopes are put into one another, and around large requests.
#[test]
fn a_scope_holds_its_future_once_however_many_there_are() {
    let epochs = Epochs::new();
    let open = epochs.begin();
    let large = [0_u8; 4096];
    let request = async move {
        std::future::pending::<()>().await;
        std::hint::black_box(&large);
    };
    let size = size_of_val(&request);
    let pin = epochs.pin();
    let scoped = open.handle().scope(epochs.scope("a", pin.scope(epochs.pin().into_scope(request))));
    assert!(size_of_val(&scoped) < size + 512, "{} for {size}", size_of_val(&scoped));
    drop(scoped);
    assert_eq!(open.abort().discarded(), 0);
}
