//! The long work of a provider: the capability, its future, and when it counts as ready.

use std::{fmt, future::Future, pin::Pin};

use crate::{RestartPolicy, Result};

/// The future of a runnable: the whole of one generation's work.
pub type TaskFuture = Pin<Box<dyn Future<Output = Result<()>> + Send + 'static>>;

/// The capability of a provider to do long work: the only place for it.
///
/// Handed out by [`Provider::as_runnable`](crate::Provider::as_runnable), or several of them, by name, by
/// [`Provider::runnables`](crate::Provider::runnables).
///
/// # Examples
///
/// ```
/// use mainstay_registry::{Provider, Runnable, TaskFuture};
///
/// struct Ticker;
///
/// impl Provider<()> for Ticker {
///     fn name(&self) -> &'static str {
///         "ticker"
///     }
///     fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
///         Some(self)
///     }
/// }
///
/// impl Runnable<()> for Ticker {
///     fn run(&self, _state: ()) -> TaskFuture {
///         Box::pin(async { Ok(()) })
///     }
/// }
/// ```
pub trait Runnable<S>: Send + Sync + 'static {
    /// Makes the future that does the work. It is called once for each start.
    ///
    /// # Phase
    ///
    /// *Run*. The future
    /// - MAY live as long as the process, spawn, and use whatever was booted before it;
    /// - MUST return `Ok(())` at once when it is disabled or pinned to another worker;
    /// - MUST NOT register, nor change who is registered;
    /// - MUST end when it is asked to; the runtime aborts it at its deadline, and names it.
    ///
    /// This method itself MUST NOT block: it only builds the future.
    ///
    /// # Errors
    ///
    /// An `Other` becomes [`Error::Run`](crate::Error::Run). An
    /// [`Error::Recoverable`](crate::Error::Recoverable) says that the process can do without this runnable.
    fn run(&self, state: S) -> TaskFuture;

    /// Returns when this runnable counts as ready, which is when those that require its provider start.
    fn ready_when(&self) -> ReadyWhen {
        ReadyWhen::Started
    }

    /// Returns what happens when this runnable ends: by default it is never started again, and a failure ends the
    /// process in good order.
    ///
    /// The registry's own walk has no supervisor and restarts nothing.
    fn restart_policy(&self) -> RestartPolicy {
        RestartPolicy::never()
    }
}

/// When a runnable counts as ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadyWhen {
    /// As soon as it has been started.
    #[default]
    Started,
    /// When it says so itself, through its run context.
    Signalled,
}

/// One of a provider's runnables, by name.
///
/// # Examples
///
/// ```
/// use mainstay_registry::{NamedRunnable, Provider, Runnable, TaskFuture};
///
/// struct Listener(u16);
///
/// impl Runnable<()> for Listener {
///     fn run(&self, _state: ()) -> TaskFuture {
///         Box::pin(async { Ok(()) })
///     }
/// }
///
/// struct Http {
///     public: Listener,
///     admin: Listener,
/// }
///
/// impl Provider<()> for Http {
///     fn name(&self) -> &'static str {
///         "http"
///     }
///     fn runnables(&self) -> Vec<NamedRunnable<'_, ()>> {
///         vec![NamedRunnable::new("public", &self.public), NamedRunnable::new("admin", &self.admin)]
///     }
/// }
/// # let http = Http { public: Listener(80), admin: Listener(81) };
/// # assert_eq!(http.runnables().len() + usize::from(http.public.0), 82);
/// # assert_eq!(http.admin.0, 81);
/// ```
///
/// They are shown as `http/public` and `http/admin`.
#[non_exhaustive]
pub struct NamedRunnable<'a, S> {
    /// Its name within the provider; `None` for the only one of a provider.
    pub name: Option<&'static str>,
    /// The capability itself.
    pub runnable: &'a dyn Runnable<S>,
}

impl<'a, S> NamedRunnable<'a, S> {
    /// Names one of several runnables.
    pub fn new(name: &'static str, runnable: &'a dyn Runnable<S>) -> Self {
        NamedRunnable { name: Some(name), runnable }
    }

    /// Takes the only runnable of a provider, which needs no name of its own.
    pub fn unnamed(runnable: &'a dyn Runnable<S>) -> Self {
        NamedRunnable { name: None, runnable }
    }
}

impl<S> Clone for NamedRunnable<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for NamedRunnable<'_, S> {}

impl<S> fmt::Debug for NamedRunnable<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedRunnable").field("name", &self.name).finish_non_exhaustive()
    }
}
