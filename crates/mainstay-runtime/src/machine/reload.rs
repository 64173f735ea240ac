//! Reload: step 0 is the state's, then one provider after the other; who refuses is named, who requires it skipped.

use std::sync::Arc;
use std::time::Instant;

use mainstay_registry::Phase;

use super::{Action, HookId, HookKind, Look, Machine, NO_NODE, Running, Stage, describe};
use crate::event::{EventKind, ReloadReport, ReloadResult};
use crate::exit::Exit;
use crate::outcome::{Failure, Problem};
use crate::spec::GRACE;

#[derive(Default)]
pub(super) struct Reload {
    active: Option<Active>,
    /// Asked for while one ran: requests coalesce into one more.
    again: bool,
}

struct Active {
    since: Instant,
    /// Place in the reload order of the next provider to ask.
    next: usize,
    running: Option<Running>,
    /// Its deadline has passed and was reported; it is waited for up to the grace.
    overdue: bool,
    /// The provider whose refusal, direct or not, lets this one be skipped.
    refused: Vec<Option<&'static str>>,
    report: ReloadReport,
}

impl Reload {
    pub(super) fn running(&self) -> Option<Running> {
        self.active.as_ref().and_then(|active| active.running)
    }
}

impl Machine {
    /// A reload during a reload is one more afterwards; during the end it is refused by `signal`.
    pub(super) fn request_reload(&mut self, now: Instant) {
        if self.stage != Stage::Run || self.cause.is_some() {
            return;
        }
        if self.reload.active.is_some() {
            self.reload.again = true;
            return;
        }
        self.emit(EventKind::Reloading);
        self.reload.active = Some(Active {
            since: now,
            next: 0,
            running: None,
            overdue: false,
            refused: vec![None; self.spec.nodes.len()],
            report: ReloadReport::default(),
        });
        if self.spec.reload_state {
            self.spawn_reload(HookKind::ReloadState, NO_NODE, now);
        } else {
            self.reload_next(now);
        }
    }

    fn spawn_reload(&mut self, kind: HookKind, node: usize, now: Instant) {
        let id = HookId { kind, node, serial: self.next_serial() };
        let until = now + self.reload_limit(node);
        if let Some(active) = &mut self.reload.active {
            active.running = Some(Running { id, since: now, until });
            active.overdue = false;
        }
        self.out.push(Action::SpawnHook(id));
        self.watch(until);
    }

    fn reload_limit(&self, node: usize) -> std::time::Duration {
        self.spec.nodes.get(node).map_or_else(
            || crate::spec::Resolved::of(mainstay_registry::Deadlines::new(), self.limits.defaults).reload,
            |spec| spec.limits.reload,
        )
    }

    /// Asks the next one that does not require one that refused.
    fn reload_next(&mut self, now: Instant) {
        let spec = Arc::clone(&self.spec);
        loop {
            let Some(active) = &mut self.reload.active else { return };
            let Some(&node) = spec.reload_order.get(active.next) else { break };
            active.next += 1;
            // A refusal passes on through providers that are not reloadable themselves.
            let because = refusal(&spec.nodes, &active.refused, node);
            if let Some(because) = because {
                active.refused[node] = Some(because);
                active.report.entries.push((spec.nodes[node].name, ReloadResult::Skipped { because }));
                continue;
            }
            self.spawn_reload(HookKind::Reload, node, now);
            return;
        }
        self.reload_finish(now);
    }

    pub(super) fn reload_ended(&mut self, id: HookId, exit: Exit, now: Instant) {
        let Some(active) = &mut self.reload.active else { return };
        let Some(running) = active.running.filter(|running| running.id == id) else { return };
        active.running = None;
        if active.overdue {
            self.reload_next(now);
            return;
        }
        let (name, site) = match self.spec.nodes.get(id.node) {
            Some(spec) => (spec.name, spec.site),
            None => ("state", None),
        };
        let result = match Failure::of(name, Phase::Reload, exit) {
            None => ReloadResult::Reloaded { took: now.saturating_duration_since(running.since) },
            Some(failure) => ReloadResult::Refused(failure.at(site)),
        };
        self.reload_result(id, name, result, now);
    }

    fn reload_result(&mut self, id: HookId, name: &'static str, result: ReloadResult, now: Instant) {
        let Some(active) = &mut self.reload.active else { return };
        let refused = matches!(result, ReloadResult::Refused(_));
        active.report.entries.push((name, result));
        if id.kind == HookKind::ReloadState && refused {
            // Step 0 refused: nobody else is asked.
            self.reload_finish(now);
            return;
        }
        if refused {
            active.refused[id.node] = Some(name);
        }
        if active.running.is_none() {
            self.reload_next(now);
        }
    }

    fn reload_finish(&mut self, now: Instant) {
        let Some(mut active) = self.reload.active.take() else { return };
        active.report.took = now.saturating_duration_since(active.since);
        self.emit(EventKind::Reloaded(Arc::new(active.report)));
        if std::mem::take(&mut self.reload.again) {
            self.request_reload(now);
        }
    }

    /// The process stops: the hook in flight is aborted, the rest is not asked.
    pub(super) fn reload_abort(&mut self) {
        self.reload.again = false;
        if let Some(active) = self.reload.active.take() {
            if let Some(running) = active.running {
                self.out.push(Action::AbortHook(running.id));
            }
            self.emit(EventKind::ReloadAborted);
        }
    }

    pub(super) fn reload_tick(&mut self, now: Instant, look: &dyn Look) {
        let Some(active) = &mut self.reload.active else { return };
        let Some(running) = &mut active.running else { return };
        if running.until > now {
            return;
        }
        let id = running.id;
        if active.overdue {
            // It did not end within the grace either: left behind, and named already.
            active.running = None;
            self.reload_next(now);
            return;
        }
        running.until = now + GRACE;
        active.overdue = true;
        let limit = self.reload_limit(id.node);
        let (name, site) = match self.spec.nodes.get(id.node) {
            Some(spec) => (spec.name, spec.site),
            None => ("state", None),
        };
        let failure = Failure::new(name, Phase::Reload, Problem::Deadline(limit))
            .at(site)
            .detail(describe(&look.hook(id)));
        self.out.push(Action::AbortHook(id));
        self.reload_result(id, name, ReloadResult::Refused(failure), now);
    }

    pub(super) fn reload_wake(&self) -> Option<Instant> {
        self.reload.running().map(|running| running.until)
    }
}

/// Who refused, of those that this one requires, directly or through others.
fn refusal(
    nodes: &[crate::spec::NodeSpec],
    refused: &[Option<&'static str>],
    node: usize,
) -> Option<&'static str> {
    if refused.iter().all(Option::is_none) {
        return None;
    }
    let mut stack = nodes[node].requires.clone();
    let mut seen = vec![false; nodes.len()];
    while let Some(dep) = stack.pop() {
        if let Some(because) = refused[dep] {
            return Some(because);
        }
        if !std::mem::replace(&mut seen[dep], true) {
            stack.extend(&nodes[dep].requires);
        }
    }
    None
}
