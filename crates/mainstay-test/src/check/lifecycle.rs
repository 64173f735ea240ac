//! Boots and shutdowns: each with exactly one other half, in an order that the plan allows.

use mainstay_registry::{Phase, Plan};

use super::{Facts, Violation, names};
use crate::record::{How, Seen, What, Who};

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let Some(plan) = facts.plan else { return violations };
    for planned in plan.providers() {
        pairs(facts.seen, planned.name(), &mut violations);
    }
    for (later, earlier) in edges(plan) {
        boot_order(facts.seen, later, earlier, &mut violations);
        stop_order(facts.seen, later, earlier, &mut violations);
    }
    if facts.seen.has(|what| matches!(what, What::Finished(_))) {
        left(facts.seen, &mut violations);
    }
    violations
}

/// Each attempted boot has exactly one shutdown, and nobody else has one.
fn pairs(seen: &Seen, name: &'static str, violations: &mut Vec<Violation>) {
    let count = |phase| {
        let began = seen.steps.iter().filter(|step| began(&step.what, name, phase));
        began.count()
    };
    let (boots, shutdowns) = (count(Phase::Boot), count(Phase::Shutdown));
    let over = seen.has(|what| matches!(what, What::Finished(_)));
    let expected = "each attempted boot has exactly one shutdown, and nothing else has one";
    let invariant = match (boots, shutdowns) {
        (0, 0) | (1.., 1) => return,
        (1.., 0) if !over => return,
        (0, 1..) => names::SHUTDOWN_WITHOUT_BOOT,
        (1.., 0) => names::SHUTDOWN_MISSING,
        (1.., 2..) => names::SHUTDOWN_TWICE,
    };
    let saw = format!("its boot was attempted {boots} time(s), its shutdown called {shutdowns} time(s)");
    violations.push(Violation::new(invariant, name, Phase::Shutdown, expected, saw));
}

/// Who comes after whom: along the edges, and where a level ends.
fn edges(plan: &Plan) -> Vec<(&'static str, &'static str)> {
    let providers = plan.providers();
    let mut edges = Vec::new();
    for (index, later) in providers.iter().enumerate() {
        for (other, earlier) in providers.iter().enumerate() {
            let needs = later.edges().iter().any(|edge| edge.to == other);
            if index != other && (needs || earlier.boot_level() < later.boot_level()) {
                edges.push((later.name(), earlier.name()));
            }
        }
    }
    edges
}

fn boot_order(seen: &Seen, later: &'static str, earlier: &'static str, violations: &mut Vec<Violation>) {
    let Some(begin) = seen.position(|what| began(what, later, Phase::Boot)) else { return };
    let booted = seen.position(|what| {
        matches!(what, What::Ended(who, How::Ok) if who.provider == earlier && who.phase == Phase::Boot)
    });
    if booted.is_none_or(|booted| booted > begin) {
        let expected = format!("'{earlier}' is booted before '{later}' boots");
        let saw = match booted {
            Some(_) => format!("'{earlier}' was booted after the boot of '{later}' had begun"),
            None => format!("'{earlier}' was not booted"),
        };
        violations.push(Violation::new(names::BOOT_ORDER, later, Phase::Boot, expected, saw));
    }
}

/// Dependents are gone first: their tasks, and their shutdown.
fn stop_order(seen: &Seen, later: &'static str, earlier: &'static str, violations: &mut Vec<Violation>) {
    let of_earlier = |what: &What| match what {
        What::Asked(who) => who.provider == earlier,
        what => began(what, earlier, Phase::Shutdown),
    };
    let Some(begin) = seen.position(of_earlier) else { return };
    let of_later = |what: &What| {
        matches!(what, What::Ended(who, _)
            if who.provider == later && matches!(who.phase, Phase::Shutdown | Phase::Run))
            || began(what, later, Phase::Shutdown)
    };
    let late = seen.steps[begin + 1..].iter().find(|step| of_later(&step.what));
    if let Some(late) = late {
        let expected = format!("'{later}' is gone before '{earlier}', which it comes after, is stopped");
        let saw = format!(
            "after the stop of '{earlier}' had begun ({}), there was: {}",
            seen.steps[begin].what, late.what
        );
        violations.push(Violation::new(names::STOP_ORDER, earlier, Phase::Shutdown, expected, saw));
    }
}

/// When it is over, no hook and no task runs any more.
fn left(seen: &Seen, violations: &mut Vec<Violation>) {
    let running = running(seen);
    for who in running {
        let expected = "no hook and no task is left when the outcome is there";
        let saw = format!("{who} has not ended");
        violations.push(Violation::new(names::HOOK_LEFT, who.provider, who.phase, expected, saw));
    }
}

/// What has begun and has not ended.
pub(crate) fn running(seen: &Seen) -> Vec<Who> {
    let mut running: Vec<Who> = Vec::new();
    for step in &seen.steps {
        match &step.what {
            What::Began(who) => running.push(*who),
            What::Ended(who, _) => {
                if let Some(at) = running.iter().position(|other| other == who) {
                    running.remove(at);
                }
            }
            _ => {}
        }
    }
    running
}

fn began(what: &What, provider: &str, phase: Phase) -> bool {
    matches!(what, What::Began(who) if who.provider == provider && who.phase == phase)
}
