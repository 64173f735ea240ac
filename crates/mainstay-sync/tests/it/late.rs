//! Publishes that come late, or from beside a transaction, and what is said of them.

use std::sync::{Arc, Mutex};
use std::task::Poll;

use mainstay_sync::snapshot::{Epochs, Snapshot, Warning};

use crate::support::{Lives, Polled, block_on};

struct Told(Arc<Mutex<Vec<Warning>>>);

impl Told {
    fn by(epochs: &Epochs) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        epochs.on_warning(move |warning| telling.lock().unwrap().push(*warning));
        Self(told)
    }

    fn take(&self) -> Vec<Warning> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The only one, as code and text.
    fn only(&self) -> String {
        let told = self.take();
        assert_eq!(told.len(), 1, "{told:?}");
        let (warning, site) = (told[0], told[0].snapshot().site());
        warning.to_string().replace(&format!("{}:{}:{}", site.file(), site.line(), site.column()), "HERE")
    }
}

#[test]
fn a_late_publish_after_an_abort_is_discarded() {
    let epochs = Epochs::new();
    let told = Told::by(&epochs);
    let (snapshot, value) = (Snapshot::new(Lives::new()), Lives::new());
    let (open, late) = (epochs.begin(), value.watch());
    let handle = open.handle();
    let _ = open.abort();
    handle.enter(|| epochs.enter("slow", || snapshot.publish(value)));
    assert_eq!((snapshot.version(), late.lives()), (0, false));
    assert_eq!(
        told.only(),
        "MS0402: a publish by \"slow\" of `it::support::Lives` made at HERE came after the abort of the \
         transaction that it carries, and was discarded"
    );
    handle.enter(|| snapshot.clear());
    assert!(matches!(told.take()[..], [Warning::LateDiscarded { provider: None, .. }]));
    assert!(snapshot.try_load().is_some());
}

#[test]
fn a_late_publish_after_a_commit_is_immediate() {
    let epochs = Epochs::new();
    let told = Told::by(&epochs);
    let snapshot = Snapshot::new(0);
    let open = epochs.begin();
    let handle = open.handle();
    handle.enter(|| snapshot.publish(1));
    let _ = open.commit();
    let mut changed = Polled::new(snapshot.changed());
    assert!(changed.poll().is_pending());
    handle.enter(|| {
        snapshot.publish(2);
        assert_eq!(*snapshot.load(), 2);
    });
    assert_eq!(changed.poll(), Poll::Ready(2));
    assert_eq!((*snapshot.load(), epochs.epoch()), (2, 2));
    assert_eq!(
        told.only(),
        "MS0403: a publish of `i32` made at HERE came after the commit of the transaction that it carries, \
         and was visible at once"
    );
}

#[test]
fn a_publish_beside_the_hook_of_who_published_it_last_is_immediate_and_names_both() {
    let epochs = Epochs::new();
    let told = Told::by(&epochs);
    let (routes, limits) = (Snapshot::new(0), Snapshot::new(0));
    epochs.enter("routes", || routes.publish(1));
    epochs.enter("limits", || limits.publish(1));
    let open = epochs.begin();
    let handle = open.handle();
    let mut hook = Polled::new(handle.scope(epochs.scope("routes", std::future::pending::<()>())));
    assert!(hook.poll().is_pending());

    routes.publish(2); // a task that the hook spawned and that does not carry the transaction
    assert_eq!(*routes.load(), 2);
    assert_eq!(
        told.only(),
        "MS0404: a publish of `i32` made at HERE was visible at once while \"routes\", who published it \
         last, reloads: carry the transaction into what the hook spawns, or let one provider publish"
    );
    epochs.enter("limits", || routes.publish(3)); // another provider's task
    let other = told.take();
    assert!(
        matches!(
            other[..],
            [Warning::OutsideTransaction { provider: Some("limits"), reloading: "routes", .. }]
        ),
        "{other:?}"
    );
    epochs.enter("routes", || routes.publish(4)); // its own task
    limits.publish(2); // not of the one who reloads
    handle.enter(|| routes.publish(5)); // in the transaction
    drop(hook);
    routes.publish(6); // the hook is gone
    assert_eq!((told.take().len(), *routes.load()), (0, 6));
}

#[test]
fn who_committed_last_is_who_published_last() {
    let epochs = Epochs::new();
    let told = Told::by(&epochs);
    let snapshot = Snapshot::new(0);
    epochs.enter("first", || snapshot.publish(1));
    let open = epochs.begin();
    block_on(open.handle().scope(epochs.scope("second", async { snapshot.publish(2) })));
    let _ = open.commit();
    let open = epochs.begin();
    let handle = open.handle();
    let mut hook = Polled::new(handle.scope(epochs.scope("second", std::future::pending::<()>())));
    assert!(hook.poll().is_pending());
    snapshot.publish(3);
    assert!(matches!(told.take()[..], [Warning::OutsideTransaction { reloading: "second", .. }]));
}

#[test]
fn whoever_listens_may_publish_and_nobody_need_listen() {
    let epochs = Epochs::new();
    let (snapshot, heard) = (Snapshot::new(0), Arc::new(Snapshot::new(0)));
    let open = epochs.begin();
    let handle = open.handle();
    let _ = open.commit();
    handle.enter(|| snapshot.publish(1));
    let hearing = Arc::clone(&heard);
    let again = epochs.clone();
    epochs.on_warning(move |_| {
        hearing.publish(again.epoch());
        again.on_warning(|_| ());
    });
    handle.enter(|| epochs.enter("late", || snapshot.publish(2)));
    handle.enter(|| snapshot.publish(3));
    // In the transaction's scope, but that is over: what is published there is immediate.
    assert_eq!((*heard.load(), *snapshot.load()), (2, 3));
}
