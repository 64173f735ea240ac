//! What a provider declares that it uses; the order follows from it.

use std::{
    any::{Any, TypeId, type_name},
    fmt,
    marker::PhantomData,
    panic::Location,
    sync::Arc,
};

use crate::{Dep, Provider};

/// What a provider uses, as returned by [`Provider::dependencies`].
///
/// Nothing here starts or registers anything: a declaration orders, and a *requirement* that is not
/// registered makes the plan an error, before anything has booted. A declared edge beats a priority: what is
/// required is pulled into the level of what requires it, and the plan says so.
///
/// # Examples
///
/// ```
/// use mainstay_registry::{Dependencies, Provider};
///
/// struct Dns;
/// impl Provider<()> for Dns {}
/// struct Cache;
/// impl Provider<()> for Cache {}
///
/// struct Proxy;
/// impl Provider<()> for Proxy {
///     fn dependencies(&self) -> Dependencies<()> {
///         Dependencies::new().requires::<Dns>().wants::<Cache>()
///     }
/// }
/// ```
///
/// A type that is no provider does not compile:
///
/// ```compile_fail,E0277
/// use mainstay_registry::{Dependencies, Provider};
///
/// struct Dns;
/// // `impl Provider<()> for Dns {}` is missing here
///
/// struct Proxy;
/// impl Provider<()> for Proxy {
///     fn dependencies(&self) -> Dependencies<()> {
///         Dependencies::new().requires::<Dns>()
///     }
/// }
/// ```
#[must_use = "return it from `dependencies()`"]
pub struct Dependencies<S> {
    needs: Vec<Need>,
    state: PhantomData<fn(S)>,
}

/// One declaration.
#[derive(Clone)]
pub(crate) struct Need {
    pub(crate) target: TypeId,
    pub(crate) type_name: &'static str,
    pub(crate) kind: NeedKind,
    pub(crate) site: &'static Location<'static>,
    pub(crate) fill: Option<Fill>,
}

/// Fills a `Dep` with the value that was registered.
pub(crate) type Fill = Arc<dyn Fn(Arc<dyn Any + Send + Sync>) + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NeedKind {
    Requires,
    Wants,
    RequiresDyn,
    WantsAll,
}

impl<S> Clone for Dependencies<S> {
    fn clone(&self) -> Self {
        Dependencies { needs: self.needs.clone(), state: PhantomData }
    }
}

impl<S> Dependencies<S> {
    /// Declares nothing.
    pub fn new() -> Self {
        Dependencies { needs: Vec::new(), state: PhantomData }
    }

    /// `T` must be registered: it boots before this provider, is ready before this one runs, stops after it.
    #[track_caller]
    pub fn requires<T: Provider<S>>(self) -> Self {
        self.push::<T>(NeedKind::Requires, None)
    }

    /// The same as [`requires`](Dependencies::requires), if `T` is registered; nothing, if it is not.
    #[track_caller]
    pub fn wants<T: Provider<S>>(self) -> Self {
        self.push::<T>(NeedKind::Wants, None)
    }

    /// Something must be [bound](crate::Registry::bind) to the trait `D`: what
    /// [`resolve_dyn`](crate::Registry::resolve_dyn) gives boots before this provider. A plain value has no
    /// order and satisfies it as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::{Dependencies, Provider};
    ///
    /// trait Store: Send + Sync {}
    ///
    /// struct Api;
    /// impl Provider<()> for Api {
    ///     fn dependencies(&self) -> Dependencies<()> {
    ///         Dependencies::new().requires_dyn::<dyn Store>()
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn requires_dyn<D: ?Sized + 'static>(self) -> Self {
        self.push::<D>(NeedKind::RequiresDyn, None)
    }

    /// Everything that is bound to the trait `D`, this provider excepted, boots before this one. Nothing need
    /// be.
    #[track_caller]
    pub fn wants_all<D: ?Sized + 'static>(self) -> Self {
        self.push::<D>(NeedKind::WantsAll, None)
    }

    /// [`requires`](Dependencies::requires) the type of a [`Dep`], and fills it.
    #[track_caller]
    pub fn dep<T: Provider<S>>(self, dep: &Dep<T>) -> Self {
        self.push::<T>(NeedKind::Requires, Some(fill(dep)))
    }

    /// [`wants`](Dependencies::wants) the type of a [`Dep`], and fills it if it is registered.
    #[track_caller]
    pub fn opt_dep<T: Provider<S>>(self, dep: &Dep<T>) -> Self {
        self.push::<T>(NeedKind::Wants, Some(fill(dep)))
    }

    #[track_caller]
    fn push<T: ?Sized + 'static>(mut self, kind: NeedKind, fill: Option<Fill>) -> Self {
        let (target, type_name) = (TypeId::of::<T>(), type_name::<T>());
        self.needs.push(Need { target, type_name, kind, site: Location::caller(), fill });
        self
    }

    pub(crate) fn into_needs(self) -> Vec<Need> {
        self.needs
    }
}

fn fill<T: Any + Send + Sync>(dep: &Dep<T>) -> Fill {
    let slot = dep.slot();
    Arc::new(move |value| {
        if let Ok(value) = value.downcast::<T>() {
            Dep::fill(&slot, value);
        }
    })
}

impl<S> Default for Dependencies<S> {
    fn default() -> Self {
        Dependencies::new()
    }
}

impl<S> fmt::Debug for Dependencies<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs = self.needs.iter().map(|need| (need.kind, need.type_name));
        f.debug_list().entries(needs).finish()
    }
}
