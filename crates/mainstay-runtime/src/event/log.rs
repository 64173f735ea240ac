//! The one place that turns events into lines of `tracing`.
//!
//! Their target is `mainstay`. The fields `provider`, `phase`, `generation` and `code` are frozen: dashboards and
//! alerts may rely on them.

use std::time::Duration;

use mainstay_registry::Phase;
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, warn};

use super::{Busy, Event, EventKind, ReloadReport, ReloadResult, TaskName};
use crate::clock::human;
use crate::codes;
use crate::outcome::{Failure, StopCause};

/// The target of every line: what a filter names.
const TARGET: &str = "mainstay";

/// Whether this may be a line: of nothing where no subscriber is, and of a detail at the level `debug` alone.
pub(super) fn wants(kind: &EventKind) -> bool {
    let most = LevelFilter::current();
    most >= LevelFilter::DEBUG || (most > LevelFilter::OFF && !kind.is_detail())
}

pub(super) fn reader_panicked(message: &str) {
    error!(target: TARGET, "a reader of events panicked and is not called again: {message}");
}

#[allow(clippy::too_many_lines, reason = "one line for each event")]
pub(super) fn log(event: &Event) {
    match &event.kind {
        EventKind::Planned { providers, warnings } => {
            debug!(target: TARGET, phase = "plan", providers, "planned");
            for warning in warnings {
                warn!(target: TARGET, phase = "plan", "{warning}");
            }
        }
        EventKind::Booting { provider } => debug!(target: TARGET, provider, phase = "boot", "booting"),
        EventKind::Booted { provider, took } => {
            debug!(target: TARGET, provider, phase = "boot", took = %human(*took), "booted");
        }
        EventKind::BootFinished { providers, took, .. } => {
            info!(target: TARGET, phase = "boot", providers, took = %human(*took), "boot finished");
        }
        EventKind::TaskStarted { task } => {
            debug!(target: TARGET, provider = %task, phase = "run", generation = task.generation, "started");
        }
        EventKind::TaskReady { task } => {
            debug!(target: TARGET, provider = %task, phase = "run", generation = task.generation, "ready");
        }
        EventKind::TaskEnded { task, disabled } => {
            info!(target: TARGET, provider = %task, phase = "run", generation = task.generation, disabled, "ended");
        }
        EventKind::Recoverable(failure) => {
            warn!(target: TARGET, provider = failure.provider(),
                phase = "run",
                code = failure.code().id,
                "{}",
                failure.headline()
            );
        }
        EventKind::Ready { took } => info!(target: TARGET, phase = "run", took = %human(*took), "ready"),
        EventKind::Failed(failure) => failed(failure),
        EventKind::Late { phase, elapsed, running, waiting } => late(*phase, *elapsed, running, waiting),
        EventKind::Rescued { provider, phase } => {
            warn!(target: TARGET, provider,
                phase = phase.as_str(),
                "no worker polled the hook: it runs on a thread of its own"
            );
        }
        EventKind::Reloading => debug!(target: TARGET, phase = "reload", "reloading"),
        EventKind::Reloaded(report) => reloaded(report),
        EventKind::ReloadAborted => {
            warn!(target: TARGET, phase = "reload", "reload given up: the process stops");
        }
        EventKind::Snapshot { code, warning } => warn!(target: TARGET, code, "{warning}"),
        EventKind::Lint(lint) => {
            let (code, phase) = (lint.code.id, lint.phase.as_str());
            warn!(target: TARGET, provider = lint.provider, phase, code, "{}", lint.text);
        }
        EventKind::Reopening => info!(target: TARGET, phase = "run", "reopening"),
        EventKind::SignalRefused { signal, phase } => {
            warn!(target: TARGET, phase = phase.as_str(), %signal, "{signal} is not followed during {phase}");
        }
        EventKind::StopRequested { cause: StopCause::Failed } => {
            warn!(target: TARGET, phase = "stop", "stopping after a failure");
        }
        EventKind::StopRequested { cause } => info!(target: TARGET, phase = "stop", %cause, "stopping"),
        EventKind::LameDuck { delay } => {
            info!(target: TARGET, phase = "stop", delay = %human(*delay), "serving on, not ready");
        }
        EventKind::RollingBack => info!(target: TARGET, phase = "stop", "rolling back"),
        EventKind::Stopping { provider } => debug!(target: TARGET, provider, phase = "stop", "stopping"),
        EventKind::Stopped { provider, took } => {
            debug!(target: TARGET, provider, phase = "stop", took = %human(*took), "stopped");
        }
        EventKind::Forced(cut) => {
            warn!(target: TARGET, provider = cut.provider,
                task = cut.task.as_deref(),
                phase = "stop",
                after = %human(cut.after),
                seen = cut.seen.as_deref(),
                "{} was not waited for any longer",
                cut.what
            );
        }
        EventKind::ForcedExit { signal } => {
            error!(target: TARGET, phase = "stop", %signal, "second signal: exiting at once");
        }
        EventKind::Finished { exit_code, took } => {
            info!(target: TARGET, phase = "stop", exit_code, took = %human(*took), "stopped");
        }
        EventKind::Lost { events } => {
            warn!(target: TARGET, events, "events were dropped: their reader is too slow");
        }
        kind => supervised(kind),
    }
}

/// What the supervision of tasks and the operators' orders have to say.
fn supervised(kind: &EventKind) {
    match kind {
        EventKind::Restarting { task, attempt, delay, failure } => {
            restarting(*task, *attempt, *delay, failure.as_deref());
        }
        EventKind::Degraded(failure) => degraded(failure),
        EventKind::Ordered { operation, provider, also } => {
            info!(target: TARGET, provider, phase = "run", also = %also.join(", "), "{operation} requested");
        }
        EventKind::TaskStopped { task } => {
            info!(target: TARGET, provider = %task, phase = "run", generation = task.generation, "stopped");
        }
        EventKind::LeftBehind { task, seen } => {
            warn!(target: TARGET, provider = %task,
                phase = "run",
                generation = task.generation,
                seen = seen.as_deref(),
                "aborted, and still on a thread"
            );
        }
        EventKind::Stuck { task, since, seen } => {
            warn!(target: TARGET, provider = %task,
                phase = "run",
                generation = task.generation,
                code = codes::STUCK.id,
                since = %human(*since),
                seen = seen.as_deref(),
                "stuck: no tick in time"
            );
        }
        EventKind::Unstuck { task } => {
            info!(target: TARGET, provider = %task, phase = "run", generation = task.generation, "ticks again");
        }
        EventKind::NotReady { causes } => {
            let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
            warn!(target: TARGET, phase = "run", causes = %causes.join("; "), "not ready any more");
        }
        EventKind::ReadyAgain { after } => {
            info!(target: TARGET, phase = "run", after = %human(*after), "ready again");
        }
        EventKind::Wedged { since, running } => {
            error!(target: TARGET, phase = "run",
                code = codes::WEDGED.id,
                since = %human(*since),
                running = %busy(running),
                "no worker of the runtime polls anything"
            );
        }
        EventKind::Unwedged { after } => {
            warn!(target: TARGET, phase = "run", after = %human(*after), "the runtime polls again");
        }
        EventKind::ChildRestarting { task, child, attempt, delay, failure } => {
            let code = failure.as_ref().map(|failure| failure.code().id);
            let cause = failure.as_ref().map(Failure::headline);
            warn!(target: TARGET, provider = %task, child, phase = "run", code, attempt,
                delay = %human(*delay), cause, "restarting a child");
        }
        EventKind::ChildFailed { task, child, restarts, failure } => {
            warn!(target: TARGET, provider = %task, child, phase = "run", generation = failure.generation(),
                code = failure.code().id, restarts, "{}", failure.headline());
        }
        _ => {}
    }
}

fn restarting(task: TaskName, attempt: u32, delay: Duration, failure: Option<&Failure>) {
    let (code, seen) = (failure.map(|failure| failure.code().id), failure.and_then(Failure::seen));
    let text = failure.map_or_else(|| format!("runnable '{task}' ended"), Failure::headline);
    warn!(target: TARGET, provider = task.provider,
        task = failure.and_then(Failure::task_name),
        phase = "run",
        generation = task.generation,
        code,
        seen,
        at = failure.and_then(Failure::panicked_at),
        attempt,
        delay = %human(delay),
        "{text}; it is started again"
    );
}

fn degraded(failure: &Failure) {
    error!(target: TARGET, provider = failure.provider(),
        task = failure.task_name(),
        phase = "run",
        generation = failure.generation(),
        code = failure.code().id,
        seen = failure.seen(),
        at = failure.panicked_at(),
        "{}; the process serves on without it",
        failure.headline()
    );
}

fn failed(failure: &Failure) {
    error!(target: TARGET, provider = failure.provider(),
        task = failure.task_name(),
        phase = failure.phase().as_str(),
        generation = failure.generation(),
        code = failure.code().id,
        seen = failure.seen(),
        at = failure.panicked_at(),
        "{}",
        failure.headline()
    );
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

fn late(phase: Phase, elapsed: Duration, running: &[Busy], waiting: &[(&'static str, Vec<&'static str>)]) {
    let waiting: Vec<String> =
        waiting.iter().map(|(who, whom)| format!("'{who}' <- {}", quoted(whom))).collect();
    warn!(target: TARGET, phase = phase.as_str(),
        elapsed = %human(elapsed),
        running = %busy(running),
        waiting = %waiting.join("; "),
        "still in {phase}"
    );
}

fn busy(running: &[Busy]) -> String {
    let one = |busy: &Busy| {
        let seen = busy.seen.as_deref().map(|seen| format!(" ({seen})")).unwrap_or_default();
        format!("'{}' in {} since {}{seen}", busy.name, busy.phase, human(busy.since))
    };
    running.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn reloaded(report: &ReloadReport) {
    for (provider, result) in &report.entries {
        match result {
            ReloadResult::Refused(failure) => failed(failure),
            ReloadResult::Skipped { because } => {
                warn!(target: TARGET, provider, phase = "reload", because, "reload skipped");
            }
            ReloadResult::Reloaded { took } => {
                debug!(target: TARGET, provider, phase = "reload", took = %human(*took), "reloaded");
            }
        }
    }
    let took = human(report.took);
    for effect in &report.effects {
        error!(target: TARGET, phase = "reload", "{effect}");
    }
    if let Some(epoch) = report.epoch {
        info!(target: TARGET, phase = "reload", epoch, %took, "reload committed");
    } else {
        error!(target: TARGET, phase = "reload", %took, "reload refused");
    }
}
