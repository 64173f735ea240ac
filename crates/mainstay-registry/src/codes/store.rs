//! The codes of what is in the registry, of its names, and of look-ups.

crate::codes! {
    /// A type is registered already
    ///
    /// ## What happened
    ///
    /// A second value of one concrete type was put into the registry. `try_insert` and `try_insert_value`
    /// return this as an error with both places; `insert` and `insert_value` skip the second one with a
    /// warning.
    ///
    /// ## Why there is one of a type
    ///
    /// The type is the key: `resolve::<Pool>()` has one answer, and the first one stays.
    ///
    /// ## What to do
    ///
    /// Remove one of the two lines. When two are meant, make two types of them:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Provider, Registry};
    ///
    /// struct Pool;
    ///
    /// struct Primary(Pool);
    /// impl Provider<()> for Primary {}
    ///
    /// struct Replica(Pool);
    /// impl Provider<()> for Replica {}
    ///
    /// let registry = Registry::new();
    /// registry.insert(Arc::new(Primary(Pool))).insert(Arc::new(Replica(Pool)));
    /// assert!(registry.try_insert(Arc::new(Primary(Pool))).is_err());
    /// # let _ = (&registry.get::<Primary>().unwrap().0, &registry.get::<Replica>().unwrap().0);
    /// ```
    ///
    /// A parameter does it too: `struct Pool<const N: usize>`.
    MS0104 DUPLICATE_TYPE;

    /// The registry is sealed
    ///
    /// ## What happened
    ///
    /// Something was put into the registry after the run had been planned. `try_insert` refuses it with this
    /// error. `insert` stores it, so that it can be resolved, and warns: it takes no part in this run, so it
    /// is neither booted nor started, reloaded or shut down.
    ///
    /// ## Why it is an error
    ///
    /// What will run can be printed before it runs. A provider that joined later would run without having
    /// been ordered, booted or validated.
    ///
    /// ## What to do
    ///
    /// Register during registration, and decide in `boot` whether there is anything to do:
    ///
    /// ```
    /// use std::sync::{Arc, OnceLock};
    /// use mainstay_registry::{Provider, Registry, Result, async_trait};
    ///
    /// #[derive(Default)]
    /// struct Metrics {
    ///     endpoint: OnceLock<String>,
    /// }
    ///
    /// #[async_trait]
    /// impl Provider<()> for Metrics {
    ///     async fn boot(&self, _state: &()) -> Result<()> {
    ///         // Not configured: stay registered, and empty.
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let registry = Registry::new();
    /// registry.try_insert(Arc::new(Metrics::default()))?;
    /// # assert!(registry.get::<Metrics>().unwrap().endpoint.get().is_none());
    /// # Ok::<(), mainstay_registry::Error>(())
    /// ```
    ///
    /// A plain value that appears later belongs inside a provider that was there from the start.
    MS0105 SEALED;

    /// A type that was looked up is not registered
    ///
    /// ## What happened
    ///
    /// `require` was called for a type that is not in the registry. The message names the type with its path,
    /// and the nearest thing that is there.
    ///
    /// ## What to do
    ///
    /// - Put it in: `insert` for a provider, `insert_value` for a plain value.
    /// - If it is put in, but later, declare what you use: what is declared is there before your `boot`, or
    ///   the plan says so before anything has started.
    /// - If it is optional, use `resolve` or `get`, which return an `Option`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Dep, Dependencies, Provider, Registry};
    ///
    /// struct Clock;
    /// impl Provider<()> for Clock {}
    ///
    /// struct Ticker {
    ///     clock: Dep<Clock>,
    /// }
    /// impl Provider<()> for Ticker {
    ///     fn dependencies(&self) -> Dependencies<()> {
    ///         Dependencies::new().dep(&self.clock) // instead of a `require` somewhere below
    ///     }
    /// }
    /// # let registry = Registry::<()>::new();
    /// # registry.insert(Arc::new(Ticker { clock: Dep::new() })).insert(Arc::new(Clock));
    /// # assert!(registry.plan().is_ok());
    /// ```
    MS0106 NOT_REGISTERED;

    /// A name is there twice
    ///
    /// ## What happened
    ///
    /// Two providers have one name, or one provider has two runnables of one name. The plan warns; the
    /// runtime refuses to run.
    ///
    /// ## Why it matters
    ///
    /// Errors, logs, deadlines in a report and commands go by name: "`pool` failed during boot" must mean one
    /// thing. The registry's own walk takes names as they are; there, `reload_one` reaches the first
    /// registered.
    ///
    /// ## What to do
    ///
    /// Give each a name of its own. One that comes from a type used several times can carry it as a field:
    ///
    /// ```
    /// use mainstay_registry::Provider;
    ///
    /// struct Pool<const N: usize> {
    ///     name: &'static str,
    /// }
    ///
    /// impl<const N: usize> Provider<()> for Pool<N> {
    ///     fn name(&self) -> &'static str {
    ///         self.name
    ///     }
    /// }
    /// # assert_ne!(Pool::<0> { name: "primary" }.name(), Pool::<1> { name: "replica" }.name());
    /// ```
    MS0107 DUPLICATE_NAME;

    /// A provider panicked while it was planned
    ///
    /// ## What happened
    ///
    /// One of the declarations of a provider panicked: `name`, a priority, `dependencies`, `deadlines`,
    /// `validate_when`, `as_runnable`, `runnables`, `as_reloadable`, or, of one of its runnables, `ready_when`
    /// or `restart_policy`. The message names the type, where it was registered, the method, and the text of
    /// the panic. Everybody else was still asked, and nothing was started.
    ///
    /// ## Why it is an error
    ///
    /// Declarations are data. They are asked for whenever a plan is made: to print it, to check it, to boot
    /// by it; so they must be cheap, give the same answer each time, and not fail.
    ///
    /// ## What to do
    ///
    /// Move what can fail into `boot`, where an error has a name and a place to go:
    ///
    /// ```
    /// use mainstay_registry::{Provider, Result, async_trait};
    ///
    /// struct Port {
    ///     text: String,
    /// }
    ///
    /// #[async_trait]
    /// impl Provider<()> for Port {
    ///     fn name(&self) -> &'static str {
    ///         "port"
    ///     }
    ///     async fn boot(&self, _state: &()) -> Result<()> {
    ///         let _port: u16 = self.text.parse()?;
    ///         Ok(())
    ///     }
    /// }
    /// # assert_eq!(Port { text: String::new() }.name(), "port");
    /// ```
    MS0108 PANICKED;

    /// A priority was overruled by an edge
    ///
    /// ## What happened
    ///
    /// A provider asked for a later level than something that needs it. A declared edge beats a number, so it
    /// was pulled forward, into the level of what needs it, together with everything it needs itself. This is
    /// a remark of the plan and no fault.
    ///
    /// ## What to do
    ///
    /// Nothing, if that is what you want: most providers need no priority at all. To have the plan without
    /// the remark, remove the later priority, or give what needs it a later one:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Dependencies, Provider, Registry, priority};
    ///
    /// struct Disk;
    /// impl Provider<()> for Disk {
    ///     fn boot_priority(&self) -> Option<u8> {
    ///         Some(priority::LATE)
    ///     }
    /// }
    ///
    /// struct Cache;
    /// impl Provider<()> for Cache {
    ///     fn dependencies(&self) -> Dependencies<()> {
    ///         Dependencies::new().requires::<Disk>()
    ///     }
    /// }
    ///
    /// let registry = Registry::new();
    /// registry.insert(Arc::new(Cache)).insert(Arc::new(Disk));
    /// let plan = registry.plan().unwrap();
    /// assert_eq!(plan.providers()[0].boot_level(), priority::NORMAL); // the disk, for the cache needs it
    /// assert_eq!(plan.warnings().len(), 1);
    /// ```
    MS0109 PULLED;

    /// A type is bound to a trait and not registered
    ///
    /// ## What happened
    ///
    /// `bind::<dyn Trait, T>` was called, and no `T` is in the registry. The plan warns and goes on: the
    /// binding gives nothing until `T` is there. Where the trait is required and has no other binding, that
    /// is MS0103.
    ///
    /// ## What to do
    ///
    /// Register the type, or remove the binding. When a type is registered on a condition, put its binding
    /// under the same condition:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Provider, Registry};
    ///
    /// trait Health: Send + Sync {}
    ///
    /// struct Disk;
    /// impl Provider<()> for Disk {}
    /// impl Health for Disk {}
    ///
    /// let registry = Registry::<()>::new();
    /// # let disk_is_wanted = true;
    /// if disk_is_wanted {
    ///     registry.insert(Arc::new(Disk)).bind::<dyn Health, Disk>(|it| it);
    /// }
    /// assert!(registry.plan().unwrap().warnings().is_empty());
    /// ```
    MS0110 UNREGISTERED_BINDING;

    /// A dependency was used before it was filled
    ///
    /// ## What happened
    ///
    /// A `Dep` field was dereferenced while it was empty, and that panics. Either its owner does not declare
    /// it, or it is declared as optional and not registered, or nothing has been booted yet.
    ///
    /// ## What to do
    ///
    /// Declare each `Dep` once, and use it no earlier than in `boot`; an optional one through `get`:
    ///
    /// ```
    /// use mainstay_registry::{Dep, Dependencies, Provider, Result, async_trait};
    ///
    /// struct Clock;
    /// impl Provider<()> for Clock {}
    /// struct Cache;
    /// impl Provider<()> for Cache {}
    ///
    /// #[derive(Default)]
    /// struct Api {
    ///     clock: Dep<Clock>,
    ///     cache: Dep<Cache>,
    /// }
    ///
    /// #[async_trait]
    /// impl Provider<()> for Api {
    ///     fn dependencies(&self) -> Dependencies<()> {
    ///         Dependencies::new().dep(&self.clock).opt_dep(&self.cache)
    ///     }
    ///     async fn boot(&self, _state: &()) -> Result<()> {
    ///         let _clock: &Clock = &self.clock;
    ///         let _cache: Option<&Cache> = self.cache.get();
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// A test that builds a provider by hand puts it into a registry with what it needs, and seals or boots
    /// that.
    MS0111 EMPTY_DEP;

    /// No provider has the name
    ///
    /// ## What happened
    ///
    /// A provider was asked for by name, and none has it. Names are compared as they are, and one that keeps
    /// the default name is known as `provider` there.
    ///
    /// ## What to do
    ///
    /// Look at the names, and give the provider one:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay_registry::{Provider, Registry};
    ///
    /// struct Routes;
    /// impl Provider<()> for Routes {
    ///     fn name(&self) -> &'static str {
    ///         "routes"
    ///     }
    /// }
    ///
    /// let registry = Registry::new();
    /// registry.insert(Arc::new(Routes));
    /// assert_eq!(registry.list_names(), ["routes"]);
    /// ```
    MS0112 UNKNOWN_NAME;

    /// A provider cannot be reloaded
    ///
    /// ## What happened
    ///
    /// A provider was asked by name to reload, and its `as_reloadable` gives nothing.
    ///
    /// ## What to do
    ///
    /// Give it the capability, if it has inputs to read again; else restart the process.
    ///
    /// ```
    /// use mainstay_registry::{Provider, Reloadable, Result, async_trait};
    ///
    /// struct Routes;
    ///
    /// impl Provider<()> for Routes {
    ///     fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
    ///         Some(self)
    ///     }
    /// }
    ///
    /// #[async_trait]
    /// impl Reloadable<()> for Routes {
    ///     async fn reload(&self, _state: &()) -> Result<()> {
    ///         Ok(()) // read, build the new value whole, publish it
    ///     }
    /// }
    /// ```
    MS0113 NOT_RELOADABLE;
}
