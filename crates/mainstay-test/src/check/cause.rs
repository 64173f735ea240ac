//! The exit code and the cause, worked out from the record alone, and held against the outcome.

use mainstay_registry::{Phase, Plan, RestartWhen};

use super::time::end_of;
use super::{Facts, Named, Violation, names};
use crate::record::{How, Step, What, Who};

/// What ended the run, as the record has it.
enum Cause {
    /// Somebody asked, or there was nothing left to run.
    Asked,
    Failed {
        who: Who,
        code: u8,
    },
    /// There was no end: what could be one is only one if a policy says so.
    None,
}

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let plan = facts.plan;
    // Nothing was started: there is nothing to work out.
    let (Some(plan), false) = (plan, facts.seen.steps.is_empty()) else { return violations };
    let first = facts.outcome.failures.first();
    // Children are not in the record, and neither is what a policy makes of a failure: here the engine's word counts.
    let trusted = first.is_some_and(|first| is_a_child(first, plan) || restarts(plan, first.provider));
    let (code, who) = match cause(facts, plan) {
        Cause::Failed { who, code } => (code, Some(who)),
        Cause::Asked | Cause::None => (after_an_ask(facts), None),
    };
    if facts.outcome.code != code && !(trusted && first.is_some_and(|first| first.code == facts.outcome.code))
    {
        let by_budget = facts.outcome.code == 124 && facts.outcome.out_of_budget;
        if !by_budget {
            let why = who
                .map_or_else(|| "nothing but the stop ended it".to_owned(), |who| format!("{who} ended it"));
            let violation = Violation {
                provider: who.map(|who| who.provider.to_owned()),
                phase: who.map(|who| who.phase),
                ..Violation::of_the_whole(
                    names::EXIT_CODE,
                    format!("exit code {code}: {why}"),
                    format!("exit code {}", facts.outcome.code),
                )
            };
            violations.push(violation);
        }
    }
    if let Some(who) = who
        && !trusted
    {
        named_first(facts, who, &mut violations);
    }
    violations
}

/// In the list of failures, and in the printed report.
fn named_first(facts: &Facts<'_>, who: Who, violations: &mut Vec<Violation>) {
    let expected = format!("the cause, {who}, is named first");
    let violation =
        |saw: String| Violation::new(names::CAUSE_FIRST, who.provider, who.phase, &*expected, saw);
    match facts.outcome.failures.first() {
        Some(first) if first.provider == who.provider && first.phase == who.phase => {}
        Some(first) => {
            violations.push(violation(format!("'{}' in {} is", first.provider, first.phase)));
            return;
        }
        None => {
            violations.push(violation("no failure is listed".to_owned()));
            return;
        }
    }
    let line = facts.outcome.report.lines().next().unwrap_or_default();
    let quoted = [format!("'{}'", who.provider), format!("'{}/", who.provider)];
    if !line.starts_with("error[") || !quoted.iter().any(|name| line.contains(name)) {
        violations.push(violation(format!("the report begins with: {line}")));
    }
}

/// The first thing that ends a run: a failure of a boot, a validation or a task, or somebody who asks.
fn cause(facts: &Facts<'_>, plan: &Plan) -> Cause {
    for (at, step) in facts.seen.steps.iter().enumerate() {
        if asked_within(facts, at) {
            return Cause::Asked;
        }
        match &step.what {
            What::WeAsk => return Cause::Asked,
            What::Ended(who, how) => {
                let code = match (who.phase, how) {
                    (Phase::Boot | Phase::Validate, How::Failed(_, code)) => *code,
                    (Phase::Boot | Phase::Validate, How::Panicked(_)) => 1,
                    (Phase::Boot, How::Dropped) if overdue(facts, who, at) => 75,
                    (Phase::Run, How::Failed(_, code)) if !restarts(plan, who.provider) => *code,
                    (Phase::Run, How::Panicked(_)) if !restarts(plan, who.provider) => 1,
                    _ => continue,
                };
                return Cause::Failed { who: *who, code };
            }
            What::StopRequested(_, failed) => {
                return match late(facts, at) {
                    Some(who) => Cause::Failed { who, code: if who.phase == Phase::Boot { 75 } else { 1 } },
                    None if *failed => Cause::None,
                    None => Cause::Asked,
                };
            }
            _ => {}
        }
    }
    Cause::None
}

/// The stop was asked for in the middle of this step: whatever it is, it comes second.
fn asked_within(facts: &Facts<'_>, at: usize) -> bool {
    facts.seen.steps.get(at + 1).is_some_and(|next| next.what == What::WeAskWithin)
}

/// Something had not ended, or was not ready, at its deadline.
fn late(facts: &Facts<'_>, at: usize) -> Option<Who> {
    let steps = &facts.seen.steps;
    let now = steps[at].at;
    steps[..at].iter().find_map(|step| {
        let What::Began(who) = &step.what else { return None };
        if end_of(&steps[..at], who).is_some() {
            return None;
        }
        let limit = facts.limits.get(who.provider, who.phase);
        let waits = match who.phase {
            Phase::Boot | Phase::Validate => true,
            Phase::Run => !steps[..at].iter().any(|step| step.what == What::TaskReady(*who)),
            _ => false,
        };
        // Its deadline began with the decision to start it, and a busy machine may begin it a good while later.
        (waits && now.saturating_sub(step.at) * 4 >= limit * 3).then_some(*who)
    })
}

fn overdue(facts: &Facts<'_>, who: &Who, ended: usize) -> bool {
    let steps = &facts.seen.steps;
    let began = steps[..ended].iter().rev().find(|step| step.what == What::Began(*who));
    began.is_some_and(|began| {
        steps[ended].at.saturating_sub(began.at) >= facts.limits.get(who.provider, who.phase)
    })
}

/// A stop that was asked for is a success, but for a panic in it, and for a task that failed while it stopped.
fn after_an_ask(facts: &Facts<'_>) -> u8 {
    let steps = &facts.seen.steps;
    let asked = facts.seen.position(|what| matches!(what, What::StopRequested(..))).unwrap_or(steps.len());
    let within = (0..asked).find(|at| asked_within(facts, *at)).map(|at| &steps[at]);
    let panicked = |step: &Step| matches!(step.what, What::Ended(_, How::Panicked(_)));
    let failed =
        |step: &Step| matches!(&step.what, What::Ended(who, How::Failed(..)) if who.phase == Phase::Run);
    let bad =
        within.is_some_and(panicked) || steps[asked..].iter().any(|step| panicked(step) || failed(step));
    u8::from(bad)
}

fn is_a_child(named: &Named, plan: &Plan) -> bool {
    let Some(task) = &named.task else { return false };
    let planned = plan.providers().iter().find(|planned| planned.name() == named.provider);
    !planned.is_some_and(|planned| planned.runnables().iter().any(|it| it.name == Some(task)))
}

fn restarts(plan: &Plan, provider: &str) -> bool {
    let planned = plan.providers().iter().find(|planned| planned.name() == provider);
    planned.is_some_and(|planned| {
        planned.runnables().iter().any(|runnable| runnable.restart.when() != RestartWhen::Never)
    })
}
