//! A failure: who, in which phase, of what, and what is known beside.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use mainstay_registry::{Code, Phase};

use crate::caught::{Panicked, caught, panic_message, watch_panics};
use crate::clock::human;
use crate::codes;
use crate::exit::{Cause, CauseKind, Exit};

/// One failure, named: provider, phase, cause.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    provider: &'static str,
    task: Option<String>,
    generation: Option<u64>,
    phase: Phase,
    problem: Problem,
    panicked_at: Option<String>,
    detail: Option<String>,
    site: Option<&'static Location<'static>>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The hook or task returned an error.
    Error(Cause),
    /// It panicked; the text is the panic's message.
    Panic(String),
    /// It ran past its own deadline.
    Deadline(Duration),
    /// The budget that it shares with others was used up.
    Budget(Duration),
    /// The tokio runtime that it ran on was shut down under it.
    RuntimeGone,
    /// It ended with `Ok` so often in a row, under a policy that always restarts it.
    Ended {
        /// How often.
        times: u32,
    },
    /// It has not ticked for so long.
    Stuck(Duration),
}

impl Failure {
    pub(crate) fn new(provider: &'static str, phase: Phase, problem: Problem) -> Self {
        Self {
            provider,
            task: None,
            generation: None,
            phase,
            problem,
            panicked_at: None,
            detail: None,
            site: None,
        }
    }

    /// The failure that an exit is, if it is one.
    pub(crate) fn of(provider: &'static str, phase: Phase, exit: Exit) -> Option<Self> {
        let problem = match exit {
            Exit::Failed(cause) => Problem::Error(cause),
            Exit::Panicked(panic) => return Some(Self::panicked(provider, phase, panic)),
            Exit::RuntimeGone => Problem::RuntimeGone,
            Exit::Ok | Exit::Disabled | Exit::Aborted | Exit::NeverBegan => return None,
        };
        Some(Self::new(provider, phase, problem))
    }

    pub(crate) fn panicked(provider: &'static str, phase: Phase, panic: Panicked) -> Self {
        let Panicked { message, place } = panic;
        Self { panicked_at: place, ..Self::new(provider, phase, Problem::Panic(message)) }
    }

    /// Calls user code outside of a runtime, and turns a panic of it into the failure that it is, with its place.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::Phase;
    /// use mainstay_runtime::Failure;
    ///
    /// let failure = Failure::catch("mail", Phase::Register, || panic!("no mail today")).unwrap_err();
    /// assert!(failure.to_string().contains("'mail' panicked: no mail today"));
    /// assert!(failure.panicked_at().is_some_and(|place| place.contains(".rs:")));
    /// ```
    #[allow(clippy::result_large_err, reason = "a panic is rare, and its failure is kept as it is")]
    pub fn catch<T>(provider: &'static str, phase: Phase, code: impl FnOnce() -> T) -> Result<T, Self> {
        watch_panics();
        caught(code).map_err(|panic| Self::panicked(provider, phase, panic))
    }

    /// A failure of user code that ran outside of a runtime: an error.
    pub fn from_error(provider: &'static str, phase: Phase, error: mainstay_registry::Error) -> Self {
        Self::new(provider, phase, Problem::Error(Cause::of(error.in_phase(phase, provider))))
    }

    /// A failure of user code that ran outside of a runtime: what `catch_unwind` caught. Its place is not known, as
    /// it is to [`catch`](Self::catch).
    pub fn from_panic(provider: &'static str, phase: Phase, payload: Box<dyn std::any::Any + Send>) -> Self {
        Self::new(provider, phase, Problem::Panic(panic_message(payload)))
    }

    /// A failure of user code that ran outside of a runtime: a hang.
    pub fn from_deadline(provider: &'static str, phase: Phase, after: Duration) -> Self {
        Self::new(provider, phase, Problem::Deadline(after))
    }

    /// Names the place where the provider was registered.
    pub fn at(mut self, site: Option<&'static Location<'static>>) -> Self {
        self.site = site;
        self
    }

    pub(crate) fn task(mut self, task: Option<String>, generation: u64) -> Self {
        self.task = task;
        self.generation = Some(generation);
        self
    }

    pub(crate) fn detail(mut self, detail: Option<String>) -> Self {
        self.detail = detail;
        self
    }

    pub(crate) fn also_seen(mut self, text: &str) -> Self {
        self.detail = Some(self.detail.map_or_else(|| text.to_owned(), |detail| format!("{detail}; {text}")));
        self
    }

    /// The provider's shown name.
    pub fn provider(&self) -> &'static str {
        self.provider
    }

    /// The runnable or child inside the provider, if it has a name: `public`, or `public/connection`.
    pub fn task_name(&self) -> Option<&str> {
        self.task.as_deref()
    }

    /// Which start of a runnable failed, from 1.
    pub fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// The phase that it failed in.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What went wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Where it panicked, if it did: `src/db.rs:12:5`. Not known of a panic that was resumed, and where the program has
    /// installed a panic hook of its own later that does not call the one before it.
    pub fn panicked_at(&self) -> Option<&str> {
        self.panicked_at.as_deref()
    }

    /// What was seen beside: the last note, how long it has blocked a thread.
    pub fn seen(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Where the provider was registered.
    pub fn site(&self) -> Option<&'static Location<'static>> {
        self.site
    }

    /// The stable code: `MS0201`.
    pub fn code(&self) -> Code {
        match (&self.problem, self.phase) {
            (Problem::RuntimeGone, _) => codes::RUNTIME_GONE,
            (Problem::Ended { .. }, _) => codes::ENDED_TOO_OFTEN,
            (Problem::Stuck(_), _) => codes::STUCK,
            (Problem::Budget(_), Phase::Boot) => codes::BOOT_BUDGET,
            (Problem::Budget(_), _) => codes::STOP_BUDGET,
            (Problem::Error(_), Phase::Register) => codes::REGISTER_FAILED,
            (Problem::Error(_), Phase::Boot) => codes::BOOT_FAILED,
            (Problem::Error(_), Phase::Validate) => codes::VALIDATE_FAILED,
            (Problem::Error(_), Phase::Reload) => codes::RELOAD_REFUSED,
            (Problem::Error(_), Phase::Shutdown) => codes::SHUTDOWN_FAILED,
            (Problem::Error(_), _) => codes::RUN_FAILED,
            (Problem::Panic(_), Phase::Register) => codes::REGISTER_PANICKED,
            (Problem::Panic(_), Phase::Boot) => codes::BOOT_PANICKED,
            (Problem::Panic(_), Phase::Validate) => codes::VALIDATE_PANICKED,
            (Problem::Panic(_), Phase::Reload) => codes::RELOAD_PANICKED,
            (Problem::Panic(_), Phase::Shutdown) => codes::SHUTDOWN_PANICKED,
            (Problem::Panic(_), _) => codes::RUN_PANICKED,
            (Problem::Deadline(_), Phase::Boot) => codes::BOOT_DEADLINE,
            (Problem::Deadline(_), Phase::Validate) => codes::VALIDATE_DEADLINE,
            (Problem::Deadline(_), Phase::Reload) => codes::RELOAD_DEADLINE,
            (Problem::Deadline(_), Phase::Shutdown) => codes::SHUTDOWN_DEADLINE,
            (Problem::Deadline(_), Phase::Plan) => codes::PLAN_DEADLINE,
            (Problem::Deadline(_), _) => codes::READY_DEADLINE,
        }
    }

    /// The process' exit code when this failure is the cause (the variant decides, not the phase).
    pub fn exit_code(&self) -> u8 {
        match (&self.problem, self.phase) {
            (Problem::Error(cause), _) => match cause.kind() {
                CauseKind::Boot => 75,
                CauseKind::Validate => 78,
                _ => 1,
            },
            (Problem::Deadline(_) | Problem::Budget(_), Phase::Boot) => 75,
            (_, Phase::Plan) => 78,
            _ => 1,
        }
    }

    pub(crate) fn is_panic(&self) -> bool {
        matches!(self.problem, Problem::Panic(_))
    }

    fn who(&self) -> String {
        match &self.task {
            Some(task) => format!("{}/{task}", self.provider),
            None => self.provider.to_owned(),
        }
    }

    /// What went wrong, in a few words, without the provider.
    pub(crate) fn cause_line(&self) -> String {
        match &self.problem {
            Problem::Error(cause) => cause.to_string(),
            Problem::Panic(message) => format!("panicked: {message}"),
            Problem::Deadline(after) if self.phase == Phase::Run => {
                format!("not ready within {}", human(*after))
            }
            Problem::Deadline(after) | Problem::Budget(after) => format!("not done within {}", human(*after)),
            Problem::RuntimeGone => "its tokio runtime was shut down".to_owned(),
            Problem::Ended { times } => format!("ended with Ok {times} times in a row"),
            Problem::Stuck(since) => format!("no tick for {}", human(*since)),
        }
    }

    /// The first line, without the code.
    pub(crate) fn headline(&self) -> String {
        let who = self.who();
        let phase = self.phase;
        match (&self.problem, phase) {
            (Problem::Error(cause), Phase::Register) => format!("register function '{who}' failed: {cause}"),
            (Problem::Panic(message), Phase::Register) => {
                format!("register function '{who}' panicked: {message}")
            }
            (Problem::Error(cause), Phase::Run) if cause.kind() == CauseKind::Recoverable => {
                format!("runnable '{who}' failed (recoverable): {cause}")
            }
            (Problem::Error(cause), Phase::Run | Phase::Stop) => format!("runnable '{who}' failed: {cause}"),
            (Problem::Error(cause), Phase::Reload) => format!("reload of '{who}' failed: {cause}"),
            (Problem::Error(cause), _) => format!("provider '{who}' failed during {phase}: {cause}"),
            (Problem::Panic(message), Phase::Run | Phase::Stop) => {
                format!("runnable '{who}' panicked: {message}")
            }
            (Problem::Panic(message), _) => format!("provider '{who}' panicked during {phase}: {message}"),
            (Problem::Deadline(after), Phase::Run) => {
                format!("runnable '{who}' was not ready within {}", human(*after))
            }
            (Problem::Deadline(after), _) => {
                format!("provider '{who}' did not end its {phase} within {}", human(*after))
            }
            (Problem::Budget(budget), _) => {
                format!(
                    "provider '{who}' was still in {phase} when the budget of {} was used up",
                    human(*budget)
                )
            }
            (Problem::Ended { times }, _) => {
                format!(
                    "runnable '{who}' ended with Ok {times} times in a row, and its policy always restarts it"
                )
            }
            (Problem::Stuck(since), _) => format!("runnable '{who}' is stuck: no tick for {}", human(*since)),
            (Problem::RuntimeGone, _) => {
                format!("'{who}' was dropped during {phase}: the tokio runtime it ran on was shut down")
            }
        }
    }
}

impl fmt::Display for Failure {
    /// One line per cause: the headline, the place of a panic, what was seen beside, the sources, the site of registration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code().id, self.headline())?;
        if let Some(place) = &self.panicked_at {
            write!(f, "\n  at          {place}")?;
        }
        if let Problem::Error(cause) = &self.problem {
            for source in &cause.chain()[1..] {
                write!(f, "\n  caused by   {source}")?;
            }
        }
        if let Some(detail) = &self.detail {
            write!(f, "\n  seen        {detail}")?;
        }
        if let Some(generation) = self.generation.filter(|&generation| generation > 1) {
            write!(f, "\n  generation  {generation}")?;
        }
        if let Some(site) = self.site {
            write!(f, "\n  registered  {}:{}", site.file(), site.line())?;
        }
        Ok(())
    }
}
