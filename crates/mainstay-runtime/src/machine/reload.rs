//! Reload: one transaction. Step 0 is the state's hook, then one provider after the other; then one commit, or one
//! abort.
//!
//! Everybody is asked but those that require one that refused: they are skipped because of it. When nobody refused,
//! all that was published becomes visible in one step; when somebody did, none of it. The transaction itself is the
//! engine's; here is only who is asked, and how it ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use mainstay_registry::Phase;

use super::{Action, HookId, HookKind, Look, Machine, NO_NODE, Running, Stage, describe};
use crate::event::{EventKind, ReloadReport, ReloadResult};
use crate::exit::Exit;
use crate::outcome::{Cut, CutBy, Failure, Forced, Problem};
use crate::spec::GRACE;

#[derive(Default)]
pub(super) struct Reload {
    active: Option<Active>,
    /// Asked for while one ran: equal requests are one.
    queue: VecDeque<(u64, ReloadOf)>,
}

/// Who is to be reloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReloadOf {
    /// The state, then everybody.
    All,
    /// One provider alone.
    One(usize),
}

struct Active {
    /// Who has asked is answered by it.
    ticket: u64,
    /// The providers to ask, in order.
    order: Vec<usize>,
    since: Instant,
    /// Place in the reload order of the next provider to ask.
    next: usize,
    running: Option<Running>,
    /// Its deadline has passed and was reported; it is waited for up to the grace.
    overdue: bool,
    /// For each provider the one whose refusal, direct or not, concerns it.
    refused: Vec<Option<&'static str>>,
    first_refusal: Option<&'static str>,
    ending: Option<Ending>,
    report: ReloadReport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Commit,
    Abort,
    /// The process stops; what was staged is dropped, and there is no report.
    GivenUp,
}

impl Reload {
    pub(super) fn running(&self) -> Option<Running> {
        self.active.as_ref().and_then(|active| active.running)
    }

    fn ended_by(&mut self, id: HookId) -> Option<&mut Active> {
        self.active.as_mut().filter(|active| active.running.is_some_and(|running| running.id == id))
    }

    /// The transaction is being ended: its effects run.
    pub(super) fn is_ending(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.ending.is_some() && active.running.is_some())
    }
}

impl Machine {
    /// Begins a reload, or one more after the one that runs. The ticket that its report answers; `None` when nothing
    /// can be reloaded now.
    pub(crate) fn request_reload(&mut self, of: ReloadOf, now: Instant) -> Option<u64> {
        if self.stage != Stage::Run || self.cause.is_some() {
            return None;
        }
        if self.reload.active.is_some() {
            if let Some((ticket, _)) = self.reload.queue.iter().find(|(_, queued)| *queued == of) {
                return Some(*ticket);
            }
            let ticket = self.next_serial();
            self.reload.queue.push_back((ticket, of));
            return Some(ticket);
        }
        let ticket = self.next_serial();
        self.begin_reload(ticket, of, now);
        Some(ticket)
    }

    fn begin_reload(&mut self, ticket: u64, of: ReloadOf, now: Instant) {
        self.emit(EventKind::Reloading);
        self.out.push(Action::OpenTransaction);
        self.reload.active = Some(Active {
            ticket,
            order: match of {
                ReloadOf::All => self.spec.reload_order.clone(),
                ReloadOf::One(node) => vec![node],
            },
            since: now,
            next: 0,
            running: None,
            overdue: false,
            refused: vec![None; self.spec.nodes.len()],
            first_refusal: None,
            ending: None,
            report: ReloadReport::default(),
        });
        if self.spec.reload_state && of == ReloadOf::All {
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
            || {
                crate::spec::Resolved::of(mainstay_registry::Deadlines::new(), self.limits.defaults)
                    .capped(self.limits.cap)
                    .reload
            },
            |spec| spec.limits.reload,
        )
    }

    /// Asks the next one that does not require one that refused; after the last one the transaction ends.
    fn reload_next(&mut self, now: Instant) {
        let spec = Arc::clone(&self.spec);
        loop {
            let Some(active) = &mut self.reload.active else { return };
            let Some(&node) = active.order.get(active.next) else { break };
            active.next += 1;
            // A refusal passes on through providers that are not reloadable themselves.
            let because = match active.first_refusal {
                Some(_) => refusal(&spec.nodes, &active.refused, node),
                None => None,
            };
            if let Some(because) = because {
                active.refused[node] = Some(because);
                active.report.entries.push((spec.nodes[node].name, ReloadResult::Skipped { because }));
                continue;
            }
            self.spawn_reload(HookKind::Reload, node, now);
            return;
        }
        let refused = self.reload.active.as_ref().is_some_and(|active| active.first_refusal.is_some());
        self.end_transaction(if refused { Ending::Abort } else { Ending::Commit }, now);
    }

    /// Commit and abort run the effects, which are the user's: each is a hook of its own.
    fn end_transaction(&mut self, ending: Ending, now: Instant) {
        if let Some(active) = &mut self.reload.active {
            active.ending = Some(ending);
        }
        let kind = if ending == Ending::Commit { HookKind::Commit } else { HookKind::Abort };
        self.spawn_reload(kind, NO_NODE, now);
    }

    /// It is committed, and its effects run: told from inside the hook that ends it.
    pub(super) fn transaction_visible(&mut self, id: HookId, epoch: u64) {
        if let Some(active) = self.reload.ended_by(id) {
            active.report.epoch = Some(epoch);
        }
    }

    /// What went wrong in its effects, told from there, too: in the stop there may be no report to say it.
    pub(super) fn transaction_ended(&mut self, id: HookId, effects: Vec<String>) {
        let Some(active) = self.reload.ended_by(id) else { return };
        active.report.effects.extend_from_slice(&effects);
        if self.stop_began() {
            let panics = effects.into_iter().map(|panic| Exit::Panicked(panic.into()));
            for failure in panics.filter_map(|panic| Failure::of("effects", Phase::Reload, panic)) {
                self.note_failure(failure);
            }
        }
    }

    pub(super) fn reload_ended(&mut self, id: HookId, exit: Exit, now: Instant) {
        let Some(active) = &mut self.reload.active else { return };
        let Some(running) = active.running.filter(|running| running.id == id) else { return };
        active.running = None;
        if active.ending.is_some() {
            let failure = Failure::of("effects", Phase::Reload, exit);
            active.report.effects.extend(failure.as_ref().map(Failure::headline));
            if let Some(failure) = failure.filter(|_| self.stop_began()) {
                self.note_failure(failure);
            }
            self.reload_finish(now);
            return;
        }
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
        let result = match (result, active.first_refusal) {
            // It may have read half of what the first one staged before it refused.
            (ReloadResult::Refused(failure), Some(first)) => {
                ReloadResult::Refused(failure.also_seen(&format!("asked after '{first}' had refused")))
            }
            (result, _) => result,
        };
        let refused = matches!(result, ReloadResult::Refused(_));
        active.report.entries.push((name, result));
        if refused {
            active.first_refusal.get_or_insert(name);
            if id.kind == HookKind::ReloadState {
                // Step 0 refused: nobody else is asked.
                active.next = usize::MAX;
            } else {
                active.refused[id.node] = Some(name);
            }
        }
        if active.running.is_none() {
            self.reload_next(now);
        }
    }

    fn reload_finish(&mut self, now: Instant) {
        let Some(mut active) = self.reload.active.take() else { return };
        active.report.took = now.saturating_duration_since(active.since);
        let ticket = active.ticket;
        let report = (active.ending != Some(Ending::GivenUp)).then(|| Arc::new(active.report));
        if let Some(report) = &report {
            self.emit(EventKind::Reloaded(Arc::clone(report)));
        }
        self.out.push(Action::ReloadDone { ticket, report });
        if self.stage != Stage::Run || self.cause.is_some() {
            self.close_reloads();
        } else if let Some((ticket, of)) = self.reload.queue.pop_front() {
            self.begin_reload(ticket, of, now);
        }
        self.stop_settle(now);
    }

    /// The process stops: the hook in flight is aborted, the rest is not asked, what was staged is dropped. A commit
    /// that has begun is not undone.
    pub(super) fn reload_abort(&mut self, now: Instant) {
        let Some(active) = &mut self.reload.active else { return };
        if active.ending.is_some() {
            return;
        }
        if let Some(running) = active.running.take() {
            self.out.push(Action::AbortHook(running.id));
        }
        self.emit(EventKind::ReloadAborted);
        self.end_transaction(Ending::GivenUp, now);
    }

    /// Everything is over: who still waits for a reload learns that nobody answers any more.
    pub(super) fn close_reloads(&mut self) {
        let active = self.reload.active.take().map(|active| active.ticket);
        let queue = std::mem::take(&mut self.reload.queue);
        for ticket in active.into_iter().chain(queue.into_iter().map(|(ticket, _)| ticket)) {
            self.out.push(Action::ReloadDone { ticket, report: None });
        }
    }

    pub(super) fn reload_tick(&mut self, now: Instant, look: &dyn Look) {
        if self.reload_wake().is_none_or(|until| until > now) {
            return;
        }
        let Some(active) = &mut self.reload.active else { return };
        let Some(running) = &mut active.running else { return };
        let (id, took) = (running.id, now.saturating_duration_since(running.since));
        running.until = now + GRACE;
        let ending = active.ending.is_some();
        let named = std::mem::replace(&mut active.overdue, true);
        if named && !ending {
            // It did not end within the grace either, and is left behind.
            active.running = None;
            self.reload_next(now);
            return;
        }
        let (name, site) = match self.spec.nodes.get(id.node) {
            Some(spec) => (spec.name, spec.site),
            None if ending => ("effects", None),
            None => ("state", None),
        };
        let limit = self.reload_limit(id.node).min(took);
        let failure = Failure::new(name, Phase::Reload, Problem::Deadline(limit))
            .at(site)
            .detail(describe(&look.hook(id)));
        if !ending {
            self.out.push(Action::AbortHook(id));
            self.reload_result(id, name, ReloadResult::Refused(failure), now);
            return;
        }
        // An effect hangs. What is visible stays so; the others may not have run.
        if let Some(active) = self.reload.active.as_mut().filter(|_| !named) {
            active.report.effects.push(failure.headline());
        }
        let stops = self.stop_began();
        if stops && now >= self.stop.end() {
            self.cut_effects(CutBy::Budget, now, look);
        } else if stops {
            self.note_failure(failure);
        }
        if stops || named {
            self.reload_finish(now);
        }
    }

    /// Names the effects that still run and are not waited for any longer, if there are any.
    pub(super) fn cut_effects(&mut self, by: CutBy, now: Instant, look: &dyn Look) {
        let Some(running) = self.reload.running().filter(|_| self.reload.is_ending()) else { return };
        let after = now.saturating_duration_since(running.since);
        let seen = describe(&look.hook(running.id));
        self.force_cut(Forced { provider: "reload", task: None, what: Cut::Effects, after, by, seen });
    }

    /// Until when the hook in flight is waited for: effects that run in the stop no longer than its budget lasts.
    pub(super) fn reload_wake(&self) -> Option<Instant> {
        let until = self.reload.running()?.until;
        Some(if self.reload.is_ending() && self.stop_began() { until.min(self.stop.end()) } else { until })
    }
}

/// Who refused, of those that this one requires, directly or through others.
fn refusal(
    nodes: &[crate::spec::NodeSpec],
    refused: &[Option<&'static str>],
    node: usize,
) -> Option<&'static str> {
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
