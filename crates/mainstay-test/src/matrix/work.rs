//! The work of one process: runs scenarios one after the other, and finds the smallest one for each violation.

use std::collections::BTreeSet;

use mainstay_registry::{Phase, Plan};
use mainstay_runtime::{IntoRuntime, lint_codes};

use super::drive::{Depth, Ran, Stage, drive};
use super::found::{MARK, MatrixReport, MatrixViolation};
use super::judge::judge;
use super::scenario::{Choice, Scenario, all, blocked};
use crate::check::{Violation, names, names_of};

/// More different violations than this are not looked into.
const MOST: usize = 8;

/// So often it is looked into whose something is that was left: later ones are like the first.
const ENOUGH: usize = 4;

/// What is known of who leaves something.
#[derive(Default)]
struct Owned {
    looked: usize,
    spawners: BTreeSet<&'static str>,
}

/// What is to be run.
pub(super) struct Work<'a, R> {
    pub(super) stage: Stage<'a, R>,
    pub(super) skip: &'a [Phase],
    /// An id, or the beginning of some; with `+only=`, without the others.
    pub(super) filter: Option<String>,
    pub(super) test: String,
    /// Whether scenarios are run in which a thread is blocked, or the others.
    pub(super) part: Part,
    pub(super) blocks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything in which no thread is blocked; the others are only announced.
    Most,
    /// In a process that is given up afterwards.
    Blocked,
}

/// The smallest scenario so far of one violation.
struct Smallest {
    violation: Violation,
    scenario: Scenario,
    steps: usize,
}

impl<R: IntoRuntime> Work<'_, R> {
    pub(super) fn run(&self) -> MatrixReport {
        let golden = Scenario::golden();
        // The first run opens what a process opens once.
        let first = drive(&self.stage, &golden, Depth::Shallow);
        let first = match first {
            Ok(first) => first,
            Err(why) => return refused(&why),
        };
        let Some(plan) = &first.plan else { return refused("no plan") };
        let choice = Choice { skip: self.skip, limits: &first.limits, plan, time: self.stage.time };
        if self.part == Part::Most && self.blocks {
            for scenario in self.chosen(blocked(&first.seen, &choice)) {
                say(&format!("blocked {}", scenario.id));
            }
        }
        let scenarios = match self.part {
            Part::Most => all(&first.seen, &choice),
            Part::Blocked => blocked(&first.seen, &choice),
        };
        let scenarios = self.chosen(scenarios);
        let mut smallest: Vec<Smallest> = Vec::new();
        let mut owners = Owned::default();
        for scenario in &scenarios {
            say(&format!("scenario {}", scenario.id));
            let ran = match drive(&self.stage, scenario, Depth::Shallow) {
                Ok(ran) => ran,
                Err(why) => return refused(&why),
            };
            let violations = self.sure(judge(&ran, scenario), scenario, &smallest);
            let violations = self.owned(violations, &ran, scenario, plan, &mut owners);
            for violation in violations {
                keep(&mut smallest, violation, scenario, ran.seen.steps.len());
            }
        }
        let found = smallest.into_iter().take(MOST).filter_map(|found| self.shrunk(found, plan)).collect();
        MatrixReport { scenarios: scenarios.len(), violations: found }
    }

    fn chosen(&self, scenarios: Vec<Scenario>) -> Vec<Scenario> {
        let Some(filter) = &self.filter else { return scenarios };
        let (id, only) = filter.split_once("+only=").unwrap_or((filter, ""));
        let only: Vec<String> = only.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let matches = |scenario: &Scenario| {
            scenario.id == id || scenario.id.strip_prefix(id).is_some_and(|rest| rest.starts_with('/'))
        };
        scenarios.into_iter().filter(matches).map(|scenario| scenario.with_only(only.clone())).collect()
    }

    /// How long a poll takes is told by the clock of the machine, which others may keep busy: only what blocks its thread
    /// again in a second run is taken for a blocked one, and then every time. Code that blocks does.
    fn sure(&self, mut found: Vec<Violation>, scenario: &Scenario, known: &[Smallest]) -> Vec<Violation> {
        let doubtful =
            |it: &Violation| is_of_a_poll(it) && known.iter().all(|known| !known.violation.is_like(it));
        if found.iter().any(doubtful)
            && let Ok(again) = drive(&self.stage, scenario, Depth::Shallow)
        {
            let again = judge(&again, scenario);
            found.retain(|it| !doubtful(it) || again.iter().any(|other| other.is_like(it)));
        }
        found
    }

    /// Runs the scenario once more to learn whose a descriptor, a name or a task is, unless that is known.
    fn owned(
        &self,
        mut violations: Vec<Violation>,
        ran: &Ran,
        scenario: &Scenario,
        plan: &Plan,
        owned: &mut Owned,
    ) -> Vec<Violation> {
        if violations.iter().any(is_of_names) && owned.looked < ENOUGH {
            owned.looked += 1;
            if let Ok(deep) = drive(&self.stage, scenario, Depth::Deep) {
                violations = judge(&deep, scenario);
            }
        }
        for violation in &mut violations {
            if violation.invariant == names::TASK_LEFT && violation.phase == Some(Phase::Run) {
                violation.provider = self.spawner(ran, scenario, plan, owned);
            }
        }
        // What nobody is known to own, where somebody of that kind is known, is more of the same.
        violations.retain(|violation| {
            !is_of_names(violation) || violation.provider.is_some() || owned.looked < ENOUGH
        });
        violations
    }

    /// Of those that have spawned, the one with whom alone a task is left, too.
    fn spawner(&self, ran: &Ran, scenario: &Scenario, plan: &Plan, owned: &mut Owned) -> Option<String> {
        let spawned = ran.seen.spawned.iter().filter(|(_, tasks)| **tasks > 0);
        let candidates: Vec<&'static str> = spawned.map(|(who, _)| who.provider).collect();
        if let Some(known) = candidates.iter().find(|name| owned.spawners.contains(*name)) {
            return Some((*known).to_owned());
        }
        let culprit = candidates.into_iter().find(|candidate| {
            let only = closure(plan, &BTreeSet::from([*candidate]));
            let ran = drive(&self.stage, &scenario.with_only(only), Depth::Shallow);
            ran.is_ok_and(|ran| ran.alive > 0)
        })?;
        owned.spawners.insert(culprit);
        Some(culprit.to_owned())
    }

    /// The same violation with as few providers as can be: those that it is about, and what these require.
    fn shrunk(&self, found: Smallest, plan: &Plan) -> Option<MatrixViolation> {
        let Smallest { mut violation, mut scenario, .. } = found;
        let mut about: BTreeSet<&str> = violation.provider.as_deref().into_iter().collect();
        about.extend(scenario.fault.as_ref().map(|fault| fault.provider));
        let only = closure(plan, &about);
        let mut ran = None;
        if scenario.stop_at.is_none()
            && scenario.only.is_empty()
            && !about.is_empty()
            && only.len() < plan.providers().len()
        {
            let fewer = scenario.with_only(only);
            say(&format!("scenario {}", fewer.id));
            if let Some((same, smaller)) = self.same(&violation, &fewer) {
                violation = same;
                ran = Some(smaller);
                scenario = fewer;
            }
        }
        let ran = match ran {
            Some(ran) => ran,
            None => drive(&self.stage, &scenario, Depth::Shallow).ok()?,
        };
        Some(MatrixViolation::of(&violation, &scenario, &ran, &self.test))
    }

    fn same(&self, violation: &Violation, scenario: &Scenario) -> Option<(Violation, Ran)> {
        let depth = if is_of_names(violation) { Depth::Deep } else { Depth::Shallow };
        let ran = drive(&self.stage, scenario, depth).ok()?;
        let same = judge(&ran, scenario).into_iter().find(|other| other.is_like(violation))?;
        Some((same, ran))
    }
}

fn is_of_names(violation: &Violation) -> bool {
    matches!(violation.invariant, names::FD_LEFT | names::NAME_LEFT)
}

/// That it has blocked its thread.
fn is_of_a_poll(violation: &Violation) -> bool {
    violation.invariant == names::LINT && violation.expected.contains(lint_codes::POLL_BLOCKED.id)
}

/// One of each kind, in the scenario with the shortest trace; a fault less is worth more than any trace.
fn keep(smallest: &mut Vec<Smallest>, violation: Violation, scenario: &Scenario, steps: usize) {
    let size = |scenario: &Scenario, steps| (scenario.fault.is_some(), scenario.stop_at.is_some(), steps);
    match smallest.iter_mut().find(|known| known.violation.is_like(&violation)) {
        Some(known) => {
            if size(scenario, steps) < size(&known.scenario, known.steps) {
                *known = Smallest { violation, scenario: scenario.clone(), steps };
            }
        }
        None => smallest.push(Smallest { violation, scenario: scenario.clone(), steps }),
    }
}

/// These, and everything that they need, in the plan's order.
fn closure(plan: &Plan, about: &BTreeSet<&str>) -> Vec<String> {
    let names = names_of(plan);
    let mut inside: Vec<bool> = names.iter().map(|name| about.contains(name)).collect();
    // What is needed comes earlier in the plan.
    for index in (0..names.len()).rev() {
        if inside[index] {
            for edge in plan.providers()[index].edges() {
                inside[edge.to] = true;
            }
        }
    }
    let kept = names.iter().zip(&inside).filter(|(_, inside)| **inside);
    kept.map(|(name, _)| (*name).to_owned()).collect()
}

/// There is no daemon to test.
fn refused(why: &str) -> MatrixReport {
    let violation =
        MatrixViolation::of_the_process(names::PLAN, "golden", &format!("nothing was started: {why}"));
    MatrixReport { scenarios: 0, violations: vec![violation] }
}

#[allow(clippy::print_stdout, reason = "it is what the test reads")]
pub(super) fn say(line: &str) {
    println!("{MARK}{line}");
}
