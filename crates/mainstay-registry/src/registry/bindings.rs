//! What is bound to which trait: one immutable map, replaced whole, read without a lock.

use std::{
    any::{Any, TypeId},
    panic::Location,
    sync::Arc,
};

use arc_swap::ArcSwap;

use super::index::TypeMap;

/// All bindings. Writers hold the store's lock; readers load and run no code but their own.
pub(crate) struct Bindings {
    map: ArcSwap<TypeMap<Arc<Group>>>,
}

/// Everything that is bound to one trait, in the order in which it was bound.
#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) trait_name: &'static str,
    pub(crate) bound: Vec<Bound>,
}

/// One type bound to one trait.
#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) target: TypeId,
    pub(crate) type_name: &'static str,
    pub(crate) site: &'static Location<'static>,
    cast: Arc<dyn Any + Send + Sync>,
}

type Value = Arc<dyn Any + Send + Sync>;

/// The cast of one binding, with the trait's type, behind one `dyn Any`.
struct Cast<D: ?Sized>(Box<dyn Fn(Value) -> Option<Arc<D>> + Send + Sync>);

impl Bound {
    pub(crate) fn new<D, T>(
        type_name: &'static str,
        site: &'static Location<'static>,
        cast: impl Fn(Arc<T>) -> Arc<D> + Send + Sync + 'static,
    ) -> Self
    where
        D: ?Sized + Send + Sync + 'static,
        T: Any + Send + Sync,
    {
        let cast = Cast::<D>(Box::new(move |value| value.downcast::<T>().ok().map(&cast)));
        Bound { target: TypeId::of::<T>(), type_name, site, cast: Arc::new(cast) }
    }

    /// Runs the user's cast. No lock is held.
    pub(crate) fn cast<D: ?Sized + 'static>(&self, value: Value) -> Option<Arc<D>> {
        self.cast.downcast_ref::<Cast<D>>().and_then(|cast| (cast.0)(value))
    }
}

impl Bindings {
    pub(crate) fn new() -> Self {
        Bindings { map: ArcSwap::from_pointee(TypeMap::default()) }
    }

    /// Returns what is bound to a trait.
    pub(crate) fn group(&self, of: TypeId) -> Option<Arc<Group>> {
        self.map.load().get(&of).cloned()
    }

    /// Returns everything, as it is now.
    pub(crate) fn all(&self) -> Arc<TypeMap<Arc<Group>>> {
        self.map.load_full()
    }

    /// Adds a binding, or gives it back when this type is bound to this trait already, with the first one's
    /// site. The caller holds the store's lock; the user's closure is neither called nor dropped under it.
    pub(crate) fn add(
        &self,
        of: TypeId,
        trait_name: &'static str,
        bound: Bound,
    ) -> Result<(), (Bound, &'static Location<'static>)> {
        let old = self.map.load_full();
        let mut group = match old.get(&of) {
            Some(group) => Group::clone(group),
            None => Group { trait_name, bound: Vec::new() },
        };
        if let Some(first) = group.bound.iter().find(|first| first.target == bound.target) {
            return Err((bound, first.site));
        }
        group.bound.push(bound);
        let mut map = TypeMap::clone(&old);
        map.insert(of, Arc::new(group));
        self.map.store(Arc::new(map));
        Ok(())
    }

    /// Drops all bindings.
    pub(crate) fn clear(&mut self) {
        self.map.store(Arc::default());
    }
}
