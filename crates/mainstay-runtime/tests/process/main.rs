//! The lifecycle in real processes: this binary starts itself again, and the copy is the daemon.
//!
//! Signals, exit codes, standard error and blocked threads belong to a process, so each test has its own.
//! What a daemon is made of is said by its command line, so that a test can be read without looking
//! elsewhere: the first argument is the [place](place::Place), each further one a provider with what it does
//! in which phase.
//!
//! Lines of hooks and lines of events are printed by different threads: order is asserted among each kind
//! only.
//!
//! The tests fail without what they are about. It was switched off in the source, one mechanism at a time,
//! and these failed: the rescue (46 tests, everything with blocked threads), the second signal (8), the
//! deadlines of boot (5), validate (2), reload (3), of the start of a runnable (3) and of the stop (33), the
//! bounded report (the unread standard error), the thread that stays after the outcome (26, everything whose
//! `main` never goes on). The supervisor's own thread has a switch,
//! [`Runtime::inline`](mainstay_runtime::Runtime::inline), and a test of it.

#[cfg(unix)]
mod boot;
#[cfg(unix)]
mod daemon;
#[cfg(unix)]
mod doors;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod plan;
#[cfg(unix)]
mod probe;
#[cfg(unix)]
mod reload;
#[cfg(unix)]
mod run;
#[cfg(unix)]
mod shutdown;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod stop;
#[cfg(unix)]
mod validate;

/// The tests of a file, each once for every place that it is to be kept in.
#[cfg(unix)]
macro_rules! tests {
    ($($name:ident in $($place:ident)+;)+) => {
        pub(crate) fn all() -> Vec<(&'static str, $crate::place::Place, fn($crate::place::Place))> {
            vec![$($((stringify!($name), $crate::place::$place, $name as fn($crate::place::Place)),)+)+]
        }
    };
}
#[cfg(unix)]
pub(crate) use tests;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use libtest_mimic::{Arguments, Trial};

    if std::env::var_os(place::DAEMON).is_some() {
        let texts: Vec<String> = std::env::args().skip(1).collect();
        return daemon::main(&texts);
    }
    let tests = [
        plan::all(),
        boot::all(),
        validate::all(),
        run::all(),
        reload::all(),
        shutdown::all(),
        stop::all(),
        signals::all(),
        doors::all(),
    ];
    let trials = tests.into_iter().flatten().map(|(name, place, test)| {
        Trial::test(format!("{name} ({})", place.name), move || {
            test(place);
            Ok(())
        })
    });
    let mut arguments = Arguments::from_args();
    if arguments.test_threads.is_none() {
        // They wait for processes rather than for a processor.
        let threads = std::env::var("RUST_TEST_THREADS").ok().and_then(|threads| threads.parse().ok());
        arguments.test_threads = Some(threads.unwrap_or(8));
    }
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Signals as these tests need them are Unix'.
#[cfg(not(unix))]
fn main() {}
