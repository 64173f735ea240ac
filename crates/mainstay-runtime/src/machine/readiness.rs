//! Readiness: who is ready, by the graph. A lost `requires` makes its dependents not ready, a lost `wants` degraded.
//!
//! Kept up to date at every change, in time proportional to what changes: for each provider whether its own tasks are
//! good, and how many of those that it requires are not ready.

use std::sync::Arc;
use std::time::Instant;

use mainstay_registry::{AtLimit, RestartPolicy};

use super::tasks::{End, Task, TaskState};
use super::view::state_of;
use super::{Action, Machine, Stage};
use crate::event::EventKind;
use crate::restart::Next;
use crate::status::{ReadyState, RunnableState, Unready};

#[derive(Default)]
pub(super) struct Readiness {
    nodes: Vec<Node>,
    /// Providers that keep the whole from being ready.
    unready: usize,
    /// The whole was ready once.
    was_ready: bool,
    /// Since when it is not ready any more.
    lost_at: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Node {
    /// Its own tasks do their jobs, or have done them.
    own: bool,
    /// So many of those that it requires are not ready.
    lost: usize,
    /// It keeps the whole from being ready.
    unready: bool,
    /// Since when it is ready, or is not.
    since: Instant,
}

impl Node {
    fn is_ready(self) -> bool {
        self.own && self.lost == 0
    }
}

impl Machine {
    /// Nobody with tasks is ready yet.
    pub(super) fn begin_readiness(&mut self, now: Instant) {
        let spec = Arc::clone(&self.spec);
        let node = |own: bool| Node { own, lost: 0, unready: false, since: now };
        let mut nodes: Vec<Node> = spec.nodes.iter().map(|one| node(one.tasks.is_empty())).collect();
        // In the order of the plan: those that are required come before those that require them.
        for (index, one) in spec.nodes.iter().enumerate() {
            nodes[index].lost = one.requires.iter().filter(|&&dep| !nodes[dep].is_ready()).count();
        }
        self.readiness.nodes = nodes;
        for index in 0..spec.nodes.len() {
            self.count_unready(index);
        }
    }

    /// It does its job, and so do those that it requires.
    pub(super) fn is_ready(&self, node: usize) -> bool {
        self.readiness.nodes.get(node).is_some_and(|node| node.is_ready())
    }

    /// Something that it requires is not ready.
    pub(super) fn lacks_required(&self, node: usize) -> bool {
        self.readiness.nodes.get(node).is_some_and(|node| node.lost > 0)
    }

    /// The whole was ready once.
    pub(super) fn was_ready(&self) -> bool {
        self.readiness.was_ready
    }

    /// Tasks of this provider have changed: hands on what follows from it. Those that waited for it start.
    pub(super) fn refresh_readiness(&mut self, node: usize, now: Instant) {
        if self.readiness.nodes.is_empty() {
            return;
        }
        // One that is to end does its job no more: nobody starts on it.
        let good = |task: &Task| task.state.is_good() && !task.stuck && !task.must_end();
        let own = self.tasks.nodes[node].iter().all(good);
        let before = self.readiness.nodes[node].is_ready();
        self.readiness.nodes[node].own = own;
        self.count_unready(node);
        if self.readiness.nodes[node].is_ready() == before {
            return;
        }
        let spec = Arc::clone(&self.spec);
        let mut changed = vec![node];
        while let Some(node) = changed.pop() {
            self.readiness.nodes[node].since = now;
            let ready = self.readiness.nodes[node].is_ready();
            for &dependent in &spec.nodes[node].required_by {
                let before = self.readiness.nodes[dependent].is_ready();
                let lost = &mut self.readiness.nodes[dependent].lost;
                *lost = if ready { lost.saturating_sub(1) } else { *lost + 1 };
                self.count_unready(dependent);
                if self.readiness.nodes[dependent].is_ready() != before {
                    changed.push(dependent);
                }
                if ready {
                    self.try_start(dependent, now);
                }
            }
        }
    }

    fn count_unready(&mut self, node: usize) {
        let lacks = self.lacks_required(node);
        let tasks = self.tasks.nodes[node].iter().zip(&self.spec.nodes[node].tasks);
        let unready = { tasks }.any(|(task, spec)| is_unready(task, &spec.restart, lacks));
        let was = std::mem::replace(&mut self.readiness.nodes[node].unready, unready);
        match (was, unready) {
            (false, true) => self.readiness.unready += 1,
            (true, false) => self.readiness.unready -= 1,
            _ => {}
        }
    }

    /// Says it when the whole gets ready, when it is not any more, and when it is again.
    pub(super) fn settle_readiness(&mut self, now: Instant) {
        let ready = self.readiness.unready == 0;
        if !self.readiness.was_ready {
            if ready {
                self.readiness.was_ready = true;
                self.emit(EventKind::Ready { took: now.saturating_duration_since(self.began) });
                self.out.push(Action::Ready);
            }
            return;
        }
        match self.readiness.lost_at {
            None if !ready => {
                self.readiness.lost_at = Some(now);
                let causes = self.unready_roots(now);
                self.emit(EventKind::NotReady { causes });
            }
            Some(at) if ready => {
                self.readiness.lost_at = None;
                self.emit(EventKind::ReadyAgain { after: now.saturating_duration_since(at) });
            }
            _ => {}
        }
    }

    /// Those with something of their own that is not good, and who keep the whole from being ready.
    fn unready_roots(&self, now: Instant) -> Vec<Unready> {
        let nodes = self.readiness.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| node.unready && !node.own && node.lost == 0)
            .map(|(index, _)| self.unready(index, index, now))
            .collect()
    }

    /// Why this one is not ready: the root is the one that it is about.
    fn unready(&self, node: usize, root: usize, now: Instant) -> Unready {
        let bad = |task: &&Task| !task.state.is_good() || task.stuck || task.must_end();
        let task = self.tasks.nodes[root].iter().find(bad);
        let state = task.map_or(RunnableState::Waiting, |task| state_of(task, now));
        // Of a failure only its consequences tell: an operator's stop has nothing to do with an old one.
        let told = |task: &&Task| match task.state {
            TaskState::Ending { .. } | TaskState::Aborting { .. } => task.verdict.is_some(),
            TaskState::Ready | TaskState::Over(End::Stopped) => false,
            _ => true,
        };
        Unready {
            provider: self.spec.nodes[node].name,
            root: self.spec.nodes[root].name,
            state,
            failure: task.filter(told).and_then(|task| task.last_failure.clone()),
            since: now.saturating_duration_since(self.readiness.nodes[root].since),
        }
    }

    /// The root of what one provider lacks: the first that is not good itself, along what is required.
    fn root_of(&self, node: usize) -> usize {
        let mut root = node;
        // The plan has no circle, so this ends.
        while self.readiness.nodes[root].own {
            let lost =
                self.spec.nodes[root].requires.iter().find(|&&dep| !self.readiness.nodes[dep].is_ready());
            match lost {
                Some(&dep) => root = dep,
                None => break,
            }
        }
        // One whose tasks wait for something is not the root of it.
        while self.readiness.nodes[root].lost > 0 && self.waits(root) {
            let lost =
                self.spec.nodes[root].requires.iter().find(|&&dep| !self.readiness.nodes[dep].is_ready());
            match lost {
                Some(&dep) => root = dep,
                None => break,
            }
        }
        root
    }

    fn waits(&self, node: usize) -> bool {
        self.tasks.nodes[node].iter().all(|task| task.state == TaskState::Idle || task.state.is_good())
    }

    /// The readiness of one provider.
    pub(super) fn ready_state(&self, node: usize, now: Instant) -> ReadyState {
        let Some(own) = self.readiness.nodes.get(node) else { return ReadyState::Unready(Vec::new()) };
        if !own.is_ready() {
            return ReadyState::Unready(vec![self.unready(node, self.root_of(node), now)]);
        }
        let spec = &self.spec.nodes[node];
        let wanted = spec.deps.iter().filter(|dep| !spec.requires.contains(dep));
        let lost: Vec<Unready> = wanted
            .filter(|&&dep| !self.readiness.nodes[dep].is_ready())
            .map(|&dep| self.unready(dep, self.root_of(dep), now))
            .collect();
        if lost.is_empty() { ReadyState::Ready } else { ReadyState::Degraded(lost) }
    }

    /// The readiness of the whole. What failed for good or was stopped by hand degrades it, and so does what is being
    /// restarted under a policy that would let it fail for good: it was said that the process serves on without it.
    pub(super) fn whole_ready_state(&self, now: Instant) -> ReadyState {
        if self.stage != Stage::Run || self.cause.is_some() || self.readiness.nodes.is_empty() {
            return ReadyState::Unready(Vec::new());
        }
        let states = || (0..self.spec.nodes.len()).filter(|&node| !self.spec.nodes[node].tasks.is_empty());
        if self.readiness.unready > 0 {
            let unready = states().filter(|&node| self.readiness.nodes[node].unready);
            return ReadyState::Unready(
                unready.map(|node| self.unready(node, self.root_of(node), now)).collect(),
            );
        }
        // One that is lost is said once, however many want it.
        let lost: Vec<Unready> = (0..self.spec.nodes.len())
            .flat_map(|node| match self.ready_state(node, now) {
                ReadyState::Unready(lost) => lost,
                ReadyState::Ready | ReadyState::Degraded(_) => Vec::new(),
            })
            .collect();
        if lost.is_empty() { ReadyState::Ready } else { ReadyState::Degraded(lost) }
    }
}

fn is_unready(task: &Task, policy: &RestartPolicy, lacks: bool) -> bool {
    match task.state {
        TaskState::Over(_) => false,
        // A failure that may yet be mended weighs no more than the one that is given up.
        _ if policy.at_limit() == AtLimit::Degrade && is_restarted(task) => false,
        TaskState::Ready => lacks || task.stuck || task.must_end(),
        TaskState::Ending { done: true, .. } => lacks || task.must_end(),
        TaskState::Idle => !task.down,
        _ => true,
    }
}

/// Its policy is starting it again.
fn is_restarted(task: &Task) -> bool {
    match task.state {
        TaskState::Backoff { .. } => true,
        TaskState::Starting { .. } | TaskState::Idle => task.restarts.in_a_row() > 0,
        TaskState::Ending { .. } | TaskState::Aborting { .. } => {
            matches!(task.verdict, Some(Next::Restart { .. }))
        }
        TaskState::Ready | TaskState::Over(_) => false,
    }
}
