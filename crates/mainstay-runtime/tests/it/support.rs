//! What every test here needs: markers, a paused runtime, a log of events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_registry::Registry;
use mainstay_runtime::{EventKind, Outcome, Runtime, Signals};
use mainstay_test::{Fake, Log};

pub struct A;
pub struct B;
pub struct C;
pub struct D;
pub struct E;

/// A registry of fakes.
#[macro_export]
macro_rules! registry {
    ($($fake:expr),* $(,)?) => {{
        let registry: mainstay_registry::Registry<()> = mainstay_registry::Registry::new();
        $( registry.insert(std::sync::Arc::new($fake)); )*
        registry
    }};
}

pub fn fake<K>(name: &'static str, log: &Log) -> Fake<K> {
    Fake::new(name, log)
}

/// A runtime on the ambient, paused clock that hears no signals.
pub fn paused(registry: impl Into<Arc<Registry<()>>>) -> Runtime<()> {
    Runtime::new(registry, ()).signals(Signals::none()).inline()
}

pub async fn run(registry: Registry<()>) -> Outcome {
    paused(registry).run().await
}

/// Writes the events that matter for an order of things into the log.
pub fn events(log: &Log) -> impl FnMut(&mainstay_runtime::Event) + Send + 'static {
    let log = log.clone();
    move |event| {
        let line = match &event.kind {
            EventKind::Planned { .. } => "planned".to_owned(),
            EventKind::Booting { provider } => format!("booting {provider}"),
            EventKind::Booted { provider, .. } => format!("booted {provider}"),
            EventKind::BootFinished { .. } => "boot finished".to_owned(),
            EventKind::TaskStarted { task } => format!("started {task}"),
            EventKind::TaskReady { task } => format!("ready {task}"),
            EventKind::TaskEnded { task, disabled: false } => format!("ended {task}"),
            EventKind::TaskEnded { task, disabled: true } => format!("disabled {task}"),
            EventKind::Recoverable(failure) => format!("recoverable {}", failure.provider()),
            EventKind::Restarting { task, attempt, delay, .. } => {
                format!("restarting {task} {attempt} after {delay:?}")
            }
            EventKind::Degraded(failure) => format!("degraded {}", failure.provider()),
            EventKind::Ordered { operation, provider, also } => {
                format!("{operation} {provider} [{}]", also.join(", "))
            }
            EventKind::TaskStopped { task } => format!("task stopped {task}"),
            EventKind::LeftBehind { task, .. } => format!("left behind {task}"),
            EventKind::Stuck { task, .. } => format!("stuck {task}"),
            EventKind::Unstuck { task } => format!("unstuck {task}"),
            EventKind::NotReady { causes } => {
                let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
                format!("not ready: {}", causes.join("; "))
            }
            EventKind::ReadyAgain { after } => format!("ready again after {after:?}"),
            EventKind::Wedged { .. } => "wedged".to_owned(),
            EventKind::Unwedged { .. } => "unwedged".to_owned(),
            EventKind::Ready { .. } => "ready".to_owned(),
            EventKind::Failed(failure) => format!("failed {} {}", failure.provider(), failure.phase()),
            EventKind::Reloading => "reloading".to_owned(),
            EventKind::Reloaded(report) => format!("reloaded {}", report.is_committed()),
            EventKind::ReloadAborted => "reload aborted".to_owned(),
            EventKind::Reopening => "reopening".to_owned(),
            EventKind::SignalRefused { signal, phase } => format!("refused {signal} in {phase}"),
            EventKind::StopRequested { cause } => format!("stop requested by {cause}"),
            EventKind::LameDuck { .. } => "lame duck".to_owned(),
            EventKind::RollingBack => "rolling back".to_owned(),
            EventKind::Stopping { provider } => format!("stopping {provider}"),
            EventKind::Stopped { provider, .. } => format!("stopped {provider}"),
            EventKind::Forced(cut) => format!("forced {} {}", cut.provider, cut.what),
            EventKind::Finished { exit_code, .. } => format!("finished {exit_code}"),
            EventKind::Late { phase, .. } => format!("late in {phase}"),
            EventKind::ChildRestarting { task, child, attempt, delay, .. } => {
                format!("restarting {task}/{child} {attempt} after {delay:?}")
            }
            EventKind::ChildFailed { task, child, .. } => format!("child failed {task}/{child}"),
            other => format!("{other:?}"),
        };
        log.push(line);
    }
}

/// The lines without those of the destructors.
pub fn hooks(log: &Log) -> Vec<String> {
    log.lines().into_iter().filter(|line| !line.starts_with("drop ")).collect()
}

/// An application's runtime with so many workers.
pub fn app(workers: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

/// Looks until it is so, and counts the test's patience on the real clock.
pub fn within(limit: Duration, what: impl Fn() -> bool) -> bool {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if what() {
            return true;
        }
        std::thread::yield_now();
    }
    what()
}
