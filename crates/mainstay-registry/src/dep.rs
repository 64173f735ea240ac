//! `Dep<T>`: a declared dependency as a field, filled before its owner boots.

use std::{
    any::type_name,
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};

/// A field that becomes the provider `T` before its owner boots.
///
/// Declare it once, in [`Provider::dependencies`](crate::Provider::dependencies), with
/// [`dep`](crate::Dependencies::dep) or [`opt_dep`](crate::Dependencies::opt_dep): what is used is then what
/// was declared. It dereferences to `T` without touching a reference count.
///
/// It is filled by whoever plans in order to act: the runtime, or a walk of the registry
/// ([`boot_all`](crate::Registry::boot_all) and the others); [`plan`](crate::Registry::plan) alone fills
/// nothing. It is filled once, for good; a provider put into two registries keeps the first one's.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use mainstay_registry::{Dep, Dependencies, Provider, Registry};
///
/// struct Clock;
/// impl Provider<()> for Clock {}
///
/// #[derive(Default)]
/// struct Ticker {
///     clock: Dep<Clock>,
/// }
/// impl Provider<()> for Ticker {
///     fn dependencies(&self) -> Dependencies<()> {
///         Dependencies::new().dep(&self.clock)
///     }
/// }
///
/// let registry = Registry::<()>::new();
/// registry.insert(Arc::new(Ticker::default())).insert(Arc::new(Clock));
/// registry.validate_all(&()).unwrap();
/// let ticker = registry.get::<Ticker>().unwrap();
/// assert!(std::ptr::eq::<Clock>(&*ticker.clock, registry.get::<Clock>().unwrap()));
/// ```
pub struct Dep<T> {
    slot: Arc<OnceLock<Arc<T>>>,
}

impl<T> Dep<T> {
    /// Makes an empty one.
    pub fn new() -> Self {
        Dep { slot: Arc::new(OnceLock::new()) }
    }

    /// Borrows the provider, if it has been filled in.
    pub fn get(&self) -> Option<&T> {
        self.slot.get().map(|value| &**value)
    }

    /// Returns the provider, if it has been filled in, with a reference of its own.
    pub fn arc(&self) -> Option<Arc<T>> {
        self.slot.get().cloned()
    }

    /// Fills it, unless it is filled already.
    pub(crate) fn fill(slot: &OnceLock<Arc<T>>, value: Arc<T>) {
        // A second value, of another registry, is dropped here: the first one stays.
        let _ = slot.set(value);
    }

    pub(crate) fn slot(&self) -> Arc<OnceLock<Arc<T>>> {
        Arc::clone(&self.slot)
    }
}

impl<T> Deref for Dep<T> {
    type Target = T;

    /// Borrows the provider.
    ///
    /// # Panics
    ///
    /// When it has not been filled: it was not declared in `dependencies()`, what it names is optional and
    /// not registered, or nothing has been booted yet.
    #[track_caller]
    fn deref(&self) -> &T {
        match self.slot.get() {
            Some(value) => value,
            None => unfilled::<T>(),
        }
    }
}

#[cold]
#[track_caller]
fn unfilled<T>() -> ! {
    let name = type_name::<T>();
    panic!(
        "MS0111: `Dep<{name}>` is empty: return `Dependencies::new().dep(&self.field)` from the owner's \
         `dependencies()`, and use it no earlier than in `boot`; if declared with `opt_dep`, use `.get()`"
    )
}

impl<T> Default for Dep<T> {
    fn default() -> Self {
        Dep::new()
    }
}

impl<T> fmt::Debug for Dep<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.slot.get().is_some() { "filled" } else { "empty" };
        write!(f, "Dep<{}>({state})", type_name::<T>())
    }
}
