//! Door 1 in real processes: this binary starts itself again, and the copy is the daemon.
//!
//! Signals, exit codes and standard error belong to a process, so each test has one of its own. A copy is
//! told by an environment variable which daemon to be; see `scenarios`.

mod child;
mod lines;
mod scenarios;
mod tests;

use std::process::{ExitCode, Termination as _};

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(child::SCENARIO) {
        return scenarios::run(&name).report();
    }
    let trials = tests::all().into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
