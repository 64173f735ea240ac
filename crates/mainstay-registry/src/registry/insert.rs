//! Putting in: providers, plain values and bindings.

use std::{
    any::{Any, TypeId, type_name},
    fmt,
    panic::Location,
    sync::Arc,
};

use super::{
    Registry,
    bindings::Bound,
    store::{Entry, Refusal, WhenSealed},
};
use crate::{Code, Provider, codes, log, names::At};

impl<S: 'static> Registry<S> {
    /// Puts a provider in. A second one of the same concrete type is skipped with one warning: the first
    /// wins.
    ///
    /// After the registry was sealed it is stored and can be resolved, takes no part in this run, and is
    /// named in a warning.
    ///
    /// # Phase
    ///
    /// *Register*.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Provider, Registry};
    ///
    /// struct Dns;
    /// impl Provider<()> for Dns {}
    ///
    /// let dns = Arc::new(Dns);
    /// let registry = Registry::<()>::new();
    /// registry.insert(Arc::clone(&dns));
    /// assert!(Arc::ptr_eq(&dns, &registry.resolve::<Dns>().unwrap()));
    /// ```
    #[track_caller]
    pub fn insert<C: Provider<S>>(&self, provider: Arc<C>) -> &Self {
        self.warn_refused(self.put(provider_entry(provider, Location::caller()), WhenSealed::Accept));
        self
    }

    /// Puts a provider in; a second one of the same concrete type, and anything after the seal, is an error
    /// that names both places.
    ///
    /// # Errors
    ///
    /// [`InsertError`]; the provider that was refused is dropped.
    #[track_caller]
    pub fn try_insert<C: Provider<S>>(&self, provider: Arc<C>) -> Result<&Self, InsertError> {
        self.put(provider_entry(provider, Location::caller()), WhenSealed::Refuse).map(|_| self)
    }

    /// Puts a plain value in: it can be resolved and has no lifecycle. A second one of the same type is
    /// skipped with one warning.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::Registry;
    ///
    /// struct Version(&'static str);
    ///
    /// let registry = Registry::<()>::new();
    /// registry.insert_value(Arc::new(Version("1.2")));
    /// assert_eq!(registry.get::<Version>().unwrap().0, "1.2");
    /// assert!(registry.providers().is_empty());
    /// ```
    #[track_caller]
    pub fn insert_value<T: Any + Send + Sync>(&self, value: Arc<T>) -> &Self {
        self.warn_refused(self.put(value_entry(value, Location::caller()), WhenSealed::Accept));
        self
    }

    /// Puts a plain value in; a second one of the same type, and anything after the seal, is an error.
    ///
    /// # Errors
    ///
    /// [`InsertError`]; the value that was refused is dropped.
    #[track_caller]
    pub fn try_insert_value<T: Any + Send + Sync>(&self, value: Arc<T>) -> Result<&Self, InsertError> {
        self.put(value_entry(value, Location::caller()), WhenSealed::Refuse).map(|_| self)
    }

    /// Takes this instance in the place of the one of its type that will be registered; that one is dropped. For tests,
    /// before anything is registered.
    ///
    /// It stands where the other would have: the same order, the same place of registration in the plan. Where none of its
    /// type is registered it takes no part and cannot be resolved.
    ///
    /// # Phase
    ///
    /// Before *register*.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Provider, Registry};
    ///
    /// struct Mail(&'static str);
    /// impl Provider<()> for Mail {}
    ///
    /// fn register(registry: &Registry<()>) {
    ///     registry.insert(Arc::new(Mail("smtp.example.com")));
    /// }
    ///
    /// let registry = Registry::new();
    /// registry.replace(Arc::new(Mail("localhost")));
    /// register(&registry);
    /// assert_eq!(registry.require::<Mail>().unwrap().0, "localhost");
    /// ```
    #[track_caller]
    pub fn replace<C: Provider<S>>(&self, provider: Arc<C>) -> &Self {
        let (key, entry) = provider_entry(provider, Location::caller());
        // Dropped outside of the lock: its `Drop` is user code.
        drop(self.store.replace(key, entry));
        self
    }

    /// [`try_insert`](Registry::try_insert) for a builder that recorded earlier where its caller stands.
    #[doc(hidden)]
    pub fn try_insert_at<C: Provider<S>>(
        &self,
        provider: Arc<C>,
        site: &'static Location<'static>,
    ) -> Result<&Self, InsertError> {
        self.put(provider_entry(provider, site), WhenSealed::Refuse).map(|_| self)
    }

    /// [`try_insert_value`](Registry::try_insert_value) for a builder that recorded earlier where its caller stands.
    #[doc(hidden)]
    pub fn try_insert_value_at<T: Any + Send + Sync>(
        &self,
        value: Arc<T>,
        site: &'static Location<'static>,
    ) -> Result<&Self, InsertError> {
        self.put(value_entry(value, site), WhenSealed::Refuse).map(|_| self)
    }

    /// Binds the registered type `T` to the trait `D`, for [`resolve_dyn`](Registry::resolve_dyn),
    /// [`resolve_all`](Registry::resolve_all) and [`requires_dyn`](crate::Dependencies::requires_dyn).
    ///
    /// Any number of types may be bound to one trait, before or after they are registered. The cast is nearly
    /// always `|it| it`; it is called at each look-up, under no lock, so it may resolve others, and when it
    /// panics nothing but that look-up fails. Binding a type to the same trait again is skipped with a
    /// warning.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Provider, Registry};
    ///
    /// trait Store: Send + Sync {
    ///     fn kind(&self) -> &'static str;
    /// }
    ///
    /// struct Disk;
    /// impl Provider<()> for Disk {}
    /// impl Store for Disk {
    ///     fn kind(&self) -> &'static str {
    ///         "disk"
    ///     }
    /// }
    ///
    /// let registry = Registry::<()>::new();
    /// registry.insert(Arc::new(Disk)).bind::<dyn Store, Disk>(|it| it);
    /// assert_eq!(registry.resolve_dyn::<dyn Store>().unwrap().kind(), "disk");
    /// ```
    #[track_caller]
    pub fn bind<D, T>(&self, cast: impl Fn(Arc<T>) -> Arc<D> + Send + Sync + 'static) -> &Self
    where
        D: ?Sized + Send + Sync + 'static,
        T: Any + Send + Sync,
    {
        let (trait_name, site) = (type_name::<D>(), Location::caller());
        let bound = Bound::new::<D, T>(type_name::<T>(), site, cast);
        let refused = {
            let _guard = self.store.lock();
            self.store.bindings.add(TypeId::of::<D>(), trait_name, bound)
        };
        if let Err((bound, first)) = refused {
            log::duplicate_binding(trait_name, bound.type_name, first, site);
        }
        self
    }

    fn put(&self, (key, entry): (TypeId, Entry<S>), when: WhenSealed) -> Result<Option<Late>, InsertError> {
        let (type_name, second) = (entry.type_name, entry.site);
        match self.store.add(key, entry, when) {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(Late { type_name, site: second })),
            // The refused entry is dropped here, outside the lock: its `Drop` is user code.
            Err((_refused, Refusal::Duplicate { first })) => {
                Err(InsertError::Duplicate { type_name, first, second })
            }
            Err((_refused, Refusal::Sealed)) => Err(InsertError::Sealed { type_name, site: second }),
        }
    }

    #[allow(clippy::unused_self, reason = "reads as a step of `insert`")]
    fn warn_refused(&self, put: Result<Option<Late>, InsertError>) {
        match put {
            Ok(None) => {}
            Ok(Some(late)) => log::late(late.type_name, late.site),
            Err(error) => log::refused(&error),
        }
    }
}

/// An entry that came after the seal.
struct Late {
    type_name: &'static str,
    site: &'static Location<'static>,
}

fn provider_entry<S, C: Provider<S>>(
    provider: Arc<C>,
    site: &'static Location<'static>,
) -> (TypeId, Entry<S>) {
    let value: Arc<dyn Any + Send + Sync> = Arc::<C>::clone(&provider);
    (TypeId::of::<C>(), Entry { type_name: type_name::<C>(), site, value, provider: Some(provider) })
}

fn value_entry<S, T: Any + Send + Sync>(
    value: Arc<T>,
    site: &'static Location<'static>,
) -> (TypeId, Entry<S>) {
    (TypeId::of::<T>(), Entry { type_name: type_name::<T>(), site, value, provider: None })
}

/// Why something was not put into the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InsertError {
    /// Its concrete type is registered already; the first one stays.
    #[non_exhaustive]
    Duplicate {
        /// The type, with its path.
        type_name: &'static str,
        /// Where the one that stays was registered.
        first: &'static Location<'static>,
        /// Where the one that was refused would have been.
        second: &'static Location<'static>,
    },
    /// The registry was sealed: the run has been planned.
    #[non_exhaustive]
    Sealed {
        /// The type, with its path.
        type_name: &'static str,
        /// Where it would have been registered.
        site: &'static Location<'static>,
    },
}

impl InsertError {
    /// Returns the code of the page that explains it.
    pub fn code(&self) -> Code {
        match self {
            InsertError::Duplicate { .. } => codes::DUPLICATE_TYPE,
            InsertError::Sealed { .. } => codes::SEALED,
        }
    }

    /// Returns the type that was refused, with its path.
    pub fn type_name(&self) -> &'static str {
        match self {
            InsertError::Duplicate { type_name, .. } | InsertError::Sealed { type_name, .. } => type_name,
        }
    }
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code();
        match self {
            InsertError::Duplicate { type_name, first, second } => write!(
                f,
                "{code}: `{type_name}` is registered already, at {}; the one at {} was refused",
                At(first),
                At(second)
            ),
            InsertError::Sealed { type_name, site } => write!(
                f,
                "{code}: `{type_name}` was refused at {}: the registry is sealed, for the run has been planned",
                At(site)
            ),
        }
    }
}

impl std::error::Error for InsertError {}
