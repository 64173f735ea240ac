//! The one store of a registry: entries in the order of insertion, and the index that follows from them.

use std::{
    any::{Any, TypeId},
    panic::Location,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwapOption;

use super::{bindings::Bindings, entries::Entries, index::Index, observe::Observer};
use crate::Provider;

/// Who was registered, where, and the one allocation.
pub(crate) struct Entry<S> {
    pub(crate) type_name: &'static str,
    pub(crate) site: &'static Location<'static>,
    pub(crate) value: Arc<dyn Any + Send + Sync>,
    /// `None` for a plain value. The same allocation as `value`.
    pub(crate) provider: Option<Arc<dyn Provider<S>>>,
}

/// Invariants: 1. `entries` is the truth: the index has exactly one slot per entry, and a type has one entry;
/// 2. nothing under `writer` is user code: not a cast, a name or a drop; what is rejected is handed back and
/// dropped outside; 3. whoever is a member of a sealed run is decided by `sealed` alone, under `writer`.
pub(crate) struct Store<S> {
    /// What replaces what is still to be added.
    writer: Mutex<Vec<(TypeId, Entry<S>)>>,
    pub(crate) entries: Entries<Entry<S>>,
    pub(crate) index: Index,
    pub(crate) bindings: Bindings,
    /// The number of members of the sealed run, plus one; 0 while the registry is open.
    sealed: AtomicUsize,
    /// The boot order of the last plan, for `resolve_all` and the ordered drop.
    pub(crate) ranks: ArcSwapOption<Ranks>,
    pub(crate) observer: Observer,
}

/// A boot order, remembered.
pub(crate) struct Ranks {
    /// How many entries were there.
    pub(crate) covers: usize,
    /// The rank of an entry, by registration; plain values have none.
    pub(crate) rank: Vec<Option<usize>>,
    /// The shown names, by registration.
    pub(crate) names: Vec<&'static str>,
}

/// Why an entry was not added.
pub(crate) enum Refusal {
    Duplicate { first: &'static Location<'static> },
    Sealed,
}

/// Whether the insertion is refused by a sealed registry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenSealed {
    Accept,
    Refuse,
}

impl<S> Store<S> {
    pub(crate) fn new() -> Self {
        Store {
            writer: Mutex::new(Vec::new()),
            entries: Entries::new(),
            index: Index::new(),
            bindings: Bindings::new(),
            sealed: AtomicUsize::new(0),
            ranks: ArcSwapOption::empty(),
            observer: Observer::new(),
        }
    }

    /// No user code runs under this lock, so a poisoned one says nothing about the store.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<(TypeId, Entry<S>)>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry, and says whether it came after the seal; a refused one is handed back.
    pub(crate) fn add(
        &self,
        key: TypeId,
        entry: Entry<S>,
        when_sealed: WhenSealed,
    ) -> Result<bool, (Entry<S>, Refusal)> {
        let mut guard = self.lock();
        let sealed = self.members().is_some();
        if let Some(first) = self.index.entry(key).and_then(|at| self.entries.get(at)) {
            return Err((entry, Refusal::Duplicate { first: first.site }));
        }
        if sealed && when_sealed == WhenSealed::Refuse {
            return Err((entry, Refusal::Sealed));
        }
        let other = guard.iter().position(|(of, _)| *of == key && entry.provider.is_some());
        let (entry, replaced) = match other.map(|at| guard.swap_remove(at).1) {
            Some(other) => (Entry { site: entry.site, ..other }, Some(entry)),
            None => (entry, None),
        };
        let value = Arc::clone(&entry.value);
        let at = self.entries.append(entry);
        self.index.add(key, value, at);
        drop(guard);
        drop(replaced);
        Ok(sealed)
    }

    /// Keeps an entry for when one of its type is added; the one that was kept before is handed back.
    pub(crate) fn replace(&self, key: TypeId, entry: Entry<S>) -> Option<Entry<S>> {
        let mut guard = self.lock();
        let before = guard.iter().position(|(of, _)| *of == key).map(|at| guard.swap_remove(at).1);
        guard.push((key, entry));
        before
    }

    /// The number of members of the sealed run, if the registry is sealed.
    pub(crate) fn members(&self) -> Option<usize> {
        self.sealed.load(Ordering::Acquire).checked_sub(1)
    }

    /// How many entries a plan made now is about.
    pub(crate) fn planned_len(&self) -> usize {
        self.members().unwrap_or_else(|| self.entries.len())
    }

    /// Decides the members of the run, unless they are decided already; says whether it was this call.
    pub(crate) fn seal(&self) -> bool {
        let _guard = self.lock();
        let open = self.members().is_none();
        if open {
            self.sealed.store(self.entries.len() + 1, Ordering::Release);
        }
        open
    }

    /// Opens it again: the plan was impossible.
    pub(crate) fn unseal(&self) {
        let _guard = self.lock();
        self.sealed.store(0, Ordering::Release);
    }
}
