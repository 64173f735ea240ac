//! The harness: a daemon on paused time, with some of its providers replaced and some of its hooks failing.

mod refused;
mod started;

pub use self::refused::OverrideError;
pub use self::started::Started;

use std::any::{Any, TypeId, type_name};
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use mainstay_registry::{Phase, Plan, Provider, Registry};
use mainstay_runtime::{Intercept, IntoRuntime, Lints, Lookups, Runtime, Signals};

use crate::Fault;
use crate::inject::{Act, Injection, Injector, Whose};
use crate::record::{Probe, Record, Recorder};

/// A daemon under test: the same engine, on the clock of the test.
///
/// - Its providers boot one after the other, in a random order that the plan allows: what works only by chance fails
///   sometimes. The seed is printed; `MAINSTAY_SEED=123` or [`seed`](Self::seed) repeats it.
/// - Signals of the process do not reach it; [`Started::drain`] stops it.
/// - [Lints](mainstay_runtime::Lint) are on; [`Started::require_stopped`] fails for each of them.
///
/// The test's runtime is to be a current-thread one with a paused clock (`#[tokio::test(start_paused = true)]`): deadlines
/// then pass in no time, and [`Fault::Hang`] costs nothing.
///
/// # Examples
///
/// ```
/// use mainstay_registry::{Dependencies, Phase, Provider, Registry, Result, async_trait};
/// use mainstay_test::{Fault, Harness};
/// use std::sync::Arc;
///
/// struct Db;
/// impl Provider<()> for Db {
///     fn name(&self) -> &'static str { "db" }
/// }
///
/// struct Api;
/// impl Provider<()> for Api {
///     fn name(&self) -> &'static str { "api" }
///     fn dependencies(&self) -> Dependencies<()> { Dependencies::new().requires::<Db>() }
/// }
///
/// fn register(registry: &Registry<()>) {
///     registry.insert(Arc::new(Api));
///     registry.insert(Arc::new(Db));
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let api = Harness::new((), register).fault::<Db>(Phase::Boot, Fault::Hang).start().await;
/// assert_eq!(api.require_stopped().exit_code(), 75);
/// assert_eq!(api.phases(), "\
/// stop requested by failure
/// boot db dropped before its end
/// shutdown db
/// exit 75
/// ");
/// # }
/// ```
#[must_use = "nothing runs before `start`"]
pub struct Harness<S> {
    source: Source<S>,
    seed: u64,
    injections: Vec<Injection>,
    checks: Vec<Check<S>>,
    first: Vec<First<S>>,
    intercept: Option<Arc<dyn Intercept>>,
    tune: Vec<Tune<S>>,
}

/// Where the providers come from.
enum Source<S> {
    Registered { state: S, register: Register<S> },
    Runtime(Box<Runtime<S>>),
}

type Register<S> = Box<dyn FnOnce(&Registry<S>)>;
type Check<S> = Box<dyn FnOnce(&Registry<S>, Option<&Plan>) -> Result<(), OverrideError>>;
type First<S> = Box<dyn FnOnce(&Registry<S>)>;
type Tune<S> = Box<dyn FnOnce(Runtime<S>) -> Runtime<S>>;

impl<S: Clone + Send + Sync + 'static> Harness<S> {
    /// A daemon with this state and what the function registers.
    pub fn new(state: S, register: impl FnOnce(&Registry<S>) + 'static) -> Self {
        Self::from(Source::Registered { state, register: Box::new(register) })
    }

    /// A daemon of which there is a runtime, or the builder of one: a `DaemonBuilder`, with no flag but `--run-mode test`.
    ///
    /// What it has registered cannot be [replaced](Self::replace) here any more: `DaemonBuilder::replace` does that.
    ///
    /// # Panics
    ///
    /// When no runtime can be made of it, with its report.
    pub fn of(daemon: impl IntoRuntime<State = S>) -> Self {
        match daemon.into_runtime() {
            Ok(runtime) => Self::from(Source::Runtime(Box::new(runtime))),
            Err(refused) => panic!("no runtime can be made of it:\n{refused}"),
        }
    }

    fn from(source: Source<S>) -> Self {
        let chosen = std::env::var("MAINSTAY_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = chosen.unwrap_or_else(|| RandomState::new().hash_one("seed"));
        let (injections, checks, first, tune) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { source, seed, injections, checks, first, intercept: None, tune }
    }

    /// The seed of the order of boots: random by default, or that of the variable `MAINSTAY_SEED`.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Takes another instance of a provider's type than the one that is registered.
    ///
    /// # Errors
    ///
    /// The start is an [`OverrideError`] when no provider of the type is registered, or when the daemon is made of a
    /// runtime.
    pub fn replace<T: Provider<S>>(mut self, provider: Arc<T>) -> Self {
        self.checks.push(Box::new(|registry, _| registered::<S, T>(registry)));
        self.first.push(Box::new(move |registry| {
            registry.replace(provider);
        }));
        self
    }

    /// Binds another provider to a trait, before what is bound to it: who resolves the trait gets this one.
    ///
    /// # Errors
    ///
    /// The start is an [`OverrideError`] when nothing is bound to the trait.
    pub fn bind<D, T>(
        mut self,
        provider: Arc<T>,
        cast: impl Fn(Arc<T>) -> Arc<D> + Send + Sync + 'static,
    ) -> Self
    where
        D: ?Sized + Send + Sync + 'static,
        T: Provider<S>,
    {
        // It is one of them itself.
        self.checks.push(Box::new(|registry, _| match registry.resolve_all::<D>().len() {
            0 | 1 => Err(OverrideError::not_bound(type_name::<D>())),
            _ => Ok(()),
        }));
        self.first.push(Box::new(move |registry| {
            registry.insert(provider);
            registry.bind::<D, T>(cast);
        }));
        self
    }

    /// Makes a hook of a provider fail. [`Fault::Slow`], [`Fault::Yield`] and [`Fault::Block`] come before the hook; every
    /// other one comes in its place, [`Fault::None`] included. [`Phase::Run`] is the tasks of its runnables.
    ///
    /// # Errors
    ///
    /// The start is an [`OverrideError`] when no provider of the type is registered, or when it has no such hook.
    pub fn fault<T: Provider<S>>(mut self, phase: Phase, fault: Fault) -> Self {
        self.checks.push(Box::new(move |registry, plan| has_phase::<S, T>(registry, plan, phase)));
        let act = match fault {
            Fault::Slow(_) | Fault::Yield(_) | Fault::Block(_) => Act::Before(fault),
            fault => Act::Instead(fault),
        };
        let whose = Whose::Type(TypeId::of::<T>());
        self.injections.push(Injection { whose, phase, runnable: None, act });
        self
    }

    /// Puts something between the runtime and the hooks, outside of the faults.
    pub fn intercept(mut self, intercept: Arc<dyn Intercept>) -> Self {
        self.intercept = Some(intercept);
        self
    }

    /// Changes the runtime before it starts: deadlines, budgets, readers of events.
    pub fn runtime(mut self, tune: impl FnOnce(Runtime<S>) -> Runtime<S> + 'static) -> Self {
        self.tune.push(Box::new(tune));
        self
    }

    /// Starts it, and returns when it is ready, or over.
    ///
    /// # Panics
    ///
    /// When something was overridden that is not there.
    pub async fn start(self) -> Started {
        match self.try_start().await {
            Ok(started) => started,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts it, and returns when it is ready, or over.
    ///
    /// # Errors
    ///
    /// Something was overridden that is not there.
    pub async fn try_start(self) -> Result<Started, OverrideError> {
        let Self { source, seed, injections, checks, first, intercept, tune } = self;
        let runtime = match source {
            Source::Registered { state, register } => {
                let registry = Registry::new();
                for insert in first {
                    insert(&registry);
                }
                let ((), lints) = Lookups::of_register(&registry, || register(&registry));
                all(checks, &registry)?;
                Runtime::new(registry, state).found(lints)
            }
            Source::Runtime(runtime) => {
                if !first.is_empty() {
                    return Err(OverrideError::of_a_runtime());
                }
                all(checks, runtime.registry())?;
                *runtime
            }
        };
        say(seed);
        let record = Record::new();
        let heard = Arc::clone(&record);
        let plan = runtime.registry().plan().ok();
        let recorder = Recorder { record: Arc::clone(&record), probe: Probe::Twice };
        let mut runtime = tune
            .into_iter()
            .fold(runtime.late_after(LATE), |runtime, tune| tune(runtime))
            .signals(Signals::none())
            .inline()
            .lints(Lints::On)
            .shuffle(seed)
            .on_event(move |event| heard.hear(&event.kind))
            .intercept(Arc::new(Injector { injections, only: Vec::new() }))
            .intercept(Arc::new(recorder));
        if let Some(intercept) = intercept {
            runtime = runtime.intercept(intercept);
        }
        Ok(Started::new(runtime, record, plan, seed).await)
    }
}

/// Days of paused time pass in a moment: no line for that.
const LATE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn all<S: 'static>(checks: Vec<Check<S>>, registry: &Registry<S>) -> Result<(), OverrideError> {
    let plan = registry.plan().ok();
    checks.into_iter().try_for_each(|check| check(registry, plan.as_ref()))
}

fn registered<S: 'static, T: Provider<S>>(registry: &Registry<S>) -> Result<(), OverrideError> {
    registry.require::<T>().map(drop).map_err(|error| OverrideError::not_registered(&error.to_string()))
}

fn has_phase<S: 'static, T: Provider<S>>(
    registry: &Registry<S>,
    plan: Option<&Plan>,
    phase: Phase,
) -> Result<(), OverrideError> {
    registered::<S, T>(registry)?;
    // Without a plan nothing starts, and the outcome says why.
    let Some(plan) = plan else { return Ok(()) };
    let of_type = |at| {
        registry.provider_at(at).is_some_and(|it| {
            let any: &dyn Any = &*it;
            any.type_id() == TypeId::of::<T>()
        })
    };
    let planned = plan.providers().iter().find(|planned| of_type(planned.registration()));
    let has = planned.is_some_and(|planned| match phase {
        Phase::Boot | Phase::Validate | Phase::Shutdown => true,
        Phase::Run => !planned.runnables().is_empty(),
        Phase::Reload => planned.is_reloadable(),
        _ => false,
    });
    if has { Ok(()) } else { Err(OverrideError::no_hook(type_name::<T>(), phase)) }
}

#[allow(clippy::print_stdout, reason = "a test shows it when it fails")]
fn say(seed: u64) {
    println!("mainstay-test: MAINSTAY_SEED={seed}");
}

impl<S> fmt::Debug for Harness<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness").field("seed", &self.seed).finish_non_exhaustive()
    }
}
