//! Run: tasks start along the graph as what they require gets ready; each is one generation after the other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Instant;

use mainstay_registry::ReadyWhen;

use super::{Action, Look, Machine, Stage, TaskId, describe};
use crate::event::{EventKind, TaskName};
use crate::outcome::{Cut, CutBy, Failure, Forced, StopCause};
use crate::restart::{Next, Restarts};
use crate::spec::Spec;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskState {
    /// Its turn has not come, or something that it requires is not ready.
    Idle,
    Starting {
        until: Instant,
    },
    Ready,
    /// It was asked to end, or its main future has ended and its children were asked.
    Ending {
        since: Instant,
        until: Instant,
        /// It has done its work, and only children are left.
        done: bool,
    },
    /// It did not end in time and was aborted.
    Aborting {
        since: Instant,
        until: Instant,
    },
    Backoff {
        until: Instant,
        attempt: u32,
    },
    Over(End),
}

/// How it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    Disabled,
    /// An operator has stopped it.
    Stopped,
    /// It failed for good, and the process serves on.
    Failed,
}

impl TaskState {
    /// A future of it is there.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Ready | Self::Ending { .. } | Self::Aborting { .. })
    }

    /// It does its job, or has done it.
    pub(super) fn is_good(self) -> bool {
        matches!(
            self,
            Self::Ready | Self::Ending { done: true, .. } | Self::Over(End::Completed | End::Disabled)
        )
    }

    /// Nothing more will come of it, unless an operator starts it again.
    pub(super) fn is_given_up(self) -> bool {
        matches!(self, Self::Over(End::Failed | End::Stopped))
    }
}

pub(super) struct Task {
    pub(super) state: TaskState,
    /// Since when it is in this state.
    pub(super) since: Instant,
    pub(super) generation: u64,
    /// When the present generation was started.
    pub(super) started: Instant,
    /// An operator wants it to be down.
    pub(super) down: bool,
    /// An older generation than this one is to end.
    pub(super) fresh: u64,
    /// The generation that is to come is an operator's, or comes with one that it requires: nothing is charged.
    pub(super) uncharged: Option<Uncharged>,
    pub(super) restarts: Restarts,
    /// What follows when the present generation is over: decided at its first failure.
    pub(super) verdict: Option<Next>,
    /// The end of its main future was told already.
    pub(super) said: bool,
    pub(super) last_failure: Option<Arc<Failure>>,
    /// When it is looked whether it has ticked.
    pub(super) tick_at: Option<Instant>,
    /// It did not tick in time.
    pub(super) stuck: bool,
    /// Until when the present generation is waited for, once it was asked to end.
    pub(super) ends_by: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uncharged {
    ByHand,
    WithRequired,
}

impl Task {
    fn new(now: Instant, seed: u64) -> Self {
        Self {
            state: TaskState::Idle,
            since: now,
            generation: 0,
            started: now,
            down: false,
            fresh: 0,
            uncharged: None,
            restarts: Restarts::new(seed),
            verdict: None,
            said: false,
            last_failure: None,
            tick_at: None,
            stuck: false,
            ends_by: None,
        }
    }

    pub(super) fn enter(&mut self, state: TaskState, now: Instant) {
        self.state = state;
        self.since = now;
    }

    /// This generation lives, and an operator, or what it requires, wants it to end.
    pub(super) fn must_end(&self) -> bool {
        self.state.is_live() && (self.down || self.fresh > self.generation)
    }
}

#[derive(Default)]
pub(super) struct Tasks {
    pub(super) nodes: Vec<Vec<Task>>,
    waits_for: Vec<usize>,
    /// It has been ready once: those that come after it in the order of starts may start.
    up: Vec<bool>,
    /// Its turn in the order of starts has come.
    pub(super) turn: Vec<bool>,
    /// The barrier of its level does not wait for it any more.
    passed: Vec<bool>,
    /// Those who only want it do not wait for it any more.
    done_without: Vec<bool>,
    /// Place of each node in the order of starts.
    rank: Vec<usize>,
    /// Providers with tasks of each level that are waited for; the first entry is the level that is open.
    levels: BTreeMap<u8, usize>,
    free: BinaryHeap<Reverse<(usize, usize)>>,
    pub(super) live: usize,
    began: bool,
}

impl Tasks {
    pub(super) fn of(spec: &Spec, now: Instant) -> Self {
        let mut levels = BTreeMap::new();
        let mut rank = vec![usize::MAX; spec.nodes.len()];
        for (place, &node) in spec.start_order.iter().enumerate() {
            rank[node] = place;
            *levels.entry(spec.nodes[node].start_level).or_default() += 1;
        }
        let mut seed = spec.seed;
        let mut task = |_: &_| {
            seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15).rotate_left(17);
            Task::new(now, seed)
        };
        Self {
            nodes: spec.nodes.iter().map(|node| node.tasks.iter().map(&mut task).collect()).collect(),
            waits_for: spec.nodes.iter().map(|node| node.deps.len()).collect(),
            up: vec![false; spec.nodes.len()],
            turn: vec![false; spec.nodes.len()],
            passed: vec![false; spec.nodes.len()],
            done_without: vec![false; spec.nodes.len()],
            rank,
            levels,
            ..Self::default()
        }
    }

    pub(super) fn is_live(&self, node: usize) -> bool {
        self.nodes[node].iter().any(|task| task.state.is_live())
    }

    /// The live tasks of one provider.
    pub(super) fn live_of(&self, node: usize) -> Vec<TaskId> {
        let tasks = self.nodes[node].iter().enumerate();
        tasks
            .filter(|(_, task)| task.state.is_live())
            .map(|(index, task)| TaskId { node, task: index, generation: task.generation })
            .collect()
    }

    /// Was anything started? If not, an end is a rollback.
    pub(super) fn began(&self) -> bool {
        self.began
    }

    /// The task of this generation; an older one is nobody's any more.
    pub(super) fn get(&mut self, id: TaskId) -> Option<&mut Task> {
        let task = self.nodes.get_mut(id.node)?.get_mut(id.task)?;
        (task.generation == id.generation).then_some(task)
    }

    /// Every task, with its place.
    pub(super) fn all(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.nodes.iter().enumerate().flat_map(|(node, tasks)| {
            tasks
                .iter()
                .enumerate()
                .map(move |(index, task)| (TaskId { node, task: index, generation: task.generation }, task))
        })
    }

    fn open_level(&self) -> Option<u8> {
        self.levels.first_key_value().map(|(level, _)| *level)
    }
}

impl Machine {
    pub(crate) fn begin_run(&mut self, now: Instant) {
        if self.is_ending() {
            return;
        }
        self.enter(Stage::Run, now);
        self.tasks.began = true;
        self.begin_readiness(now);
        self.free_start_level();
        for node in 0..self.spec.nodes.len() {
            // The others come up with the last one that they wait for.
            if self.tasks.waits_for[node] == 0 && self.spec.nodes[node].tasks.is_empty() {
                self.up(node);
            }
        }
        self.start_free(now);
        self.settle_run(now);
    }

    /// A run has no end of its own: true when the end was asked for, and when it was not begun.
    pub(crate) fn run_over(&self) -> bool {
        self.is_ending() || self.stage != Stage::Run
    }

    /// Frees what waits for nobody in the first level that is waited for.
    fn free_start_level(&mut self) {
        let Some(level) = self.tasks.open_level() else { return };
        for (place, &node) in self.spec.start_order.iter().enumerate() {
            let due = self.tasks.waits_for[node] == 0 && !self.tasks.turn[node];
            if self.spec.nodes[node].start_level == level && due {
                self.tasks.free.push(Reverse((place, node)));
            }
        }
    }

    /// This one is up, and with it every provider without tasks that waited only for it.
    fn up(&mut self, node: usize) {
        let spec = Arc::clone(&self.spec);
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if std::mem::replace(&mut self.tasks.up[node], true) {
                continue;
            }
            let without = self.tasks.done_without[node];
            for &dependent in &spec.nodes[node].dependents {
                if (!without || spec.nodes[node].required_by.contains(&dependent)) && self.arrived(dependent)
                {
                    stack.push(dependent);
                }
            }
            self.pass(node);
        }
    }

    /// One that this one waits for is there, or is done without. True for one without tasks that waits for nobody.
    fn arrived(&mut self, node: usize) -> bool {
        self.tasks.waits_for[node] -= 1;
        if self.tasks.waits_for[node] > 0 {
            return false;
        }
        let spec = &self.spec.nodes[node];
        if spec.tasks.is_empty() {
            return true;
        }
        if self.tasks.open_level().is_none_or(|open| spec.start_level <= open) {
            self.tasks.free.push(Reverse((self.tasks.rank[node], node)));
        }
        false
    }

    /// The barrier of its level does not wait for this one any more.
    fn pass(&mut self, node: usize) {
        let spec = &self.spec.nodes[node];
        if spec.tasks.is_empty() || std::mem::replace(&mut self.tasks.passed[node], true) {
            return;
        }
        let level = spec.start_level;
        if let Some(left) = self.tasks.levels.get_mut(&level) {
            *left -= 1;
            if *left == 0 {
                self.tasks.levels.remove(&level);
                self.free_start_level();
            }
        }
    }

    /// Nothing will come of this one for now: the barrier waits neither for it nor for those that require it, and
    /// those that only want it do without.
    fn pass_without(&mut self, node: usize) {
        let spec = Arc::clone(&self.spec);
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if self.tasks.up[node] || std::mem::replace(&mut self.tasks.done_without[node], true) {
                continue;
            }
            self.pass(node);
            for &dependent in &spec.nodes[node].dependents {
                if spec.nodes[node].required_by.contains(&dependent) {
                    stack.push(dependent);
                } else if self.arrived(dependent) {
                    self.up(dependent);
                }
            }
        }
    }

    fn start_free(&mut self, now: Instant) {
        while self.cause.is_none() {
            let Some(Reverse((_, node))) = self.tasks.free.pop() else { return };
            if std::mem::replace(&mut self.tasks.turn[node], true) {
                continue;
            }
            self.try_start(node, now);
            if self.tasks.nodes[node].iter().all(|task| task.state.is_given_up()) {
                self.pass_without(node);
            }
        }
    }

    /// Starts what is idle of a provider, if its turn has come and nothing that it requires is missing.
    pub(super) fn try_start(&mut self, node: usize, now: Instant) {
        let may = self.stage == Stage::Run
            && self.cause.is_none()
            && self.tasks.turn[node]
            && !self.lacks_required(node);
        if may && self.dependents_leave(node) {
            // Tried again when they are gone.
            self.pend(node);
        } else if may {
            for index in 0..self.tasks.nodes[node].len() {
                if self.tasks.nodes[node][index].state == TaskState::Idle {
                    self.start_task(node, index, now);
                }
            }
        }
    }

    fn start_task(&mut self, node: usize, index: usize, now: Instant) {
        let until = now + self.spec.nodes[node].limits.ready;
        let task = &mut self.tasks.nodes[node][index];
        task.generation += 1;
        task.started = now;
        task.verdict = None;
        task.said = false;
        task.stuck = false;
        task.tick_at = None;
        task.ends_by = None;
        match task.uncharged.take() {
            Some(Uncharged::ByHand) if task.generation > 1 => task.restarts.by_hand(),
            Some(Uncharged::WithRequired) => task.restarts.with_required(),
            _ => {}
        }
        task.enter(TaskState::Starting { until }, now);
        let id = TaskId { node, task: index, generation: task.generation };
        self.tasks.live += 1;
        self.emit(EventKind::TaskStarted { task: self.task_name(id) });
        self.out.push(Action::StartTask(id));
        self.watch(until);
    }

    pub(super) fn task_began(&mut self, id: TaskId, now: Instant) {
        if self.spec.nodes[id.node].tasks[id.task].ready_when != ReadyWhen::Signalled {
            self.task_ready(id, now);
        }
    }

    pub(super) fn task_ready(&mut self, id: TaskId, now: Instant) {
        let interval = self.spec.nodes[id.node].limits.tick;
        let Some(task) = self.tasks.get(id) else { return };
        if matches!(task.state, TaskState::Starting { .. }) {
            task.enter(TaskState::Ready, now);
            task.tick_at = interval.map(|interval| now + interval);
            let tick_at = task.tick_at;
            self.emit(EventKind::TaskReady { task: self.task_name(id) });
            if let Some(at) = tick_at {
                self.watch(at);
            }
            self.settle_node(id.node, now);
        }
    }

    /// Something of a provider has changed: what follows for the order of starts, for who is ready, for operators.
    pub(super) fn settle_node(&mut self, node: usize, now: Instant) {
        let tasks = &self.tasks.nodes[node];
        if self.stage == Stage::Run {
            if tasks.iter().all(|task| task.state.is_good()) {
                self.up(node);
            } else if tasks.iter().all(|task| task.state.is_good() || task.state.is_given_up()) {
                self.pass_without(node);
            }
        }
        self.refresh_readiness(node, now);
        self.start_free(now);
        self.advance(now);
        self.settle_run(now);
    }

    /// Everything is up: ready. Everything has ended well: nothing is left to run.
    pub(super) fn settle_run(&mut self, now: Instant) {
        if matches!(self.stage, Stage::LameDuck { .. }) && self.tasks.live == 0 {
            // Nobody is left to serve on.
            self.begin_stopping(now);
            return;
        }
        if self.stage != Stage::Run || self.cause.is_some() {
            return;
        }
        self.settle_readiness(now);
        let done =
            |(_, task): (_, &Task)| matches!(task.state, TaskState::Over(End::Completed | End::Disabled));
        if self.was_ready() && self.tasks.live == 0 && self.tasks.all().all(done) {
            self.request_stop(StopCause::Completed, now);
        }
    }

    /// Asks a task to end, and sets it its time.
    pub(super) fn ask_to_end(&mut self, id: TaskId, now: Instant) {
        let until = now + self.spec.nodes[id.node].limits.stop;
        let Some(task) = self.tasks.get(id) else { return };
        if matches!(task.state, TaskState::Starting { .. } | TaskState::Ready) {
            task.enter(TaskState::Ending { since: now, until, done: false }, now);
            task.ends_by = Some(until);
            self.out.push(Action::AskTask(id));
            self.watch(until);
        }
    }

    /// Until when a generation is waited for; `None` when it was not asked to end.
    pub(crate) fn stop_deadline(&mut self, id: TaskId, now: Instant) -> Option<Instant> {
        match self.tasks.get(id) {
            Some(task) if task.state.is_live() => task.ends_by,
            _ => Some(now),
        }
    }

    /// Aborts a task and names it.
    pub(super) fn cut_task(&mut self, id: TaskId, since: Instant, now: Instant, by: CutBy, look: &dyn Look) {
        let node = &self.spec.nodes[id.node];
        let cut = Forced {
            provider: node.name,
            task: node.tasks[id.task].name.map(str::to_owned),
            what: Cut::Task,
            after: now.saturating_duration_since(since),
            by,
            seen: describe(&look.task(id)),
        };
        self.out.push(Action::AbortTask(id));
        self.force_cut(cut);
    }

    pub(crate) fn task_name(&self, id: TaskId) -> TaskName {
        let node = &self.spec.nodes[id.node];
        TaskName { provider: node.name, task: node.tasks[id.task].name, generation: id.generation }
    }

    /// Who is not ready yet, and whom a provider that has not started waits for.
    pub(super) fn starts_waiting(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let nodes = self.spec.nodes.iter().enumerate();
        nodes
            .filter(|(index, node)| {
                !self.tasks.up[*index] && !node.tasks.is_empty() && !self.tasks.is_live(*index)
            })
            .map(|(_, node)| {
                let whom = node.deps.iter().filter(|&&dep| !self.tasks.up[dep]);
                (node.name, whom.map(|&dep| self.spec.nodes[dep].name).collect())
            })
            .collect()
    }

    /// The tasks that are not ready yet, with the moment of their start.
    pub(super) fn starting(&self) -> Vec<(TaskId, Instant)> {
        let starting = |(_, task): &(TaskId, &Task)| matches!(task.state, TaskState::Starting { .. });
        self.tasks.all().filter(starting).map(|(id, task)| (id, task.started)).collect()
    }
}
