//! Validate: one walk over the plan, one provider after the other, everybody is asked.
//!
//! `validate` is synchronous and cheap, so one task walks them all. A hook that blocks is left behind at its
//! deadline: a new walk, with a new serial, goes on behind it, and the old one finds itself out of date.

use std::time::Instant;

use mainstay_registry::{Phase, Validate};

use super::{Action, HookId, HookKind, Look, Machine, NO_NODE, Running, Stage, describe};
use crate::cell::Seen;
use crate::exit::Exit;
use crate::outcome::{Cut, CutBy, Failure, Forced, Problem};
use crate::spec::GRACE;

#[derive(Default)]
pub(super) struct Walk {
    nodes: Vec<usize>,
    next: usize,
    /// The walking task, and since when it is at its present provider.
    running: Option<Running>,
    cancelled: bool,
    over: bool,
}

impl Walk {
    pub(super) fn running(&self) -> Option<(Running, Option<usize>)> {
        self.running.map(|running| (running, self.nodes.get(self.next).copied()))
    }
}

impl Machine {
    /// Those that validate before the boot.
    pub(crate) fn begin_preflight(&mut self, now: Instant) {
        if self.is_ending() {
            return;
        }
        self.enter(Stage::Preflight, now);
        self.begin_walk(Validate::BeforeBoot, now);
    }

    /// Those that validate after the boot.
    pub(crate) fn begin_validate(&mut self, now: Instant) {
        if self.is_ending() {
            return;
        }
        self.enter(Stage::Validate, now);
        self.begin_walk(Validate::AfterBoot, now);
    }

    fn begin_walk(&mut self, when: Validate, now: Instant) {
        let nodes = self.spec.nodes.iter().enumerate();
        let nodes = nodes.filter(|(_, node)| node.validate == when || node.validate == Validate::Both);
        self.walk = Walk { nodes: nodes.map(|(index, _)| index).collect(), ..Walk::default() };
        self.go_on_walking(now);
    }

    fn go_on_walking(&mut self, now: Instant) {
        if self.walk.next >= self.walk.nodes.len() || self.walk.cancelled {
            self.walk.running = None;
            self.walk.over = true;
            self.out.push(Action::Wake);
            return;
        }
        let id = HookId { kind: HookKind::Validate, node: NO_NODE, serial: self.next_serial() };
        let until = now + self.spec.nodes[self.walk.nodes[self.walk.next]].limits.validate;
        self.walk.running = Some(Running { id, since: now, until });
        self.out.push(Action::SpawnHook(id));
        self.watch(until);
    }

    /// The walking task reports what its last provider said, and is told the next one; `None` ends it.
    pub(crate) fn walk(&mut self, id: HookId, last: Option<(usize, Exit)>, now: Instant) -> Option<usize> {
        let running = self.walk.running.filter(|running| running.id == id)?;
        if let Some((node, exit)) = last {
            self.walk.next += 1;
            self.walked(node, exit, now);
        }
        let next = self.walk.nodes.get(self.walk.next).copied().filter(|_| !self.walk.cancelled);
        if let Some(node) = next {
            let until = now + self.spec.nodes[node].limits.validate;
            self.walk.running = Some(Running { since: now, until, ..running });
            self.watch(until);
        } else {
            self.walk.running = None;
            self.walk.over = true;
            self.out.push(Action::Wake);
        }
        next
    }

    /// Everybody is asked: a failure does not cancel the walk, but it is the cause of the end.
    fn walked(&mut self, node: usize, exit: Exit, now: Instant) {
        let spec = &self.spec.nodes[node];
        if let Some(failure) = Failure::of(spec.name, Phase::Validate, exit) {
            self.fail_valid(failure.at(spec.site), now);
        }
    }

    fn fail_valid(&mut self, failure: Failure, now: Instant) {
        let cancelled = self.walk.cancelled;
        self.fail(failure, now);
        self.walk.cancelled = cancelled;
    }

    /// Only a walk that was dropped by its runtime before it could report ends here.
    pub(super) fn walk_ended(&mut self, id: HookId, exit: &Exit, now: Instant) {
        if self.walk.running.is_some_and(|running| running.id == id) && *exit != Exit::Ok {
            self.walk.next += 1;
            self.go_on_walking(now);
        }
    }

    /// Nobody else is asked, whoever is in flight.
    pub(super) fn walk_end(&mut self) {
        self.walk.cancelled = true;
    }

    pub(super) fn walk_cancel(&mut self, now: Instant) {
        self.walk.cancelled = true;
        if let Some(running) = &mut self.walk.running {
            running.until = running.until.min(now + GRACE);
            let until = running.until;
            self.watch(until);
        }
    }

    pub(super) fn walk_tick(&mut self, now: Instant, look: &dyn Look) {
        let Some((running, node)) = self.walk.running() else { return };
        if running.until > now {
            return;
        }
        if self.walk.cancelled {
            self.leave_walk(running, node, now, look);
        } else if let Some(node) = node {
            let spec = &self.spec.nodes[node];
            let (name, site, deadline) = (spec.name, spec.site, spec.limits.validate);
            let seen = look.hook(running.id);
            // It is inside its poll since it began to walk; of this provider only the last part is.
            let polling = seen.polling.map(|_| now.saturating_duration_since(running.since));
            let seen = describe(&Seen { polling, ..seen });
            let failure = Failure::new(name, Phase::Validate, Problem::Deadline(deadline));
            self.fail_valid(failure.at(site).detail(seen), now);
        }
        self.walk.next += 1;
        self.go_on_walking(now);
    }

    /// The stop does not wait for a hook that blocks its thread, but names it.
    fn leave_walk(&mut self, running: Running, node: Option<usize>, now: Instant, look: &dyn Look) {
        let after = now.saturating_duration_since(running.since);
        let seen = look.hook(running.id);
        if let Some(node) = node.filter(|_| seen.begun) {
            let provider = self.spec.nodes[node].name;
            let seen = describe(&Seen { polling: seen.polling.map(|_| after), ..seen });
            self.force_cut(Forced {
                provider,
                task: None,
                what: Cut::Validate,
                after,
                by: CutBy::Deadline,
                seen,
            });
        }
    }

    pub(super) fn walk_wake(&self) -> Option<Instant> {
        self.walk.running.map(|running| running.until)
    }

    /// True when everybody was asked, and when it was not begun.
    pub(crate) fn walk_over(&self) -> bool {
        self.walk.over || !matches!(self.stage, Stage::Preflight | Stage::Validate)
    }
}
