//! Looking up: by type, by trait, and the error of a look-up that must succeed.

use std::{
    any::{Any, TypeId, type_name},
    fmt,
    panic::Location,
    sync::Arc,
};

use super::{Registry, index::Unobserved};
use crate::{
    Code, Error, Provider, Result, codes,
    names::{NearMatch, near_type},
    plan,
};

impl<S: 'static> Registry<S> {
    /// Borrows what was registered of this type. No lock, no reference count: 3 ns.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::Registry;
    ///
    /// let registry = Registry::<()>::new();
    /// registry.insert_value(std::sync::Arc::new(7_u32));
    /// assert_eq!(registry.get::<u32>(), Some(&7));
    /// assert_eq!(registry.get::<i32>(), None);
    /// ```
    #[inline]
    #[track_caller]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.value::<T>(Location::caller())?.downcast_ref::<T>()
    }

    /// Calls a closure with what was registered of this type.
    #[track_caller]
    pub fn with_typed<T: Any + Send + Sync, R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        self.get::<T>().map(f)
    }

    /// Returns what was registered of this type: the same allocation that was put in.
    #[inline]
    #[track_caller]
    pub fn resolve<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(self.value::<T>(Location::caller())?).downcast::<T>().ok()
    }

    #[inline]
    fn value<T: Any>(&self, site: &'static Location<'static>) -> Option<&Arc<dyn Any + Send + Sync>> {
        match self.store.index.get(TypeId::of::<T>()) {
            Unobserved::Is(found) => found,
            Unobserved::Watched => self.value_observed::<T>(site),
        }
    }

    #[cold]
    fn value_observed<T: Any>(
        &self,
        site: &'static Location<'static>,
    ) -> Option<&Arc<dyn Any + Send + Sync>> {
        let found = self.store.index.find(TypeId::of::<T>());
        self.tell::<T>(found.map(|(entry, _)| entry), site);
        found.map(|(_, value)| value)
    }

    /// Returns what was registered of this type, or an error that names it and what comes near.
    ///
    /// This is the look-up for functions; in a provider, declare a [`Dep`](crate::Dep).
    ///
    /// # Errors
    ///
    /// [`NotRegistered`], as [`Error::Other`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Registry, Result};
    ///
    /// struct Version(&'static str);
    ///
    /// fn greeting(registry: &Registry<()>) -> Result<String> {
    ///     Ok(format!("this is {}", registry.require::<Version>()?.0))
    /// }
    ///
    /// let registry = Registry::new();
    /// assert!(greeting(&registry).unwrap_err().to_string().contains("Version` is not registered"));
    /// registry.insert_value(Arc::new(Version("1.2")));
    /// assert_eq!(greeting(&registry).unwrap(), "this is 1.2");
    /// ```
    #[track_caller]
    pub fn require<T: Any + Send + Sync>(&self) -> Result<Arc<T>> {
        self.resolve::<T>().ok_or_else(|| self.not_registered(type_name::<T>()))
    }

    #[cold]
    fn not_registered(&self, type_name: &'static str) -> Error {
        let known = plan::known(&self.store, self.store.entries.len());
        Error::Other(Box::new(NotRegistered { type_name, near: near_type(type_name, false, &known) }))
    }

    /// Returns the first that was bound to the trait and is registered.
    ///
    /// # Examples
    ///
    /// See [`bind`](Registry::bind).
    #[track_caller]
    pub fn resolve_dyn<D: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<D>> {
        let site = Location::caller();
        let group = self.store.bindings.group(TypeId::of::<D>());
        let mut bound = group.iter().flat_map(|group| &group.bound);
        let found = bound.find_map(|bound| Some((bound, self.store.index.find(bound.target)?)));
        if self.store.index.is_watched() {
            self.tell::<D>(found.map(|(_, (entry, _))| entry), site);
        }
        let (bound, (_, value)) = found?;
        bound.cast(Arc::clone(value))
    }

    /// Returns everything that was bound to the trait and is registered: providers in the order of the boot
    /// plan, then plain values in the order of registration.
    ///
    /// The order is that of the last plan. When something was registered since, and the registry is not
    /// sealed, it is planned again first; where no plan is possible, the order is by (boot priority, name).
    /// What came after the seal comes after the planned providers.
    #[track_caller]
    pub fn resolve_all<D: ?Sized + Send + Sync + 'static>(&self) -> Vec<Arc<D>> {
        let site = Location::caller();
        let group = self.store.bindings.group(TypeId::of::<D>());
        let ranks = group.as_ref().filter(|group| group.bound.len() > 1).and_then(|_| self.ranks());
        let mut found: Vec<_> = group
            .iter()
            .flat_map(|group| &group.bound)
            .filter_map(|bound| {
                let at = self.store.index.entry(bound.target)?;
                let entry = self.store.entries.get(at)?;
                let rank = ranks.as_ref().and_then(|ranks| *ranks.rank.get(at)?).unwrap_or(usize::MAX);
                Some(((entry.provider.is_none(), rank, at), bound, &entry.value))
            })
            .collect();
        found.sort_by_key(|(key, ..)| *key);
        if self.store.index.is_watched() {
            if found.is_empty() {
                self.tell::<D>(None, site);
            }
            for ((.., entry), ..) in &found {
                self.tell::<D>(Some(*entry), site);
            }
        }
        found.into_iter().filter_map(|(_, bound, value)| bound.cast(Arc::clone(value))).collect()
    }

    /// Returns all providers, in the order of registration.
    pub fn providers(&self) -> Vec<Arc<dyn Provider<S>>> {
        self.store.entries.iter().filter_map(|entry| entry.provider.clone()).collect()
    }

    /// Returns the names of all providers, as [`Provider::name`] gives them, in the order of registration.
    pub fn list_names(&self) -> Vec<&'static str> {
        let providers = self.store.entries.iter().filter_map(|entry| entry.provider.as_ref());
        providers.map(|provider| provider.name()).collect()
    }

    /// Returns a provider by [`Planned::registration`](crate::Planned::registration).
    #[doc(hidden)]
    pub fn provider_at(&self, registration: usize) -> Option<Arc<dyn Provider<S>>> {
        self.store.entries.get(registration)?.provider.clone()
    }
}

/// A type that was required of the registry and is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotRegistered {
    /// The type, with its path.
    pub type_name: &'static str,
    /// What comes near, nearest first.
    pub near: Vec<NearMatch>,
}

impl NotRegistered {
    /// Returns the code of the page that explains it.
    #[allow(clippy::unused_self, reason = "like the other errors' `code`")]
    pub fn code(&self) -> Code {
        codes::NOT_REGISTERED
    }
}

impl fmt::Display for NotRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` is not registered", self.code(), self.type_name)?;
        match self.near.first() {
            Some(near) => write!(f, "; {near}"),
            None => f.write_str("; put it in with `insert` or `insert_value` before it is looked up"),
        }
    }
}

impl std::error::Error for NotRegistered {}
