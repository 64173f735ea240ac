//! Events: everything that happens in a lifecycle, as one closed set of typed facts.

mod hub;
mod log;
mod record;
mod sink;
mod subscribe;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use self::sink::{Reader, Sink};
pub use self::subscribe::Events;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_registry::Phase;

use crate::lints::Lint;
use crate::outcome::{Failure, Forced, StopCause};
use crate::signals::Signal;
use crate::status::Unready;

/// A fact, and when it happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// On the machine's monotonic clock.
    pub at: Instant,
    /// Its place among the events of its lifecycle, from 1. Each has the next number; only an [`EventKind::Lost`]
    /// bears that of the last one that it stands for.
    pub number: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Names of providers are the shown names of the plan.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// The plan is made and the registry sealed.
    Planned {
        /// How many providers it has.
        providers: usize,
        /// What it warns of, as text.
        warnings: Vec<String>,
    },
    /// A boot hook was started.
    Booting {
        /// Whose.
        provider: &'static str,
    },
    /// A boot hook returned `Ok`.
    Booted {
        /// Whose.
        provider: &'static str,
        /// How long it took.
        took: Duration,
    },
    /// Every boot hook has returned `Ok`.
    BootFinished {
        /// How many providers.
        providers: usize,
        /// From the first hook to the last.
        took: Duration,
        /// The chain of hooks that decided how long it took, first to last, each with its own time.
        critical_path: Vec<(&'static str, Duration)>,
    },
    /// A task was started.
    TaskStarted {
        /// Whose, which, and which start of it.
        task: TaskName,
    },
    /// A task does its job now.
    TaskReady {
        /// Which.
        task: TaskName,
    },
    /// A task ended without a failure.
    TaskEnded {
        /// Which.
        task: TaskName,
        /// It said that it has nothing to do here.
        disabled: bool,
    },
    /// A task or child failed, and nothing follows from it: `Error::Recoverable`, or it failed on its way out.
    Recoverable(Failure),
    /// A task has ended, and is started again after a delay.
    Restarting {
        /// Which; its generation is the one that has ended.
        task: TaskName,
        /// The number of the restart, in a row.
        attempt: u32,
        /// How long it is until then.
        delay: Duration,
        /// Its failure; `None` when it ended with `Ok` under `RestartPolicy::always`.
        failure: Option<Arc<Failure>>,
    },
    /// A task has failed for good: it is not started again, and the process serves on.
    Degraded(Failure),
    /// An operator has asked for something, and it was accepted.
    Ordered {
        /// What.
        operation: Operation,
        /// Of which provider.
        provider: &'static str,
        /// Whom it concerns as well.
        also: Vec<&'static str>,
    },
    /// A task has ended because an operator, or the restart of one that it requires, wanted it to.
    TaskStopped {
        /// Which.
        task: TaskName,
    },
    /// A task was aborted, and is still there: it holds a thread. Its next generation does not wait for it.
    LeftBehind {
        /// Which.
        task: TaskName,
        /// What was seen of it.
        seen: Option<String>,
    },
    /// A task has not ticked in time.
    Stuck {
        /// Which.
        task: TaskName,
        /// Since its last tick.
        since: Duration,
        /// What was seen of it.
        seen: Option<String>,
    },
    /// A task that was stuck has ticked.
    Unstuck {
        /// Which.
        task: TaskName,
    },
    /// The whole was ready and is not any more.
    NotReady {
        /// Those by whom it is not.
        causes: Vec<Unready>,
    },
    /// The whole is ready again.
    ReadyAgain {
        /// For how long it was not.
        after: Duration,
    },
    /// No worker of the application's runtime polls anything: all of them are blocked, or it is not driven.
    Wedged {
        /// Since when.
        since: Duration,
        /// Every hook and task that was seen inside of a poll, or has left a note.
        running: Vec<Busy>,
    },
    /// The application's runtime polls again.
    Unwedged {
        /// For how long it did not.
        after: Duration,
    },
    /// Everything is booted, valid, started and ready.
    Ready {
        /// From the start of the boot.
        took: Duration,
    },
    /// A failure.
    Failed(Failure),
    /// A phase takes long: who is running, and who waits for whom.
    Late {
        /// Which phase.
        phase: Phase,
        /// Since when.
        elapsed: Duration,
        /// What runs.
        running: Vec<Busy>,
        /// Who waits, and for whom.
        waiting: Vec<(&'static str, Vec<&'static str>)>,
    },
    /// A hook that no worker polled was taken out of its task and runs on a thread of its own.
    Rescued {
        /// Whose.
        provider: &'static str,
        /// Which hook.
        phase: Phase,
    },
    /// A reload began.
    Reloading,
    /// A reload ended.
    Reloaded(Arc<ReloadReport>),
    /// A reload was given up, because the process stops.
    ReloadAborted,
    /// A publish that is probably not what its author meant.
    Snapshot {
        /// The stable code: `MS0402` to `MS0405`.
        code: &'static str,
        /// What happened to which snapshot.
        warning: String,
    },
    /// A breach of a rule of the phases. Only with [`Lints::On`](crate::Lints::On).
    Lint(Lint),
    /// Log files are to be reopened.
    Reopening,
    /// A signal that cannot be followed in this phase.
    SignalRefused {
        /// Which.
        signal: Signal,
        /// The phase that refuses it.
        phase: Phase,
    },
    /// The end was asked for, or became necessary.
    StopRequested {
        /// By what.
        cause: StopCause,
    },
    /// Not ready any more, but serving on, so that balancers learn of it before the listeners close.
    LameDuck {
        /// For so long.
        delay: Duration,
    },
    /// What was booted is being shut down, because the boot did not finish.
    RollingBack,
    /// A provider is being stopped.
    Stopping {
        /// Which.
        provider: &'static str,
    },
    /// A provider is gone.
    Stopped {
        /// Which.
        provider: &'static str,
        /// How long it took.
        took: Duration,
    },
    /// Something was not waited for any longer.
    Forced(Forced),
    /// A second signal: nothing is waited for any more.
    ForcedExit {
        /// Which.
        signal: Signal,
    },
    /// The stop, or the rollback, is over.
    Finished {
        /// The process' exit code.
        exit_code: u8,
        /// How long the stop took.
        took: Duration,
    },
    /// The reader was too slow: so many events before this one were dropped.
    Lost {
        /// How many.
        events: u64,
    },
    /// A supervised child ended, and is started again.
    ChildRestarting {
        /// The task that it belongs to.
        task: TaskName,
        /// Which: `peer`, or `peer/connection`.
        child: String,
        /// The so-many-th time in a row.
        attempt: u32,
        /// After so long.
        delay: Duration,
        /// Why; `None` when it ended well and its policy is `always`.
        failure: Option<Failure>,
    },
    /// A supervised child failed and nothing follows from it: it is listed as failed, or was being stopped anyway.
    ChildFailed {
        /// The task that it belongs to.
        task: TaskName,
        /// Which: `peer`, or `peer/connection`.
        child: String,
        /// How often it was restarted before, in all.
        restarts: u64,
        /// Its failure.
        failure: Failure,
    },
}

impl EventKind {
    /// One of the many that are a line at the level `debug`, and nothing else.
    fn is_detail(&self) -> bool {
        matches!(
            self,
            Self::Booting { .. }
                | Self::Booted { .. }
                | Self::TaskStarted { .. }
                | Self::TaskReady { .. }
                | Self::Stopping { .. }
                | Self::Stopped { .. }
        )
    }
}

/// What an operator asks of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`Control::start`](crate::Control::start).
    Start,
    /// [`Control::stop`](crate::Control::stop).
    Stop,
    /// [`Control::restart`](crate::Control::restart).
    Restart,
}

impl Operation {
    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A task by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TaskName {
    /// The provider.
    pub provider: &'static str,
    /// The runnable inside it, when it has several.
    pub task: Option<&'static str>,
    /// Which start of it, from 1.
    pub generation: u64,
}

impl std::fmt::Display for TaskName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.provider)?;
        if let Some(task) = self.task {
            write!(f, "/{task}")?;
        }
        Ok(())
    }
}

/// Somebody who is running while a phase is late.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Busy {
    /// The provider, with the runnable inside it if it has a name.
    pub name: String,
    /// What of it runs.
    pub phase: Phase,
    /// Since when.
    pub since: Duration,
    /// The last note, and whether it blocks a thread or is starved of one.
    pub seen: Option<String>,
}

/// What a reload did, provider by provider, in the order in which they were asked.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReloadReport {
    /// From its first hook to its last.
    pub took: Duration,
    /// Who was asked, and what came of it.
    pub entries: Vec<(&'static str, ReloadResult)>,
    /// The epoch that everything published became visible in; `None` when somebody refused and nothing did.
    pub epoch: Option<u64>,
    /// What went wrong in the effects of the commit or the abort: they undo nothing.
    pub effects: Vec<String>,
}

impl ReloadReport {
    /// True when it was committed: nobody refused, and all that was published is visible.
    pub fn is_committed(&self) -> bool {
        self.epoch.is_some()
    }
}

/// What came of one provider's reload.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReloadResult {
    /// Its hook returned `Ok`.
    Reloaded {
        /// How long it took.
        took: Duration,
    },
    /// Its hook failed, panicked or ran past its deadline.
    Refused(Failure),
    /// It was not asked, because one that it requires refused.
    Skipped {
        /// Which one.
        because: &'static str,
    },
}
