//! Orders: an operator starts, stops or restarts single providers while everything else goes on.
//!
//! An order sets what is wanted of each task (down, or a generation newer than this one), and the machine works
//! towards it as far as it may: nobody is asked to end before all that require him are gone, nobody starts before what
//! he requires is ready. So a later order simply overrules an earlier one, and no order can fall between the two halves
//! of another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::tasks::{End, TaskState, Uncharged};
use super::{Action, Machine, Stage, TaskId};
use crate::control::{ControlError, Done};
use crate::event::{EventKind, Operation};
use crate::spec::{GRACE, LONGEST};

#[derive(Default)]
pub(super) struct Orders {
    /// Providers of which something is to end, or to start, and may not yet.
    pending: Vec<usize>,
    /// Those that somebody may wait for.
    open: Vec<Order>,
    /// Tickets of those who wait for the end of everything, and since when.
    ends: Vec<(u64, Instant)>,
}

struct Order {
    ticket: u64,
    kind: Operation,
    node: usize,
    task: Option<usize>,
    since: Instant,
    until: Instant,
    /// Whom it is about: for a stop, everybody who is to end; else those that were named.
    about: Vec<About>,
    also: Vec<&'static str>,
}

/// One task of an order: for a stop, the generation that is to end; else, the first that will do.
#[derive(Clone, Copy)]
struct About {
    node: usize,
    task: usize,
    generation: u64,
}

/// Accepted: what to wait with, and whether the one who asks would wait for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) ticket: u64,
    pub(crate) waits_for_itself: bool,
}

impl Machine {
    /// The provider, and the runnable inside it, that are called so: `http`, `http/public`.
    pub(crate) fn named(&self, name: &str) -> Option<(usize, Option<usize>)> {
        if let Some(node) = self.spec.nodes.iter().position(|node| node.name == name) {
            return Some((node, None));
        }
        let (provider, task) = name.rsplit_once('/')?;
        let node = self.spec.nodes.iter().position(|node| node.name == provider)?;
        let task = self.spec.nodes[node].tasks.iter().position(|one| one.name == Some(task))?;
        Some((node, Some(task)))
    }

    /// Accepts an order, or says why not. Equal orders are one as long as it is not carried out.
    pub(crate) fn order(
        &mut self,
        kind: Operation,
        (node, task): (usize, Option<usize>),
        asker: Option<TaskId>,
        now: Instant,
    ) -> Result<Accepted, ControlError> {
        if self.cause.is_some() || self.stage == Stage::Over {
            return Err(ControlError::Closed);
        }
        let name = self.spec.nodes[node].name;
        if self.spec.nodes[node].tasks.is_empty() {
            return Err(ControlError::NotRunnable { provider: name });
        }
        let same = |order: &&Order| (order.kind, order.node, order.task) == (kind, node, task);
        if let Some(order) = self.orders.open.iter().find(same) {
            let (ticket, last) = (order.ticket, self.orders.open.last().map(|last| last.ticket));
            // Another one since then may have overruled it.
            if last == Some(ticket) {
                return Ok(Accepted { ticket, waits_for_itself: self.is_about(asker) });
            }
        }
        let targets: Vec<(usize, usize)> = match task {
            Some(task) => vec![(node, task)],
            None => (0..self.spec.nodes[node].tasks.len()).map(|task| (node, task)).collect(),
        };
        let dependents = self.reach(node, |spec| &spec.required_by);
        let required = self.reach(node, |spec| &spec.requires);
        let mut also = Vec::new();
        let mut about = Vec::new();
        match kind {
            Operation::Stop => {
                for &dependent in &dependents {
                    let mut told = false;
                    for index in 0..self.tasks.nodes[dependent].len() {
                        told |= self.put_down(dependent, index, &mut about, now);
                    }
                    also.extend(told.then_some(self.spec.nodes[dependent].name));
                }
                for &(node, index) in &targets {
                    self.put_down(node, index, &mut about, now);
                }
            }
            Operation::Start | Operation::Restart => {
                for &dep in &required {
                    let mut told = false;
                    for index in 0..self.tasks.nodes[dep].len() {
                        let task = &self.tasks.nodes[dep][index];
                        if task.down || task.state.is_given_up() {
                            self.put_up(dep, index, now);
                            told = true;
                        }
                    }
                    also.extend(told.then_some(self.spec.nodes[dep].name));
                }
                if kind == Operation::Restart {
                    for &dependent in &dependents {
                        let mut told = false;
                        for index in 0..self.tasks.nodes[dependent].len() {
                            told |= self.renew(dependent, index, Uncharged::WithRequired);
                        }
                        also.extend(told.then_some(self.spec.nodes[dependent].name));
                    }
                }
                for &(node, index) in &targets {
                    let task = &self.tasks.nodes[node][index];
                    if kind == Operation::Start && task.state.is_live() && !task.must_end() {
                        about.push(About { node, task: index, generation: task.generation });
                        continue;
                    }
                    self.tasks.nodes[node][index].down = false;
                    if !self.renew(node, index, Uncharged::ByHand) {
                        self.put_up(node, index, now);
                    }
                    let task = &self.tasks.nodes[node][index];
                    let generation = if task.state.is_live() { task.fresh } else { task.generation + 1 };
                    about.push(About { node, task: index, generation });
                }
            }
        }
        let waits_for_itself = self.is_about(asker);
        let ticket = self.next_serial();
        let until = now + self.patience(&about, &dependents, &required);
        self.emit(EventKind::Ordered { operation: kind, provider: name, also: also.clone() });
        self.orders.open.push(Order { ticket, kind, node, task, since: now, until, about, also });
        self.watch(until);
        for node in dependents.into_iter().chain(required).chain([node]) {
            self.pend(node);
            self.refresh_readiness(node, now);
        }
        self.advance(now);
        self.settle_run(now);
        self.answer_orders(now);
        Ok(Accepted { ticket, waits_for_itself })
    }

    /// Whether the task of the one who asks is to end.
    fn is_about(&mut self, asker: Option<TaskId>) -> bool {
        asker.and_then(|id| self.tasks.get(id)).is_some_and(|task| task.must_end())
    }

    /// All providers that are reached by the edges, the one itself not among them, in the order of the plan.
    fn reach(&self, node: usize, edges: impl Fn(&crate::spec::NodeSpec) -> &Vec<usize>) -> Vec<usize> {
        let mut found = std::collections::BTreeSet::new();
        let mut stack = edges(&self.spec.nodes[node]).clone();
        while let Some(node) = stack.pop() {
            if found.insert(node) {
                stack.extend(edges(&self.spec.nodes[node]));
            }
        }
        found.into_iter().collect()
    }

    /// Wants a task down. True when that changes something.
    fn put_down(&mut self, node: usize, index: usize, about: &mut Vec<About>, now: Instant) -> bool {
        let task = &mut self.tasks.nodes[node][index];
        if task.state.is_live() {
            about.push(About { node, task: index, generation: task.generation });
        }
        match task.state {
            TaskState::Over(End::Completed | End::Disabled) => return false,
            TaskState::Idle | TaskState::Backoff { .. } => task.enter(TaskState::Over(End::Stopped), now),
            TaskState::Over(_) => task.state = TaskState::Over(End::Stopped),
            _ => {}
        }
        task.uncharged = None;
        !std::mem::replace(&mut task.down, true)
    }

    /// Wants a task up that is not live: it starts as soon as it may.
    fn put_up(&mut self, node: usize, index: usize, now: Instant) {
        let task = &mut self.tasks.nodes[node][index];
        task.down = false;
        task.uncharged = Some(Uncharged::ByHand);
        if task.state.is_live() {
            // It is on its way out: the next one comes after it.
            task.fresh = task.fresh.max(
                task.generation
                    + u64::from(!matches!(task.state, TaskState::Starting { .. } | TaskState::Ready)),
            );
        } else if task.state != TaskState::Idle {
            task.enter(TaskState::Idle, now);
        }
    }

    /// Wants a newer generation of a task that is live. True when that is so.
    fn renew(&mut self, node: usize, index: usize, uncharged: Uncharged) -> bool {
        let task = &mut self.tasks.nodes[node][index];
        if !task.state.is_live() || task.down {
            return false;
        }
        task.fresh = task.generation + 1;
        task.uncharged.get_or_insert(uncharged);
        true
    }

    pub(super) fn pend(&mut self, node: usize) {
        if !self.tasks.nodes[node].is_empty() && !self.orders.pending.contains(&node) {
            self.orders.pending.push(node);
        }
    }

    /// One is restarted: those that say so are restarted with it. They end first, and start when it is ready.
    pub(super) fn take_along(&mut self, node: usize) {
        let spec = Arc::clone(&self.spec);
        if !spec.any_with_required {
            return;
        }
        for dependent in self.reach(node, |spec| &spec.required_by) {
            for index in 0..self.tasks.nodes[dependent].len() {
                if spec.nodes[dependent].tasks[index].restart.is_with_required()
                    && self.renew(dependent, index, Uncharged::WithRequired)
                {
                    self.pend(dependent);
                }
            }
        }
    }

    /// Somebody who requires this one, directly or not, is to end, and has not.
    pub(super) fn dependents_leave(&self, node: usize) -> bool {
        // Only those are to end of whom something is pending.
        !self.orders.pending.is_empty()
            && self
                .reach(node, |spec| &spec.required_by)
                .into_iter()
                .any(|dependent| self.tasks.nodes[dependent].iter().any(super::tasks::Task::must_end))
    }

    /// Asks those to end, and starts those, for whom the time has come.
    pub(super) fn advance(&mut self, now: Instant) {
        if self.orders.pending.is_empty() || self.cause.is_some() {
            self.answer_orders(now);
            return;
        }
        let mut pending = std::mem::take(&mut self.orders.pending);
        // The last of the plan first: dependents before what they require.
        pending.sort_unstable_by(|a, b| b.cmp(a));
        self.orders.pending.clone_from(&pending);
        for &node in &pending {
            self.refresh_readiness(node, now);
            let ends = self.tasks.nodes[node].iter().any(super::tasks::Task::must_end);
            if ends && !self.dependents_leave(node) {
                for id in self.tasks.live_of(node) {
                    if self.tasks.get(id).is_some_and(|task| task.must_end()) {
                        self.ask_to_end(id, now);
                    }
                }
            }
        }
        for &node in pending.iter().rev() {
            self.try_start(node, now);
        }
        let open = |node: &usize| {
            self.tasks.nodes[*node].iter().any(|task| task.must_end() || task.state == TaskState::Idle)
        };
        let left = std::mem::take(&mut self.orders.pending);
        self.orders.pending = left.into_iter().filter(open).collect();
        self.answer_orders(now);
    }

    /// Who may start, and is not started; who is to end, may, and was not asked.
    #[cfg(test)]
    pub(super) fn forgotten(&self) -> Vec<TaskId> {
        let forgotten = |(id, task): &(TaskId, &super::tasks::Task)| {
            let leaves = self.dependents_leave(id.node);
            let starts =
                task.state == TaskState::Idle && self.tasks.turn[id.node] && !self.lacks_required(id.node);
            let ends = task.must_end() && matches!(task.state, TaskState::Ready | TaskState::Starting { .. });
            (starts || ends) && !leaves
        };
        let stopping = self.cause.is_some() || self.stage != Stage::Run;
        self.tasks.all().filter(|one| !stopping && forgotten(one)).map(|(id, _)| id).collect()
    }

    /// Whether this one can be reloaded.
    pub(crate) fn check_reloadable(&self, node: usize) -> Result<(), ControlError> {
        let spec = &self.spec.nodes[node];
        if spec.reloadable { Ok(()) } else { Err(ControlError::NotReloadable { provider: spec.name }) }
    }

    /// How long somebody may wait for it: what every deadline on the way adds up to.
    fn patience(&self, about: &[About], dependents: &[usize], required: &[usize]) -> Duration {
        let own = about.first().map(|about| about.node);
        let nodes = dependents.iter().chain(required).copied().chain(own);
        let limits = nodes.map(|node| {
            let limits = self.spec.nodes[node].limits;
            limits.stop.saturating_add(limits.ready).saturating_add(GRACE * 4)
        });
        // Whoever asks before the run waits for what comes before it as well.
        let before = if self.has_begun_to_run() {
            Duration::ZERO
        } else {
            let validate = self.spec.nodes.iter().map(|node| node.limits.validate.saturating_mul(2));
            validate.fold(self.limits.boot_budget, Duration::saturating_add)
        };
        limits.fold(before.saturating_add(GRACE), Duration::saturating_add).min(LONGEST)
    }

    pub(super) fn orders_wake(&self) -> Option<Instant> {
        self.orders.open.iter().map(|order| order.until).min()
    }

    /// Answers those that are carried out, or never will be.
    pub(super) fn answer_orders(&mut self, now: Instant) {
        if self.orders.open.is_empty() {
            return;
        }
        let open = std::mem::take(&mut self.orders.open);
        for order in open {
            match self.answer(&order, now) {
                Some(answer) => self.out.push(Action::Answer { ticket: order.ticket, answer }),
                None => self.orders.open.push(order),
            }
        }
    }

    fn answer(&self, order: &Order, now: Instant) -> Option<Result<Done, ControlError>> {
        let done = || Ok(Done { also: order.also.clone(), took: now.saturating_duration_since(order.since) });
        if order.kind == Operation::Stop {
            let mut gone = true;
            for about in &order.about {
                let task = &self.tasks.nodes[about.node][about.task];
                let lives = task.state.is_live() && task.generation == about.generation;
                if lives && !task.must_end() && self.cause.is_none() {
                    return Some(Err(ControlError::Overruled { provider: self.spec.nodes[about.node].name }));
                }
                gone &= !lives;
            }
            if gone {
                return Some(done());
            }
        } else if self.cause.is_some() {
            return Some(Err(ControlError::Closed));
        } else {
            let mut all = true;
            for about in &order.about {
                let task = &self.tasks.nodes[about.node][about.task];
                let provider = self.spec.nodes[about.node].name;
                if task.down {
                    return Some(Err(ControlError::Overruled { provider }));
                }
                let its = task.generation >= about.generation;
                let failed = matches!(task.state, TaskState::Backoff { .. } | TaskState::Over(End::Failed))
                    || task.verdict.is_some();
                if its && failed {
                    let cause =
                        task.last_failure.as_ref().map_or_else(String::new, |failure| failure.cause_line());
                    return Some(Err(ControlError::Failed { provider, cause }));
                }
                all &= its && task.state.is_good();
            }
            if all {
                return Some(done());
            }
        }
        (order.until <= now && self.cause.is_none())
            .then(|| Err(ControlError::TimedOut { provider: self.spec.nodes[order.node].name }))
    }

    /// A ticket that is answered when everything is over.
    pub(crate) fn wait_for_the_end(&mut self, now: Instant) -> u64 {
        let ticket = self.next_serial();
        if self.stage == Stage::Over {
            self.out
                .push(Action::Answer { ticket, answer: Ok(Done { also: Vec::new(), took: Duration::ZERO }) });
        } else {
            self.orders.ends.push((ticket, now));
        }
        ticket
    }

    /// Everything is over: whoever waits for a stop has it.
    pub(super) fn close_orders(&mut self, now: Instant) {
        for (ticket, since) in std::mem::take(&mut self.orders.ends) {
            let took = now.saturating_duration_since(since);
            self.out.push(Action::Answer { ticket, answer: Ok(Done { also: Vec::new(), took }) });
        }
        for order in std::mem::take(&mut self.orders.open) {
            let answer = match order.kind {
                Operation::Stop => Ok(Done { also: order.also, took: Duration::ZERO }),
                _ => Err(ControlError::Closed),
            };
            self.out.push(Action::Answer { ticket: order.ticket, answer });
        }
    }
}
