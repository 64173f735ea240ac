//! A daemon that was started by the harness.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt as _;
use mainstay_registry::Plan;
use mainstay_runtime::{Control, Done, Lint, Outcome, ReloadReport, Running, Runtime};
use tokio::sync::watch;

use crate::check::{self, Facts, Limits, Observed};
use crate::record::{Record, What, phases};

/// A daemon under test that was started, and is ready or over. Made by [`Harness::start`](crate::Harness::start).
///
/// Dropping it asks for the stop, which then happens only if the test awaits something.
#[must_use = "dropping it asks for the stop"]
pub struct Started {
    running: Running,
    record: Arc<Record>,
    plan: Option<Plan>,
    limits: Limits,
    seed: u64,
}

impl Started {
    pub(super) async fn new<S: Clone + Send + Sync + 'static>(
        runtime: Runtime<S>,
        record: Arc<Record>,
        plan: Option<Plan>,
        seed: u64,
    ) -> Self {
        let (ready, mut is_ready) = watch::channel(false);
        record.watch(move |_, what| {
            if *what == What::Ready {
                ready.send_replace(true);
            }
        });
        let limits = Limits::of(&runtime, plan.as_ref());
        let running = runtime.begin();
        tokio::select! {
            _ = is_ready.wait_for(|ready| *ready) => {}
            _ = running.wait() => {}
        }
        Self { running, record, plan, limits, seed }
    }

    /// The seed of the order of boots.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The handle to ask it to reload or to stop.
    pub fn control(&self) -> Control {
        self.running.control()
    }

    /// How it ended; `None` while it runs.
    pub fn outcome(&self) -> Option<Outcome> {
        tokio::task::unconstrained(self.running.wait()).now_or_never()
    }

    /// It has become ready, and is not over.
    ///
    /// # Panics
    ///
    /// When it is not ready, with the report and the phases.
    #[track_caller]
    pub fn require_ready(&self) -> &Self {
        let ready = self.record.seen().has(|what| *what == What::Ready);
        if let Some(outcome) = self.outcome() {
            panic!("it is over, and not ready\n{outcome}\n{}", self.what_happened());
        }
        let status = self.control().status();
        assert!(ready && status.ready.is_ready(), "it is not ready\n{}", self.what_happened());
        self
    }

    /// Reloads, as SIGHUP does, and returns what came of it.
    ///
    /// # Panics
    ///
    /// When nothing can be reloaded, because it is over.
    pub async fn reload(&self) -> Arc<ReloadReport> {
        match self.control().reload().await {
            Ok(report) => report,
            Err(error) => panic!("{error}\n{}", self.what_happened()),
        }
    }

    /// Starts the runnables of a provider, or one of them, anew (`http`, `http/public`), and waits until they are ready.
    ///
    /// # Panics
    ///
    /// When that is refused.
    pub async fn restart(&self, name: &str) -> Done {
        match self.control().restart(name).await {
            Ok(done) => done,
            Err(error) => panic!("'{name}' was not restarted: {error}\n{}", self.what_happened()),
        }
    }

    /// Stops it in good order, and waits for the end.
    pub async fn drain(&self) -> &Self {
        self.control().shutdown("the test is over");
        self.wait().await
    }

    /// Waits for its end, without asking for it.
    pub async fn wait(&self) -> &Self {
        drop(self.running.wait().await);
        self
    }

    /// The exit code with which it ended.
    ///
    /// # Panics
    ///
    /// When it is not over.
    #[track_caller]
    pub fn exit_code(&self) -> u8 {
        self.over().exit_code()
    }

    /// It is over, and has ended as it should: each attempted boot has exactly one shutdown, in reverse order, within the
    /// deadlines; the exit code is that of what was seen, and the cause is named first; no rule of the phases was broken.
    ///
    /// # Panics
    ///
    /// When it is not over, or not so, with every violation.
    #[track_caller]
    pub fn require_stopped(&self) -> &Self {
        let outcome = self.over();
        let seen = self.record.seen();
        let observed = Observed::of(&outcome);
        let facts = Facts { seen: &seen, plan: self.plan.as_ref(), limits: &self.limits, outcome: &observed };
        let violations = check::of_a_run(&facts);
        let text = violations.iter().fold(String::new(), |text, violation| format!("{text}{violation}\n"));
        assert!(violations.is_empty(), "{text}{}", self.what_happened());
        self
    }

    /// What happened so far, as text: one line for each hook, each task and each event of the whole, without times.
    ///
    /// The same for every seed, as far as edges and priorities decide: neighbours that no edge orders are put in the
    /// plan's order.
    pub fn phases(&self) -> String {
        let plan = self.plan.as_ref().map(check::names_of).unwrap_or_default();
        phases(&self.record.seen(), &plan)
    }

    /// The breaches of the rules of the phases that were found so far.
    pub fn lints(&self) -> Vec<Lint> {
        self.record.seen().lints
    }

    #[track_caller]
    fn over(&self) -> Outcome {
        self.outcome().unwrap_or_else(|| panic!("it is not over\n{}", self.what_happened()))
    }

    fn what_happened(&self) -> String {
        format!("--- what happened (MAINSTAY_SEED={}):\n{}---", self.seed, self.phases())
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").field("seed", &self.seed).finish_non_exhaustive()
    }
}
