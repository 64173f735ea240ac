//! Taking the registry apart: providers in reverse order of the plan, then plain values.

use std::{
    any::Any,
    cmp::Reverse,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    thread,
};

use super::{
    Registry,
    index::Index,
    store::{Entry, Ranks},
};
use crate::names::short_static;

/// Something that a registry held, handed over for an ordered drop.
#[non_exhaustive]
pub struct Held {
    /// The provider's shown name, or the short name of a plain value's type.
    pub name: &'static str,
    /// The value. When nobody else holds it, its strong count is 1.
    pub value: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = Arc::strong_count(&self.value);
        f.debug_struct("Held").field("name", &self.name).field("strong_count", &count).finish_non_exhaustive()
    }
}

impl<S: 'static> Registry<S> {
    /// Takes the registry apart: providers in reverse order of the plan, those that came after the seal
    /// first, then plain values, the last one first.
    ///
    /// The registry's own references (its tables and bindings) are gone when this returns. A
    /// [`Dep`](crate::Dep) belongs to its owner and goes with it: so drop each in turn, and the strong count
    /// of the next one tells whether anybody else still holds it.
    #[doc(hidden)]
    pub fn into_reverse_plan_order(mut self) -> Vec<Held> {
        self.ranks();
        self.take()
    }
}

impl<S> Registry<S> {
    fn take(&mut self) -> Vec<Held> {
        let ranks = self.store.ranks.swap(None);
        self.store.bindings.clear();
        self.store.index = Index::new();
        let rank = |at: usize| ranks.as_ref().and_then(|ranks| ranks.rank.get(at).copied().flatten());
        let mut entries: Vec<(usize, Entry<S>)> = self.store.entries.take().into_iter().enumerate().collect();
        entries.sort_by_key(|(at, entry)| {
            // Later in the plan first; unplanned before planned; values last.
            (entry.provider.is_none(), Reverse(rank(*at).unwrap_or(usize::MAX)), Reverse(*at))
        });
        entries.into_iter().map(|(at, entry)| held(at, entry, ranks.as_deref())).collect()
    }
}

fn held<S>(at: usize, entry: Entry<S>, ranks: Option<&Ranks>) -> Held {
    let planned = ranks.and_then(|ranks| ranks.names.get(at)).filter(|name| !name.is_empty());
    // `entry.provider` goes here; it is the same allocation, and never the last reference.
    Held { name: planned.copied().unwrap_or_else(|| short_static(entry.type_name)), value: entry.value }
}

/// Drops providers in reverse order of the plan, then plain values, the last one first. A registry that was
/// never planned goes by the reverse order of registration.
///
/// Every value is dropped, also when the `Drop` of one panics; the first such panic goes on after the last
/// drop, unless the thread is panicking already.
impl<S> Drop for Registry<S> {
    fn drop(&mut self) {
        let mut first = None;
        for held in self.take() {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(held.value))) {
                match first {
                    None => first = Some(payload),
                    // Its own `Drop` may panic again.
                    Some(_) => std::mem::forget(payload),
                }
            }
        }
        if let Some(payload) = first {
            if thread::panicking() {
                std::mem::forget(payload);
            } else {
                resume_unwind(payload);
            }
        }
    }
}
