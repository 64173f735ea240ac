//! The invariants: what must be true of every run, held against the record.

mod cause;
mod lifecycle;
mod rules;
mod time;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use mainstay_registry::{Deadlines, Phase, Plan};
use mainstay_runtime::{CutBy, Outcome, Runtime};

pub(crate) use self::lifecycle::running;
use crate::record::Seen;

/// Names of invariants: frozen, since tests name them.
pub(crate) mod names {
    pub(crate) const SHUTDOWN_MISSING: &str = "shutdown-missing";
    pub(crate) const SHUTDOWN_TWICE: &str = "shutdown-twice";
    pub(crate) const SHUTDOWN_WITHOUT_BOOT: &str = "shutdown-without-boot";
    pub(crate) const STOP_ORDER: &str = "stop-order";
    pub(crate) const BOOT_ORDER: &str = "boot-order";
    pub(crate) const HOOK_LEFT: &str = "hook-left";
    pub(crate) const DEADLINE: &str = "deadline";
    pub(crate) const EXIT_CODE: &str = "exit-code";
    pub(crate) const CAUSE_FIRST: &str = "cause-first";
    pub(crate) const TRANSACTION: &str = "transaction";
    pub(crate) const LINT: &str = "lint";
    pub(crate) const READY: &str = "ready";
    pub(crate) const ENDS: &str = "ends";
    pub(crate) const TASK_LEFT: &str = "task-left";
    pub(crate) const FD_LEFT: &str = "fd-left";
    pub(crate) const NAME_LEFT: &str = "name-left";
    pub(crate) const PLAN: &str = "plan";
}

/// Everything that is known of one run.
pub(crate) struct Facts<'a> {
    pub(crate) seen: &'a Seen,
    pub(crate) plan: Option<&'a Plan>,
    pub(crate) limits: &'a Limits,
    pub(crate) outcome: &'a Observed,
}

/// The deadlines of each hook.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) of: BTreeMap<(&'static str, Phase), Duration>,
    /// What may be late without being wrong: nothing on a paused clock.
    pub(crate) slack: Duration,
}

const PHASES: [Phase; 6] =
    [Phase::Boot, Phase::Validate, Phase::Run, Phase::Reload, Phase::Stop, Phase::Shutdown];

impl Limits {
    pub(crate) fn of<S: Clone + Send + Sync + 'static>(runtime: &Runtime<S>, plan: Option<&Plan>) -> Self {
        let providers = plan.into_iter().flat_map(Plan::providers);
        let all = providers.map(|planned| (planned.name(), planned.deadlines()));
        let all = all.chain([("state", Deadlines::new())]);
        let of =
            all.flat_map(|(name, own)| PHASES.map(|phase| ((name, phase), runtime.deadline(own, phase))));
        Self { of: of.collect(), slack: Duration::ZERO }
    }

    pub(crate) fn get(&self, provider: &'static str, phase: Phase) -> Duration {
        self.of.get(&(provider, phase)).copied().unwrap_or(Duration::from_secs(30))
    }
}

/// The outcome, as plain data.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) code: u8,
    pub(crate) failures: Vec<Named>,
    /// As it is printed.
    pub(crate) report: String,
    pub(crate) stop_budget: Duration,
    pub(crate) out_of_budget: bool,
}

/// A failure that the outcome lists.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) provider: &'static str,
    pub(crate) phase: Phase,
    pub(crate) task: Option<String>,
    pub(crate) code: u8,
}

impl Observed {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let failures = outcome.failures().iter().map(|failure| Named {
            provider: failure.provider(),
            phase: failure.phase(),
            task: failure.task_name().map(str::to_owned),
            code: failure.exit_code(),
        });
        Self {
            code: outcome.exit_code(),
            failures: failures.collect(),
            report: outcome.to_string(),
            stop_budget: outcome.stop_budget(),
            out_of_budget: outcome.forced().iter().any(|cut| cut.by == CutBy::Budget),
        }
    }
}

/// One invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    /// Whose fault it seems to be.
    pub(crate) provider: Option<String>,
    pub(crate) phase: Option<Phase>,
    pub(crate) expected: String,
    pub(crate) seen: String,
}

impl Violation {
    pub(crate) fn new(
        invariant: &'static str,
        provider: &str,
        phase: Phase,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) -> Self {
        let (provider, phase) = (Some(provider.to_owned()), Some(phase));
        Self { invariant, provider, phase, expected: expected.into(), seen: seen.into() }
    }

    pub(crate) fn of_the_whole(
        invariant: &'static str,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) -> Self {
        Self { invariant, provider: None, phase: None, expected: expected.into(), seen: seen.into() }
    }

    /// The same fault of the same one.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.invariant == other.invariant && self.provider == other.provider && self.phase == other.phase
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "violated: {}", self.invariant)?;
        if let Some(provider) = &self.provider {
            write!(f, " by '{provider}'")?;
        }
        if let Some(phase) = self.phase {
            write!(f, " in {phase}")?;
        }
        write!(f, "\n  expected  {}\n  seen      {}", self.expected, self.seen)
    }
}

/// What is to be held against every run, whatever it was for.
pub(crate) fn of_a_run(facts: &Facts<'_>) -> Vec<Violation> {
    let mut violations = lifecycle::check(facts);
    violations.extend(time::check(facts));
    violations.extend(cause::check(facts));
    violations.extend(rules::check(facts));
    violations
}

/// The providers in the plan's order.
pub(crate) fn names_of(plan: &Plan) -> Vec<&'static str> {
    plan.providers().iter().map(mainstay_registry::Planned::name).collect()
}

/// `12.34 s`
pub(crate) fn secs(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}
