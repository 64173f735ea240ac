//! What a daemon is made of, recorded until its flags are parsed.

use std::any::Any;
use std::ffi::OsString;
use std::panic::Location;
use std::sync::Arc;

use mainstay_cli::Cli;
use mainstay_registry::{Provider, Result};
use mainstay_runtime::{IntoRuntime, Outcome, Runtime};

use super::Daemon;
use super::application::MakeTokio;
use super::door;
use super::log::LogLayer;
use super::register::{Registration, Replacement};

/// What a daemon is made of: its providers, its flags, its runtimes. Nothing happens before
/// [`main`](Self::main).
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use mainstay::prelude::*;
///
/// #[derive(clap::Args)]
/// struct Listen {
///     /// Where to listen
///     #[arg(long, default_value = "127.0.0.1:3000")]
///     listen: std::net::SocketAddr,
/// }
///
/// struct Limits {
///     requests: usize,
/// }
///
/// async fn http(app: Daemon, cx: RunContext) -> Result<()> {
///     let listener = tokio::net::TcpListener::bind(app.args::<Listen>().listen).await?;
///     let requests = app.require::<Limits>()?.requests;
///     # drop((listener, requests));
///     cx.shutdown_token().cancelled().await;
///     Ok(())
/// }
///
/// fn main() -> Outcome {
///     Daemon::builder("greeter")
///         .version(env!("CARGO_PKG_VERSION"))
///         .args::<Listen>()
///         .insert_value(Limits { requests: 100 })
///         .insert(runnable("http", http))
///         .runtime(|runtime| runtime.stop_budget(Duration::from_secs(10)))
///         .main()
/// }
/// ```
#[must_use = "a builder does nothing until `main` is called"]
pub struct DaemonBuilder {
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) cli: Cli,
    pub(super) layers: Vec<LogLayer>,
    pub(super) registrations: Vec<Registration>,
    pub(super) replacements: Vec<Replacement>,
    pub(super) verbs: Vec<OwnVerb>,
    pub(super) tokio: Option<MakeTokio>,
    pub(super) tune: Vec<Tune>,
}

/// A verb of the application's: its word, and what it does.
pub(super) type OwnVerb = (&'static str, Box<dyn FnOnce(&Daemon) -> Outcome>);

/// What the application changes of the runtime.
pub(super) type Tune = Box<dyn FnOnce(Runtime<Daemon>) -> Runtime<Daemon>>;

impl DaemonBuilder {
    pub(super) fn new(name: String) -> Self {
        let cli = Cli::new(name.clone());
        let (layers, registrations, replacements) = (Vec::new(), Vec::new(), Vec::new());
        let (verbs, tune) = (Vec::new(), Vec::new());
        Self { name, version: None, cli, layers, registrations, replacements, verbs, tokio: None, tune }
    }

    /// Sets what `--version` prints: usually `env!("CARGO_PKG_VERSION")`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        let version = version.into();
        self.cli = self.cli.version(version.clone());
        self.version = Some(version);
        self
    }

    /// Records a function that registers providers. It runs when the flags are parsed, so it may look at
    /// them and choose; all functions run, in the order in which they were given.
    ///
    /// # Phase
    ///
    /// *register*: it MAY construct providers, read the daemon and, with `std::fs`, what decides *whether* to
    /// register. It MUST NOT resolve others, await or spawn: no tokio runtime exists yet.
    ///
    /// An error or a panic is a failure with the place of this call. Every function is asked, every failure
    /// is reported, and nothing is started. Exit code: 78 for [`Error::Validate`](crate::Error::Validate)
    /// and for a refused `try_insert`, 75 for [`Error::Boot`](crate::Error::Boot), else 1.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// use mainstay::{RunMode, prelude::*};
    /// # struct Mail; impl Provider<Daemon> for Mail {}
    /// # struct FakeMail; impl Provider<Daemon> for FakeMail {}
    ///
    /// fn mail(app: &Daemon) -> Result<()> {
    ///     if app.run_mode() == RunMode::Production {
    ///         app.registry().try_insert(Arc::new(Mail))?;
    ///     } else {
    ///         app.registry().try_insert(Arc::new(FakeMail))?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// fn main() -> Outcome {
    ///     Daemon::builder("greeter").register(mail).main()
    /// }
    /// ```
    #[track_caller]
    pub fn register(mut self, register: impl FnOnce(&Daemon) -> Result<()> + 'static) -> Self {
        self.registrations.push(Registration::of_function(Location::caller(), register));
        self
    }

    /// Records one provider: the short form of [`register`](Self::register).
    ///
    /// A second one of the same type is an error that names both places, with exit code 78.
    #[track_caller]
    pub fn insert<P: Provider<Daemon>>(mut self, provider: P) -> Self {
        self.registrations.push(Registration::of_provider(Location::caller(), Arc::new(provider)));
        self
    }

    /// Takes this instance of a provider in the place of the one that is registered, wherever that is done: for tests.
    ///
    /// It stands where the other would have, and the other is dropped. If none of its type is registered, that is an error
    /// with exit code 78: a test that takes it for what is served would test nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mainstay::{DaemonBuilder, prelude::*};
    ///
    /// struct Mail {
    ///     server: &'static str,
    /// }
    /// impl Provider<Daemon> for Mail {}
    ///
    /// fn greeter() -> DaemonBuilder {
    ///     Daemon::builder("greeter").insert(Mail { server: "smtp.example.com" })
    /// }
    ///
    /// let mail = Arc::new(Mail { server: "localhost" });
    /// let runtime = greeter().replace(Arc::clone(&mail)).runtime_from(["greeter"]).unwrap();
    /// assert!(Arc::ptr_eq(&mail, &runtime.registry().require::<Mail>().unwrap()));
    /// # assert_eq!(mail.server, "localhost");
    /// ```
    #[track_caller]
    pub fn replace<P: Provider<Daemon>>(mut self, provider: Arc<P>) -> Self {
        self.replacements.push(Replacement::of(Location::caller(), provider));
        self
    }

    /// Records one plain value: it can be resolved and has no lifecycle. This is where an application's own
    /// data goes.
    ///
    /// A second one of the same type is an error that names both places, with exit code 78.
    #[track_caller]
    pub fn insert_value<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.registrations.push(Registration::of_value(Location::caller(), Arc::new(value)));
        self
    }

    /// Merges the application's own flags into the daemon's. Several types may be given, by different
    /// libraries.
    ///
    /// The flags are read with [`Daemon::args`]. They may stand before or behind the verb. A flag that is
    /// taken is an error that names both, with exit code 78, before anything is registered.
    pub fn args<A: clap::Args + Send + Sync + 'static>(mut self) -> Self {
        self.cli = self.cli.args::<A>();
        self
    }

    /// Sets what is logged when `--log` is not given. The default is `info`.
    pub fn log_default(mut self, filter: impl Into<String>) -> Self {
        self.cli = self.cli.log_default(filter);
        self
    }

    /// Adds a layer beside the one that writes the log: for traces, counts of events, a second log.
    ///
    /// It gets every span and event, whatever `--log` says; give it a filter of its own with
    /// [`with_filter`](tracing_subscriber::Layer::with_filter). May be called several times. Where a log subscriber is
    /// set already, that one stays, and the layer is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay::prelude::*;
    /// use tracing_subscriber::{Layer as _, filter::LevelFilter, fmt};
    ///
    /// let warnings = fmt::layer().with_writer(std::io::stdout).with_filter(LevelFilter::WARN);
    /// let daemon = Daemon::builder("greeter").log_layer(warnings);
    /// # let _ = daemon;
    /// ```
    pub fn log_layer<L>(mut self, layer: L) -> Self
    where
        L: tracing_subscriber::Layer<tracing_subscriber::Registry> + Send + Sync + 'static,
    {
        self.layers.push(Box::new(layer));
        self
    }

    /// Adds a verb of the application's, with a line for the help.
    ///
    /// It gets the daemon with its flags, and nothing registered: no function of
    /// [`register`](Self::register) runs, no log subscriber is installed, no tokio runtime is built. What
    /// it returns is the end of the process.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay::prelude::*;
    ///
    /// let outcome = Daemon::builder("greeter")
    ///     .verb("where", "Print where the configuration is read", |app| {
    ///         println!("{}", app.config_dir().display());
    ///         Outcome::done()
    ///     })
    ///     .main_from(["greeter", "where"]);
    /// assert_eq!(outcome.exit_code(), 0);
    /// ```
    pub fn verb(
        mut self,
        word: &'static str,
        about: &'static str,
        run: impl FnOnce(&Daemon) -> Outcome + 'static,
    ) -> Self {
        self.cli = self.cli.verb(word, about);
        self.verbs.push((word, Box::new(run)));
        self
    }

    /// Sets how the application's tokio runtime is built. The default is a multi-threaded one with all
    /// drivers.
    ///
    /// A current-thread runtime gets a thread of its own, so that no hook can hold `main`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use mainstay::prelude::*;
    ///
    /// fn main() -> Outcome {
    ///     Daemon::builder("greeter")
    ///         .tokio(|| {
    ///             let mut tokio = tokio::runtime::Builder::new_multi_thread();
    ///             tokio.worker_threads(2).enable_all();
    ///             tokio
    ///         })
    ///         .main()
    /// }
    /// ```
    pub fn tokio(mut self, make: impl FnOnce() -> tokio::runtime::Builder + 'static) -> Self {
        self.tokio = Some(Box::new(make));
        self
    }

    /// Changes the runtime of the lifecycle before it runs: deadlines, budgets, readers of events. May be
    /// called several times.
    pub fn runtime(mut self, tune: impl FnOnce(Runtime<Daemon>) -> Runtime<Daemon> + 'static) -> Self {
        self.tune.push(Box::new(tune));
        self
    }

    /// Owns the process: parses the flags, installs the log, registers, and does what the verb says, until
    /// the end.
    ///
    /// The report is on standard error when it returns; return the outcome from `main`. Nothing the
    /// application does can hold it: not a thread that is blocked for ever, not a standard error that
    /// nobody reads.
    ///
    /// A log subscriber that is set already stays.
    ///
    /// Inside a tokio runtime it starts nothing and returns at once, with exit code 78; the other door is
    /// [`Runtime::run`].
    pub fn main(self) -> Outcome {
        self.main_from(std::env::args_os())
    }

    /// Does what [`main`](Self::main) does, with these words for a command line. The first one is the
    /// program.
    pub fn main_from<I, T>(self, args: I) -> Outcome
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString>,
    {
        door::main(self, args.into_iter().map(Into::into).collect())
    }

    /// Does what [`main_from`](Self::main_from) does up to the plan, and hands the runtime over: for a test of
    /// providers, and for whoever has a tokio runtime and wants a daemon's flags. No log is installed.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay::{Signals, prelude::*};
    ///
    /// async fn job(app: Daemon, _cx: RunContext) -> Result<()> {
    ///     assert!(app.config_dir().ends_with("testdata"));
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let builder = Daemon::builder("job").insert(runnable("job", job));
    /// let runtime = builder.runtime_from(["job", "--config-dir", "testdata"]).unwrap();
    /// let outcome = runtime.signals(Signals::none()).inline().run().await;
    /// assert_eq!(outcome.exit_code(), 0);
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The outcome that [`main_from`](Self::main_from) would end with: a usage error, `--help`, a verb other than
    /// `run`, a failure in `register`.
    pub fn runtime_from<I, T>(self, args: I) -> Result<Runtime<Daemon>, Outcome>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString>,
    {
        self.up_to_the_plan(args.into_iter().map(Into::into).collect())
    }
}

/// For tests: with no flag but `--run-mode test`, and no log.
impl IntoRuntime for DaemonBuilder {
    type State = Daemon;

    fn into_runtime(self) -> Result<Runtime<Daemon>, Outcome> {
        let name = self.name.clone();
        self.runtime_from([name.as_str(), "--run-mode", "test"])
    }
}
