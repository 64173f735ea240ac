//! One epoch, held for reading.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use super::ambient::{self, PinLayer};
use super::inner::Inner;
use super::memo::Memo;
use super::table::{Held, Slot};
use super::{Snapshot, stripe};

/// One epoch of a daemon, held: everything that is read through it is of that epoch.
///
/// From [`Epochs::pin`](super::Epochs::pin). It is owned, `Send`, `Clone`, and may live across awaits; while
/// it does, the values of its epoch live. See the [module](super#patterns) for how a request uses it.
///
/// A snapshot that belongs to no daemon, or to another one, has within one pin and its clones the value of
/// its first read. A pin reads committed epochs also inside a transaction: so a hook sees the old value.
///
/// # Examples
///
/// ```
/// use mainstay_sync::{Epochs, Snapshot};
///
/// let epochs = Epochs::new();
/// let (host, port) = (Snapshot::empty(), Snapshot::empty());
/// epochs.enter("listener", || {
///     host.publish("localhost");
///     port.publish(80);
/// });
///
/// let pin = epochs.pin();
/// epochs.enter("listener", || port.publish(8080));
/// assert_eq!((*pin.load(&host), *pin.load(&port)), ("localhost", 80));
/// assert_eq!(*pin.enter(|| port.load()), 80); // plain `load` as well, in its scope
/// assert_eq!(*port.load(), 8080);
/// ```
#[must_use = "an epoch is held for as long as the pin lives"]
pub struct Pinned {
    stripe: Arc<Held>,
    number: u64,
    /// What was met of other daemons; the same for all clones, and mostly never made.
    memo: OnceLock<Arc<Memo>>,
}

impl Pinned {
    #[inline]
    pub(super) fn new(stripe: Arc<Held>) -> Self {
        Self { stripe, number: stripe::pin(), memo: OnceLock::new() }
    }

    /// Reads a snapshot in this epoch. What it gives borrows from the pin and counts nothing.
    ///
    /// # Panics
    ///
    /// When the snapshot was empty in this epoch, as [`Snapshot::load`] does.
    #[inline]
    #[track_caller]
    pub fn load<'p, T: Send + Sync + 'static>(&'p self, snapshot: &Snapshot<T>) -> &'p T {
        match self.slot(snapshot.inner()).get() {
            Some(value) => value,
            None => snapshot.inner().read_while_empty(),
        }
    }

    /// Reads a snapshot in this epoch, or gives `None` if it was empty.
    #[inline]
    pub fn try_load<'p, T: Send + Sync + 'static>(&'p self, snapshot: &Snapshot<T>) -> Option<&'p T> {
        self.slot(snapshot.inner()).get()
    }

    /// Tells which version of a snapshot this epoch has.
    pub fn version<T: Send + Sync + 'static>(&self, snapshot: &Snapshot<T>) -> u64 {
        self.slot(snapshot.inner()).version
    }

    /// Tells which epoch this is, as [`Epochs::epoch`](super::Epochs::epoch) counts them.
    pub fn epoch(&self) -> u64 {
        self.stripe.epoch
    }

    /// Runs a future in which plain [`Snapshot::load`] reads this epoch.
    ///
    /// For code that was not written for pins. A [`Reader`](super::Reader), [`Snapshot::version`] and
    /// [`Snapshot::changed`] are not bound by it. It reaches into what the future polls itself, not into what
    /// it spawns: carry a clone there. A transaction's scope inside of it reads what is staged.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future, with the pin still ambient.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        ambient::scope(PinLayer::twin(self), future)
    }

    /// Calls a closure in which plain [`Snapshot::load`] reads this epoch; otherwise as
    /// [`scope`](Self::scope).
    #[inline]
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        ambient::enter(PinLayer::twin(self), f)
    }

    /// Runs a future in which plain [`Snapshot::load`] reads this epoch, and lets go of it then; otherwise as
    /// [`scope`](Self::scope).
    ///
    /// The cheapest way to bind a whole request: the pin is not counted once more.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future, with the pin still ambient.
    pub fn into_scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        ambient::scope(PinLayer::owned(self), future)
    }

    /// Calls a closure in which plain [`Snapshot::load`] reads this epoch, and lets go of it then; otherwise
    /// as [`into_scope`](Self::into_scope).
    #[inline]
    pub fn into_enter<R>(self, f: impl FnOnce() -> R) -> R {
        ambient::enter(PinLayer::owned(self), f)
    }

    /// Returns a clone of the pin that is ambient, to carry it into a task of its own.
    pub fn current() -> Option<Self> {
        ambient::look(|ambient| ambient.pin.clone()).flatten()
    }

    #[inline]
    fn slot(&self, inner: &Inner) -> &Slot {
        if let Some(home) = inner.home()
            && let Some(slot) = self.stripe.slot(home.index, inner.id)
        {
            return slot;
        }
        &self.other(inner).slots[0]
    }

    /// The stripe, if this epoch has a slot for the snapshot.
    #[inline]
    pub(super) fn stripe_with(&self, index: usize, id: u64) -> Option<&Arc<Held>> {
        self.stripe.slot(index, id).is_some().then_some(&self.stripe)
    }

    /// The table to read a snapshot from, and the index in it.
    #[inline]
    pub(super) fn held(&self, inner: &Inner) -> (&Arc<Held>, usize) {
        if let Some(home) = inner.home()
            && self.stripe.slot(home.index, inner.id).is_some()
        {
            return (&self.stripe, home.index);
        }
        (self.other(inner), 0)
    }

    /// Of a snapshot that has no slot in this epoch: the value of the first read, which is that from before
    /// it joined the daemon if it did so later.
    ///
    /// The looks come in this order because the snapshot may join, and be committed to, between any two of
    /// them. If `now` is read from its own table, it was alone then, and that is its first read. If not, it
    /// had joined, and one of the looks after that finds what this epoch has of it.
    #[cold]
    fn other(&self, inner: &Inner) -> &Arc<Held> {
        let before = || self.stripe.joins.as_ref().and_then(|joins| joins.find(inner.id)).map(Arc::clone);
        let mine = || self.stripe.slot(inner.home()?.index, inner.id).map(|slot| Held::single(slot.clone()));
        self.memo().first(inner.id, || {
            before().unwrap_or_else(|| {
                let now = inner.visible_single();
                before().or_else(mine).unwrap_or(now)
            })
        })
    }

    fn memo(&self) -> &Arc<Memo> {
        self.memo.get_or_init(|| Memo::of(self.number, &self.stripe))
    }

    /// Makes sure that what is met from now on is met by all clones.
    pub(super) fn meet(&self) {
        self.memo();
    }

    /// Gives what this one has met to its twin.
    #[inline]
    pub(super) fn hand_on(&self, twin: &Self) {
        if let Some(memo) = self.memo.get()
            && twin.memo.get().is_none()
        {
            let _ = twin.memo.set(Arc::clone(memo));
        }
    }

    /// Makes a twin that is dropped, or has [handed on](Self::hand_on), before this one reads a foreign
    /// snapshot without it.
    #[inline]
    pub(super) fn share(&self) -> Self {
        // Mostly there is none, and then there is nothing to call.
        let memo = if self.memo.get().is_some() { self.memo.clone() } else { OnceLock::new() };
        Self { stripe: Arc::clone(&self.stripe), number: self.number, memo }
    }
}

impl Clone for Pinned {
    fn clone(&self) -> Self {
        self.meet();
        self.share()
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}
