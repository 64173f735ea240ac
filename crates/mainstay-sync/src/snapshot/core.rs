//! The writing side of a daemon's epochs: joining, publishing, committing, leaving.
//!
//! One writer at a time has the turn, which is `writer`. Locks are taken in this order, and none of them
//! while code of a user runs: the state of a transaction, the writer's turn of a daemon, the turns of
//! snapshots by their numbers.

use std::sync::atomic::AtomicU64 as Plain;
use std::sync::{Arc, Weak};

use super::ambient;
use super::inner::{Inner, Replaced};
use super::joins::Joins;
use super::shim::Current;
use super::table::{Held, Slot, Value};
use super::transaction::Staged;
use super::warning::Warning;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, lock};

/// The shared inside of the epochs of a daemon.
pub(super) struct Core {
    /// What no other daemon of the process has; never 0.
    pub(super) id: u64,
    pub(super) current: Current,
    /// The number of the epoch, raised *before* the table of a new one is there.
    pub(super) upcoming: AtomicU64,
    writer: Mutex<Writer>,
    told: Mutex<Option<Arc<Tell>>>,
}

/// Takes warnings.
type Tell = dyn Fn(&Warning) + Send + Sync;

#[derive(Default)]
struct Writer {
    closed: bool,
    /// By index in the table.
    members: Vec<Member>,
    free: Vec<usize>,
    /// The providers whose reload hooks are running, each as often as it is.
    reloading: Vec<&'static str>,
}

#[derive(Clone, Default)]
struct Member {
    inner: Weak<Inner>,
    /// Who published it from a hook or a task last.
    last: Option<&'static str>,
}

/// Tables that were replaced. They are dropped when nothing is locked.
pub(super) type Old = Vec<Arc<Held>>;

/// No table has this number: what was pinned last is good no more.
const NO_EPOCH: u64 = u64::MAX;

impl Core {
    pub(super) fn new() -> Self {
        static IDS: Plain = Plain::new(1);
        Self {
            // Relaxed: only that no two are the same matters.
            id: IDS.fetch_add(1, Ordering::Relaxed),
            upcoming: AtomicU64::new(0),
            current: Current::new(Held::epoch(0, Arc::new([]), Arc::new(Joins::default()))),
            writer: Mutex::new(Writer::default()),
            told: Mutex::new(None),
        }
    }

    /// Makes these snapshots members, those that have no home yet. Their values are visible in the same
    /// epoch.
    fn join<'a>(
        self: &Arc<Self>,
        writer: &mut MutexGuard<'_, Writer>,
        inners: impl Iterator<Item = &'a Arc<Inner>>,
        old: &mut Old,
    ) {
        let joining: Vec<_> = inners.filter_map(|inner| Some((inner, inner.join()?))).collect();
        if joining.is_empty() {
            return;
        }
        let current = self.current.load_full();
        let mut joins = current.joins();
        let mut slots = current.slots.to_vec();
        let mut indices = Vec::with_capacity(joining.len());
        for (inner, joining) in &joining {
            let slot = joining.before.slots[0].clone();
            let index = writer.free.pop().unwrap_or(slots.len());
            let member = Member { inner: Arc::downgrade(inner), last: None };
            if index == slots.len() {
                slots.push(slot);
                writer.members.push(member);
            } else {
                slots[index] = slot;
                writer.members[index] = member;
            }
            joins = joins.note(inner.id, Arc::clone(&joining.before));
            indices.push(index);
        }
        old.push(self.current.swap(Held::epoch(current.epoch, slots.into(), joins)));
        for ((_, joining), index) in joining.into_iter().zip(indices) {
            old.push(Arc::clone(&joining.before));
            joining.complete(self, index);
        }
    }

    /// Makes this snapshot a member if it has no home.
    pub(super) fn adopt(self: &Arc<Self>, inner: &Arc<Inner>) -> Adopted {
        let mut old = Old::new();
        let mut writer = lock(&self.writer);
        if writer.closed {
            return Adopted::Closed;
        }
        self.join(&mut writer, std::iter::once(inner), &mut old);
        drop(writer);
        Adopted::HasHome
    }

    /// Replaces one value at once, as an epoch of its own. Gives who is reloading and published it last, if
    /// that is somebody else.
    pub(super) fn replace(
        &self,
        inner: &Inner,
        index: usize,
        value: Option<&Value>,
        by: Option<&'static str>,
    ) -> (Replaced, Option<&'static str>) {
        let mut writer = lock(&self.writer);
        if writer.closed {
            return (Replaced::Elsewhere, None);
        }
        let writer = &mut *writer;
        let last = &mut writer.members[index].last;
        let beside = last.filter(|last| by != Some(last) && writer.reloading.contains(last));
        if beside.is_none() && by.is_some() {
            *last = by;
        }
        let current = self.current.load_full();
        let before = &current.slots[index];
        if value.is_none() && before.value.is_none() {
            return (Replaced::Unchanged, beside);
        }
        let version = before.version + 1;
        let with = |(at, slot): (usize, &Slot)| {
            if at == index { Slot { id: inner.id, version, value: value.cloned() } } else { slot.clone() }
        };
        let slots = current.slots.iter().enumerate().map(with).collect();
        inner.hint.store(version, Ordering::Release);
        let next = self.next(&current, slots);
        drop(current);
        (Replaced::Visible(self.current.swap(next)), beside)
    }

    /// Makes everything that is staged visible in one epoch; in two steps, so that no pin sees a value
    /// without the others. What belongs to another daemon, and everything if this one is closed, is left.
    pub(super) fn commit(self: &Arc<Self>, staged: &mut [&mut Staged], old: &mut Old) {
        let mut writer = lock(&self.writer);
        if writer.closed {
            return;
        }
        self.join(&mut writer, staged.iter().map(|staged| &staged.inner), old);
        let mut at: Vec<(usize, &mut Staged)> = staged
            .iter_mut()
            .filter_map(|staged| {
                let home = staged.inner.home()?;
                Arc::ptr_eq(&home.core, self).then_some((home.index, &mut **staged))
            })
            .collect();
        at.sort_unstable_by_key(|(index, _)| *index);

        let current = self.current.load_full();
        let mut next = at.into_iter().peekable();
        let mut changes = false;
        let with = |(at, slot): (usize, &Slot)| {
            let Some((index, staged)) = next.next_if(|(index, _)| *index == at) else { return slot.clone() };
            writer.members[index].last = staged.provider.or(writer.members[index].last);
            let value = staged.held.slots[0].value.clone();
            staged.applied = Applied::Unchanged;
            if value.is_none() && slot.value.is_none() {
                return slot.clone();
            }
            let version = slot.version + 1;
            staged.applied = Applied::Visible;
            staged.inner.hint.store(version, Ordering::Release);
            changes = true;
            Slot { id: slot.id, version, value }
        };
        let slots = current.slots.iter().enumerate().map(with).collect();
        if changes {
            let next = self.next(&current, slots);
            drop(current);
            old.push(self.current.swap(next));
        }
    }

    /// Makes the table of the next epoch, and announces it.
    fn next(&self, current: &Held, slots: Arc<[Slot]>) -> Arc<Held> {
        self.upcoming.store(current.epoch + 1, Ordering::Release);
        Held::epoch(current.epoch + 1, slots, current.joins())
    }

    /// Takes the slot of a snapshot that is gone out of the table.
    pub(super) fn release(&self, index: usize, id: u64) {
        let old;
        let unused;
        {
            let mut writer = lock(&self.writer);
            if writer.closed {
                return;
            }
            let current = self.current.load_full();
            let without = |slot: &Slot| if slot.id == id { Slot::vacant() } else { slot.clone() };
            let slots = current.slots.iter().map(without).collect();
            unused = std::mem::take(&mut writer.members[index]);
            writer.free.push(index);
            old = self.current.swap(Held::epoch(current.epoch, slots, current.joins()));
            drop(current);
        }
        drop(unused);
        drop(old);
    }

    /// Gives every member its value back.
    pub(super) fn close(&self) {
        let mut old = Old::new();
        let mut members = Vec::new(); // dropped when nothing is locked: one of them may be the last
        {
            let mut writer = lock(&self.writer);
            if writer.closed {
                return;
            }
            let current = self.current.load_full();
            for (member, slot) in writer.members.iter().zip(&*current.slots) {
                if let Some(inner) = member.inner.upgrade() {
                    old.push(inner.give_back(slot.clone()));
                    members.push(inner);
                }
            }
            writer.closed = true;
            self.upcoming.store(NO_EPOCH, Ordering::Release);
            writer.members = Vec::new();
            old.push(self.current.swap(Held::epoch(current.epoch, Arc::new([]), current.joins())));
            old.push(current);
        }
    }

    /// Notes that the reload hook of a provider runs, for as long as what it gives lives.
    pub(super) fn reloads(self: &Arc<Self>, provider: &'static str) -> Reloads {
        lock(&self.writer).reloading.push(provider);
        Reloads { core: Arc::clone(self), provider }
    }

    pub(super) fn on_warning(&self, tell: Arc<Tell>) {
        let before = lock(&self.told).replace(tell);
        drop(before);
    }

    pub(super) fn warn(&self, warning: &Warning) {
        let tell = lock(&self.told).clone();
        if let Some(tell) = tell {
            // Outside of what the publish is inside of: a publish by the listener is no reason for the same
            // warning.
            ambient::enter(ambient::outside(None), || tell(warning));
        }
    }
}

/// What came of an adoption.
pub(super) enum Adopted {
    /// The snapshot has a home, here or elsewhere.
    HasHome,
    /// The daemon is closed and takes no more.
    Closed,
}

/// What a commit did with one value that was staged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    /// It is not for this daemon.
    NotHere,
    /// There was nothing to clear.
    Unchanged,
    /// It is visible.
    Visible,
}

/// The reload hook of a provider runs.
pub(super) struct Reloads {
    core: Arc<Core>,
    provider: &'static str,
}

impl Drop for Reloads {
    fn drop(&mut self) {
        let mut writer = lock(&self.core.writer);
        if let Some(at) = writer.reloading.iter().position(|running| *running == self.provider) {
            writer.reloading.swap_remove(at);
        }
    }
}
