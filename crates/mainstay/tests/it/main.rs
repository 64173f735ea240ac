//! Door 1 in real processes: this binary starts itself again, and the copy is the daemon.
//!
//! Signals, exit codes and standard error belong to a process, so each test has one of its own. A copy is
//! told by an environment variable which daemon to be; see `scenarios`.

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod lines;
#[cfg(unix)]
mod scenarios;
#[cfg(unix)]
mod tests;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use libtest_mimic::{Arguments, Trial, run};
    use std::process::Termination as _;

    if let Ok(name) = std::env::var(child::SCENARIO) {
        return scenarios::run(&name).report();
    }
    let trials = tests::all().into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    run(&Arguments::from_args(), trials.collect()).exit_code()
}

#[cfg(not(unix))]
fn main() {}
