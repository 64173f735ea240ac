//! Who wants to know of look-ups: one observer, set once, called in the thread that looks up.

use std::{
    any::{TypeId, type_name},
    cell::Cell,
    fmt,
    panic::Location,
    sync::OnceLock,
};

use super::Registry;
use crate::names::short_static;

/// One look-up: what was looked for, where, and what was found.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lookup {
    /// The type or trait.
    pub key: TypeId,
    /// The same, with its path.
    pub type_name: &'static str,
    /// The index of the entry that was found, for [`Registry::entry_at`]; `None` when there was none.
    pub entry: Option<usize>,
    /// Where the look-up is in the source.
    pub site: &'static Location<'static>,
}

/// Who is registered at an index, as far as it is known without asking it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryInfo {
    /// The shown name, as of the last plan; the short name of the type, for what was not planned.
    pub name: &'static str,
    /// The type, with its path.
    pub type_name: &'static str,
    /// Where it was registered.
    pub site: &'static Location<'static>,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry of a registry is.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryKind {
    /// It has a lifecycle.
    Provider,
    /// It can be looked up.
    Value,
}

/// The one observer, if there is one. It is set before the index says that it is watched.
pub(crate) struct Observer(OnceLock<Box<dyn Fn(Lookup) + Send + Sync>>);

impl Observer {
    pub(crate) fn new() -> Self {
        Observer(OnceLock::new())
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "Observer(set)" } else { "Observer(none)" })
    }
}

thread_local! {
    /// Set while this thread is in an observer: what that looks up is not observed, or it would not end.
    static OBSERVING: Cell<bool> = const { Cell::new(false) };
}

struct Observing;

impl Drop for Observing {
    fn drop(&mut self) {
        OBSERVING.set(false);
    }
}

impl<S: 'static> Registry<S> {
    /// Calls an observer with each look-up from now on: by `get`, `with_typed`, `resolve`, `require` and `resolve_dyn`
    /// once, by `resolve_all` once for each entry found, or once when there is none.
    ///
    /// The first observer stays; a later one is dropped. It is called in the thread that looks up, under no lock, before
    /// the look-up goes on. What it looks up itself is not observed. A [`Dep`](crate::Dep) was declared and is
    /// not looked up.
    ///
    /// # Panics
    ///
    /// A panic of the observer is one of the look-up that it was called for, and of no other.
    #[doc(hidden)]
    pub fn observe(&self, observer: impl Fn(Lookup) + Send + Sync + 'static) {
        // A refused one is dropped here, outside the lock: its `Drop` is user code.
        if self.store.observer.0.set(Box::new(observer)).is_ok() {
            let _guard = self.store.lock();
            self.store.index.watch();
        }
    }

    /// Returns how many entries there are: providers and plain values, those that came after a seal included.
    #[doc(hidden)]
    pub fn entry_count(&self) -> usize {
        self.store.entries.len()
    }

    /// Returns who is registered at an index, which is the order of registration. It asks nobody: no code of the
    /// user's runs.
    #[doc(hidden)]
    pub fn entry_at(&self, index: usize) -> Option<EntryInfo> {
        let entry = self.store.entries.get(index)?;
        let ranks = self.store.ranks.load();
        let planned = ranks.as_ref().and_then(|ranks| ranks.names.get(index)).filter(|name| !name.is_empty());
        let kind = if entry.provider.is_some() { EntryKind::Provider } else { EntryKind::Value };
        let name = planned.copied().unwrap_or_else(|| short_static(entry.type_name));
        Some(EntryInfo { name, type_name: entry.type_name, site: entry.site, kind })
    }

    /// Tells the observer of a look-up of `K`, unless this thread is in it already.
    #[cold]
    pub(super) fn tell<K: ?Sized + 'static>(&self, entry: Option<usize>, site: &'static Location<'static>) {
        let Some(observer) = self.store.observer.0.get() else { return };
        if OBSERVING.replace(true) {
            return;
        }
        let _observing = Observing;
        observer(Lookup { key: TypeId::of::<K>(), type_name: type_name::<K>(), entry, site });
    }
}
