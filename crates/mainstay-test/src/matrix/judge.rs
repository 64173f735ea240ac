//! Judges one scenario: the invariants of every run, and those of what is left and of the fault itself.

use mainstay_registry::Phase;

use super::drive::Ran;
use super::scenario::{GOLDEN, Scenario};
use crate::check::{self, Facts, Violation, names};
use crate::record::{What, Who};

pub(super) fn judge(ran: &Ran, scenario: &Scenario) -> Vec<Violation> {
    let Some(outcome) = &ran.observed else {
        let expected = "the run ends when it is asked to";
        let running = check::running(&ran.seen);
        let saw = running.iter().map(Who::to_string).collect::<Vec<_>>().join(", ");
        return vec![Violation::of_the_whole(names::ENDS, expected, format!("it did not end; left: {saw}"))];
    };
    let facts = Facts { seen: &ran.seen, plan: ran.plan.as_ref(), limits: &ran.limits, outcome };
    let mut violations = check::of_a_run(&facts);
    if scenario.blocks() {
        blocked(scenario, &mut violations);
        return violations;
    }
    if scenario.id.split('+').next() == Some(GOLDEN) {
        ready(ran, &mut violations);
    }
    reload(ran, scenario, &mut violations);
    left(ran, scenario, &mut violations);
    violations
}

/// Who blocks a thread is still there, and nobody else.
fn blocked(scenario: &Scenario, violations: &mut Vec<Violation>) {
    let fault = scenario.fault.as_ref();
    violations.retain(|violation| {
        let of_the_blocked = violation.provider.as_deref() == fault.map(|fault| fault.provider)
            && violation.phase == fault.map(|fault| fault.phase);
        // A blocked boot overlaps its own shutdown, and a blocked walk holds everybody's place in it.
        !(of_the_blocked && matches!(violation.invariant, names::HOOK_LEFT | names::STOP_ORDER))
    });
}

fn ready(ran: &Ran, violations: &mut Vec<Violation>) {
    if ran.seen.has(|what| *what == What::Ready) {
        return;
    }
    let expected = "without any fault, everything gets ready";
    let late = check::running(&ran.seen).into_iter().find(|who| who.phase == Phase::Run);
    let asked = ran.seen.steps.iter().find_map(|step| match &step.what {
        What::Asked(who) if !ran.seen.has(|what| *what == What::TaskReady(*who)) => Some(*who),
        _ => None,
    });
    let first = ran.observed.as_ref().and_then(|observed| observed.failures.first());
    violations.insert(
        0,
        match (late.or(asked), first) {
            (Some(who), _) => {
                let saw = format!("{who} did not say that it is ready");
                Violation::new(names::READY, who.provider, who.phase, expected, saw)
            }
            (None, Some(first)) => {
                let saw = format!("'{}' failed in {}", first.provider, first.phase);
                Violation::new(names::READY, first.provider, first.phase, expected, saw)
            }
            (None, None) => Violation::of_the_whole(names::READY, expected, "it was over before"),
        },
    );
}

/// All or nothing: what was refused has changed nothing, and what was committed is one epoch.
fn reload(ran: &Ran, scenario: &Scenario, violations: &mut Vec<Violation>) {
    let committed = ran.seen.steps.iter().find_map(|step| match step.what {
        What::Reloaded(committed) => Some(committed),
        _ => None,
    });
    let Some(committed) = committed else { return };
    let who = scenario.fault.as_ref().filter(|fault| fault.phase == Phase::Reload);
    let provider = who.map(|fault| fault.provider.to_owned());
    let mut violation = |expected: &str, saw: String| {
        let (provider, phase) = (provider.clone(), Some(Phase::Reload));
        violations.push(Violation {
            provider,
            phase,
            ..Violation::of_the_whole(names::TRANSACTION, expected, saw)
        });
    };
    if scenario.refuses_reload() && committed {
        violation("a reload that one provider refuses is refused as a whole", "it was committed".to_owned());
    }
    let most = u64::from(committed);
    if let Some(moved) = ran.epochs.filter(|&moved| moved > most && scenario.reloads_at_once()) {
        let saw = format!("the epoch moved by {moved} during the reload");
        violation("what a reload publishes is visible in one epoch, or not at all", saw);
    }
}

/// No task, descriptor or name is left.
fn left(ran: &Ran, scenario: &Scenario, violations: &mut Vec<Violation>) {
    if ran.alive > 0 {
        let expected = "no task is left when the outcome is there";
        let saw = format!("{} of tokio's tasks left", ran.alive);
        let spawned = ran.seen.spawned.iter().filter(|(_, tasks)| **tasks > 0);
        // A hook has no business with tasks; a runnable may have.
        let who = spawned.max_by_key(|(who, tasks)| (who.phase != Phase::Run, **tasks)).map(|(who, _)| *who);
        violations.push(of(names::TASK_LEFT, who, expected, saw));
    }
    let expected = "every file descriptor that was opened is closed in the end";
    for (what, who) in &ran.descriptors {
        violations.push(of(names::FD_LEFT, *who, expected, format!("left open: {what}")));
    }
    if scenario.may_leave_names() {
        return;
    }
    let expected = "what a boot makes outside of the process, its shutdown takes away";
    for (what, who) in &ran.names {
        violations.push(of(names::NAME_LEFT, *who, expected, format!("left: {what}")));
    }
}

fn of(invariant: &'static str, who: Option<Who>, expected: &str, saw: String) -> Violation {
    match who {
        Some(who) => Violation::new(invariant, who.provider, who.phase, expected, saw),
        None => Violation::of_the_whole(invariant, expected, saw),
    }
}
