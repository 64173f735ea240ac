//! Providers, their typed registry and the plan of their lifecycle.
//!
//! A daemon is a set of *providers*: configuration, name resolution, a pool, a listener, a ticker. Each has a
//! life of its own: it boots, serves, reloads and shuts down, and each needs some of the others to be there
//! before. This crate is the vocabulary for that, and nothing else: it has no clock, no signals and no
//! threads, so a library that only *provides* depends on it alone.
//!
//! Four words are enough to begin with.
//!
//! - A [`Provider`] is a unit with a lifecycle. No method of it is required. What it can do beyond booting it
//!   hands out as a capability: a [`Runnable`] for long work, a [`Reloadable`] for reading its inputs again.
//! - The [`Registry`] is the typed store: one value per type, put in once, looked up from any thread without
//!   a lock. It is generic over the application's state `S`, which every hook receives.
//! - [`Dependencies`] say who uses whom. A [`Dep`] field is declared there once, filled before its owner
//!   boots, and dereferences to what it names: what is used is what was declared.
//! - The [`Plan`] is the order that follows. It is computed before anything runs, can be printed and
//!   compared, and when it is impossible it says everything that is wrong at once, and nothing has been
//!   started.
//!
//! ```
//! use std::sync::Arc;
//! use mainstay_registry::{Dep, Dependencies, Provider, Registry, Result, async_trait};
//!
//! /// The application's state: here, where to connect.
//! struct App {
//!     address: &'static str,
//! }
//!
//! struct Dns;
//! impl Provider<App> for Dns {
//!     fn name(&self) -> &'static str {
//!         "dns"
//!     }
//! }
//!
//! #[derive(Default)]
//! struct Pool {
//!     dns: Dep<Dns>,
//! }
//!
//! #[async_trait]
//! impl Provider<App> for Pool {
//!     fn name(&self) -> &'static str {
//!         "pool"
//!     }
//!     fn dependencies(&self) -> Dependencies<App> {
//!         Dependencies::new().dep(&self.dns)
//!     }
//!     async fn boot(&self, app: &App) -> Result<()> {
//!         let _dns: &Dns = &self.dns; // has booted, because it was declared
//!         let _port: u16 = app.address.rsplit(':').next().unwrap_or_default().parse()?;
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let registry = Registry::new();
//! registry.insert(Arc::new(Pool::default())).insert(Arc::new(Dns));
//! assert_eq!(
//!     registry.plan()?.to_text(),
//!     "\
//! plan: 2 providers, 0 runnables, 0 reloadable
//!
//! boot (stopping is the reverse)
//!   level 100 (normal)
//!      1  dns
//!      2  pool  requires dns
//! "
//! );
//! registry.boot_all(&App { address: "10.0.0.5:5432" }).await?;
//!
//! let pool = registry.require::<Pool>()?;
//! # assert!(pool.dns.get().is_some());
//! let error = registry.boot_all(&App { address: "10.0.0.5:http" }).await.unwrap_err();
//! assert_eq!(error.to_string(), "provider 'pool' failed during boot: invalid digit found in string");
//! # Ok::<(), mainstay_registry::Error>(()) }).unwrap();
//! ```
//!
//! # Who calls the hooks
//!
//! Whoever drives the lifecycle. The registry has a simple walk of its own, the `*_all` methods: one after
//! the other, without deadlines, without rollback. The runtime of `mainstay` drives the same plan
//! concurrently, with a deadline for each phase, a stop for each start, supervision and signals. A provider
//! cannot tell the difference; the rules of its phases are on [`Provider`].
//!
//! # Order
//!
//! Lower [priorities](priority) come first, and each priority is a level that ends before the next one
//! begins. Inside a level, edges order; what they leave open goes by name, then by registration. An edge
//! beats a number: what is required is pulled into the level of what requires it, and the plan says so.
//! Starts and reloads have their own priorities and the same edges; stopping is the reverse of the boot.
//!
//! # Looking up
//!
//! | from | with | costs |
//! | --- | --- | --- |
//! | a provider | a [`Dep`] field | a pointer |
//! | a function | [`Registry::require`] | a reference count; an error that names the type |
//! | a hot loop | [`Registry::get`] | about 3 ns, no reference count |
//! | by trait | [`Registry::resolve_dyn`], [`Registry::resolve_all`] | a cast |
//!
//! # Errors
//!
//! A hook returns [`Error`], six variants that never change; `?` takes any error. What the library itself has
//! to say has a stable code, listed in [`codes`], whose documentation is the page that `docs/errors`
//! prints.

mod code;
pub mod codes;
mod deadlines;
mod dep;
mod dependencies;
mod error;
mod log;
mod names;
mod overrides;
mod phase;
mod plan;
pub mod priority;
mod provider;
mod registry;
mod reload;
mod restart;
mod result_ext;
mod runnable;
mod state;

pub use async_trait::async_trait;

pub use self::{
    code::Code,
    deadlines::Deadlines,
    dep::Dep,
    dependencies::Dependencies,
    error::{BoxError, Error, Result, StdError},
    names::{NearKind, NearMatch, near_names},
    overrides::Override,
    phase::Phase,
    plan::{
        Absent, Cycle, CycleStep, Edge, EdgeKind, FaultyPolicy, Missing, OrderKind, Panicked, Plan,
        PlanError, PlanProblem, PlanWarning, Planned, PlannedRunnable, Requirer,
    },
    provider::{Provider, Validate},
    registry::{
        EntryInfo, EntryKind, Held, InsertError, Lookup, NotRegistered, NotReloadable, Registry, UnknownName,
    },
    reload::{ReloadState, Reloadable},
    restart::{AtLimit, PolicyFault, RestartPolicy, RestartWhen, Weight},
    result_ext::ResultExt,
    runnable::{NamedRunnable, ReadyWhen, Runnable, TaskFuture},
    state::SharedState,
};
