//! Providers that know nothing of transactions, whose reload ends at any await: all or nothing.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mainstay_sync::snapshot::{Epochs, Snapshot, Transaction};
use tokio::task::yield_now;

use crate::support::Polled;

/// A daemon of three providers. The hooks are written to the contract alone: they read, wait, and publish.
#[derive(Default)]
struct Providers {
    settings: Snapshot<u64>,
    routes: Snapshot<Vec<u64>>,
    limits: Snapshot<u64>,
    opened: AtomicUsize,
    closed: Arc<AtomicUsize>,
}

impl Providers {
    fn booted(epochs: &Epochs) -> Self {
        let providers = Self::default();
        epochs.enter("settings", || providers.settings.publish(0));
        epochs.enter("routes", || providers.routes.publish(vec![0, 0]));
        epochs.enter("limits", || providers.limits.publish(0));
        providers
    }

    async fn settings(&self, to: u64) {
        yield_now().await;
        self.settings.publish(to);
        yield_now().await;
    }

    async fn routes(&self) {
        let read = *self.settings.load();
        self.routes.publish(Vec::new()); // half-way
        yield_now().await;
        // What is published by a destructor, whenever that is.
        let _at_the_end = Publishes(&self.routes, vec![read; 2]);
        yield_now().await;
    }

    /// The one that has an effect that is not a value.
    async fn limits(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
        if let Some(transaction) = Transaction::current() {
            let closed = Arc::clone(&self.closed);
            transaction.on_abort(move || {
                closed.fetch_add(1, Ordering::Relaxed);
            });
        }
        tokio::join!(yield_now(), async {
            yield_now().await;
            self.limits.clear();
            yield_now().await;
            self.limits.publish(self.routes.load()[0]);
        });
        yield_now().await;
    }

    /// What is seen by everybody who reads.
    fn seen(&self, epochs: &Epochs) -> [Option<u64>; 4] {
        let routes = self.routes.load();
        let seen = [
            self.settings.try_load().as_deref().copied(),
            routes.first().copied(),
            routes.get(1).copied(),
            self.limits.try_load().as_deref().copied(),
        ];
        let pin = epochs.pin();
        assert_eq!(pin.enter(|| self.settings.try_load().as_deref().copied()), seen[0]);
        assert_eq!(pin.load(&self.routes).first().copied(), seen[1]);
        assert_eq!(pin.try_load(&self.limits).copied(), seen[3]);
        seen
    }
}

struct Publishes<'a>(&'a Snapshot<Vec<u64>>, Vec<u64>);

impl Drop for Publishes<'_> {
    fn drop(&mut self) {
        self.0.publish(std::mem::take(&mut self.1));
    }
}

/// All hooks, one after the other, as a driver runs them.
async fn reload(epochs: &Epochs, transaction: Transaction, providers: &Providers, to: u64) {
    let hook = async |name, hook: std::pin::Pin<Box<dyn Future<Output = ()> + '_>>| {
        transaction.scope(epochs.scope(name, hook)).await;
    };
    hook("settings", Box::pin(providers.settings(to))).await;
    hook("routes", Box::pin(providers.routes())).await;
    hook("limits", Box::pin(providers.limits())).await;
}

/// What goes first when a reload is given up.
#[derive(Clone, Copy)]
enum First {
    /// The hooks' future, as when a deadline has passed.
    Hooks,
    /// The transaction, as when the process stops while a hook hangs.
    Transaction,
}

#[test]
fn a_reload_that_is_cancelled_at_any_await_changes_nothing() {
    for first in [First::Hooks, First::Transaction] {
        let epochs = Epochs::new();
        let providers = Providers::booted(&epochs);
        let before = providers.seen(&epochs);
        let at = (epochs.epoch(), providers.limits.version());
        let mut polls = 0;
        loop {
            let open = epochs.begin();
            let mut hooks = Polled::new(reload(&epochs, open.handle(), &providers, 7));
            let ready = (0..polls).any(|_| hooks.poll().is_ready());
            assert_eq!(providers.seen(&epochs), before, "before the end, after {polls} polls");
            if ready {
                drop(hooks);
                assert_eq!(open.commit().published(), 3);
                break;
            }
            match first {
                First::Hooks => {
                    drop(hooks);
                    drop(open);
                }
                First::Transaction => {
                    let _ = open.abort();
                    drop(hooks);
                }
            }
            assert!(Transaction::current().is_none());
            assert_eq!(providers.seen(&epochs), before, "given up after {polls} polls");
            assert_eq!((epochs.epoch(), providers.limits.version()), at);
            let (opened, closed) = (&providers.opened, &providers.closed);
            assert_eq!(
                opened.load(Ordering::Relaxed),
                closed.load(Ordering::Relaxed),
                "every effect is undone"
            );
            polls += 1;
        }
        assert!(polls > 7, "there are more awaits than {polls}");
        assert_eq!(providers.seen(&epochs), [Some(7); 4]);
        assert_eq!(epochs.epoch(), at.0 + 1);
    }
}

#[test]
fn the_same_hooks_publish_at_once_where_there_is_no_transaction() {
    let epochs = Epochs::new();
    let providers = Providers::booted(&epochs);
    let mut hooks = Polled::new(async {
        providers.settings(7).await;
        providers.routes().await;
        providers.limits().await;
    });
    let mut half_way = 0;
    while hooks.poll().is_pending() {
        half_way += usize::from(providers.routes.load().is_empty() || providers.limits.try_load().is_none());
    }
    assert!(half_way > 0, "without a transaction the halves are seen");
    assert_eq!(providers.seen(&epochs), [Some(7); 4]);
}
