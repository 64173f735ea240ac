//! A reload: what is staged, who reads it, and how it ends.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;

use mainstay_sync::snapshot::{Effect, Epochs, Open, Snapshot, Transaction};

use crate::support::{Lives, Polled, block_on};

/// Stages as a hook of `provider` does.
fn hook<R>(epochs: &Epochs, open: &Open, provider: &'static str, f: impl FnOnce() -> R) -> R {
    open.handle().enter(|| epochs.enter(provider, f))
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn says(&self, what: &'static str) -> impl FnOnce() + Send + 'static {
        let log = self.clone();
        move || log.0.lock().unwrap().push(what)
    }

    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn a_publish_in_a_transaction_is_staged_and_a_commit_is_one_epoch() {
    let epochs = Epochs::new();
    let (one, other) = (Snapshot::new(0), Snapshot::new("zero"));
    let open = epochs.begin();
    hook(&epochs, &open, "one", || one.publish(1));
    hook(&epochs, &open, "other", || other.publish("one"));
    assert_eq!((*one.load(), *other.load(), one.version(), epochs.epoch()), (0, "zero", 0, 0));
    let committed = open.commit();
    assert_eq!((committed.epoch(), committed.published(), committed.failures().len()), (1, 2, 0));
    assert_eq!((*one.load(), *other.load(), one.version(), epochs.epoch()), (1, "one", 1, 1));
}

#[test]
fn an_abort_changes_nothing() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    epochs.enter("provider", || snapshot.publish(1));
    let open = epochs.begin();
    let staged = Lives::new();
    let (watched, values) = (staged.watch(), Snapshot::new(Lives::new()));
    hook(&epochs, &open, "provider", || (snapshot.publish(2), snapshot.publish(3), values.publish(staged)));
    assert_eq!(open.abort().discarded(), 2);
    assert!(!watched.lives());
    assert_eq!((*snapshot.load(), snapshot.version(), values.version(), epochs.epoch()), (1, 1, 0, 1));
}

#[test]
fn a_transaction_that_is_dropped_is_aborted() {
    let epochs = Epochs::new();
    let (snapshot, log) = (Snapshot::new(0), Log::default());
    let open = epochs.begin();
    let handle = open.handle();
    handle.enter(|| snapshot.publish(1));
    handle.on_abort(log.says("undone"));
    handle.on_commit(log.says("done"));
    drop(open);
    assert_eq!((*snapshot.load(), log.take()), (0, vec!["undone"]));
}

#[test]
fn a_commit_of_nothing_is_no_epoch() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::<u8>::empty();
    let open = epochs.begin();
    hook(&epochs, &open, "provider", || snapshot.clear());
    let committed = open.commit();
    assert_eq!((committed.epoch(), committed.published(), snapshot.version()), (0, 0, 0));
}

#[test]
fn inside_every_hook_reads_everything_staged_so_far_and_what_is_visible_now_of_the_rest() {
    let epochs = Epochs::new();
    let (staged, rest) = (Snapshot::new(0), Snapshot::new(0));
    epochs.enter("one", || (staged.publish(1), rest.publish(1)));
    let open = epochs.begin();
    hook(&epochs, &open, "one", || staged.publish(2));
    let mut reader = staged.reader();
    hook(&epochs, &open, "other", || {
        assert_eq!((*staged.load(), *staged.load_full(), *rest.load()), (2, 2, 1));
        assert_eq!((*reader.load(), staged.reader().try_load().copied()), (2, Some(2)));
        assert_eq!(
            (staged.load().version(), staged.version()),
            (2, 1),
            "the version that it will be; the visible one"
        );
    });
    rest.publish(3);
    hook(&epochs, &open, "other", || assert_eq!(*rest.load(), 3));
    assert_eq!((*reader.load(), *staged.load()), (1, 1), "outside the reader is not ahead");
    assert_eq!(open.commit().published(), 1);
    assert_eq!(*reader.load(), 2);
}

#[test]
fn a_hook_after_a_refusal_goes_on_reading_what_the_refuser_had_staged() {
    let epochs = Epochs::new();
    let (half, other) = (Snapshot::new(0), Snapshot::new(0));
    let open = epochs.begin();
    hook(&epochs, &open, "refuses", || half.publish(1));
    hook(&epochs, &open, "later", || other.publish(*half.load()));
    assert_eq!(open.abort().discarded(), 2);
    assert_eq!((*half.load(), *other.load()), (0, 0), "harmless, because all of it is dropped");
}

#[test]
fn clear_stages_too() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let open = epochs.begin();
    hook(&epochs, &open, "provider", || {
        snapshot.clear();
        assert!(snapshot.try_load().is_none());
        assert!(catch_unwind(AssertUnwindSafe(|| snapshot.load())).is_err());
    });
    assert!(snapshot.try_load().is_some());
    assert_eq!(open.commit().published(), 1);
    assert!(snapshot.try_load().is_none());
    assert_eq!(snapshot.version(), 1);
}

#[test]
fn a_pin_inside_a_transaction_reads_the_old_value() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    epochs.enter("provider", || snapshot.publish(1));
    let open = epochs.begin();
    hook(&epochs, &open, "provider", || {
        snapshot.publish(2);
        let old = epochs.pin();
        assert_eq!((*old.load(&snapshot), *old.enter(|| snapshot.load()), *snapshot.load()), (1, 1, 2));
        // And a publish in the scope of a pin is staged like any other.
        old.enter(|| snapshot.publish(3));
        assert_eq!(*snapshot.load(), 3);
    });
    assert_eq!(*snapshot.load(), 1);
}

#[test]
fn a_pin_that_is_ambient_around_a_transaction_does_not_reach_inside() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    epochs.enter("provider", || snapshot.publish(1));
    let open = epochs.begin();
    epochs.pin().enter(|| {
        hook(&epochs, &open, "provider", || {
            snapshot.publish(2);
            assert_eq!(*snapshot.load(), 2);
        });
        assert_eq!(*snapshot.load(), 1);
    });
}

#[test]
fn a_staged_publish_wakes_after_the_commit_and_an_abort_wakes_nobody() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let mut changed = Polled::new(snapshot.changed());
    assert!(changed.poll().is_pending());
    let refused = epochs.begin();
    hook(&epochs, &refused, "provider", || snapshot.publish(1));
    let _ = refused.abort();
    assert!(!changed.woken());
    let open = epochs.begin();
    hook(&epochs, &open, "provider", || {
        snapshot.publish(1);
        assert!(Polled::new(snapshot.changed()).poll().is_pending(), "it would wait until the deadline");
    });
    assert!(!changed.woken() && changed.poll().is_pending());
    let _ = open.commit();
    assert!(changed.woken());
    assert_eq!(changed.poll(), Poll::Ready(1));
}

#[test]
fn a_nested_scope_of_the_daemon_keeps_the_transaction() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let open = epochs.begin();
    block_on(open.handle().scope(epochs.scope("one", epochs.scope("other", async { snapshot.publish(1) }))));
    assert_eq!(*snapshot.load(), 0);
    let _ = open.commit();
    assert_eq!(*snapshot.load(), 1);
}

#[test]
fn join_and_select_carry_the_transaction_by_themselves() {
    let epochs = Epochs::new();
    let (one, other, third) = (Snapshot::new(0), Snapshot::new(0), Snapshot::new(0));
    let open = epochs.begin();
    block_on(open.handle().scope(async {
        let publish = async |snapshot: &Snapshot<u8>| {
            tokio::task::yield_now().await;
            snapshot.publish(1);
        };
        tokio::join!(publish(&one), publish(&other));
        tokio::select! {
            () = publish(&third) => {}
            () = pending() => {}
        }
    }));
    assert_eq!((*one.load(), *other.load(), *third.load()), (0, 0, 0));
    assert_eq!(open.commit().published(), 3);
}

#[test]
fn a_thread_carries_the_transaction_by_enter_and_a_task_by_scope() {
    let epochs = Epochs::new();
    let snapshots: Arc<[Snapshot<u8>; 2]> = Arc::new([Snapshot::new(0), Snapshot::new(0)]);
    let open = epochs.begin();
    hook(&epochs, &open, "provider", || {
        let (carried, mine) = (Transaction::current().unwrap(), Arc::clone(&snapshots));
        let by_enter = thread::spawn(move || carried.enter(|| mine[0].publish(1)));
        let (carried, mine) = (Transaction::current().unwrap(), Arc::clone(&snapshots));
        let by_scope = thread::spawn(move || block_on(carried.scope(async { mine[1].publish(1) })));
        by_enter.join().unwrap();
        by_scope.join().unwrap();
        assert_eq!((*snapshots[0].load(), *snapshots[1].load()), (1, 1));
    });
    assert_eq!((*snapshots[0].load(), *snapshots[1].load()), (0, 0));
    assert_eq!(open.commit().published(), 2);
}

#[test]
fn a_transaction_is_not_ambient_for_strangers_between_two_polls() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let open = epochs.begin();
    let handle = open.handle();
    let mut hook = Polled::new(handle.scope(async {
        snapshot.publish(1);
        pending::<()>().await;
    }));
    assert!(hook.poll().is_pending());
    assert!(Transaction::current().is_none());
    snapshot.publish(2);
    assert_eq!(*snapshot.load(), 2);
}

#[test]
fn it_is_aborted_although_a_hook_is_still_being_polled() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let open = epochs.begin();
    let handle = open.handle();
    let mut hook = Polled::new(handle.scope(async {
        snapshot.publish(1);
        tokio::task::yield_now().await;
        assert_eq!(*snapshot.load(), 0, "what it staged is gone");
        snapshot.publish(2);
    }));
    assert!(hook.poll().is_pending());
    assert_eq!(open.abort().discarded(), 1);
    assert!(hook.poll().is_ready());
    assert_eq!(*snapshot.load(), 0);
}

#[test]
fn a_commit_waits_for_no_task_that_carries_it() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let open = epochs.begin();
    let handle = open.handle();
    let mut hook = Polled::new(handle.scope(async {
        snapshot.publish(1);
        pending::<()>().await;
    }));
    assert!(hook.poll().is_pending());
    assert_eq!(open.commit().published(), 1);
    assert_eq!(*snapshot.load(), 1);
}

#[test]
fn a_destructor_in_a_hook_that_is_dropped_stages_into_what_is_dropped_then() {
    struct Publishes<'a>(&'a Snapshot<u8>);
    impl Drop for Publishes<'_> {
        fn drop(&mut self) {
            assert!(Transaction::current().is_some());
            self.0.publish(1);
        }
    }
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let open = epochs.begin();
    let handle = open.handle();
    let mut hook = Polled::new(handle.scope(async {
        let _publishes = Publishes(&snapshot);
        pending::<()>().await;
    }));
    assert!(hook.poll().is_pending());
    drop(hook);
    assert!(Transaction::current().is_none());
    assert_eq!((*snapshot.load(), open.abort().discarded()), (0, 1));
}

#[test]
fn a_hook_that_panics_leaves_nothing_ambient() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let open = epochs.begin();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        hook(&epochs, &open, "provider", || {
            snapshot.publish(1);
            panic!("as it goes");
        });
    }));
    assert!(outcome.is_err());
    assert!(Transaction::current().is_none());
    assert_eq!((*snapshot.load(), open.abort().discarded()), (0, 1));
}

#[test]
fn a_commit_overwrites_what_was_published_at_once_beside_it() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let open = epochs.begin();
    hook(&epochs, &open, "provider", || snapshot.publish(1));
    snapshot.publish(2);
    assert_eq!(*snapshot.load(), 2);
    let _ = open.commit();
    assert_eq!((*snapshot.load(), snapshot.version()), (1, 2));
}

#[test]
fn of_two_transactions_each_sees_its_own_and_the_last_to_commit_wins() {
    let epochs = Epochs::new();
    let (both, one) = (Snapshot::new(0), Snapshot::new(0));
    let (first, second) = (epochs.begin(), epochs.begin());
    first.handle().enter(|| (both.publish(1), one.publish(1)));
    second.handle().enter(|| both.publish(2));
    assert_eq!(first.handle().enter(|| *both.load()), 1);
    assert_eq!(second.handle().enter(|| (*both.load(), *one.load())), (2, 0));
    let _ = second.commit();
    let _ = first.commit();
    assert_eq!((*both.load(), *one.load(), epochs.epoch()), (1, 1, 2));
}

#[test]
fn a_snapshot_that_is_dropped_while_it_is_staged_disturbs_nobody() {
    let epochs = Epochs::new();
    let (kept, member, alone) = (Snapshot::new(0), Snapshot::new(Lives::new()), Snapshot::new(Lives::new()));
    epochs.enter("provider", || member.publish(Lives::new()));
    let open = epochs.begin();
    let staged = [Lives::new(), Lives::new()];
    let watched: Vec<_> = staged.iter().map(Lives::watch).collect();
    let [first, second] = staged;
    hook(&epochs, &open, "provider", || (kept.publish(1), member.publish(first), alone.publish(second)));
    drop((member, alone));
    let _ = open.commit();
    assert_eq!(*kept.load(), 1);
    assert!(watched.iter().all(|value| !value.lives()));
}

#[test]
fn effects_of_a_commit_run_in_order_over_all_providers() {
    let epochs = Epochs::new();
    let (log, open) = (Log::default(), epochs.begin());
    for (provider, what) in [("one", "first"), ("other", "second"), ("one", "third")] {
        hook(&epochs, &open, provider, || {
            let current = Transaction::current().unwrap();
            current.on_commit(log.says(what));
            current.on_abort(log.says("never"));
        });
    }
    let _ = open.commit();
    assert_eq!(log.take(), ["first", "second", "third"]);
}

#[test]
fn effects_of_an_abort_run_in_reverse_also_those_of_a_hook_that_was_dropped_half_way() {
    let epochs = Epochs::new();
    let (log, open) = (Log::default(), epochs.begin());
    let handle = open.handle();
    handle.on_abort(log.says("first"));
    let mut dropped = Polled::new(handle.scope(async {
        Transaction::current().unwrap().on_abort(log.says("second"));
        pending::<()>().await;
    }));
    assert!(dropped.poll().is_pending());
    drop(dropped);
    handle.on_abort(log.says("third"));
    let _ = open.abort();
    assert_eq!(log.take(), ["third", "second", "first"]);
}

#[test]
fn effects_run_when_the_epoch_is_visible_outside_of_the_transaction_and_of_its_locks() {
    let epochs = Epochs::new();
    let snapshots: Arc<[Snapshot<u8>; 2]> = Arc::new([Snapshot::new(0), Snapshot::new(0)]);
    for ends_well in [true, false] {
        let open = epochs.begin();
        let (handle, mine, all) = (open.handle(), Arc::clone(&snapshots), epochs.clone());
        let effect = move || {
            assert!(Transaction::current().is_none());
            let seen = *mine[0].load();
            mine[1].publish(seen + 10);
            assert_eq!(*mine[1].load(), seen + 10, "a publish there is immediate");
            assert_eq!((*all.pin().load(&mine[0]), *all.pin().load(&mine[1])), (seen, seen + 10));
        };
        epochs.pin().enter(|| {
            hook(&epochs, &open, "provider", || {
                snapshots[0].publish(7);
                if ends_well { handle.on_commit(effect) } else { handle.on_abort(effect) }
            });
            // Even where the end is called with all of it around.
            open.handle().enter(|| {
                let failures =
                    if ends_well { open.commit().failures().len() } else { open.abort().failures().len() };
                assert_eq!(failures, 0);
            });
        });
    }
    assert_eq!((*snapshots[0].load(), *snapshots[1].load()), (7, 17));
}

#[test]
fn an_effect_that_panics_is_reported_and_undoes_nothing() {
    let epochs = Epochs::new();
    let (log, snapshot, open) = (Log::default(), Snapshot::new(0), epochs.begin());
    hook(&epochs, &open, "bad", || {
        snapshot.publish(1);
        let current = Transaction::current().unwrap();
        current.on_commit(|| panic!("as {}", "it goes"));
        current.on_commit(|| std::panic::panic_any(7));
        current.on_commit(log.says("after"));
    });
    open.handle().on_commit(|| panic!("nobody's"));
    let committed = open.commit();
    assert_eq!((*snapshot.load(), log.take()), (1, vec!["after"]));
    let texts: Vec<_> = committed.failures().iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "`on_commit` of \"bad\" panicked: as it goes",
            "`on_commit` of \"bad\" panicked: a value that is no text",
            "`on_commit` panicked: nobody's",
        ]
    );
    let first = &committed.failures()[0];
    assert_eq!(
        (first.provider(), first.effect(), first.panic()),
        (Some("bad"), Effect::OnCommit, "as it goes")
    );
}

#[test]
fn what_is_registered_after_the_end_runs_at_once_or_not_at_all() {
    let epochs = Epochs::new();
    let log = Log::default();
    let open = epochs.begin();
    let handle = open.handle();
    let (again, in_effect) = (open.handle(), log.clone());
    handle.on_commit(move || again.on_commit(in_effect.says("in an effect")));
    let _ = open.commit();
    handle.on_commit(log.says("late"));
    handle.on_abort(log.says("never"));
    assert_eq!(log.take(), ["in an effect", "late"]);
    let open = epochs.begin();
    let handle = open.handle();
    let _ = open.abort();
    handle.on_commit(log.says("never"));
    handle.on_abort(log.says("undo"));
    assert_eq!(log.take(), ["undo"]);
}

/// Panics when it is dropped.
struct Bad;

impl Drop for Bad {
    fn drop(&mut self) {
        panic!("a destructor that fails");
    }
}

#[test]
fn destructors_that_panic_at_the_end_are_reported_and_do_not_end_the_process() {
    let epochs = Epochs::new();
    let (one, other): (Snapshot<Bad>, Snapshot<Bad>) = (Snapshot::empty(), Snapshot::empty());
    epochs.enter("provider", || (one.publish(Bad), other.publish(Bad)));
    let stage = |value: fn() -> Option<Bad>| {
        let open = epochs.begin();
        hook(&epochs, &open, "provider", || {
            for snapshot in [&one, &other] {
                value().map_or_else(|| snapshot.clear(), |value| snapshot.publish(value));
            }
            let caught = Bad;
            open.handle().on_commit(move || std::mem::forget(caught));
        });
        open
    };
    let aborted = stage(|| Some(Bad)).abort();
    assert_eq!(aborted.failures().len(), 3, "two values and the capture of a closure that was not called");
    assert!(aborted.failures().iter().all(|failure| failure.effect() == Effect::Drop));
    assert_eq!(
        aborted.failures()[1].to_string(),
        "a destructor of \"provider\" panicked: a destructor that fails"
    );

    // Both old values go with one table; while a panic is on its way, too.
    let committed = stage(|| None).commit();
    assert_eq!((committed.published(), committed.failures().len()), (2, 1));
    epochs.enter("provider", || (one.publish(Bad), other.publish(Bad)));
    let dropped_while_unwinding = catch_unwind(AssertUnwindSafe(|| {
        let _open = stage(|| Some(Bad));
        panic!("the driver fails");
    }));
    assert_eq!(
        dropped_while_unwinding.expect_err("it panics").downcast_ref::<&str>(),
        Some(&"the driver fails")
    );
    let pinned = epochs.pin();
    let _ = stage(|| None).commit();
    let last_reader = catch_unwind(AssertUnwindSafe(|| drop(pinned)));
    assert!(last_reader.is_err(), "a panic in the destructor of an old value surfaces at its last reader");
    assert_eq!(epochs.epoch(), 6);
}

#[test]
fn a_destructor_may_publish_to_the_same_epochs() {
    struct Again(Arc<Snapshot<u32>>);
    impl Drop for Again {
        fn drop(&mut self) {
            self.0.publish(*self.0.load() + 1);
        }
    }
    crate::support::ends(|| {
        let epochs = Epochs::new();
        let count = Arc::new(Snapshot::new(0));
        let values = Snapshot::empty();
        let again = || Again(Arc::clone(&count));
        epochs.enter("provider", || (count.publish(0), values.publish(again())));
        values.publish(again());
        let refused = epochs.begin();
        refused.handle().enter(|| (values.publish(again()), values.publish(again())));
        assert_eq!(*count.load(), 1);
        let _ = refused.abort();
        let open = epochs.begin();
        open.handle().enter(|| values.publish(again()));
        let _ = open.commit();
        // Published first: 1. Staged and replaced in the transaction: that one stages, and is dropped. Staged
        // last, at the abort: 2. Visible before the commit: 3.
        assert_eq!(*count.load(), 3);
        drop(values);
        assert_eq!(*count.load(), 4);
    });
}

#[test]
fn the_debug_of_each_says_where_it_stands() {
    let epochs = Epochs::new();
    let snapshot = Snapshot::new(0);
    let open = epochs.begin();
    open.handle().enter(|| snapshot.publish(1));
    assert_eq!(format!("{:?}", open.handle()), "Transaction { phase: Open, staged: 1, .. }");
    let handle = open.handle();
    let _ = open.abort();
    assert_eq!(format!("{handle:?}"), "Transaction { phase: Aborted, staged: 0, .. }");
    assert_eq!(format!("{:?}", epochs.pin()), "Pinned { epoch: 0, .. }");
}
