//! Status: the whole of a running lifecycle at one moment, as data and as text.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mainstay_registry::Phase;

use crate::clock::human;
use crate::context::{ChildState, ChildStatus};
use crate::event::ReloadReport;
use crate::outcome::Failure;

/// A lifecycle at one moment, as [`Control::status`](crate::Control::status) sees it.
///
/// `Display` is a table for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Where the whole is.
    pub phase: Phase,
    /// Since the beginning of the boot, or of the lifecycle before it.
    pub uptime: Duration,
    /// Whether it can be sent work.
    pub ready: ReadyState,
    /// How long the boot took; `None` when it is not finished.
    pub boot_took: Option<Duration>,
    /// The chain of hooks that decided how long the boot took, first to last, each with its own time.
    pub critical_path: Vec<(&'static str, Duration)>,
    /// The epoch of the snapshots that is visible.
    pub epoch: u64,
    /// The last reload that was committed or refused.
    pub last_reload: Option<Arc<ReloadReport>>,
    /// No worker of the application's runtime has polled anything for so long.
    pub wedged: Option<Duration>,
    /// Every provider, in the order of the plan; empty before it is made.
    pub providers: Vec<ProviderStatus>,
}

/// One provider at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProviderStatus {
    /// Its shown name.
    pub name: &'static str,
    /// Where it is.
    pub state: ProviderState,
    /// When its boot hook was begun, from the beginning of the boot.
    pub boot_began: Option<Duration>,
    /// How long its boot hook took.
    pub boot_took: Option<Duration>,
    /// Whether it does its job: by itself, and by what it requires and wants.
    pub ready: ReadyState,
    /// Its runnables.
    pub runnables: Vec<RunnableStatus>,
}

/// Where a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProviderState {
    /// Its boot has not begun.
    Waiting,
    /// Its boot hook runs.
    Booting,
    /// It is booted.
    Booted,
    /// Its boot failed, or was cancelled.
    Failed,
    /// It is being stopped.
    Stopping,
    /// It is gone.
    Stopped,
}

/// One runnable at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunnableStatus {
    /// Its name within the provider; `None` for the only one.
    pub name: Option<&'static str>,
    /// Which start of it this is, from 1; 0 before the first.
    pub generation: u64,
    /// What it is doing.
    pub state: RunnableState,
    /// How long the present generation has been running; zero when none is.
    pub uptime: Duration,
    /// How often it was started again, by its policy or by an operator.
    pub restarts: u64,
    /// Its last failure, of whichever generation.
    pub last_failure: Option<Arc<Failure>>,
    /// What it said last that it is doing.
    pub note: Option<String>,
    /// It has been inside of one poll for so long.
    pub polling: Option<Duration>,
    /// The children that its present generation supervises, by name.
    pub children: Vec<ChildStatus>,
    /// Whom it waits for before it starts.
    pub waits_for: Vec<&'static str>,
}

/// What a runnable is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunnableState {
    /// It has not been started yet, or waits for what it requires.
    Waiting,
    /// It was started, and is not ready yet.
    Starting,
    /// It does its job.
    Ready,
    /// It is ready, and has not ticked in time.
    Stuck,
    /// It failed, and is started again.
    Backoff {
        /// The number of that restart, in a row.
        attempt: u32,
        /// When it comes.
        next_in: Duration,
    },
    /// It was asked to end.
    Stopping,
    /// It has ended well.
    Completed,
    /// It said that it has nothing to do.
    Disabled,
    /// It failed for good, and the process serves on.
    Failed,
    /// An operator has stopped it.
    Stopped,
}

impl RunnableState {
    /// Returns the word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Stuck => "stuck",
            Self::Backoff { .. } => "backoff",
            Self::Stopping => "stopping",
            Self::Completed => "completed",
            Self::Disabled => "disabled",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// Whether a provider, or the whole, does its job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadyState {
    /// It does.
    Ready,
    /// It does, without something that it wants, which is named; or the whole does, without one that failed for good or
    /// was stopped.
    Degraded(Vec<Unready>),
    /// It does not. Empty: it is not in its run phase.
    Unready(Vec<Unready>),
}

impl ReadyState {
    /// True when it can be sent work: ready, or degraded.
    pub fn is_ready(&self) -> bool {
        !matches!(self, Self::Unready(_))
    }

    /// Who is not ready, and because of whom.
    pub fn causes(&self) -> &[Unready] {
        match self {
            Self::Ready => &[],
            Self::Degraded(causes) | Self::Unready(causes) => causes,
        }
    }
}

impl fmt::Display for ReadyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Degraded(_) => "degraded",
            Self::Unready(_) => "not ready",
        })
    }
}

/// Why a provider is not ready: `'api' not ready: 'db' restart 3 to come: connection refused, since 12 s`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unready {
    /// Who.
    pub provider: &'static str,
    /// Because of whom: itself, or the first along what it requires that is not ready by itself.
    pub root: &'static str,
    /// What that one is doing.
    pub state: RunnableState,
    /// The failure that it comes from, if there is one.
    pub failure: Option<Arc<Failure>>,
    /// Since when.
    pub since: Duration,
}

impl Unready {
    /// What is the matter with the root, in a few words: `restart 3 to come: connection refused`.
    pub fn why(&self) -> String {
        let failed = self.failure.is_some();
        let state = match self.state {
            RunnableState::Waiting if failed => "waiting to be started again".to_owned(),
            RunnableState::Waiting => "not started".to_owned(),
            RunnableState::Starting if failed => "starting again".to_owned(),
            RunnableState::Ready => "about to stop".to_owned(),
            RunnableState::Backoff { attempt, .. } => format!("restart {attempt} to come"),
            RunnableState::Stopping if failed => "failed".to_owned(),
            ref state => state.as_str().to_owned(),
        };
        match &self.failure {
            Some(failure) => format!("{state}: {}", failure.cause_line()),
            None => state,
        }
    }
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' not ready: ", self.provider)?;
        if self.root != self.provider {
            write!(f, "'{}' ", self.root)?;
        }
        write!(f, "{}, since {}", self.why(), human(self.since))
    }
}

impl Status {
    /// Of a lifecycle that could not be begun.
    pub(crate) fn none() -> Self {
        Self {
            phase: Phase::Stop,
            uptime: Duration::ZERO,
            ready: ReadyState::Unready(Vec::new()),
            boot_took: None,
            critical_path: Vec::new(),
            epoch: 0,
            last_reload: None,
            wedged: None,
            providers: Vec::new(),
        }
    }

    /// The provider with this name.
    pub fn provider(&self, name: &str) -> Option<&ProviderStatus> {
        self.providers.iter().find(|provider| provider.name == name)
    }

    /// The runnable that is called so: `http`, or `http/public`.
    pub fn runnable(&self, name: &str) -> Option<&RunnableStatus> {
        if let Some(provider) = self.provider(name) {
            return provider.runnables.first();
        }
        let (provider, task) = name.rsplit_once('/')?;
        self.provider(provider)?.runnables.iter().find(|runnable| runnable.name == Some(task))
    }
}

impl fmt::Display for Status {
    /// A line for the whole, one for each cause, then a table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {} · up {} · epoch {}", self.phase, self.ready, human(self.uptime), self.epoch)?;
        if let Some(took) = self.boot_took {
            write!(f, " · booted in {}", human(took))?;
        }
        if let Some(since) = self.wedged {
            write!(f, " · no worker polls since {}", human(since))?;
        }
        for cause in self.ready.causes() {
            write!(f, "\n  {cause}")?;
        }
        let rows: Vec<[String; 6]> = self.providers.iter().flat_map(rows).collect();
        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &rows {
            let mut line = String::from("\n ");
            for (width, cell) in widths.iter().zip(row) {
                line.push(' ');
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width - cell.chars().count()));
            }
            f.write_str(line.trim_end_matches(' '))?;
        }
        Ok(())
    }
}

/// Name, state, generation, uptime, restarts, and what else there is to say.
fn rows(provider: &ProviderStatus) -> Vec<[String; 6]> {
    let booted = provider.state == ProviderState::Booted;
    if provider.runnables.is_empty() || !booted {
        let state = match provider.state {
            ProviderState::Waiting => "waiting",
            ProviderState::Booting => "booting",
            ProviderState::Booted => "booted",
            ProviderState::Failed => "failed",
            ProviderState::Stopping => "stopping",
            ProviderState::Stopped => "stopped",
        };
        let took = provider.boot_took.map(|took| format!("booted in {}", human(took))).unwrap_or_default();
        return vec![[
            provider.name.to_owned(),
            state.to_owned(),
            String::new(),
            String::new(),
            String::new(),
            took,
        ]];
    }
    let row = |runnable: &RunnableStatus| {
        let name = runnable.name.map_or(provider.name.to_owned(), |task| format!("{}/{task}", provider.name));
        let uptime = if runnable.uptime.is_zero() { String::new() } else { human(runnable.uptime) };
        let restarts = match runnable.restarts {
            0 => String::new(),
            1 => "1 restart".to_owned(),
            many => format!("{many} restarts"),
        };
        let generation = format!("#{}", runnable.generation);
        [name, runnable.state.as_str().to_owned(), generation, uptime, restarts, remark(runnable)]
    };
    provider.runnables.iter().map(row).collect()
}

fn remark(runnable: &RunnableStatus) -> String {
    let mut said = Vec::new();
    if let RunnableState::Backoff { attempt, next_in } = runnable.state {
        said.push(format!("restart {attempt} in {}", human(next_in)));
    }
    if !runnable.waits_for.is_empty() {
        said.push(format!("waits for {}", runnable.waits_for.join(", ")));
    }
    if !runnable.children.is_empty() {
        let running = runnable.children.iter().filter(|child| child.state == ChildState::Running).count();
        said.push(format!("{running} of {} children run", runnable.children.len()));
    }
    if let Some(note) = &runnable.note {
        said.push(format!("\"{note}\""));
    }
    if let Some(failure) = &runnable.last_failure {
        said.push(format!("last failure: {}", failure.cause_line()));
    }
    said.join("; ")
}
