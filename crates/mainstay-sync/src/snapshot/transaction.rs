//! The handle of a reload, and what it has staged.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::ambient::{self, Ambient, Run, TransactionLayer};
use super::core::{Applied, Core};
use super::ended::Registered;
use super::inner::Inner;
use super::table::{Held, Slot, Value};
use crate::sync::{Mutex, lock};

/// A reload that is going on: what is published in its scope is staged, and becomes visible with all the rest
/// or not at all.
///
/// A hook finds it ambient and needs to do nothing. `join!` and `select!` carry it by themselves; a task or
/// thread that the hook starts does not: give it [`current`](Self::current), to be entered there with
/// [`scope`](Self::scope) or [`enter`](Self::enter). It is a handle and never the owner: whoever holds
/// [`Open`](super::Open) commits or aborts, and waits for none of these.
///
/// A transaction that has ended stages nothing more. What is published in its scope then is visible at once
/// after a commit, is discarded after an abort, and is a [`Warning`](super::Warning) in both cases.
///
/// # Examples
///
/// A hook that builds on another thread:
///
/// ```
/// use std::sync::Arc;
/// use mainstay_sync::{Epochs, Snapshot, Transaction};
///
/// let epochs = Epochs::new();
/// let table = Arc::new(Snapshot::new(1));
/// let open = epochs.begin();
///
/// open.handle().enter(|| {
///     let (carried, table) = (Transaction::current(), Arc::clone(&table));
///     let build = std::thread::spawn(move || match carried {
///         Some(transaction) => transaction.enter(|| table.publish(2)), // in a reload: staged
///         None => table.publish(2),                                    // at boot: at once
///     });
///     build.join().unwrap();
/// });
/// assert_eq!(*table.load(), 1);
/// open.commit();
/// assert_eq!(*table.load(), 2);
/// ```
#[derive(Clone)]
pub struct Transaction {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) core: Arc<Core>,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) phase: Phase,
    /// By the number of the snapshot.
    pub(super) staged: BTreeMap<u64, Staged>,
    pub(super) on_commit: Vec<Registered>,
    pub(super) on_abort: Vec<Registered>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Committed,
    Aborted,
}

/// One value that is staged.
pub(super) struct Staged {
    pub(super) inner: Arc<Inner>,
    pub(super) held: Arc<Held>,
    pub(super) provider: Option<&'static str>,
    pub(super) applied: Applied,
}

impl Transaction {
    pub(super) fn new(core: Arc<Core>) -> Self {
        let state = State {
            phase: Phase::Open,
            staged: BTreeMap::new(),
            on_commit: Vec::new(),
            on_abort: Vec::new(),
        };
        Self { shared: Arc::new(Shared { core, state: Mutex::new(state) }) }
    }

    /// Returns the transaction that is ambient, to carry it into a task or thread.
    pub fn current() -> Option<Self> {
        ambient::look(|ambient| ambient.transaction.clone()).flatten()
    }

    /// Runs a future in this transaction.
    ///
    /// A pin that is ambient further out does not reach inside.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future, with the transaction still ambient: a destructor that publishes then
    /// stages. What was staged so far stays staged, until whoever owns the transaction ends it.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        ambient::scope(TransactionLayer::new(self.clone()), future)
    }

    /// Calls a closure in this transaction.
    ///
    /// There is no guard for this: one could be held across an await, and would then be ambient for
    /// strangers.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        ambient::enter(TransactionLayer::new(self.clone()), f)
    }

    /// Calls `f` right after the commit, for an effect that is not a value: stop to accept on the old
    /// listener.
    ///
    /// All of them run in the order of their registration, in the same synchronous step as the commit, when
    /// the epoch is visible and outside of the transaction: a publish there is visible at once. One that
    /// panics is reported and undoes nothing. If the transaction has been committed already, `f` is called
    /// here and now; if it has been aborted, `f` is dropped.
    ///
    /// What readers of the old epoch may still use is better closed by its own `Drop`, which comes when the
    /// last of them is gone.
    pub fn on_commit(&self, f: impl FnOnce() + Send + 'static) {
        self.register(Registered::new(f, self.run()), Phase::Committed);
    }

    /// Calls `f` after an abort, for an effect that has to be undone: close the new listener.
    ///
    /// All of them run in the reverse order of their registration, outside of the transaction, also those of
    /// a hook that was dropped half-way. One that panics is reported. If the transaction has been aborted
    /// already, `f` is called here and now; if it has been committed, `f` is dropped.
    pub fn on_abort(&self, f: impl FnOnce() + Send + 'static) {
        self.register(Registered::new(f, self.run()), Phase::Aborted);
    }

    fn register(&self, effect: Registered, when: Phase) {
        let mut state = lock(&self.shared.state);
        match (state.phase, when) {
            (Phase::Open, Phase::Aborted) => state.on_abort.push(effect),
            (Phase::Open, _) => state.on_commit.push(effect),
            (phase, _) => {
                drop(state);
                if phase == when {
                    effect.call();
                }
            }
        }
    }

    /// On whose behalf code runs here.
    fn run(&self) -> Option<Run> {
        ambient::look(Ambient::run).flatten().filter(|run| self.is_of(&run.core))
    }

    pub(super) fn is_of(&self, core: &Arc<Core>) -> bool {
        Arc::ptr_eq(&self.shared.core, core)
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.shared.core
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Stages a value, or tells how the transaction has ended.
    ///
    /// A commit keeps the state locked from before its table is visible until it has ended, so an end that is
    /// seen here is complete: what is published at once after it is not overwritten by it.
    pub(super) fn stage(
        &self,
        inner: &Arc<Inner>,
        value: Option<&Value>,
        provider: Option<&'static str>,
    ) -> Result<(), Phase> {
        let version = inner.version() + 1;
        let held = Held::single(Slot { id: inner.id, version, value: value.cloned() });
        let staged = Staged { inner: Arc::clone(inner), held, provider, applied: Applied::NotHere };
        let mut state = lock(&self.shared.state);
        let replaced = match state.phase {
            Phase::Open => Ok(state.staged.insert(inner.id, staged)),
            phase => Err((phase, staged)),
        };
        drop(state);
        // Only now, when nothing is locked, goes what was staged before, or what is late.
        replaced.map(drop).map_err(|(phase, _)| phase)
    }

    /// What is staged of a snapshot, for as long as the transaction is open.
    ///
    /// A reader in it waits for a commit that is going on. So it sees what is staged and then what is
    /// visible, and not the old value in between.
    pub(super) fn staged(&self, id: u64) -> Option<Arc<Held>> {
        lock(&self.shared.state).staged.get(&id).map(|staged| Arc::clone(&staged.held))
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.shared.state);
        let staged = state.staged.len();
        f.debug_struct("Transaction")
            .field("phase", &state.phase)
            .field("staged", &staged)
            .finish_non_exhaustive()
    }
}
