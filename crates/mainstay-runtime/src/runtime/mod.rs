//! The runtime: what a program sets, and the doors by which it is entered.

mod doors;
mod into;
mod linger;

pub use self::doors::{RunOn, Running};
pub use self::into::IntoRuntime;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use mainstay_registry::{Deadlines, Registry, ReloadState};
use tokio_util::sync::CancellationToken;

use crate::control::Control;
use crate::engine::StateReload;
use crate::event::{Event, Reader};
use crate::intercept::{Intercept, Intercepting};
use crate::lints::{Lint, Lints};
use crate::signals::Signals;
use crate::spec::Limits;

/// The lifecycle of one process: boots a registry's providers in the plan's order, runs and supervises them, reloads
/// them on SIGHUP, and stops them within a budget.
///
/// The supervisor, the signals and all deadlines live on a thread of their own, so that they hold when every thread
/// of the application's runtime is blocked. Hooks and tasks run on the application's runtime.
///
/// | what | default | set by |
/// | --- | --- | --- |
/// | boot hook | 30 s | [`Deadlines::boot`] of the provider, or of the runtime |
/// | boot in all | 60 s | [`boot_budget`](Self::boot_budget) |
/// | ready | 30 s | [`Deadlines::ready`] |
/// | validate hook | 5 s | [`Deadlines::validate`] |
/// | reload hook | 30 s | [`Deadlines::reload`] |
/// | stop of a runnable | 5 s | [`Deadlines::stop`] |
/// | shutdown hook | 5 s | [`Deadlines::shutdown`] |
/// | stop in all | 25 s | [`stop_budget`](Self::stop_budget) |
/// | of which hooks keep | a fifth: 5 s | [`stop_reserve`](Self::stop_reserve) |
/// | rollback | 10 s | [`rollback_budget`](Self::rollback_budget) |
/// | lame duck | 5 s in Kubernetes, else 0 | [`lame_duck`](Self::lame_duck) |
///
/// 25 s is what fits into the 30 s that Kubernetes gives a container by default (`terminationGracePeriodSeconds`).
///
/// # Examples
///
/// ```
/// use mainstay_registry::Registry;
/// use mainstay_runtime::{Runtime, Signals, runnable};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let registry: Registry<()> = Registry::new();
/// registry.insert(Arc::new(runnable("job", async |(), _cx| Ok(()))));
/// let outcome = Runtime::new(registry, ()).signals(Signals::none()).run().await;
/// assert_eq!(outcome.exit_code(), 0);
/// # }
/// ```
#[must_use = "a runtime does nothing until it is run"]
pub struct Runtime<S> {
    registry: Arc<Registry<S>>,
    state: S,
    signals: Signals,
    limits: Limits,
    stop_reserve: Option<Duration>,
    shutdown_on: Option<BoxFuture<'static, ()>>,
    stop_token: Option<CancellationToken>,
    readers: Vec<Reader>,
    exit_when_stuck: Option<Duration>,
    state_reload: Option<StateReload<S>>,
    control_to: Vec<Box<dyn FnOnce(Control) + Send>>,
    inline: bool,
    intercept: Intercepting,
    lints: Lints,
    early: Vec<Lint>,
}

impl<S: Clone + Send + Sync + 'static> Runtime<S> {
    /// A runtime for these providers and this state.
    pub fn new(registry: impl Into<Arc<Registry<S>>>, state: S) -> Self {
        // Set in every pod: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
        let lame_duck = if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            Duration::from_secs(5)
        } else {
            Duration::ZERO
        };
        Self {
            registry: registry.into(),
            state,
            signals: Signals::os(),
            limits: Limits { lame_duck, ..Limits::default() },
            stop_reserve: None,
            shutdown_on: None,
            stop_token: None,
            readers: Vec::new(),
            exit_when_stuck: None,
            state_reload: None,
            control_to: Vec::new(),
            inline: false,
            intercept: None,
            lints: Lints::Off,
            early: Vec::new(),
        }
    }

    /// Where signals come from: the process' own by default.
    pub fn signals(mut self, signals: Signals) -> Self {
        self.signals = signals;
        self
    }

    /// Deadlines for every provider that has none of its own.
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.limits.defaults = deadlines;
        self
    }

    /// What all boot hooks together may take: 60 s by default.
    pub fn boot_budget(mut self, budget: Duration) -> Self {
        self.limits.boot_budget = budget;
        self
    }

    /// What the stop as a whole may take, lame duck included: 25 s by default.
    pub fn stop_budget(mut self, budget: Duration) -> Self {
        self.limits.stop_budget = budget;
        self
    }

    /// The part of the stop's budget that waiting for tasks may not use up: a fifth of it by default, 5 s at most.
    pub fn stop_reserve(mut self, reserve: Duration) -> Self {
        self.stop_reserve = Some(reserve);
        self
    }

    /// What a rollback may take: 10 s by default.
    pub fn rollback_budget(mut self, budget: Duration) -> Self {
        self.limits.rollback_budget = budget;
        self
    }

    /// How many boot hooks may run at once: as many as the plan allows by default; 1 is the order of the registry's
    /// own walk. 0 is 1.
    pub fn boot_concurrency(mut self, most: usize) -> Self {
        self.limits.boot_concurrency = most.max(1);
        self
    }

    /// How long to serve on, not ready, after a stop was asked for: so that balancers take the process out before
    /// its listeners close. 5 s in Kubernetes, else 0.
    pub fn lame_duck(mut self, delay: Duration) -> Self {
        self.limits.lame_duck = delay;
        self
    }

    /// After how long a phase that is not over says who is running and who waits for whom, and how often: 5 s.
    pub fn late_after(mut self, interval: Duration) -> Self {
        self.limits.late_after = interval.max(Duration::from_millis(1));
        self
    }

    /// Stops when this future completes. It is polled on the application's runtime.
    pub fn shutdown_on(mut self, future: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown_on = Some(Box::pin(future));
        self
    }

    /// A token to cancel when the stop begins, for code that has no run context.
    ///
    /// It fires at the beginning of the stop, before its order: prefer
    /// [`RunContext::shutdown_token`](crate::RunContext::shutdown_token).
    pub fn shutdown_token(mut self, token: CancellationToken) -> Self {
        self.stop_token = Some(token);
        self
    }

    /// Adds a reader of events. It is called in order, on a thread of its own, and may take its time: of 4096 events
    /// that wait for it the oldest are dropped, and an [`EventKind::Lost`](crate::EventKind::Lost) in their place says
    /// how many. A reader that panics is not called again. The last event is `Finished`; then the reader is dropped.
    pub fn on_event(mut self, reader: impl FnMut(&Event) + Send + 'static) -> Self {
        self.readers.push(Box::new(reader));
        self
    }

    /// Hands the lifecycle's handle over before its first phase, on the thread that starts it: for a state whose
    /// providers are to ask it from their hooks.
    pub fn control_to(mut self, take: impl FnOnce(Control) + Send + 'static) -> Self {
        self.control_to.push(Box::new(take));
        self
    }

    /// Ends the process, with the outcome's exit code, when nobody has taken the outcome after so long: the
    /// application's threads are blocked, and `main` will never go on. Off by default.
    pub fn exit_when_stuck(mut self, patience: Duration) -> Self {
        self.exit_when_stuck = Some(patience);
        self
    }

    /// Supervises from a task of the ambient runtime, on its clock, instead of a thread: for tests with paused time.
    ///
    /// Gives up every promise about blocked threads.
    pub fn inline(mut self) -> Self {
        self.inline = true;
        self
    }

    /// Boots one provider after the other, in an order that the plan allows and the seed chooses: for tests of what is
    /// required and was not declared. The same seed gives the same order.
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.limits.boot_concurrency = 1;
        self.limits.shuffle = Some(seed);
        self
    }

    /// No deadline of a hook or task, those of the providers included, is longer than this, and no budget longer than
    /// ten times this: for tests on the real clock.
    pub fn cap_deadlines(mut self, most: Duration) -> Self {
        self.limits.cap = Some(most);
        self
    }

    /// Puts something between the runtime and each hook and task. The last one given is the outermost. For tests.
    pub fn intercept(mut self, intercept: Arc<dyn Intercept>) -> Self {
        self.intercept = Some(match self.intercept.take() {
            Some(inner) => crate::intercept::layered(intercept, inner),
            None => intercept,
        });
        self
    }

    /// Looks for breaches of the rules of the phases, and warns of them: off by default, on in a daemon's
    /// `Development` mode and in the test kit.
    pub fn lints(mut self, lints: Lints) -> Self {
        self.lints = lints;
        self
    }

    /// Breaches that were found before it was made, to be told with the others.
    #[doc(hidden)]
    pub fn found(mut self, lints: Vec<Lint>) -> Self {
        self.early.extend(lints);
        self
    }

    /// The registry that it was made with.
    pub fn registry(&self) -> &Arc<Registry<S>> {
        &self.registry
    }

    /// What a hook or task of this phase may take: the provider's own deadline, else the runtime's, else the default.
    pub fn deadline(&self, own: Deadlines, phase: mainstay_registry::Phase) -> Duration {
        crate::spec::Resolved::of(own, self.limits.defaults).capped(self.limits.cap).of_phase(phase)
    }

    /// The limits as they were set, the reserve in proportion to its budget.
    fn limits(&self) -> Limits {
        let (most, budget) = (Limits::default().stop_reserve, self.limits.stop_budget);
        let reserve = self.stop_reserve.unwrap_or(most.min(budget / 5)).min(budget);
        Limits { stop_reserve: reserve, ..self.limits }
    }

    /// Makes the state's own reload step 0 of every reload: when it fails, no provider is asked.
    pub fn reload_state(mut self) -> Self
    where
        S: ReloadState,
    {
        self.state_reload = Some(|state| {
            Box::pin(async move {
                state
                    .reload()
                    .await
                    .map_err(|error| error.in_phase(mainstay_registry::Phase::Reload, "state"))
            })
        });
        self
    }
}

impl<S> fmt::Debug for Runtime<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("limits", &self.limits)
            .field("inline", &self.inline)
            .finish_non_exhaustive()
    }
}
