//! Whose a snapshot is, what an epoch is, and what is left of both.

use std::sync::{Arc, Mutex};

use mainstay_sync::snapshot::{Epochs, Pinned, Snapshot, Warning};

use crate::support::Lives;

/// Everything that the epochs warn of, as text.
fn warnings(epochs: &Epochs) -> Arc<Mutex<Vec<Warning>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    epochs.on_warning(move |warning| telling.lock().unwrap().push(*warning));
    told
}

#[test]
fn a_snapshot_is_alone_until_it_is_published_in_a_scope() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    snapshot.publish(1);
    assert_eq!(epochs.epoch(), 0, "nobody has said whose it is");
    epochs.enter("provider", || snapshot.publish(2));
    assert_eq!(epochs.epoch(), 1);
    snapshot.publish(3);
    assert_eq!(epochs.epoch(), 2, "once and for ever");
    assert_eq!((*snapshot.load(), snapshot.version()), (3, 3));
}

#[test]
fn each_publish_outside_of_a_transaction_is_an_epoch() {
    let epochs = Epochs::new();
    let (one, other) = (Snapshot::new(0), Snapshot::<u8>::empty());
    epochs.enter("provider", || {
        one.publish(1);
        other.publish(1);
        other.clear();
        other.clear();
    });
    assert_eq!(epochs.epoch(), 3, "clearing what is empty changes nothing");
    assert_eq!((one.version(), other.version()), (1, 2));
}

#[test]
fn a_staged_publish_joins_at_the_commit_and_an_abort_leaves_no_trace() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let open = epochs.begin();
    open.handle().enter(|| snapshot.publish(1));
    assert_eq!(open.abort().discarded(), 1);
    snapshot.publish(2);
    assert_eq!((epochs.epoch(), *snapshot.load(), snapshot.version()), (0, 2, 1));
    assert_eq!(format!("{epochs:?}"), "Epochs { epoch: 0, snapshots: 0 }");

    let open = epochs.begin();
    open.handle().enter(|| snapshot.publish(3));
    assert_eq!((open.commit().epoch(), *snapshot.load(), snapshot.version()), (1, 3, 2));
    snapshot.publish(4);
    assert_eq!(epochs.epoch(), 2);
    assert_eq!(format!("{epochs:?}"), "Epochs { epoch: 2, snapshots: 1 }");
}

#[test]
fn a_pin_older_than_the_join_reads_the_value_from_before_it() {
    let epochs = Epochs::new();
    let (member, alone) = (Snapshot::new(0), Snapshot::new(10));
    epochs.enter("provider", || member.publish(1));
    let old = epochs.pin();
    epochs.enter("provider", || member.publish(2));
    alone.publish(11);
    let newer = epochs.pin();
    epochs.enter("provider", || alone.publish(12));
    epochs.enter("provider", || alone.publish(13));
    assert_eq!((*old.load(&member), *old.load(&alone), old.epoch()), (1, 11, 1));
    assert_eq!((*newer.load(&member), *newer.load(&alone), newer.version(&alone)), (2, 11, 1));
    assert_eq!(*old.enter(|| alone.load()), 11);
    let now = epochs.pin();
    assert_eq!((*now.load(&member), *now.load(&alone), now.epoch()), (2, 13, 4));
}

#[test]
fn the_value_from_before_a_join_goes_with_the_last_pin_that_is_older() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(Lives::new());
    let first = snapshot.load().watch();
    let old = epochs.pin();
    epochs.enter("provider", || snapshot.publish(Lives::new()));
    assert!(first.lives());
    old.load(&snapshot);
    drop(old);
    assert!(!first.lives());
    let without = Snapshot::new(Lives::new());
    let before = without.load().watch();
    epochs.enter("provider", || without.publish(Lives::new()));
    assert!(!before.lives(), "no pin, no trace");
}

#[test]
fn a_long_list_of_joins_goes_without_a_recursion() {
    let epochs = Epochs::new();
    let old = epochs.pin();
    for number in 0..100_000 {
        let snapshot = Snapshot::new(number);
        epochs.enter("provider", || snapshot.publish(number + 1));
    }
    drop(old);
    assert_eq!(epochs.epoch(), 100_000);
}

#[test]
fn two_daemons_in_one_process_share_nothing() {
    let (first, second) = (Epochs::new(), Epochs::new());
    let (one, other) = (Snapshot::new(0), Snapshot::new(0));
    first.enter("one", || one.publish(1));
    second.enter("other", || other.publish(1));
    let (pin, open) = (second.pin(), first.begin());
    open.handle().enter(|| {
        one.publish(2);
        // What runs for another daemon takes no part in this one's transaction, neither to write nor to read.
        second.enter("other", || {
            assert_eq!((*one.load(), *other.load()), (1, 1));
            other.publish(2);
        });
    });
    assert_eq!((*one.load(), *other.load()), (1, 2));
    assert_eq!((first.epoch(), second.epoch()), (1, 2));
    drop(open);
    assert_eq!((*pin.load(&other), *one.load()), (1, 1));
}

#[test]
fn a_snapshot_that_two_daemons_publish_belongs_to_the_first_and_is_a_warning_to_the_other() {
    let (first, second) = (Epochs::new(), Epochs::new());
    let (of_first, of_second) = (warnings(&first), warnings(&second));
    let shared = Snapshot::new(0);
    first.enter("one", || shared.publish(1));
    second.enter("other", || shared.publish(2));
    assert_eq!((first.epoch(), second.epoch(), *shared.load()), (2, 0, 2));

    let mine = Snapshot::new(0);
    let open = second.begin();
    open.handle().enter(|| second.enter("other", || (shared.publish(3), mine.publish(1))));
    assert_eq!((*shared.load(), *mine.load()), (2, 0));
    let committed = open.commit();
    assert_eq!((committed.published(), first.epoch(), second.epoch()), (2, 3, 1));
    assert_eq!((*shared.load(), *mine.load()), (3, 1));
    assert!(of_first.lock().unwrap().is_empty());
    let told = of_second.lock().unwrap();
    assert_eq!(told.len(), 2);
    for warning in &*told {
        assert!(matches!(warning, Warning::OtherDaemon { .. }), "{warning:?}");
        assert_eq!((warning.code(), warning.provider()), ("MS0405", Some("other")));
        let text = warning.to_string();
        assert!(
            text.starts_with("MS0405: a publish by \"other\" of `i32` made at crates/mainstay-sync/"),
            "{text}"
        );
        assert!(
            text.ends_with("was an epoch of another daemon in this process, to which it belongs"),
            "{text}"
        );
    }
}

#[test]
fn a_second_run_of_the_same_epochs_covers_the_same_snapshots() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    for run in 0..2 {
        let mine = epochs.clone();
        mine.enter("provider", || snapshot.publish(10 * run));
        let pin = mine.pin();
        let open = mine.begin();
        open.handle().enter(|| snapshot.publish(10 * run + 1));
        assert_eq!(open.commit().published(), 1);
        assert_eq!((*pin.load(&snapshot), *snapshot.load()), (10 * run, 10 * run + 1));
    }
    assert_eq!(epochs.epoch(), 4);
}

#[test]
fn an_old_epoch_goes_with_its_last_reader() {
    let epochs = Epochs::new();
    let (snapshot, other) = (Snapshot::new(Lives::new()), Snapshot::new(0));
    epochs.enter("provider", || (snapshot.publish(Lives::new()), other.publish(0)));
    let first = snapshot.load().watch();
    let (pin, loaded) = (epochs.pin(), other.load());
    let second = pin.clone();
    snapshot.publish(Lives::new());
    let now = snapshot.load().watch();
    drop(pin);
    assert!(first.lives(), "a clone of the pin holds it");
    drop(second);
    assert!(first.lives(), "a load of another snapshot of the same epoch holds it, too");
    drop(loaded);
    assert!(!first.lives());
    assert!(now.lives());
}

#[test]
fn an_idle_thread_that_has_pinned_holds_nothing() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::empty();
    epochs.enter("provider", || snapshot.publish(Lives::new()));
    let first = snapshot.load().watch();
    drop(epochs.pin());
    snapshot.publish(Lives::new());
    assert!(!first.lives());
    assert_eq!(epochs.pin().epoch(), 2);
}

#[test]
fn a_value_goes_with_its_snapshot() {
    let epochs = Epochs::new();
    let (kept, dropped) = (Snapshot::new(1), Snapshot::new(Lives::new()));
    epochs.enter("provider", || (kept.publish(2), dropped.publish(Lives::new())));
    let value = dropped.load().watch();
    let reader = dropped.reader();
    drop(dropped);
    assert!(value.lives(), "the reader has it");
    drop(reader);
    assert!(!value.lives());
    assert_eq!((*kept.load(), epochs.epoch()), (2, 2), "it is not an epoch that something is gone");
}

#[test]
fn a_slot_is_used_again_and_an_old_pin_does_not_take_one_for_the_other() {
    let epochs = Epochs::new();
    let first = Snapshot::new(String::new());
    epochs.enter("provider", || first.publish("first".to_owned()));
    let pin = epochs.pin();
    drop(first);
    let second = Snapshot::new(0_u64);
    epochs.enter("provider", || second.publish(1));
    assert_eq!(format!("{epochs:?}"), "Epochs { epoch: 2, snapshots: 1 }");
    assert_eq!((*pin.load(&second), pin.version(&second)), (0, 0));
    assert_eq!(*pin.enter(|| second.load()), 0);
    assert_eq!(*epochs.pin().load(&second), 1);
}

#[test]
fn closed_epochs_give_every_snapshot_its_value_back() {
    let epochs = Epochs::new();
    let values: Vec<_> = (0..3).map(|_| Snapshot::new(Lives::new())).collect();
    epochs.enter("provider", || values.iter().for_each(|snapshot| snapshot.publish(Lives::new())));
    let watched: Vec<_> = values.iter().map(|snapshot| snapshot.load().watch()).collect();
    let versions =
        |snapshots: &[Snapshot<Lives>]| snapshots.iter().map(Snapshot::version).collect::<Vec<_>>();
    epochs.close();
    epochs.close();
    assert_eq!(versions(&values), [1, 1, 1]);
    for (at, snapshot) in values.into_iter().enumerate() {
        assert!(watched[at].lives());
        assert!(snapshot.try_load().is_some() && snapshot.reader().try_load().is_some());
        drop(snapshot);
        assert!(!watched[at].lives(), "each goes with its own snapshot, in the order of the providers");
    }
}

#[test]
fn a_snapshot_of_closed_epochs_goes_on_alone() {
    let epochs = Epochs::new();
    let (one, other, fresh) = (Snapshot::new(0), Snapshot::new(0), Snapshot::new(0));
    epochs.enter("provider", || (one.publish(1), other.publish(1)));
    let (pin, mut reader, open) = (epochs.pin(), one.reader(), epochs.begin());
    open.handle().enter(|| one.publish(2));
    epochs.close();
    epochs.enter("provider", || (other.publish(3), fresh.publish(3)));
    assert_eq!(open.commit().published(), 1);
    assert_eq!((*one.load(), *reader.load(), *other.load(), *fresh.load(), one.version()), (2, 2, 3, 3, 2));
    assert_eq!((*pin.load(&one), *pin.load(&other)), (1, 1), "an older pin goes on reading its epoch");
    assert_eq!(*pin.load(&fresh), 3, "and what was published since, as of its first read");
    let now = epochs.pin();
    assert_eq!((*now.load(&one), *now.load(&other), epochs.epoch()), (2, 3, 2));
    one.clear();
    assert!(one.try_load().is_none() && now.try_load(&one).is_some());
    drop(one);
    assert_eq!(*other.load(), 3);
}

#[test]
fn a_change_that_is_waited_for_across_a_join_and_a_close_is_seen() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let mut joining = crate::support::Polled::new(snapshot.changed());
    assert!(joining.poll().is_pending());
    epochs.enter("provider", || snapshot.publish(1));
    assert!(joining.woken());
    assert!(joining.poll().is_ready());
    let mut closing = crate::support::Polled::new(snapshot.changed());
    assert!(closing.poll().is_pending());
    epochs.close();
    assert!(closing.poll().is_pending(), "the value is the same");
    snapshot.publish(2);
    assert!(closing.woken());
    assert!(closing.poll().is_ready());
}

#[test]
fn epochs_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Epochs>();
    crosses::<Pinned>();
    crosses::<mainstay_sync::snapshot::Open>();
    crosses::<mainstay_sync::snapshot::Transaction>();
    crosses::<Warning>();
}
