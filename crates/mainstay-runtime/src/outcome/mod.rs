//! How a run ended: what ended it, every failure with its cause first, what was forced, and the exit code.

mod failure;
mod report;

pub use self::failure::{Failure, Problem};
pub(crate) use self::report::print_bounded;

use std::fmt;
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::event::Event;
use crate::signals::Signal;

/// How long a report may take to be written. On a busy machine the thread that writes it may have to wait for its turn,
/// and a report that is lost costs more than an exit that a full pipe holds for so long.
const PATIENCE: Duration = Duration::from_secs(1);

/// What ended a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopCause {
    /// An operator's signal.
    Signal(Signal),
    /// [`Control::shutdown`](crate::Control::shutdown), with its reason.
    Requested(String),
    /// The future given to [`Runtime::shutdown_on`](crate::Runtime::shutdown_on) completed.
    ShutdownOn,
    /// The future of [`Runtime::run`](crate::Runtime::run), or the [`Running`](crate::Running), was dropped.
    Dropped,
    /// Every runnable has ended with `Ok`, or there was none.
    Completed,
    /// A failure: the first of [`Outcome::failures`].
    Failed,
    /// Nothing was started: the plan, the configuration or the command line was refused.
    Refused,
}

impl fmt::Display for StopCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => signal.fmt(f),
            Self::Requested(reason) => write!(f, "request ({reason})"),
            Self::ShutdownOn => f.write_str("shutdown_on"),
            Self::Dropped => f.write_str("dropped"),
            Self::Completed => f.write_str("completed"),
            Self::Failed => f.write_str("failure"),
            Self::Refused => f.write_str("refused"),
        }
    }
}

/// Something that was not waited for any longer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Forced {
    /// The provider's shown name.
    pub provider: &'static str,
    /// The runnable inside it, if it has a name.
    pub task: Option<String>,
    /// What was cut.
    pub what: Cut,
    /// How long it was waited for.
    pub after: Duration,
    /// Whose time was up.
    pub by: CutBy,
    /// What was seen of it: its last note, whether it blocks a thread.
    pub seen: Option<String>,
}

/// Why something was not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CutBy {
    /// Its own deadline.
    Deadline,
    /// The budget of the stop as a whole.
    Budget,
    /// A second signal.
    Signal,
}

/// What was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// A boot hook that did not end within the grace after it was cancelled.
    Boot,
    /// A validate hook that still blocked its thread when the stop had been asked for.
    Validate,
    /// A task that did not end when it was asked to.
    Task,
    /// A shutdown hook.
    Shutdown,
    /// A provider whose destructor did not return.
    Drop,
    /// What a reload had registered to happen after its commit or abort; its provider is called `reload`.
    Effects,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boot => "boot",
            Self::Validate => "validate",
            Self::Task => "runnable",
            Self::Shutdown => "shutdown",
            Self::Drop => "drop",
            Self::Effects => "effects",
        })
    }
}

/// How a run ended.
///
/// The exit code, by precedence: 128 + n when a second signal n forced the exit; 124 when the stop ran out of its
/// budget; else the code of the cause: 0 as asked or nothing left to run, 75 for a boot that is worth a retry,
/// 78 for a plan, configuration or validation that is not, 1 for everything else.
///
/// `Display` is the report, as printed on standard error.
///
/// # Examples
///
/// ```
/// use mainstay_registry::Registry;
/// use mainstay_runtime::{Outcome, Runtime, Signals};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let outcome: Outcome = Runtime::new(Registry::new(), ()).signals(Signals::none()).run().await;
/// assert_eq!(outcome.exit_code(), 0); // no runnable: nothing left to run
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "the outcome holds the exit code: return it from `main`, or call `exit()`"]
pub struct Outcome(Box<Ending>);

/// What an outcome holds; boxed, so that `Result<_, Outcome>` stays small.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) cause: StopCause,
    pub(crate) code: u8,
    pub(crate) failures: Vec<Failure>,
    pub(crate) forced: Vec<Forced>,
    pub(crate) refused: Option<String>,
    pub(crate) never_booted: Vec<(&'static str, Option<&'static str>)>,
    pub(crate) held: Vec<&'static str>,
    pub(crate) forced_by: Option<Signal>,
    pub(crate) boot_took: Option<Duration>,
    pub(crate) stop_took: Duration,
    pub(crate) stop_budget: Duration,
    pub(crate) rolled_back: bool,
    pub(crate) hooks_done: usize,
    pub(crate) hooks_due: usize,
    pub(crate) notes: Vec<String>,
    pub(crate) stopped: Vec<&'static str>,
    /// The last ones, oldest first.
    pub(crate) events: Arc<[Event]>,
    /// Shared by the clones, so that whoever prints first is the only one.
    pub(crate) printed: Arc<AtomicBool>,
}

impl Ending {
    pub(crate) fn empty(cause: StopCause, code: u8) -> Self {
        Self {
            cause,
            code,
            failures: Vec::new(),
            forced: Vec::new(),
            refused: None,
            never_booted: Vec::new(),
            held: Vec::new(),
            forced_by: None,
            boot_took: None,
            stop_took: Duration::ZERO,
            stop_budget: Duration::ZERO,
            rolled_back: false,
            hooks_done: 0,
            hooks_due: 0,
            notes: Vec::new(),
            stopped: Vec::new(),
            events: Arc::default(),
            printed: Arc::new(AtomicBool::new(false)),
        }
    }
}

impl From<Ending> for Outcome {
    fn from(ending: Ending) -> Self {
        Self(Box::new(ending))
    }
}

impl Outcome {
    /// An outcome of a program that refused to start, with the text to print and the exit code.
    pub fn refused(text: impl Into<String>, code: u8) -> Self {
        Ending { refused: Some(text.into()), ..Ending::empty(StopCause::Refused, code) }.into()
    }

    /// An outcome with exit code 0 and nothing to report: `--help`, or a verb that has done its work.
    pub fn done() -> Self {
        Ending::empty(StopCause::Completed, 0).into()
    }

    /// An outcome of failures before anything was started, with the exit code of the first; 78 if there is none.
    pub fn refused_by(failures: Vec<Failure>) -> Self {
        let code = failures.first().map_or(78, Failure::exit_code);
        Ending { failures, ..Ending::empty(StopCause::Refused, code) }.into()
    }

    /// What ended the run.
    pub fn cause(&self) -> &StopCause {
        &self.0.cause
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        self.0.code
    }

    /// Every failure, the cause first, then in the order in which they happened.
    pub fn failures(&self) -> &[Failure] {
        &self.0.failures
    }

    /// What was not waited for any longer.
    pub fn forced(&self) -> &[Forced] {
        &self.0.forced
    }

    /// The second signal, when it was one that ended the run.
    pub fn forced_by(&self) -> Option<Signal> {
        self.0.forced_by
    }

    /// Providers that were never booted, each with the failed provider because of which, if there is one.
    pub fn never_booted(&self) -> &[(&'static str, Option<&'static str>)] {
        &self.0.never_booted
    }

    /// Providers that something outside of the runtime still held when the runtime had given its references up.
    pub fn held(&self) -> &[&'static str] {
        &self.0.held
    }

    /// How long the boot took; `None` when it did not finish.
    pub fn boot_took(&self) -> Option<Duration> {
        self.0.boot_took
    }

    /// How long the stop, or the rollback, took.
    pub fn stop_took(&self) -> Duration {
        self.0.stop_took
    }

    /// What the stop, or the rollback, had for a budget.
    pub fn stop_budget(&self) -> Duration {
        self.0.stop_budget
    }

    /// The providers that were stopped, in the order in which they were gone.
    pub fn stopped(&self) -> &[&'static str] {
        &self.0.stopped
    }

    /// Shutdown hooks that returned `Ok`, and those that were due.
    pub fn hooks(&self) -> (usize, usize) {
        (self.0.hooks_done, self.0.hooks_due)
    }

    /// The last events, oldest first: what the flight recorder held at the end, 256 at most.
    pub fn events(&self) -> &[Event] {
        &self.0.events
    }

    pub(crate) fn with_events(mut self, events: Vec<Event>) -> Self {
        self.0.events = events.into();
        self
    }

    /// `Ok` for exit code 0, else an error whose text is the report: for a `main` that returns a `Result`.
    pub fn into_result(self) -> Result<(), OutcomeError> {
        if self.0.code == 0 { Ok(()) } else { Err(OutcomeError(self)) }
    }

    /// Prints the report on standard error and ends the process with the exit code, at once.
    ///
    /// For a `#[tokio::main]`: returning from it would drop its runtime, which waits for ever for a thread that
    /// somebody blocks. A standard error that nobody reads cannot hold the exit either: the report gets 1 s.
    #[allow(clippy::disallowed_methods, reason = "this is the exit")]
    pub fn exit(self) -> ! {
        self.print();
        std::process::exit(i32::from(self.0.code))
    }

    /// Prints the report on standard error, once, and only if there is something worth a line; gives up after 1 s.
    ///
    /// Below it stand the last events, 32 at most, when the exit code is not 0.
    pub fn print(&self) {
        if self.is_worth_a_report() && !self.0.printed.swap(true, Ordering::Relaxed) {
            print_bounded(self.printed(), PATIENCE);
        }
    }

    /// Whether anything but a clean stop happened.
    pub fn is_worth_a_report(&self) -> bool {
        self.0.code != 0
            || self.0.rolled_back
            || self.0.refused.is_some()
            || !self.0.failures.is_empty()
            || !self.0.forced.is_empty()
            || !self.0.held.is_empty()
    }
}

impl Termination for Outcome {
    fn report(self) -> ExitCode {
        self.print();
        ExitCode::from(self.0.code)
    }
}

/// An outcome with an exit code other than 0, as an error.
pub struct OutcomeError(Outcome);

impl OutcomeError {
    /// The outcome.
    pub fn outcome(&self) -> &Outcome {
        &self.0
    }
}

impl fmt::Debug for OutcomeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for OutcomeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for OutcomeError {}
