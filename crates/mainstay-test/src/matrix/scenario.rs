//! The scenarios: every hook that the fault-free run has called, with every fault; and a stop at each of its steps.

use std::time::Duration;

use mainstay_registry::{Phase, Plan, PlannedRunnable, ReadyWhen, RestartWhen};

use super::drive::Time;
use crate::check::Limits;
use crate::inject::{Act, Injection, Whose};
use crate::record::{Probe, Seen, What, Who};
use crate::{Blocker, Fault};

/// The run without any fault, with which everything else is compared.
pub(super) const GOLDEN: &str = "golden";

/// The text of every fault that is put in.
const TEXT: &str = "put in by the lifecycle matrix";

/// One run: its faults, and when it is asked to stop.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    /// What `MAINSTAY_MATRIX` says to run it alone.
    pub(super) id: String,
    pub(super) fault: Option<Put>,
    /// After which step the stop is asked for.
    pub(super) stop_at: Option<usize>,
    /// Everybody else is taken out. Empty: nobody is.
    pub(super) only: Vec<String>,
}

/// A fault, and what it is put into.
#[derive(Clone, Debug)]
pub(super) struct Put {
    pub(super) kind: &'static str,
    /// The fault, and what else goes wrong because of it.
    pub(super) injections: Vec<Injection>,
    pub(super) provider: &'static str,
    pub(super) phase: Phase,
}

impl Scenario {
    pub(super) fn golden() -> Self {
        Self { id: GOLDEN.to_owned(), fault: None, stop_at: None, only: Vec::new() }
    }

    fn stop(at: usize) -> Self {
        Self { id: format!("stop@{at}"), stop_at: Some(at), ..Self::golden() }
    }

    fn put(who: &Who, kind: &'static str, act: Act) -> Self {
        let runnable = who.runnable.map(|name| format!("/{name}")).unwrap_or_default();
        let id = format!("{}/{}{runnable}/{kind}", who.phase, who.provider);
        let injection =
            Injection { whose: Whose::Named(who.provider), phase: who.phase, runnable: who.runnable, act };
        let mut injections = vec![injection];
        if kind == "error-and-panic" {
            let (phase, act) = (Phase::Shutdown, Act::PanicAfter(TEXT));
            let whose = Whose::Named(who.provider);
            injections.push(Injection { whose, phase, runnable: None, act });
        }
        let fault = Put { kind, injections, provider: who.provider, phase: who.phase };
        Self { id, fault: Some(fault), ..Self::golden() }
    }

    /// The same with fewer providers.
    pub(super) fn with_only(&self, only: Vec<String>) -> Self {
        let base = self.id.split("+only=").next().unwrap_or_default();
        let id = if only.is_empty() { base.to_owned() } else { format!("{base}+only={}", only.join(",")) };
        Self { id, only, ..self.clone() }
    }

    pub(super) fn blocks(&self) -> bool {
        self.fault.as_ref().is_some_and(|fault| fault.kind == "block")
    }

    /// Whether shutdown hooks are called once more: not those that were made to fail.
    pub(super) fn probe(&self) -> Probe {
        let of_shutdown = |injection: &Injection| injection.phase == Phase::Shutdown;
        let shutdown = self.fault.as_ref().is_some_and(|fault| fault.injections.iter().any(of_shutdown));
        if shutdown { Probe::Once } else { Probe::Twice }
    }

    /// Its reload is refused by what was put in.
    pub(super) fn refuses_reload(&self) -> bool {
        let fault = self.fault.as_ref();
        fault.is_some_and(|it| it.phase == Phase::Reload && !matches!(it.kind, "slow" | "ok"))
    }

    /// No time passes in its reload, so that nobody else has a reason to publish meanwhile.
    pub(super) fn reloads_at_once(&self) -> bool {
        let fault = self.fault.as_ref();
        !fault.is_some_and(|it| it.phase == Phase::Reload && matches!(it.kind, "slow" | "hang"))
    }

    /// A shutdown that was not called leaves names behind, and that is nobody's fault.
    pub(super) fn may_leave_names(&self) -> bool {
        self.fault.as_ref().is_some_and(|it| it.phase == Phase::Shutdown && it.kind == "ok")
    }
}

/// What to leave out.
pub(super) struct Choice<'a> {
    pub(super) skip: &'a [Phase],
    pub(super) limits: &'a Limits,
    pub(super) plan: &'a Plan,
    pub(super) time: Time,
}

/// Every scenario that follows from the fault-free run, smallest first.
pub(super) fn all(golden: &Seen, choice: &Choice<'_>) -> Vec<Scenario> {
    let mut scenarios = vec![Scenario::golden()];
    for who in &hooks(golden) {
        if !choice.skip.contains(&who.phase) {
            let faults = faults(who, choice);
            scenarios.extend(faults.into_iter().map(|(kind, act)| Scenario::put(who, kind, act)));
        }
    }
    if !choice.skip.contains(&Phase::Stop) {
        scenarios.extend((1..golden.steps.len()).map(Scenario::stop));
    }
    scenarios
}

/// One for each phase in which somebody blocks a thread.
pub(super) fn blocked(golden: &Seen, choice: &Choice<'_>) -> Vec<Scenario> {
    let hooks = hooks(golden);
    let phases = [Phase::Boot, Phase::Validate, Phase::Run, Phase::Reload, Phase::Shutdown];
    let of = |phase: Phase| {
        // One that is restarted blocks a thread again and again, until its limit, which nobody waits for.
        let once = |who: &&Who| who.phase != Phase::Run || restarting(choice.plan, who).is_none();
        let mut of_phase =
            hooks.iter().filter(|who| who.phase == phase && who.provider != "state").filter(once);
        // In the middle: something comes before it, and something after it.
        let count = of_phase.clone().count();
        of_phase.nth(count / 2).filter(|_| !choice.skip.contains(&phase))
    };
    let put = |who: &Who| Scenario::put(who, "block", Act::Before(Fault::Block(Blocker::new())));
    phases.into_iter().filter_map(of).map(put).collect()
}

/// The hooks and first generations that were called, in order.
fn hooks(golden: &Seen) -> Vec<Who> {
    let mut hooks: Vec<Who> = Vec::new();
    for step in &golden.steps {
        if let What::Began(who) = &step.what {
            let who = Who { generation: who.generation.min(1), ..*who };
            if !hooks.contains(&who) {
                hooks.push(who);
            }
        }
    }
    hooks
}

fn faults(who: &Who, choice: &Choice<'_>) -> Vec<(&'static str, Act)> {
    let half = |phase| choice.limits.get(who.provider, phase) / 2;
    let slow = |phase: Phase| Fault::Slow(half(phase).max(Duration::from_millis(1)));
    let error = || Fault::Error(TEXT);
    match who.phase {
        // What is late has done its work, and fails then: what it has made must go all the same.
        Phase::Boot | Phase::Reload => vec![
            ("error", Act::Instead(error())),
            ("error-late", Act::After(error())),
            ("error-and-panic", Act::Instead(error())),
            ("panic", Act::Panic(TEXT)),
            ("panic-late", Act::PanicAfter(TEXT)),
            ("hang", Act::After(Fault::Hang)),
            ("slow", Act::Before(slow(who.phase))),
            ("ok", Act::Instead(Fault::None)),
        ],
        // It is synchronous: what would hang or be slow blocks a thread.
        Phase::Validate => vec![
            ("error", Act::After(error())),
            ("panic", Act::PanicAfter(TEXT)),
            ("ok", Act::Instead(Fault::None)),
        ],
        Phase::Run => {
            let mut faults = vec![
                ("error", Act::Instead(error())),
                ("error-late", Act::After(error())),
                ("error-and-panic", Act::Instead(error())),
                ("panic", Act::Panic(TEXT)),
                ("hang", Act::Instead(Fault::Hang)),
                ("slow", Act::After(slow(Phase::Stop))),
                ("ok", Act::Instead(Fault::None)),
            ];
            if let Some(runnable) = restarting(choice.plan, who) {
                // The delays of many restarts are longer than anybody waits on a real clock, and without a limit they
                // never end.
                let ends = choice.time == Time::Paused && runnable.restart.max_restarts().is_some();
                let again_and_again = |kind: &str| match kind {
                    // It never says that it is ready.
                    "hang" => runnable.ready_when == ReadyWhen::Signalled,
                    kind => matches!(kind, "error" | "error-and-panic" | "panic" | "ok"),
                };
                faults.retain(|(kind, _)| ends || !again_and_again(kind));
                faults.push(("error-once", Act::FirstTime(error())));
            }
            faults
        }
        Phase::Shutdown => vec![
            ("error", Act::After(error())),
            ("panic", Act::PanicAfter(TEXT)),
            ("hang", Act::After(Fault::Hang)),
            ("slow", Act::Before(slow(Phase::Shutdown))),
            ("ok", Act::Instead(Fault::None)),
        ],
        _ => Vec::new(),
    }
}

/// The runnable, if it is started again when it ends.
fn restarting<'a>(plan: &'a Plan, who: &Who) -> Option<&'a PlannedRunnable> {
    let planned = plan.providers().iter().find(|planned| planned.name() == who.provider)?;
    let mut runnables = planned.runnables().iter();
    runnables.find(|it| it.name == who.runnable && it.restart.when() != RestartWhen::Never)
}
