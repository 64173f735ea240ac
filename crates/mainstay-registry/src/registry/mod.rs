//! The registry: the typed store of providers and plain values, read without a lock, and its own walk.

pub(crate) mod bindings;
mod drop;
mod entries;
mod index;
mod insert;
mod lookup;
mod observe;
mod seal;
pub(crate) mod store;
mod walk;

pub(crate) use self::index::TypeMap;
pub use self::{
    drop::Held,
    insert::InsertError,
    lookup::NotRegistered,
    observe::{EntryInfo, EntryKind, Lookup},
    walk::{NotReloadable, UnknownName},
};

use std::fmt;

use self::store::Store;

/// The typed store of providers and plain values, with a simple walk of their lifecycle.
///
/// One value per concrete type. Look-ups take no lock, before or after boot, in any thread; insertion may be
/// slow. The `*_all` methods are the registry's own walk: sequential, without a clock and without memory. It
/// never rolls back, `shutdown_all` visits everyone every time, and it catches no panic of a hook. The
/// runtime drives the same plan concurrently, with deadlines, rollback and supervision.
///
/// It is `Send + Sync` for every `S: 'static`. When it is dropped it drops providers in reverse order of the
/// plan, then plain values, the last one first.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use mainstay_registry::{Dependencies, Provider, Registry, Result, async_trait};
///
/// struct Config;
/// impl Provider<()> for Config {
///     fn name(&self) -> &'static str {
///         "config"
///     }
/// }
///
/// struct Api;
/// #[async_trait]
/// impl Provider<()> for Api {
///     fn name(&self) -> &'static str {
///         "api"
///     }
///     fn dependencies(&self) -> Dependencies<()> {
///         Dependencies::new().requires::<Config>()
///     }
///     async fn boot(&self, _state: &()) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let registry = Registry::new();
/// registry.insert(Arc::new(Api)).insert(Arc::new(Config));
/// registry.boot_all(&()).await?;        // config, then api
/// registry.validate_all(&())?;
/// registry.shutdown_all(&()).await?;    // api, then config
/// # Ok::<(), mainstay_registry::Error>(()) }).unwrap();
/// ```
pub struct Registry<S> {
    store: Store<S>,
}

impl<S: 'static> Registry<S> {
    /// Makes an empty registry.
    pub fn new() -> Self {
        Registry { store: Store::new() }
    }
}

impl<S: 'static> Default for Registry<S> {
    fn default() -> Self {
        Registry::new()
    }
}

impl<S> fmt::Debug for Registry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.store.entries.iter().map(|entry| entry.type_name)).finish()
    }
}
