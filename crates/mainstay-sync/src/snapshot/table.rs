//! An immutable table of values, and who holds one.
//!
//! Every read ends in a [`Held`]: one epoch of a daemon, the one value of a snapshot that stands alone, a
//! value that is staged, a value that a pin has met. So a guard has one shape and a load is one inlined
//! function.
//!
//! An epoch is held in two ways. Whoever reads in passing takes the root from the `ArcSwap`, which costs no
//! count. A pin takes one of a few *stripes*: owners of the same slots, made when they are first asked for,
//! one for about every core, so that threads that pin at once do not share a count.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};
use std::thread;

use super::joins::Joins;
use super::memo::Memos;
use super::stripe;

/// Any value of a snapshot.
pub(super) type Value = Arc<dyn Any + Send + Sync>;

/// One snapshot in a table.
pub(super) struct Slot {
    /// Whose slot this is in this table. A slot may belong to another snapshot in a later one.
    pub(super) id: u64,
    /// The number of the version, as [`Snapshot::version`](super::Snapshot::version) counts.
    pub(super) version: u64,
    pub(super) value: Option<Value>,
}

/// Owns the slots of one table, or has a share in them.
pub(super) struct Held {
    pub(super) epoch: u64,
    pub(super) slots: Arc<[Slot]>,
    /// Where the snapshots are found that join the daemon after this table was made.
    pub(super) joins: Option<Arc<Joins>>,
    kind: Kind,
}

enum Kind {
    /// A table that stands in an `ArcSwap`.
    Root(OnceLock<Box<[OnceLock<Arc<Held>>]>>),
    /// A share for pins.
    Stripe(Memos),
}

/// What own tables of joined snapshots are replaced by.
static NOTHING: OnceLock<Arc<Held>> = OnceLock::new();

impl Held {
    /// Makes an epoch of a daemon.
    pub(super) fn epoch(epoch: u64, slots: Arc<[Slot]>, joins: Arc<Joins>) -> Arc<Self> {
        Self::root(epoch, slots, Some(joins))
    }

    /// Makes a table of one.
    pub(super) fn single(slot: Slot) -> Arc<Self> {
        Self::root(0, Arc::new([slot]), None)
    }

    /// The table of a snapshot that has moved elsewhere.
    pub(super) fn nothing() -> Arc<Self> {
        Arc::clone(NOTHING.get_or_init(|| Self::root(0, Arc::new([]), None)))
    }

    fn root(epoch: u64, slots: Arc<[Slot]>, joins: Option<Arc<Joins>>) -> Arc<Self> {
        Arc::new(Self { epoch, slots, joins, kind: Kind::Root(OnceLock::new()) })
    }

    /// The share of this table that the calling thread takes its pins from.
    ///
    /// Two counts that threads hammer must not lie on one cache line. A stripe is an allocation of more than
    /// a line, and its count is at the beginning of it, so two of them are always further apart than that.
    #[inline]
    pub(super) fn stripe(&self) -> &Arc<Self> {
        let Kind::Root(stripes) = &self.kind else { unreachable!("a stripe has no stripes") };
        let number = stripe::number();
        if let Some(stripes) = stripes.get()
            && let Some(stripe) = stripes[number & (stripes.len() - 1)].get()
        {
            return stripe;
        }
        self.new_stripe(stripes, number)
    }

    #[cold]
    fn new_stripe<'a>(
        &self,
        stripes: &'a OnceLock<Box<[OnceLock<Arc<Self>>]>>,
        number: usize,
    ) -> &'a Arc<Self> {
        let stripes = stripes.get_or_init(|| (0..stripe::count()).map(|_| OnceLock::new()).collect());
        stripes[number & (stripes.len() - 1)].get_or_init(|| {
            Arc::new(Self {
                epoch: self.epoch,
                slots: Arc::clone(&self.slots),
                joins: self.joins.clone(),
                kind: Kind::Stripe(Memos::default()),
            })
        })
    }

    /// What the pins of this stripe have met of other daemons.
    pub(super) fn memos(&self) -> &Memos {
        match &self.kind {
            Kind::Stripe(memos) => memos,
            Kind::Root(_) => unreachable!("a pin holds a stripe"),
        }
    }

    /// The end of the list of joins, in an epoch of a daemon.
    pub(super) fn joins(&self) -> Arc<Joins> {
        self.joins.clone().unwrap_or_default()
    }

    /// The slot at `index`, if it is that of the snapshot `id`.
    #[inline]
    pub(super) fn slot(&self, index: usize, id: u64) -> Option<&Slot> {
        self.slots.get(index).filter(|slot| slot.id == id)
    }
}

const _: () = assert!(size_of::<Held>() + 16 > 64, "a stripe with its counts is larger than a cache line");

impl Slot {
    /// A place that a new snapshot can take.
    pub(super) fn vacant() -> Self {
        Self { id: 0, version: 0, value: None }
    }

    /// The value, if there is one.
    #[inline]
    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        self.value.as_ref().and_then(|value| value.downcast_ref())
    }

    /// The value to keep, if there is one.
    pub(super) fn arc<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.value.as_ref().and_then(|value| Arc::clone(value).downcast().ok())
    }
}

impl Clone for Slot {
    fn clone(&self) -> Self {
        Self { id: self.id, version: self.version, value: self.value.clone() }
    }
}

/// A table goes with many values at once. If the destructors of two of them panic, the second must not meet
/// the first on its way out: that would end the process. So each is caught, and goes on only if nothing else
/// is on its way.
impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(value) = self.value.take()
            && let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        {
            if thread::panicking() {
                drop_quietly(panic);
            } else {
                resume_unwind(panic);
            }
        }
    }
}

/// Drops what may panic while it is dropped, and gives what it panicked with.
pub(super) fn drop_caught<T>(value: T) -> Result<(), Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| drop(value)))
}

/// Drops the payload of a panic. A payload may panic, too; the payload of that is given up.
pub(super) fn drop_quietly(panic: Box<dyn Any + Send>) {
    if let Err(again) = drop_caught(panic) {
        std::mem::forget(again);
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("epoch", &self.epoch)
            .field("slots", &self.slots.len())
            .finish_non_exhaustive()
    }
}
