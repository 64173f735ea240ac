//! The provider: a registered unit with a lifecycle, and the rules of its phases.

use std::{any::Any, future::Future, pin::Pin};

use crate::{Deadlines, Dependencies, NamedRunnable, Reloadable, Result, Runnable};

/// The name of a provider that does not choose one. Such a provider is *shown* by its type's short name.
pub(crate) const DEFAULT_NAME: &str = "provider";

/// A registered unit with a lifecycle. No method is required.
///
/// A provider is constructed empty, put into a [`Registry`](crate::Registry), and then called by whoever
/// drives the lifecycle, in this order: [`dependencies`](Provider::dependencies) and the other declarations
/// (the plan), [`boot`](Provider::boot), [`validate`](Provider::validate), its [`Runnable`]s, any number of
/// [`Reloadable::reload`]s, and [`shutdown`](Provider::shutdown).
///
/// | phase | may | must not |
/// | --- | --- | --- |
/// | register (sync, once) | construct the provider empty; read the state and, with `std::fs`, what decides *whether* to register | resolve others, async I/O, spawn |
/// | boot (async, in order) | resolve and await what it depends on, async I/O, publish the first snapshot, leave it empty when disabled | start long work, block the thread, use `std::fs` |
/// | validate (sync) | check that what is there can serve | I/O, change anything |
/// | run | the only long work; returns `Ok(())` at once when disabled or pinned to another worker | register, change who is registered |
/// | reload (async) | rebuild and publish the snapshot; same shape as boot | change who is registered, spawn long work |
/// | shutdown (async, reverse) | release externally named resources (lock files, sockets, shared memory); idempotent, tolerates a partial boot | be relied on instead of `Drop` |
///
/// The declarations (everything that is neither async nor `validate`) MUST be cheap and MUST give the same
/// answer every time; they are asked for whenever a plan is computed. One that panics is a problem of the
/// plan that names the type.
///
/// Write `#[async_trait]` over the implementation when it has an async hook; it is re-exported here. Without it the
/// compiler says `E0195: lifetime parameters or bounds on method 'boot' do not match the trait declaration`.
///
/// # Examples
///
/// ```
/// use mainstay_registry::{Dep, Dependencies, Provider, Result, async_trait};
///
/// #[derive(Default)]
/// struct Dns;
///
/// impl Provider<()> for Dns {
///     fn name(&self) -> &'static str {
///         "dns"
///     }
/// }
///
/// #[derive(Default)]
/// struct Pool {
///     dns: Dep<Dns>,
/// }
///
/// #[async_trait]
/// impl Provider<()> for Pool {
///     fn name(&self) -> &'static str {
///         "pool"
///     }
///     fn dependencies(&self) -> Dependencies<()> {
///         Dependencies::new().dep(&self.dns)
///     }
///     async fn boot(&self, _state: &()) -> Result<()> {
///         let _dns: &Dns = &self.dns; // booted before, because it was declared
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a provider for the state `{S}`",
    label = "not a provider",
    note = "add `impl Provider<{S}> for {Self} {{}}`",
    note = "or put a plain value in with `insert_value`, and look it up with `require`"
)]
pub trait Provider<S>: Any + Send + Sync + 'static {
    /// Returns the name that errors, logs and commands use. It SHOULD be unique in the registry.
    fn name(&self) -> &'static str {
        DEFAULT_NAME
    }

    /// Returns the priority in the order of boot; `None` means [`NORMAL`](crate::priority::NORMAL).
    fn boot_priority(&self) -> Option<u8> {
        None
    }

    /// Returns the priority in the order of starts; `None` means [`NORMAL`](crate::priority::NORMAL).
    fn run_priority(&self) -> Option<u8> {
        None
    }

    /// Makes the provider ready to serve.
    ///
    /// Written as `async fn boot(&self, state: &S) -> Result<()>` under `#[async_trait]`.
    ///
    /// # Phase
    ///
    /// *Boot*, in the order of the plan. It
    /// - MAY resolve and await what it depends on, do async I/O, publish its first snapshot, and leave it
    ///   empty when it is disabled;
    /// - MUST NOT start long work, block the thread, or use `std::fs`.
    ///
    /// # Errors
    ///
    /// An `Other` becomes [`Error::Boot`](crate::Error::Boot), and the boot ends there.
    ///
    /// # Cancel safety
    ///
    /// The runtime drops this future at its deadline, when another boot fails, and at a stop; then it calls
    /// [`shutdown`](Provider::shutdown).
    fn boot<'life0, 'life1, 'async_trait>(
        &'life0 self,
        state: &'life1 S,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        // Written out, because `async_trait` would capture `state`, and then demand `S: Sync`.
        let _ = state;
        Box::pin(async { Ok(()) })
    }

    /// Releases what outlives the process: lock files, sockets, shared memory.
    ///
    /// Written as `async fn shutdown(&self, state: &S) -> Result<()>` under `#[async_trait]`.
    ///
    /// # Phase
    ///
    /// *Shutdown*, in reverse order of the plan. It
    /// - MUST be idempotent: it MAY be called twice;
    /// - MUST tolerate a boot that failed half-way, or that was never attempted;
    /// - MUST NOT be relied on instead of `Drop`: a killed process calls neither.
    ///
    /// # Errors
    ///
    /// A failure is reported and keeps nobody else from being shut down.
    ///
    /// # Cancel safety
    ///
    /// The runtime drops this future at its deadline.
    fn shutdown<'life0, 'life1, 'async_trait>(
        &'life0 self,
        state: &'life1 S,
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        let _ = state;
        Box::pin(async { Ok(()) })
    }

    /// Checks that what is there can serve.
    ///
    /// # Phase
    ///
    /// *Validate*, when [`validate_when`](Provider::validate_when) says. It MUST NOT do I/O nor change
    /// anything.
    ///
    /// # Errors
    ///
    /// An `Other` becomes [`Error::Validate`](crate::Error::Validate).
    fn validate(&self, state: &S) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// Returns the provider as [`Any`].
    fn as_any(&self) -> &dyn Any
    where
        Self: Sized,
    {
        self
    }

    /// Returns the capability to reload, if this provider has it.
    fn as_reloadable(&self) -> Option<&dyn Reloadable<S>> {
        None
    }

    /// Returns the capability to do long work, if this provider has it.
    fn as_runnable(&self) -> Option<&dyn Runnable<S>> {
        None
    }

    /// Declares what this provider uses; the order follows from it.
    ///
    /// # Phase
    ///
    /// *Plan*. It MUST be pure.
    fn dependencies(&self) -> Dependencies<S> {
        Dependencies::new()
    }

    /// Returns this provider's own deadlines; the runtime has a default for each.
    fn deadlines(&self) -> Deadlines {
        Deadlines::new()
    }

    /// Returns when the runtime calls [`validate`](Provider::validate).
    ///
    /// The registry's own [`validate_all`](crate::Registry::validate_all) validates when it is called.
    fn validate_when(&self) -> Validate {
        Validate::AfterBoot
    }

    /// Returns all runnables of this provider: by default the one of [`as_runnable`](Provider::as_runnable).
    ///
    /// Their names MUST be distinct within the provider. Under the runtime each has its own generations and
    /// its own entry in status; the registry's own [`run_all`](crate::Registry::run_all) knows `as_runnable`
    /// alone.
    fn runnables(&self) -> Vec<NamedRunnable<'_, S>> {
        self.as_runnable().map(NamedRunnable::unnamed).into_iter().collect()
    }
}

/// When the runtime calls [`Provider::validate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Validate {
    /// After everybody has booted.
    #[default]
    AfterBoot,
    /// Before anybody boots: for what needs nothing but configuration.
    BeforeBoot,
    /// Both before and after.
    Both,
}
