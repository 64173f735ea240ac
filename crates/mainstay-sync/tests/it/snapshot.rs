//! What a snapshot promises, on one thread.

use std::any::type_name;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;

use mainstay_sync::snapshot::{Changed, Loaded, Reader, Snapshot};

use crate::support::{Polled, ends};

/// The text of the panic that `read` ends in.
fn panic_text<R>(read: impl FnOnce() -> R) -> String {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        read();
    }));
    *outcome.expect_err("it should panic").downcast().expect("the panic has a formatted text")
}

#[test]
fn handles_readers_and_waits_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Snapshot<String>>();
    crosses::<Loaded<String>>();
    crosses::<Reader<String>>();
    crosses::<Changed<'static>>();
}

#[test]
fn a_load_gives_what_was_published_last() {
    let snapshot = Snapshot::new(1);
    assert_eq!(*snapshot.load(), 1);
    snapshot.publish(2);
    assert_eq!((*snapshot.load(), *snapshot.load_full()), (2, 2));
}

#[test]
fn what_was_loaded_does_not_change() {
    let snapshot = Snapshot::new(1);
    let (loaded, kept) = (snapshot.load(), snapshot.load_full());
    snapshot.publish(2);
    snapshot.clear();
    drop(snapshot);
    assert_eq!((*loaded, *kept), (1, 1));
}

#[test]
fn the_same_allocation_is_loaded_that_was_published() {
    let (first, second) = (Arc::new(1), Arc::new(2));
    let snapshot = Snapshot::from_arc(Arc::clone(&first));
    assert!(Arc::ptr_eq(&snapshot.load_full(), &first));
    snapshot.publish_arc(Arc::clone(&second));
    assert!(Arc::ptr_eq(&snapshot.load_full(), &second));
    assert!(std::ptr::eq(&raw const *snapshot.load(), &raw const *second));
}

#[test]
fn an_empty_one_is_none_to_those_who_ask() {
    let snapshot = Snapshot::<i32>::default();
    assert!(snapshot.try_load().is_none());
    assert!(snapshot.reader().try_load().is_none());
    snapshot.publish(1);
    assert_eq!(snapshot.try_load().as_deref(), Some(&1));
    snapshot.clear();
    assert!(snapshot.try_load().is_none());
}

#[test]
fn reading_an_empty_one_panics_and_says_what_to_do() {
    struct Servers;
    let made = line!() + 1;
    let snapshot = Snapshot::<Servers>::empty();
    let read = line!() + 1;
    let text = panic_text(|| snapshot.load());
    assert_eq!(
        text,
        format!(
            "MS0401: the snapshot of `{servers}` made at {file}:{made}:20 is empty, and was read at \
             {file}:{read}:39: nobody has published it yet; declare `.requires` on the provider that \
             publishes it, or use `try_load` where it may be empty",
            servers = type_name::<Servers>(),
            file = file!(),
        )
    );
}

#[test]
fn every_way_to_read_an_empty_one_names_both_places() {
    #[derive(Default)]
    struct Provider {
        servers: Snapshot<u8>,
    }
    let made = line!() + 1;
    let by_default = Snapshot::<u8>::default();
    let by_derive = Provider::default();
    for snapshot in [&by_default, &by_derive.servers] {
        let read = line!() + 1;
        let texts = [panic_text(|| snapshot.load_full()), panic_text(|| *snapshot.reader().load())];
        for text in texts {
            assert!(text.starts_with("MS0401: the snapshot of `u8` made at "), "{text}");
            assert!(text.contains(&format!("read at {}:{read}:", file!())), "{text}");
        }
    }
    let text = panic_text(|| by_default.load());
    assert!(text.contains(&format!("made at {}:{made}:", file!())), "{text}");

    by_default.publish(1);
    by_default.clear();
    assert!(panic_text(|| by_default.load()).contains(": it was cleared; declare"));
}

#[test]
fn the_version_counts_the_visible_changes() {
    let snapshot = Snapshot::new('a');
    assert_eq!((snapshot.version(), snapshot.load().version()), (0, 0));
    let first = snapshot.load();
    snapshot.publish('b');
    assert_eq!((snapshot.version(), snapshot.load().version(), first.version()), (1, 1, 0));
    snapshot.clear();
    assert_eq!(snapshot.version(), 2);
    snapshot.clear();
    assert_eq!(snapshot.version(), 2, "clearing what is empty changes nothing");
    snapshot.publish('c');
    assert_eq!((snapshot.version(), snapshot.load().version()), (3, 3));
}

#[test]
fn a_wait_looks_at_the_version_when_it_is_called() {
    let snapshot = Snapshot::new(0);
    let mut before = Polled::new(snapshot.changed());
    snapshot.publish(1);
    let mut after = Polled::new(snapshot.changed());
    assert_eq!((before.poll(), after.poll()), (Poll::Ready(1), Poll::Pending));
}

#[test]
fn several_publishes_may_be_one_wake_up() {
    let snapshot = Snapshot::new(0);
    let mut changed = Polled::new(snapshot.changed());
    assert_eq!(changed.poll(), Poll::Pending);
    (1..=3).for_each(|value| snapshot.publish(value));
    assert!(changed.woken());
    assert_eq!(changed.poll(), Poll::Ready(3));
}

#[test]
fn a_clear_is_a_change_unless_it_was_empty() {
    let snapshot = Snapshot::new(0);
    let mut changed = Polled::new(snapshot.changed());
    assert_eq!(changed.poll(), Poll::Pending);
    snapshot.clear();
    assert!(changed.woken());
    assert_eq!(changed.poll(), Poll::Ready(1));

    let mut changed = Polled::new(snapshot.changed());
    assert_eq!(changed.poll(), Poll::Pending);
    snapshot.clear();
    assert!(!changed.woken());
    assert_eq!(changed.poll(), Poll::Pending);
}

#[test]
fn a_dropped_wait_takes_nothing_from_the_others() {
    let snapshot = Snapshot::new(0);
    let mut kept = Polled::new(snapshot.changed());
    let mut dropped = Polled::new(snapshot.changed());
    assert_eq!((dropped.poll(), kept.poll()), (Poll::Pending, Poll::Pending));
    snapshot.publish(1);
    drop(dropped);
    assert!(kept.woken());
    assert_eq!(kept.poll(), Poll::Ready(1));
}

#[test]
fn a_reader_is_never_behind_a_load() {
    let snapshot = Snapshot::new(0);
    let mut reader = snapshot.reader();
    let mut second = reader.clone();
    for value in 1..10 {
        snapshot.publish(value);
        assert_eq!((*reader.load(), *snapshot.load()), (value, value));
    }
    snapshot.clear();
    assert!(reader.try_load().is_none());
    snapshot.publish(10);
    assert_eq!((*reader.load(), *second.load()), (10, 10));
    drop(snapshot);
    assert_eq!(*reader.load(), 10);
}

#[test]
fn an_old_value_goes_with_its_last_reader() {
    fn lives<T>(value: &Weak<T>) -> bool {
        value.strong_count() > 0
    }
    let snapshot = Snapshot::new(0);
    let first = Arc::downgrade(&snapshot.load_full());
    let (loaded, mut reader) = (snapshot.load(), snapshot.reader());
    snapshot.publish(1);
    drop(loaded);
    assert!(lives(&first), "the reader keeps what it read last");
    reader.load();
    assert!(!lives(&first));

    let second = Arc::downgrade(&snapshot.load_full());
    drop(reader);
    snapshot.clear();
    assert!(!lives(&second));
}

/// Runs a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

type Boxed = OnDrop<Box<dyn FnMut() + Send + Sync>>;

fn fails() -> bool {
    true
}

#[test]
fn a_panicking_destructor_poisons_nothing() {
    let bad = || -> Boxed { OnDrop(Box::new(|| assert!(!fails(), "a destructor that fails"))) };
    let good = || -> Boxed { OnDrop(Box::new(|| {})) };
    let snapshot: Snapshot<Boxed> = Snapshot::new(bad());
    let mut changed = Polled::new(snapshot.changed());
    assert!(changed.poll().is_pending());

    assert!(catch_unwind(AssertUnwindSafe(|| snapshot.publish(bad()))).is_err());
    assert!(changed.woken(), "the publish was complete before the destructor ran");
    assert_eq!(changed.poll(), Poll::Ready(1));

    assert!(catch_unwind(AssertUnwindSafe(|| snapshot.clear())).is_err());
    assert!(snapshot.try_load().is_none());

    snapshot.publish(bad());
    let mut reader = snapshot.reader();
    snapshot.publish(good());
    assert!(catch_unwind(AssertUnwindSafe(|| reader.try_load().is_some())).is_err());
    assert!(reader.try_load().is_some(), "the reader has moved on to the new value");
    assert_eq!(snapshot.version(), 4);
}

#[test]
fn a_destructor_may_publish_to_the_same_snapshot() {
    ends(|| {
        let snapshot = Arc::new(Snapshot::<Boxed>::empty());
        let dropped = Arc::new(AtomicUsize::new(0));
        let (again, count) = (Arc::downgrade(&snapshot), Arc::clone(&dropped));
        snapshot.publish(OnDrop(Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            if let Some(snapshot) = again.upgrade() {
                snapshot.publish(OnDrop(Box::new(|| {})));
            }
        })));
        snapshot.publish(OnDrop(Box::new(|| {})));
        assert_eq!((dropped.load(Ordering::Relaxed), snapshot.version()), (1, 3));
    });
}

#[test]
fn debug_shows_the_version_and_the_value() {
    let snapshot = Snapshot::new(7);
    assert_eq!(format!("{snapshot:?}"), "Snapshot { version: 0, value: Some(7) }");
    assert_eq!(format!("{:?}", snapshot.load()), "Loaded { version: 0, value: 7 }");
}
