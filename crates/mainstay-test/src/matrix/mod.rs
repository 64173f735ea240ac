//! The lifecycle matrix: every provider of a daemon, in every phase, with every fault, and a stop at every step.

mod drive;
mod found;
mod judge;
mod owners;
mod place;
mod process;
mod scenario;
mod work;

pub use self::found::{MatrixReport, MatrixViolation};

use std::fmt;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mainstay_registry::Phase;
use mainstay_runtime::{Intercept, IntoRuntime};

use self::drive::{Stage, Time};
use self::place::Place;
use self::process::Role;
use self::work::{Part, Work, say};
use crate::check::{Named, Observed};
use crate::record::Seen;

/// Runs a daemon through its whole lifecycle matrix, and fails with the smallest scenario in which an invariant does not
/// hold.
///
/// One line in an ordinary `#[test]`; see [`LifecycleMatrix`] for what it does, and for its options.
///
/// # Examples
///
/// ```no_run
/// use mainstay_registry::{Provider, Registry};
/// use mainstay_runtime::Runtime;
/// use mainstay_test::lifecycle_matrix;
/// use std::sync::Arc;
///
/// struct Db;
/// impl Provider<()> for Db {}
///
/// fn my_daemon() -> Runtime<()> {
///     let registry = Registry::new();
///     registry.insert(Arc::new(Db));
///     Runtime::new(registry, ())
/// }
///
/// // #[test]
/// fn every_fault_is_survived() {
///     lifecycle_matrix(|| my_daemon());
/// }
/// ```
///
/// # Panics
///
/// When an invariant does not hold, with every violation.
#[track_caller]
pub fn lifecycle_matrix<R: IntoRuntime>(make: impl Fn() -> R) {
    LifecycleMatrix::new(make).run();
}

/// A daemon's lifecycle matrix, with options.
///
/// # What is run
///
/// First the daemon without any fault: it boots, gets ready, is reloaded, serves for a moment, and is stopped. Then, for
/// each hook and each runnable that this has called, the same with a fault in it; and the same with a stop at each of its
/// steps. Each scenario has a name:
///
/// | scenario | what happens |
/// | --- | --- |
/// | `golden` | no fault |
/// | `boot/db/error`, `error-late` | `boot` of `db` returns an error: at once, or when its work is done |
/// | `error-and-panic` | it returns an error, and then its `shutdown` panics |
/// | `panic`, `panic-late` | it panics likewise |
/// | `hang` | it never returns; its deadline passes |
/// | `slow` | it takes half of its deadline |
/// | `ok` | it returns `Ok` at once, and does nothing |
/// | `run/http/public/error-once` | only the first generation of the runnable fails |
/// | `stop@17` | the stop is asked for at the 17th step |
/// | `boot/db/block` | `boot` of `db` blocks its thread for ever: on the real clock, in a process of its own |
/// | `.../..+only=db,dns` | the hooks of all other providers are taken out |
///
/// # What is checked
///
/// | invariant | what must hold |
/// | --- | --- |
/// | `shutdown-missing`, `shutdown-twice`, `shutdown-without-boot` | each attempted boot has exactly one shutdown, and nothing else has one |
/// | `boot-order`, `stop-order` | what is required boots first, and dependents are gone first |
/// | `deadline` | no hook passes its deadline, and no stop its budget |
/// | `hook-left`, `task-left` | no hook, and no task of tokio's, is left when the outcome is there |
/// | `fd-left` | every file descriptor is closed in the end |
/// | `name-left` | nothing is left in the directories that are watched |
/// | `exit-code`, `cause-first` | the exit code is the cause's, and the cause is named first |
/// | `ready` | without a fault, it gets ready |
/// | `transaction` | a reload is all or nothing, and one epoch |
/// | `lint` | no rule of the phases is broken ([`Lint`](mainstay_runtime::Lint)); `shutdown` may be called twice |
/// | `ends` | it ends |
///
/// What is held against these comes from between the engine and the hooks, from tokio, from `/proc` and from the file
/// system; not from what the engine says of itself, but for the printed report.
///
/// # Where it runs
///
/// In a process of its own: the test starts its own binary again, with its own name for a filter, so that nothing else
/// opens descriptors meanwhile. The name is that of the test's thread; where tests have no threads of their own
/// (`--test-threads=1`), give it with [`named`](Self::named). Without a name it runs where it is, without what only a
/// process of its own can show: left descriptors, left names, blocked threads.
///
/// `TMPDIR` of that process is an empty directory. The test must be an ordinary function: each scenario has a tokio
/// runtime of its own, current-thread and with a paused clock.
///
/// # One scenario alone
///
/// ```text
/// MAINSTAY_MATRIX=boot/db/panic cargo test every_fault_is_survived
/// MAINSTAY_MATRIX=boot/db cargo test every_fault_is_survived        all faults of that hook
/// ```
#[must_use = "nothing runs before `run`"]
pub struct LifecycleMatrix<F> {
    make: F,
    call: String,
    name: Option<String>,
    watch: Vec<PathBuf>,
    time: Time,
    skip: Vec<Phase>,
    blocks: Blocks,
    outside: Option<Outside>,
    tamper: Option<fn(&mut Tampered)>,
}

type Outside = Box<dyn Fn() -> Arc<dyn Intercept>>;

/// Whether threads are blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blocks {
    Yes,
    No,
}

/// The deadlines of scenarios with blocked threads, which run on the real clock.
const SHORT: Duration = Duration::from_millis(300);

impl<F, R> LifecycleMatrix<F>
where
    F: Fn() -> R,
    R: IntoRuntime,
{
    /// Of the daemon that this makes: a [`Runtime`](mainstay_runtime::Runtime), a `DaemonBuilder`, or the result of its
    /// `runtime_from`. It is made anew for each scenario.
    #[track_caller]
    pub fn new(make: F) -> Self {
        let call = Location::caller().to_string();
        let (watch, skip) = (Vec::new(), Vec::new());
        Self {
            make,
            call,
            name: None,
            watch,
            time: Time::Paused,
            skip,
            blocks: Blocks::Yes,
            outside: None,
            tamper: None,
        }
    }

    /// The full name of the test, as `cargo test` prints it, where its thread does not have it.
    pub fn named(mut self, test: impl Into<String>) -> Self {
        self.name = Some(test.into());
        self
    }

    /// Watches a directory and everything below it, beside `TMPDIR`: what is new in it in the end was left. Of the working
    /// directory only what is directly in it is watched.
    pub fn watch(mut self, folder: impl Into<PathBuf>) -> Self {
        self.watch.push(folder.into());
        self
    }

    /// Runs everything on the real clock, with no deadline longer than this: for daemons with real sockets, or whose
    /// hooks wait for something outside of tokio.
    pub fn real_clock(mut self, most: Duration) -> Self {
        self.time = Time::Real(most);
        self
    }

    /// Puts no fault into that phase. [`Phase::Stop`] is the stop at each step.
    pub fn skip(mut self, phase: Phase) -> Self {
        self.skip.push(phase);
        self
    }

    /// Leaves out the scenarios in which a thread is blocked, each of which takes a process and about a second.
    pub fn without_blocked_threads(mut self) -> Self {
        self.blocks = Blocks::No;
        self
    }

    /// Puts something between the engine and what the matrix writes down: for tests of the matrix, since what is planted
    /// there looks like a bug of the engine's. It is made anew for each scenario.
    pub fn intercept(mut self, make: impl Fn() -> Arc<dyn Intercept> + 'static) -> Self {
        self.outside = Some(Box::new(make));
        self
    }

    /// Changes what was seen of an outcome: for tests of the matrix.
    #[doc(hidden)]
    pub fn tamper(mut self, tamper: fn(&mut Tampered)) -> Self {
        self.tamper = Some(tamper);
        self
    }

    /// Runs it.
    ///
    /// # Panics
    ///
    /// When an invariant does not hold, with every violation; and inside of a tokio runtime.
    #[track_caller]
    pub fn run(self) {
        let report = self.find();
        assert!(report.violations.is_empty(), "{report}");
    }

    /// Runs it, and returns what it has found.
    ///
    /// In the process that does the work this does not return.
    ///
    /// # Panics
    ///
    /// Inside of a tokio runtime.
    #[track_caller]
    pub fn find(self) -> MatrixReport {
        assert!(
            tokio::runtime::Handle::try_current().is_err(),
            "a lifecycle matrix builds tokio runtimes of its own: call it in an ordinary #[test]"
        );
        let name = self.name.clone().or_else(process::test_name);
        match (Role::of(&self.call), name) {
            (Role::Other, _) => MatrixReport::default(),
            (Role::Child(part), name) => self.child(part, &name.unwrap_or_default()),
            (Role::Test, Some(name)) => process::in_processes(&name, &self.call),
            (Role::Test, None) => {
                say("the test's name is not known: descriptors, names and blocked threads are not looked at");
                self.work(Part::Most, "", Place::default()).run()
            }
        }
    }

    #[allow(clippy::disallowed_methods, reason = "this process was started for nothing else")]
    #[allow(clippy::print_stdout, reason = "it is what the test reads")]
    fn child(&self, part: Part, name: &str) -> ! {
        let place = Place {
            own: Some(std::env::temp_dir()),
            trees: self.watch.clone(),
            folders: std::env::current_dir().into_iter().collect(),
        };
        let report = self.work(part, name, place).run();
        println!();
        print!("{}", report.lines());
        let _ = std::io::Write::flush(&mut std::io::stdout());
        std::process::exit(0)
    }

    fn work(&self, part: Part, name: &str, place: Place) -> Work<'_, R> {
        let time = if part == Part::Blocked { Time::Real(SHORT) } else { self.time };
        let outside = self.outside.as_deref();
        Work {
            stage: Stage { make: &self.make, outside, tamper: self.tamper, time, place },
            skip: &self.skip,
            filter: std::env::var(process::FILTER).ok(),
            test: name.to_owned(),
            part,
            blocks: self.blocks == Blocks::Yes,
        }
    }
}

impl<F> fmt::Debug for LifecycleMatrix<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LifecycleMatrix")
            .field("call", &self.call)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What was seen of an outcome, to be changed by a test of the matrix.
#[doc(hidden)]
#[derive(Debug)]
pub struct Tampered {
    /// The exit code.
    pub code: u8,
    /// The failures that are listed, in order: `boot db`.
    pub failures: Vec<String>,
    /// The printed report.
    pub report: String,
}

fn tampered(observed: &mut Observed, seen: &mut Seen, tamper: fn(&mut Tampered)) {
    let name = |failure: &Named| format!("{} {}", failure.phase, failure.provider);
    let failures: Vec<String> = observed.failures.iter().map(name).collect();
    let mut tampered =
        Tampered { code: observed.code, failures, report: std::mem::take(&mut observed.report) };
    tamper(&mut tampered);
    observed.code = tampered.code;
    observed.report = tampered.report;
    observed
        .failures
        .sort_by_key(|failure| tampered.failures.iter().position(|other| *other == name(failure)));
    for step in &mut seen.steps {
        if let crate::record::What::Finished(code) = &mut step.what {
            *code = tampered.code;
        }
    }
}
