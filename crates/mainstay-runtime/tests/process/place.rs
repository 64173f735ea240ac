//! Where a daemon runs: on which tokio runtime, behind which door, with its threads free or blocked.

use mainstay_test::{Ended, Process, Program};

/// Says that a copy of this binary is a daemon.
pub(crate) const DAEMON: &str = "MAINSTAY_PROCESS_DAEMON";

#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    words: &'static str,
}

const fn place(name: &'static str, words: &'static str) -> Place {
    Place { name, words }
}

/// Two workers, `run().await` and then `Outcome::exit`.
pub(crate) const MULTI: Place = place("multi", "threads=2 door=run");
/// The same on the thread of `main` alone; when it is blocked, the supervisor ends the process.
pub(crate) const CURRENT: Place = place("current", "threads=0 door=run stuck=100");
/// Two workers, waited for from a plain thread as door 1 does.
pub(crate) const MULTI_ON: Place = place("multi-on", "threads=2 door=run-on");
pub(crate) const CURRENT_ON: Place = place("current-on", "threads=0 door=run-on");
/// `start().await`, then `wait().await`.
pub(crate) const MULTI_START: Place = place("multi-start", "threads=2 door=start");
/// Every worker is blocked before the first hook.
pub(crate) const MULTI_BLOCKED: Place = place("multi-blocked", "threads=2 door=run blocked=start");
pub(crate) const CURRENT_BLOCKED: Place = place("current-blocked", "threads=0 door=run-on blocked=start");
/// Every worker gets blocked as soon as all is ready.
pub(crate) const MULTI_BLOCKED_LATER: Place =
    place("multi-blocked-later", "threads=2 door=run blocked=ready");
pub(crate) const CURRENT_BLOCKED_LATER: Place =
    place("current-blocked-later", "threads=0 door=run blocked=ready stuck=100");
/// Said by the test itself.
pub(crate) const OWN: Place = place("own", "");

impl Place {
    /// Starts a daemon with these words for its runtime, and these providers.
    pub(crate) fn start(self, words: &str, providers: &[&str]) -> Process {
        self.program(words, providers).start()
    }

    pub(crate) fn program(self, words: &str, providers: &[&str]) -> Program {
        let first = format!("runtime {} {words}", self.words);
        Program::this().env(DAEMON, "").arg(first).args(providers)
    }

    /// Starts it, and waits for its end.
    pub(crate) fn run(self, words: &str, providers: &[&str]) -> Ended {
        self.start(words, providers).end()
    }
}
