//! Every interleaving of two threads at one daemon's epochs: joins, commits, pins, readers, waits.
//!
//! Run: `RUSTFLAGS="--cfg mainstay_loom" cargo test -p mainstay-sync --lib --profile models --target-dir target/loom
//! loom_tests`
//!
//! The code is the real one, on the pointer, the home, the locks and the counters that loom sees: the model
//! of the pointer gives acquire and release and no more, so it may be staler than arc-swap is. What is
//! ambient is left out, because loom's threads are one thread of the system: the models stage and publish by
//! the calls that it leads to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::future::block_on;
use loom::thread;

use super::core::Core;
use super::inner::Replaced;
use super::publish::wherever;
use super::table::Value;
use super::transaction::Transaction;
use super::{Epochs, Open, Pinned, Snapshot};

type Number = Arc<Snapshot<u64>>;

/// Checks a model, and that loom has found that its threads meet: it tries one order only of what it takes to
/// be independent.
fn model(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    let counting = Arc::clone(&orders);
    builder.check(move || {
        counting.fetch_add(1, Ordering::Relaxed);
        model();
    });
    assert!(orders.load(Ordering::Relaxed) > 10, "the threads do not meet: {orders:?}");
}

fn value(number: u64) -> Value {
    Arc::new(number)
}

fn stage(transaction: &Transaction, snapshot: &Number, number: u64) -> bool {
    transaction.stage(snapshot.inner_arc(), Some(&value(number)), None).is_ok()
}

/// Publishes at once, on behalf of a daemon.
fn publish(core: Option<&Arc<Core>>, snapshot: &Number, number: u64) {
    if let (Replaced::Visible(old), _) = wherever(snapshot.inner_arc(), Some(&value(number)), core, None) {
        snapshot.inner().bell.ring();
        drop(old);
    }
}

fn staged(epochs: &Epochs, snapshots: &[&Number], number: u64) -> Open {
    let open = epochs.begin();
    for snapshot in snapshots {
        assert!(stage(&open.handle(), snapshot, number));
    }
    open
}

/// Snapshots that belong to the daemon, with 0.
fn members<const N: usize>(epochs: &Epochs) -> [Number; N] {
    let snapshots = std::array::from_fn(|_| Arc::new(Snapshot::new(0)));
    snapshots.iter().for_each(|snapshot| {
        epochs.core().adopt(snapshot.inner_arc());
    });
    snapshots
}

fn together(pin: &Pinned, one: &Number, other: &Number) -> u64 {
    let (one, other) = (*pin.load(one), *pin.load(other));
    assert_eq!(one, other, "a mix of two epochs");
    one
}

#[test]
fn a_commit_meets_a_pin() {
    model(3, || {
        let epochs = Epochs::new();
        let [one, other] = members(&epochs);
        let open = staged(&epochs, &[&one, &other], 1);
        let committing = thread::spawn(move || open.commit());
        let first = together(&epochs.pin(), &one, &other);
        assert!(together(&epochs.pin(), &one, &other) >= first, "an epoch is not followed by an older one");
        assert_eq!(committing.join().unwrap().published(), 2);
        assert_eq!(together(&epochs.pin(), &one, &other), 1);
    });
}

#[test]
fn a_commit_meets_a_pin_by_a_thread_that_has_pinned_before() {
    model(3, || {
        let epochs = Epochs::new();
        let [one, other] = members(&epochs);
        let open = staged(&epochs, &[&one, &other], 1);
        drop(epochs.pin());
        let committing = thread::spawn(move || open.commit());
        let seen = *one.load();
        assert!(together(&epochs.pin(), &one, &other) >= seen, "the pin is behind a load");
        let _ = committing.join().unwrap();
        assert_eq!(together(&epochs.pin(), &one, &other), 1, "the thread has missed the commit for ever");
    });
}

#[test]
fn a_join_meets_a_pin_that_reads_what_joins_last() {
    join_meets_pin(|pin, member, joining| together(pin, member, joining));
}

#[test]
fn a_join_meets_a_pin_that_reads_what_joins_first() {
    join_meets_pin(|pin, member, joining| together(pin, joining, member));
}

fn join_meets_pin(read: impl Fn(&Pinned, &Number, &Number) -> u64 + Send + Sync + Copy + 'static) {
    model(3, move || {
        let epochs = Epochs::new();
        let [member] = members(&epochs);
        let joining = Arc::new(Snapshot::new(0));
        let open = staged(&epochs, &[&member, &joining], 1);
        let before = epochs.pin();
        let committing = thread::spawn(move || open.commit());
        read(&epochs.pin(), &member, &joining);
        assert_eq!(read(&before, &member, &joining), 0, "the pin is older than the join");
        let _ = committing.join().unwrap();
        assert_eq!(read(&before, &member, &joining), 0);
        assert_eq!(read(&epochs.pin(), &member, &joining), 1);
    });
}

#[test]
fn a_join_meets_a_plain_load() {
    model(3, || {
        let epochs = Epochs::new();
        let snapshot = Arc::new(Snapshot::new(0));
        let core = Arc::clone(epochs.core());
        let publishing = {
            let snapshot = Arc::clone(&snapshot);
            thread::spawn(move || publish(Some(&core), &snapshot, 1))
        };
        let first = *snapshot.load();
        assert!(*snapshot.load() >= first);
        publishing.join().unwrap();
        assert_eq!((*snapshot.load(), snapshot.version()), (1, 1));
    });
}

#[test]
fn a_join_meets_a_publish_from_outside() {
    model(3, || {
        let epochs = Epochs::new();
        let snapshot = Arc::new(Snapshot::new(0));
        let publishing = {
            let snapshot = Arc::clone(&snapshot);
            thread::spawn(move || publish(None, &snapshot, 1))
        };
        epochs.core().adopt(snapshot.inner_arc());
        publishing.join().unwrap();
        assert_eq!((*snapshot.load(), snapshot.version()), (1, 1), "no publish is lost");
    });
}

#[test]
fn two_daemons_join_one_snapshot() {
    model(3, || {
        let (first, second) = (Epochs::new(), Epochs::new());
        let snapshot = Arc::new(Snapshot::new(0));
        let publishing = {
            let (core, snapshot) = (Arc::clone(first.core()), Arc::clone(&snapshot));
            thread::spawn(move || publish(Some(&core), &snapshot, 1))
        };
        publish(Some(second.core()), &snapshot, 2);
        let seen = snapshot.load().version();
        publishing.join().unwrap();
        assert!(snapshot.version() >= seen);
        assert_eq!(snapshot.version(), 2, "both are visible, one after the other");
        assert_eq!(first.epoch() + second.epoch(), 2, "it belongs to one of them");
    });
}

#[test]
fn a_commit_meets_a_reader() {
    model(3, || {
        let epochs = Epochs::new();
        let [snapshot] = members(&epochs);
        let mut reader = snapshot.reader();
        let open = staged(&epochs, &[&snapshot], 1);
        let committing = thread::spawn(move || open.commit());
        let loaded = *snapshot.load();
        assert!(*reader.load() >= loaded, "the reader is behind a load");
        let read = *reader.load();
        assert!(*snapshot.load() >= read);
        let _ = committing.join().unwrap();
        assert_eq!(*reader.load(), 1, "the reader has missed the commit for ever");
    });
}

#[test]
fn a_commit_meets_a_wait_for_a_change() {
    model(3, || {
        let epochs = Epochs::new();
        let [snapshot] = members(&epochs);
        let open = staged(&epochs, &[&snapshot], 1);
        let waiting = Arc::clone(&snapshot);
        let committing = thread::spawn(move || open.commit());
        let changed = waiting.changed();
        if *waiting.load() == 0 {
            assert_eq!(block_on(changed), 1);
            assert_eq!(*waiting.load(), 1, "woken before it was visible");
        }
        let _ = committing.join().unwrap();
    });
}

#[test]
fn a_commit_meets_a_late_publish() {
    model(3, || {
        let epochs = Epochs::new();
        let snapshot = Arc::new(Snapshot::new(0)); // joins in the commit
        let open = staged(&epochs, &[&snapshot], 1);
        let handle = open.handle();
        let committing = thread::spawn(move || open.commit());
        let was_staged = stage(&handle, &snapshot, 2);
        if !was_staged {
            publish(Some(epochs.core()), &snapshot, 2);
        }
        let _ = committing.join().unwrap();
        assert_eq!(*snapshot.load(), 2, "the commit has overwritten what came after it");
        assert_eq!(snapshot.version(), if was_staged { 1 } else { 2 });
    });
}

#[test]
fn a_commit_meets_a_reader_in_the_transaction() {
    model(3, || {
        let epochs = Epochs::new();
        let [snapshot] = members(&epochs);
        let open = staged(&epochs, &[&snapshot], 1);
        let handle = open.handle();
        let committing = thread::spawn(move || open.commit());
        let id = snapshot.inner().id;
        let read =
            || handle.staged(id).map_or_else(|| *snapshot.load(), |held| *held.slots[0].get().unwrap());
        assert_eq!(
            (read(), read()),
            (1, 1),
            "what is staged, then what is visible, and nothing old in between"
        );
        let _ = committing.join().unwrap();
    });
}

#[test]
fn two_commits_meet() {
    model(3, || {
        let epochs = Epochs::new();
        let [one] = members(&epochs);
        let other = Arc::new(Snapshot::new(0));
        let first = staged(&epochs, &[&one, &other], 1);
        let second = staged(&epochs, &[&one, &other], 2);
        let committing = thread::spawn(move || first.commit());
        let _ = second.commit();
        let seen = together(&epochs.pin(), &one, &other);
        let _ = committing.join().unwrap();
        assert!(seen != 0);
        assert_eq!((together(&epochs.pin(), &one, &other) != 0, epochs.epoch()), (true, 2));
    });
}

#[test]
fn a_close_meets_a_load_and_a_publish() {
    model(3, || {
        let epochs = Epochs::new();
        let [snapshot] = members(&epochs);
        let closing = {
            let epochs = epochs.clone();
            thread::spawn(move || epochs.close())
        };
        assert_eq!(*snapshot.load(), 0);
        publish(Some(epochs.core()), &snapshot, 1);
        assert_eq!(*snapshot.load(), 1);
        closing.join().unwrap();
        assert_eq!((*snapshot.load(), snapshot.version()), (1, 1));
    });
}

#[test]
fn a_snapshot_that_is_dropped_meets_a_commit() {
    model(3, || {
        let epochs = Epochs::new();
        let [kept, dropped] = members(&epochs);
        let open = staged(&epochs, &[&kept], 1);
        let dropping = thread::spawn(move || drop(dropped));
        let _ = open.commit();
        dropping.join().unwrap();
        let [reused] = members(&epochs);
        let pin = epochs.pin();
        assert_eq!((*pin.load(&kept), *pin.load(&reused), epochs.epoch()), (1, 0, 1));
    });
}
