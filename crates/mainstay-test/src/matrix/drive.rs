//! Drives one scenario: makes the daemon, puts the faults in, reloads it, stops it, and looks at what is left.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstay_registry::{Plan, Registry};
use mainstay_runtime::{Control, Intercept, IntoRuntime, Lints, Outcome, Running, Runtime, Signals};
use mainstay_sync::Epochs;
use tokio::sync::watch;

use super::owners::Owners;
use super::place::{Place, descriptors};
use super::scenario::Scenario;
use crate::check::{Limits, Observed};
use crate::inject::Injector;
use crate::record::{Record, Recorder, Seen, What};

/// On which clock, and how patiently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// Deadlines as they are; they pass in no time.
    Paused,
    /// No deadline longer than this.
    Real(Duration),
}

impl Time {
    fn slack(self) -> Duration {
        match self {
            Self::Paused => Duration::ZERO,
            Self::Real(_) => Duration::from_millis(750),
        }
    }

    /// How long everything may serve before it is asked to stop.
    fn service(self) -> Duration {
        match self {
            Self::Paused => Duration::from_millis(2500),
            Self::Real(_) => Duration::from_millis(20),
        }
    }

    /// Longer than every budget.
    fn patience(self) -> Duration {
        match self {
            Self::Paused => Duration::from_secs(7 * 24 * 60 * 60),
            Self::Real(cap) => cap * 40 + Duration::from_secs(2),
        }
    }
}

/// What every scenario of one matrix has in common.
pub(super) struct Stage<'a, R> {
    pub(super) make: &'a dyn Fn() -> R,
    /// Put outside of the record.
    pub(super) outside: Option<&'a dyn Fn() -> Arc<dyn Intercept>>,
    pub(super) tamper: Option<fn(&mut super::Tampered)>,
    pub(super) time: Time,
    pub(super) place: Place,
}

/// What was seen of one scenario.
pub(super) struct Ran {
    pub(super) seen: Seen,
    pub(super) plan: Option<Plan>,
    pub(super) limits: Limits,
    /// `None`: it did not end.
    pub(super) observed: Option<Observed>,
    /// Tasks of tokio's that were left when the outcome was there.
    pub(super) alive: usize,
    /// By how many epochs the reload moved what is visible; `None` without one.
    pub(super) epochs: Option<u64>,
    /// Descriptors and names that were left, each with whose it seems to be.
    pub(super) descriptors: Vec<(String, Option<crate::record::Who>)>,
    pub(super) names: Vec<(String, Option<crate::record::Who>)>,
}

/// Whether it is written down after each hook what there is, to learn whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    Shallow,
    Deep,
}

/// Runs it. `Err` when there is no daemon to run.
pub(super) fn drive<R: IntoRuntime>(
    stage: &Stage<'_, R>,
    scenario: &Scenario,
    depth: Depth,
) -> Result<Ran, String> {
    let before = descriptors();
    let mut builder = if scenario.blocks() {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2);
        builder
    } else {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.start_paused(stage.time == Time::Paused);
        builder
    };
    let tokio = builder.enable_all().build().map_err(|error| format!("no tokio runtime: {error}"))?;
    let ran = tokio.block_on(live(stage, scenario, depth));
    if scenario.blocks() {
        // A thread of it is blocked for ever.
        tokio.shutdown_background();
        return ran.map(|(ran, _)| ran);
    }
    drop(tokio);
    let (mut ran, here) = ran?;
    let after = descriptors();
    if after.len() > before.len() {
        let left: BTreeSet<_> = after.difference(&before).collect();
        ran.descriptors = left.into_iter().map(|what| (what.clone(), here.owners.of(what))).collect();
    }
    let names = stage.place.names();
    let left = names.difference(&here.names).map(|path| path.display().to_string());
    ran.names = left.map(|path| (path.clone(), here.owners.of(&path))).collect();
    stage.place.clear();
    Ok(ran)
}

/// What was there before it, and who has made what.
struct Here {
    names: BTreeSet<std::path::PathBuf>,
    owners: Arc<Owners>,
}

async fn live<R: IntoRuntime>(
    stage: &Stage<'_, R>,
    scenario: &Scenario,
    depth: Depth,
) -> Result<(Ran, Here), String> {
    let runtime = (stage.make)().into_runtime().map_err(|refused| refused.to_string())?;
    let owners = Owners::new(&stage.place, depth);
    let here = Here { names: stage.place.names(), owners: Arc::clone(&owners) };
    let record = Record::new();
    let plan = runtime.registry().plan();
    let plan = plan.map_err(|error| error.to_string())?;
    let reloads = plan.providers().iter().any(mainstay_registry::Planned::is_reloadable);
    let runtime = prepared(stage, scenario, &record, runtime);
    let limits = Limits { slack: stage.time.slack(), ..Limits::of(&runtime, Some(&plan)) };

    let control: Arc<Mutex<Option<Control>>> = Arc::default();
    let (ready, is_ready) = watch::channel(false);
    let epochs = Arc::new(Reloads::of(runtime.registry()));
    let watcher = Watcher {
        record: Arc::downgrade(&record),
        control: Arc::clone(&control),
        stop_at: scenario.stop_at,
        ready,
        epochs: Arc::clone(&epochs),
        owners,
    };
    record.watch(move |number, what| watcher.see(number, what));
    let running = runtime.begin();
    *control.lock().unwrap_or_else(PoisonError::into_inner) = Some(running.control());
    let script = serve(&running, &record, is_ready, reloads, stage.time);
    let outcome = tokio::time::timeout(stage.time.patience(), script).await.ok();
    drop(running);
    // What knows the engine, and is known by it.
    control.lock().unwrap_or_else(PoisonError::into_inner).take();
    let alive = if scenario.blocks() { 0 } else { left().await };
    let mut observed = outcome.as_ref().map(Observed::of);
    drop(outcome);
    let mut seen = record.seen();
    if let (Some(observed), Some(tamper)) = (&mut observed, stage.tamper) {
        super::tampered(observed, &mut seen, tamper);
    }
    let ran = Ran {
        seen,
        plan: Some(plan),
        limits,
        observed,
        alive,
        epochs: epochs.moved(),
        descriptors: Vec::new(),
        names: Vec::new(),
    };
    Ok((ran, here))
}

fn prepared<R: IntoRuntime>(
    stage: &Stage<'_, R>,
    scenario: &Scenario,
    record: &Arc<Record>,
    runtime: Runtime<R::State>,
) -> Runtime<R::State> {
    let heard = Arc::clone(record);
    let injections = scenario.fault.as_ref().map(|fault| fault.injections.clone()).unwrap_or_default();
    let injector = Injector { injections, only: scenario.only.clone() };
    let recorder = Recorder { record: Arc::clone(record), probe: scenario.probe() };
    let mut runtime = runtime
        .signals(Signals::none())
        .lints(Lints::On)
        .late_after(Duration::from_secs(365 * 24 * 60 * 60))
        .on_event(move |event| heard.hear(&event.kind))
        .intercept(Arc::new(injector))
        .intercept(Arc::new(recorder));
    if let Time::Real(cap) = stage.time {
        runtime = runtime.cap_deadlines(cap);
    }
    if let Some(outside) = stage.outside {
        runtime = runtime.intercept(outside());
    }
    // One after the other, always in the same order: a scenario can be run alone.
    if scenario.blocks() { runtime.boot_concurrency(1) } else { runtime.inline().boot_concurrency(1) }
}

/// What a daemon goes through: it gets ready, is reloaded, serves for a while, and is asked to stop.
async fn serve(
    running: &Running,
    record: &Record,
    mut is_ready: watch::Receiver<bool>,
    reloads: bool,
    time: Time,
) -> Outcome {
    let life = async {
        if is_ready.wait_for(|ready| *ready).await.is_err() {
            return std::future::pending().await;
        }
        if reloads {
            let _ = running.control().reload().await;
        }
        tokio::time::sleep(time.service()).await;
        record.push(What::WeAsk);
        running.control().shutdown("the lifecycle matrix");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        outcome = running.wait() => outcome,
        () = life => running.wait().await,
    }
}

/// The tasks that are still there when everything else had its chance to end.
async fn left() -> usize {
    let metrics = tokio::runtime::Handle::current().metrics();
    for _ in 0..100 {
        if metrics.num_alive_tasks() == 0 {
            return 0;
        }
        tokio::task::yield_now().await;
    }
    metrics.num_alive_tasks()
}

/// Looks on at each step.
struct Watcher<S: 'static> {
    record: std::sync::Weak<Record>,
    control: Arc<Mutex<Option<Control>>>,
    stop_at: Option<usize>,
    ready: watch::Sender<bool>,
    epochs: Arc<Reloads<S>>,
    owners: Arc<Owners>,
}

impl<S: 'static> Watcher<S> {
    fn see(&self, number: usize, what: &What) {
        self.owners.see(what);
        match what {
            What::Ready => {
                self.ready.send_replace(true);
            }
            What::Reloading => self.epochs.begin(),
            What::Reloaded(_) => self.epochs.end(),
            _ => {}
        }
        if self.stop_at != Some(number) {
            return;
        }
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(record), Some(control)) = (self.record.upgrade(), control) {
            record.push(What::WeAskWithin);
            control.shutdown("the lifecycle matrix");
        }
    }
}

/// The epochs before and after the reload.
struct Reloads<S> {
    registry: std::sync::Weak<Registry<S>>,
    before: AtomicU64,
    after: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

impl<S: 'static> Reloads<S> {
    fn of(registry: &Arc<Registry<S>>) -> Self {
        let registry = Arc::downgrade(registry);
        Self { registry, before: AtomicU64::new(UNKNOWN), after: AtomicU64::new(UNKNOWN) }
    }

    fn now(&self) -> u64 {
        let registry = self.registry.upgrade();
        registry.and_then(|registry| registry.get::<Epochs>().map(Epochs::epoch)).unwrap_or(UNKNOWN)
    }

    fn begin(&self) {
        self.before.store(self.now(), Ordering::Relaxed);
    }

    fn end(&self) {
        self.after.store(self.now(), Ordering::Relaxed);
    }

    fn moved(&self) -> Option<u64> {
        let (before, after) = (self.before.load(Ordering::Relaxed), self.after.load(Ordering::Relaxed));
        (before != UNKNOWN && after != UNKNOWN).then(|| after.saturating_sub(before))
    }
}
