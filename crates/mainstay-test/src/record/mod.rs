//! The record: what was called and how it ended, in order, as seen from between the engine and the hooks.
//!
//! It is made by an interceptor, the readers of events and nothing of the engine's, so that it can be held against what
//! the engine says.

mod phases;
mod recorded;
mod recorder;

pub(crate) use self::phases::phases;
pub(crate) use self::recorder::{Probe, Recorder};

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mainstay_registry::Phase;
use mainstay_runtime::{EventKind, HookCall, Lint, StopCause};
use tokio::time::Instant;

/// Which hook or task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Who {
    pub(crate) provider: &'static str,
    pub(crate) phase: Phase,
    pub(crate) runnable: Option<&'static str>,
    pub(crate) generation: u64,
}

impl Who {
    pub(crate) fn of(call: &HookCall) -> Self {
        let HookCall { provider, phase, runnable, generation, .. } = *call;
        Self { provider, phase, runnable, generation }
    }
}

impl fmt::Display for Who {
    /// `boot db`, `run http/public`, `run http/public (2)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.phase, self.provider)?;
        if let Some(runnable) = self.runnable {
            write!(f, "/{runnable}")?;
        }
        if self.generation > 1 {
            write!(f, " ({})", self.generation)?;
        }
        Ok(())
    }
}

/// How a hook or task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Ok,
    /// With its text, and the exit code that it stands for as the cause of an end.
    Failed(String, u8),
    /// The process can do without it.
    Recoverable(String),
    Panicked(String),
    /// Its future was dropped before it had ended.
    Dropped,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Failed(text, _) => write!(f, "failed: {text}"),
            Self::Recoverable(text) => write!(f, "failed (recoverable): {text}"),
            Self::Panicked(text) => write!(f, "panicked: {text}"),
            Self::Dropped => f.write_str("dropped before its end"),
        }
    }
}

/// What happened in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Began(Who),
    Ended(Who, How),
    /// The task was asked to stop.
    Asked(Who),
    /// A shutdown hook that had returned `Ok` was called a second time.
    Again(Who, How),
    TaskReady(Who),
    Ready,
    Reloading,
    /// Committed, or refused.
    Reloaded(bool),
    ReloadAborted,
    /// By whom, and whether it was a failure.
    StopRequested(String, bool),
    /// The test asked for the stop.
    WeAsk,
    /// The test asked for the stop inside of the step before: the engine hears of this first, and then of that.
    WeAskWithin,
    Finished(u8),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began(who) => write!(f, "{who}"),
            Self::Ended(who, how) => write!(f, "{who}: {how}"),
            Self::Asked(who) => write!(f, "{who}: asked to stop"),
            Self::Again(who, how) => write!(f, "{who}: called once more: {how}"),
            Self::TaskReady(who) => write!(f, "{who}: ready"),
            Self::Ready => f.write_str("everything is ready"),
            Self::Reloading => f.write_str("reload begins"),
            Self::Reloaded(true) => f.write_str("reload committed"),
            Self::Reloaded(false) => f.write_str("reload refused"),
            Self::ReloadAborted => f.write_str("reload given up"),
            Self::StopRequested(by, _) => write!(f, "stop requested by {by}"),
            Self::WeAsk | Self::WeAskWithin => f.write_str("the test asks for the stop"),
            Self::Finished(code) => write!(f, "finished with exit code {code}"),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Since the beginning of the run.
    pub(crate) at: Duration,
    pub(crate) what: What,
}

/// Called after each step, with its number from 1.
type Watcher = Box<dyn Fn(usize, &What) + Send + Sync>;

/// Everything that was seen of one run.
pub(crate) struct Record {
    born: Instant,
    seen: Mutex<Seen>,
    watcher: OnceLock<Watcher>,
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) steps: Vec<Step>,
    pub(crate) lints: Vec<Lint>,
    /// Publishes that were hardly meant: the code, and what was said of them.
    pub(crate) snapshots: Vec<(&'static str, String)>,
    /// How many tasks of tokio's more there were after the polls of a hook or task than before them.
    pub(crate) spawned: BTreeMap<Who, i64>,
}

impl Record {
    #[allow(
        clippy::disallowed_methods,
        reason = "the record is of the ambient runtime's clock, paused or not"
    )]
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { born: Instant::now(), seen: Mutex::default(), watcher: OnceLock::new() })
    }

    pub(crate) fn watch(&self, watcher: impl Fn(usize, &What) + Send + Sync + 'static) {
        let _ = self.watcher.set(Box::new(watcher));
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the record is of the ambient runtime's clock, paused or not"
    )]
    pub(crate) fn push(&self, what: What) {
        let at = Instant::now().saturating_duration_since(self.born);
        let number = {
            let mut seen = self.lock();
            seen.steps.push(Step { at, what });
            seen.steps.len()
        };
        if let Some(watcher) = self.watcher.get() {
            let what = self.lock().steps[number - 1].what.clone();
            watcher(number, &what);
        }
    }

    fn spawned(&self, who: Who, tasks: i64) {
        if tasks != 0 {
            *self.lock().spawned.entry(who).or_default() += tasks;
        }
    }

    /// Takes in what the engine says beside the hooks.
    pub(crate) fn hear(&self, event: &EventKind) {
        match event {
            EventKind::TaskReady { task } => self.push(What::TaskReady(Who {
                provider: task.provider,
                phase: Phase::Run,
                runnable: task.task,
                generation: task.generation,
            })),
            EventKind::Ready { .. } => self.push(What::Ready),
            EventKind::Reloading => self.push(What::Reloading),
            EventKind::Reloaded(report) => self.push(What::Reloaded(report.is_committed())),
            EventKind::ReloadAborted => self.push(What::ReloadAborted),
            EventKind::StopRequested { cause } => {
                self.push(What::StopRequested(cause.to_string(), *cause == StopCause::Failed));
            }
            EventKind::Finished { exit_code, .. } => self.push(What::Finished(*exit_code)),
            EventKind::Lint(lint) => self.lock().lints.push(lint.clone()),
            EventKind::Snapshot { code, warning } => self.lock().snapshots.push((code, warning.clone())),
            _ => {}
        }
    }
}

impl Seen {
    /// The place of the first step that is like this.
    pub(crate) fn position(&self, like: impl Fn(&What) -> bool) -> Option<usize> {
        self.steps.iter().position(|step| like(&step.what))
    }

    pub(crate) fn has(&self, like: impl Fn(&What) -> bool) -> bool {
        self.position(like).is_some()
    }
}
