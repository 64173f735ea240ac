//! The codes of a graph of providers: what is missing, what is a circle.

crate::codes! {
    /// A required provider is not registered
    ///
    /// ## What happened
    ///
    /// A provider declares, with `requires` or with a `Dep` field, that it uses another one, and nobody put
    /// that one into the registry. Plans are made before anything boots, so nothing was started.
    ///
    /// The message names the missing type with its path, everyone who requires it with the place where they
    /// were registered and where they declared it, the chain from a root that pulled them in, and what comes
    /// near.
    ///
    /// ## Why it is an error
    ///
    /// A declaration starts and registers nothing. A daemon that boots half of what it needs fails later, in
    /// a worse place, with resources already taken.
    ///
    /// ## What to do
    ///
    /// Register it, in any order:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Dependencies, Provider, Registry};
    ///
    /// struct Dns;
    /// impl Provider<()> for Dns {}
    ///
    /// struct Pool;
    /// impl Provider<()> for Pool {
    ///     fn dependencies(&self) -> Dependencies<()> {
    ///         Dependencies::new().requires::<Dns>()
    ///     }
    /// }
    ///
    /// let registry = Registry::new();
    /// registry.insert(Arc::new(Pool));
    /// assert!(registry.plan().is_err());
    /// registry.insert(Arc::new(Dns)); // the line to add
    /// assert!(registry.plan().is_ok());
    /// ```
    ///
    /// - If the provider can do without it, declare it with `wants` or `opt_dep`.
    /// - If it *is* registered, as a plain value, use `insert` instead of `insert_value`: a plain value is
    ///   never booted, so nothing can be ordered after it.
    /// - If a type of the same short name is registered, look at the paths: two crates, or two versions of
    ///   one crate, have different types.
    /// - If a wrapper is registered, such as `Mutex<Pool>`, register the provider itself.
    MS0101 MISSING;

    /// Providers need each other in a circle
    ///
    /// ## What happened
    ///
    /// Following what providers declare leads from one of them back to itself, so none of them can boot
    /// first. The message lists the members alone, in order, with the kind and the place of each edge, and
    /// names the edge that is the cheapest to cut. When several circles share members, cutting all that is
    /// named mends all.
    ///
    /// ## Why it is an error
    ///
    /// There is no order. Booting them in any would hand out something that is not ready.
    ///
    /// ## What to do
    ///
    /// Cut one edge. A `wants` is cheapest, for it can be done without; then a requirement that contradicts
    /// the priorities. What is only used while the daemon runs need not be declared: look it up then.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Dependencies, Provider, Registry, Result};
    ///
    /// struct Cache;
    /// impl Provider<()> for Cache {
    ///     fn dependencies(&self) -> Dependencies<()> {
    ///         Dependencies::new().requires::<Store>()
    ///     }
    /// }
    ///
    /// /// Must not require the cache: the cache requires it. It is only used long after boot.
    /// struct Store;
    /// impl Provider<()> for Store {}
    ///
    /// impl Store {
    ///     fn written(&self, registry: &Registry<()>) -> Result<()> {
    ///         let _cache = registry.require::<Cache>()?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let registry = Registry::new();
    /// registry.insert(Arc::new(Cache)).insert(Arc::new(Store));
    /// assert!(registry.plan().is_ok());
    /// # registry.get::<Store>().unwrap().written(&registry).unwrap();
    /// ```
    ///
    /// Or move what both need into a third provider that both require.
    MS0102 CYCLE;

    /// Nothing registered is bound to a required trait
    ///
    /// ## What happened
    ///
    /// A provider declares `requires_dyn` of a trait, and nothing that is registered is bound to that trait.
    /// Nothing was started.
    ///
    /// ## What to do
    ///
    /// Bind a registered type to the trait. A binding registers nothing: both lines are needed.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Dependencies, Provider, Registry};
    ///
    /// trait Store: Send + Sync {}
    ///
    /// struct Api;
    /// impl Provider<()> for Api {
    ///     fn dependencies(&self) -> Dependencies<()> {
    ///         Dependencies::new().requires_dyn::<dyn Store>()
    ///     }
    /// }
    ///
    /// struct Disk;
    /// impl Provider<()> for Disk {}
    /// impl Store for Disk {}
    ///
    /// let registry = Registry::new();
    /// registry.insert(Arc::new(Api)).insert(Arc::new(Disk));
    /// assert!(registry.plan().is_err());
    /// registry.bind::<dyn Store, Disk>(|it| it); // the line to add
    /// assert!(registry.plan().is_ok());
    /// ```
    ///
    /// The trait must be the same in both places: `dyn Store` and `dyn Store + Send` are two types. If the
    /// provider can do without, declare it with `wants_all`.
    MS0103 MISSING_BINDING;
}
