//! The ready-made state of an application, and the door that owns the whole process.

mod application;
mod builder;
mod check;
pub mod codes;
mod door;
mod journal;
mod log;
mod register;

pub use self::builder::DaemonBuilder;

use std::any::{Any, type_name};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use mainstay_cli::{Flags, OwnArgs, RunMode};
use mainstay_registry::{Registry, ReloadState, Result, SharedState, async_trait};
use mainstay_runtime::Control;
use mainstay_sync::{Epochs, Pinned};
use tokio_util::sync::CancellationToken;

/// The ready-made state: the registry, the flags, and what kind of run this is.
///
/// Every hook gets it by reference. It is one pointer, and cheap to clone; what an application shares
/// beside its providers is a plain value in the registry ([`DaemonBuilder::insert_value`]).
///
/// A provider that keeps a clone of it keeps the registry alive, and thereby itself: it is then never
/// dropped, and the report names it. Tasks may hold one, for they end.
///
/// # Examples
///
/// ```
/// use mainstay::prelude::*;
///
/// #[derive(Default)]
/// struct Greeting(Snapshot<String>);
///
/// #[async_trait]
/// impl Provider<Daemon> for Greeting {
///     async fn boot(&self, app: &Daemon) -> Result<()> {
///         self.0.publish(format!("hello from {} in {}", app.name(), app.run_mode()));
///         Ok(())
///     }
/// }
///
/// fn main() -> Outcome {
///     Daemon::builder("greeter").insert(Greeting::default()).main()
/// }
/// ```
#[derive(Clone)]
pub struct Daemon {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    version: Option<String>,
    flags: Flags,
    own: OwnArgs,
    registry: Arc<Registry<Daemon>>,
    shutdown: CancellationToken,
    /// Until the release it knows the lifecycle, and that this state: the release ends the circle.
    control: OnceLock<Control>,
}

impl Daemon {
    /// Begins a daemon with this name: it is in the help, in the log and in the report.
    pub fn builder(name: impl Into<String>) -> DaemonBuilder {
        DaemonBuilder::new(name.into())
    }

    fn new(name: String, version: Option<String>, flags: Flags, own: OwnArgs) -> Self {
        let (registry, shutdown) = (Arc::new(Registry::new()), CancellationToken::new());
        let control = OnceLock::new();
        Self { inner: Arc::new(Inner { name, version, flags, own, registry, shutdown, control }) }
    }

    /// Returns the name given to [`builder`](Self::builder).
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Returns the version given to [`DaemonBuilder::version`].
    pub fn version(&self) -> Option<&str> {
        self.inner.version.as_deref()
    }

    /// Returns the registry.
    pub fn registry(&self) -> &Registry<Self> {
        &self.inner.registry
    }

    /// Looks up a provider or a plain value, or says what is registered instead.
    ///
    /// # Phase
    ///
    /// *boot* and later. What a provider always uses it rather declares, with
    /// [`Dependencies::requires`](crate::Dependencies::requires) or a [`Dep`](crate::Dep) field.
    ///
    /// # Errors
    ///
    /// [`Error::Other`](crate::Error::Other) with the name of the type and near matches.
    pub fn require<T: Any + Send + Sync>(&self) -> Result<Arc<T>> {
        self.inner.registry.require()
    }

    /// Borrows a provider or a plain value, when it is registered.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.inner.registry.get()
    }

    /// Holds the present epoch: what is read through the pin is of one epoch across every snapshot of the daemon, also
    /// while a reload commits. Take one at the start of a request.
    ///
    /// Before the run, when nothing can have been published yet, it holds nothing.
    pub fn pin(&self) -> Pinned {
        self.get::<Epochs>().cloned().unwrap_or_default().pin()
    }

    /// Returns the handle to ask this lifecycle how it is, and to tell it what to do: for a status page, say, or for an
    /// operator's request.
    ///
    /// # Phase
    ///
    /// *boot* and later. In *register*, and in a verb that runs nothing, there is no lifecycle: its status has no
    /// providers, and every request is refused with [`ControlError::Closed`](crate::ControlError::Closed).
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay::{Signals, prelude::*};
    ///
    /// async fn page(app: Daemon, _cx: RunContext) -> Result<()> {
    ///     let status = app.control().status();
    ///     assert!(status.runnable("page").is_some());
    ///     println!("{status}");
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let builder = Daemon::builder("greeter").insert(runnable("page", page));
    /// let outcome = builder.runtime_from(["greeter"]).unwrap().signals(Signals::none()).run().await;
    /// assert_eq!(outcome.exit_code(), 0);
    /// # }
    /// ```
    pub fn control(&self) -> Control {
        self.inner.control.get().cloned().unwrap_or_default()
    }

    /// Returns `--config-dir`: where the configuration is read. `config` when not given.
    pub fn config_dir(&self) -> &Path {
        self.inner.flags.config_dir()
    }

    /// Returns `--run-mode`. [`RunMode::Production`] when not given.
    pub fn run_mode(&self) -> RunMode {
        self.inner.flags.run_mode()
    }

    /// Returns which worker process this is, from 0; `None` in a daemon of one process.
    #[allow(clippy::unused_self, reason = "it is a property of this process, which has no workers")]
    pub fn worker_id(&self) -> Option<u32> {
        None
    }

    /// Returns the values of the application's own flags.
    ///
    /// # Panics
    ///
    /// When `A` was not declared with [`DaemonBuilder::args`].
    #[track_caller]
    pub fn args<A: Any>(&self) -> &A {
        self.try_args().unwrap_or_else(|| {
            let (code, name) = (codes::ARGS_NOT_DECLARED, type_name::<A>());
            panic!("{code}: `{name}` was not declared: add `.args::<{name}>()` to the daemon's builder")
        })
    }

    /// Returns the values of the application's own flags, when they were declared.
    pub fn try_args<A: Any>(&self) -> Option<&A> {
        self.inner.own.get()
    }
}

impl SharedState for Daemon {
    fn registry(&self) -> &Registry<Self> {
        &self.inner.registry
    }

    fn shutdown_token(&self) -> &CancellationToken {
        &self.inner.shutdown
    }
}

/// Step 0 of a reload. A daemon without configuration has nothing to read again.
#[async_trait]
impl ReloadState for Daemon {
    async fn reload(&self) -> Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon")
            .field("name", &self.inner.name)
            .field("version", &self.inner.version)
            .field("flags", &self.inner.flags)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use mainstay_registry::{Provider, Result, async_trait};
    use mainstay_runtime::{ControlError, Signals};

    use super::Daemon;

    /// Sets its flag when it is dropped.
    struct Asks(Arc<AtomicBool>);

    #[async_trait]
    impl Provider<Daemon> for Asks {
        async fn boot(&self, app: &Daemon) -> Result<()> {
            assert!(app.control().status().provider("Asks").is_some());
            Ok(())
        }

        async fn shutdown(&self, app: &Daemon) -> Result<()> {
            assert_eq!(app.control().reload().await.unwrap_err(), ControlError::Closed);
            Ok(())
        }
    }

    impl Drop for Asks {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn control_is_there_in_every_hook_and_holds_nobody_at_the_end() {
        let dropped = Arc::new(AtomicBool::new(false));
        let builder = Daemon::builder("asks").insert(Asks(Arc::clone(&dropped))).register(|app| {
            assert_eq!(app.control().restart("Asks").refused(), Some(&ControlError::Closed));
            assert!(app.control().status().providers.is_empty());
            Ok(())
        });
        let runtime = builder.runtime_from(["asks"]).unwrap();
        let outcome = runtime.signals(Signals::none()).inline().run().await;
        assert_eq!(outcome.exit_code(), 0, "{outcome:?}");
        assert!(dropped.load(Ordering::SeqCst));
    }
}
