//! The owner of a transaction: who ends it.

use std::fmt;
use std::mem;

use super::core::{Applied, Old};
use super::ended::{Aborted, Committed, Effect, Isolated, Registered};
use super::inner::Replaced;
use super::publish;
use super::transaction::{Phase, Staged, State, Transaction};
use super::warning::Warning;
use crate::sync::lock;

/// A transaction that can be ended; dropped, it is aborted.
///
/// From [`Epochs::begin`](super::Epochs::begin). It belongs to whoever drives the reload, and lives outside
/// of the hooks' futures: so it can be aborted although a hook is still being polled, and a destructor of a
/// hook that is dropped stages into what is dropped after it.
///
/// # Examples
///
/// ```
/// use mainstay_sync::{Epochs, Snapshot};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let epochs = Epochs::new();
/// let (host, port) = (Snapshot::new("localhost"), Snapshot::new(80));
///
/// let open = epochs.begin();
/// let hook = async {
///     host.publish("example.org");
///     port.publish(443);
///     assert_eq!(*port.load(), 443); // a hook reads what is staged,
/// };
/// open.handle().scope(epochs.scope("listener", hook)).await;
/// assert_eq!(*port.load(), 80); // everybody else what is visible
/// let committed = open.commit();
/// assert_eq!((*host.load(), *port.load()), ("example.org", 443));
/// assert_eq!((committed.epoch(), committed.published()), (1, 2));
/// # }
/// ```
#[must_use = "a transaction that is dropped is aborted"]
pub struct Open {
    transaction: Transaction,
}

impl Open {
    pub(super) fn new(transaction: Transaction) -> Self {
        Self { transaction }
    }

    /// Returns the handle to run hooks with.
    pub fn handle(&self) -> Transaction {
        self.transaction.clone()
    }

    /// Makes everything that is staged visible, in one epoch, and runs what waits for that.
    ///
    /// One synchronous step: the table is replaced, whoever awaits a change is woken, the values that nobody
    /// reads any more are dropped, and the effects run. It waits for no task that carries the transaction. A
    /// commit overwrites what was published at once beside it, and of two transactions the one that commits
    /// last.
    pub fn commit(self) -> Committed {
        self.commit_and(|_| ())
    }

    /// The same, and tells the epoch once it is visible, before anything else happens.
    #[doc(hidden)]
    pub fn commit_and(self, visible: impl FnOnce(u64)) -> Committed {
        let shared = self.transaction.shared();
        let mut old = Vec::new();
        let mut state = lock(&shared.state);
        let mut staged: Vec<&mut Staged> = state.staged.values_mut().collect();
        shared.core.commit(&mut staged, &mut old);
        let epoch = shared.core.current.load().epoch;
        for staged in staged.iter_mut().filter(|staged| staged.applied == Applied::NotHere) {
            staged.applied = Applied::Unchanged;
            let (replaced, _) =
                publish::wherever(&staged.inner, staged.held.slots[0].value.as_ref(), None, None);
            if let Replaced::Visible(before) = replaced {
                staged.applied = Applied::Visible;
                old.push(before);
            }
        }
        let ended = state.end(Phase::Committed);
        drop(state);
        visible(epoch);
        ended.commit(&self.transaction, epoch, old)
    }

    /// Drops everything that is staged, and runs what waits for that, in reverse.
    ///
    /// Nobody who waits for a change is woken: nothing has changed.
    pub fn abort(self) -> Aborted {
        self.abort_now()
    }

    fn abort_now(&self) -> Aborted {
        let ended = lock(&self.transaction.shared().state).end(Phase::Aborted);
        ended.abort()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Does nothing after an end: then there is nothing left to run or to drop.
        let _ = self.abort_now();
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Open").field(&self.transaction).finish()
    }
}

/// What a transaction leaves behind.
#[derive(Default)]
struct Ended {
    staged: Vec<Staged>,
    on_commit: Vec<Registered>,
    on_abort: Vec<Registered>,
}

impl State {
    /// Ends the transaction, the first time.
    fn end(&mut self, phase: Phase) -> Ended {
        if self.phase != Phase::Open {
            return Ended::default();
        }
        self.phase = phase;
        Ended {
            staged: mem::take(&mut self.staged).into_values().collect(),
            on_commit: mem::take(&mut self.on_commit),
            on_abort: mem::take(&mut self.on_abort),
        }
    }
}

impl Ended {
    fn commit(self, transaction: &Transaction, epoch: u64, old: Old) -> Committed {
        let mut isolated = Isolated::default();
        let changed = || self.staged.iter().filter(|staged| staged.applied == Applied::Visible);
        let published = changed().count();
        for staged in changed() {
            staged.inner.bell.ring();
            if staged.inner.home().is_some_and(|home| !transaction.is_of(&home.core)) {
                let (snapshot, provider) = (staged.inner.made, staged.provider);
                transaction.core().warn(&Warning::OtherDaemon { snapshot, provider });
            }
        }
        for table in old {
            isolated.drop(None, table);
        }
        self.on_commit.into_iter().for_each(|effect| isolated.call(Effect::OnCommit, effect));
        self.on_abort.into_iter().for_each(|effect| isolated.drop_uncalled(effect));
        self.staged.into_iter().for_each(|staged| isolated.drop(staged.provider, staged));
        Committed { epoch, published, failures: isolated.failures }
    }

    fn abort(self) -> Aborted {
        let mut isolated = Isolated::default();
        let discarded = self.staged.len();
        self.on_abort.into_iter().rev().for_each(|effect| isolated.call(Effect::OnAbort, effect));
        self.on_commit.into_iter().for_each(|effect| isolated.drop_uncalled(effect));
        self.staged.into_iter().for_each(|staged| isolated.drop(staged.provider, staged));
        Aborted { discarded, failures: isolated.failures }
    }
}
