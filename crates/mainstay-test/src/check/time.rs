//! Deadlines: no hook is waited for longer than its own, and no stop longer than its budget.

use std::time::Duration;

use mainstay_registry::Phase;

use super::{Facts, Violation, names, secs};
use crate::record::{Step, What, Who};

/// What the engine gives to what it has told to end.
const GRACE: Duration = Duration::from_millis(100);

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let steps = &facts.seen.steps;
    let slack = facts.limits.slack;
    for (at, step) in steps.iter().enumerate() {
        let (who, began, limit, what) = match &step.what {
            What::Began(who) if who.phase != Phase::Run => {
                (who, step, facts.limits.get(who.provider, who.phase) + GRACE * 2, "its deadline")
            }
            // Asked, waited for, its hook called, a grace, aborted, one more grace.
            What::Asked(who) => {
                let stop = facts.limits.get(who.provider, Phase::Stop);
                let hook = facts.limits.get(who.provider, Phase::Shutdown);
                (who, step, stop + hook + GRACE * 3, "its stop deadline and its shutdown")
            }
            _ => continue,
        };
        let Some(end) = end_of(&steps[at..], who) else { continue };
        let took = end.at.saturating_sub(began.at);
        if took > limit + slack {
            let expected = format!("{who} ends within {} ({what}, and a grace)", secs(limit));
            violations.push(Violation::new(
                names::DEADLINE,
                who.provider,
                who.phase,
                expected,
                format!("it took {}", secs(took)),
            ));
        }
    }
    stop(facts, &mut violations);
    violations
}

fn stop(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    let steps = &facts.seen.steps;
    let at = |like: fn(&What) -> bool| steps.iter().find(|step| like(&step.what)).map(|step| step.at);
    let began = at(|what| matches!(what, What::StopRequested(..)));
    let (Some(began), Some(ended)) = (began, at(|what| matches!(what, What::Finished(_)))) else { return };
    // What boots is cancelled and waited for before the budget of the rollback begins.
    let limit = facts.outcome.stop_budget + GRACE * 2 + facts.limits.slack;
    let took = ended.saturating_sub(began);
    if facts.outcome.stop_budget > Duration::ZERO && took > limit {
        let expected = format!("the stop ends within its budget of {}", secs(facts.outcome.stop_budget));
        violations.push(Violation::of_the_whole(
            names::DEADLINE,
            expected,
            format!("it took {}", secs(took)),
        ));
    }
}

/// The end of what begins here.
pub(super) fn end_of<'a>(steps: &'a [Step], who: &Who) -> Option<&'a Step> {
    steps.iter().find(|step| matches!(&step.what, What::Ended(ended, _) if ended == who))
}
