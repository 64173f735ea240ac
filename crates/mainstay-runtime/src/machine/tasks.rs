//! Run: tasks start along the graph as what they require gets ready, and one that fails ends the process.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Instant;

use mainstay_registry::{Phase, ReadyWhen};

use super::{Action, Look, Machine, Stage, TaskId, describe};
use crate::event::{EventKind, TaskName};
use crate::exit::{CauseKind, Exit};
use crate::outcome::{Cut, CutBy, Failure, Forced, Problem, StopCause};
use crate::spec::Spec;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskState {
    Idle,
    Starting {
        since: Instant,
        until: Instant,
    },
    Ready {
        since: Instant,
    },
    /// Its main future has ended, children are left; they were asked to stop.
    Winding {
        since: Instant,
        until: Instant,
        ready: bool,
    },
    Over {
        recoverable: bool,
    },
}

impl TaskState {
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Ready { .. } | Self::Winding { .. })
    }
}

#[derive(Default)]
pub(super) struct Tasks {
    nodes: Vec<Vec<Task>>,
    waits_for: Vec<usize>,
    up: Vec<bool>,
    /// Place of each node in the order of starts.
    rank: Vec<usize>,
    /// Providers with tasks of each level that are not up yet; the first entry is the level that is open.
    levels: BTreeMap<u8, usize>,
    free: BinaryHeap<Reverse<(usize, usize)>>,
    down: usize,
    live: usize,
    began: bool,
    ready: bool,
}

struct Task {
    state: TaskState,
    generation: u64,
}

impl Tasks {
    pub(super) fn of(spec: &Spec) -> Self {
        let mut levels = BTreeMap::new();
        let mut rank = vec![usize::MAX; spec.nodes.len()];
        for (place, &node) in spec.start_order.iter().enumerate() {
            rank[node] = place;
            *levels.entry(spec.nodes[node].start_level).or_default() += 1;
        }
        let task = |_: &_| Task { state: TaskState::Idle, generation: 0 };
        Self {
            nodes: spec.nodes.iter().map(|node| node.tasks.iter().map(task).collect()).collect(),
            waits_for: spec.nodes.iter().map(|node| node.deps.len()).collect(),
            up: vec![false; spec.nodes.len()],
            rank,
            levels,
            down: spec.nodes.len(),
            ..Self::default()
        }
    }

    pub(super) fn is_live(&self, node: usize) -> bool {
        self.nodes[node].iter().any(|task| task.state.is_live())
    }

    /// The live tasks of one provider.
    pub(super) fn live_of(&self, node: usize) -> Vec<(TaskId, TaskState)> {
        let tasks = self.nodes[node].iter().enumerate();
        tasks
            .filter(|(_, task)| task.state.is_live())
            .map(|(index, task)| (TaskId { node, task: index, generation: task.generation }, task.state))
            .collect()
    }

    /// Was anything started? If not, an end is a rollback.
    pub(super) fn began(&self) -> bool {
        self.began
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    fn get(&mut self, id: TaskId) -> Option<&mut Task> {
        let task = self.nodes.get_mut(id.node)?.get_mut(id.task)?;
        (task.generation == id.generation).then_some(task)
    }
}

impl Machine {
    pub(crate) fn begin_run(&mut self, now: Instant) {
        if self.is_ending() {
            return;
        }
        self.enter(Stage::Run, now);
        self.tasks.began = true;
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

    /// Frees what waits for nobody in the first level that is not up.
    fn free_start_level(&mut self) {
        let Some((&level, _)) = self.tasks.levels.first_key_value() else { return };
        let spec = std::sync::Arc::clone(&self.spec);
        for (place, &node) in spec.start_order.iter().enumerate() {
            let idle = self.tasks.nodes[node].iter().all(|task| task.state == TaskState::Idle);
            if spec.nodes[node].start_level == level && self.tasks.waits_for[node] == 0 && idle {
                self.tasks.free.push(Reverse((place, node)));
            }
        }
    }

    /// This one is up, and with it every provider without tasks that waited only for it.
    fn up(&mut self, node: usize) {
        let spec = std::sync::Arc::clone(&self.spec);
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if std::mem::replace(&mut self.tasks.up[node], true) {
                continue;
            }
            self.tasks.down -= 1;
            for &dependent in &spec.nodes[node].dependents {
                self.tasks.waits_for[dependent] -= 1;
                if self.tasks.waits_for[dependent] > 0 {
                    continue;
                }
                if spec.nodes[dependent].tasks.is_empty() {
                    stack.push(dependent);
                } else if self.tasks.levels.first_key_value().map(|(level, _)| *level)
                    == Some(spec.nodes[dependent].start_level)
                {
                    self.tasks.free.push(Reverse((self.tasks.rank[dependent], dependent)));
                }
            }
            if spec.nodes[node].tasks.is_empty() {
                continue;
            }
            let level = spec.nodes[node].start_level;
            if let Some(left) = self.tasks.levels.get_mut(&level) {
                *left -= 1;
                if *left == 0 {
                    self.tasks.levels.remove(&level);
                    self.free_start_level();
                }
            }
        }
    }

    fn start_free(&mut self, now: Instant) {
        if self.cause.is_some() {
            return;
        }
        while let Some(Reverse((_, node))) = self.tasks.free.pop() {
            for task in 0..self.tasks.nodes[node].len() {
                self.start_task(node, task, now);
            }
        }
    }

    fn start_task(&mut self, node: usize, index: usize, now: Instant) {
        let until = now + self.spec.nodes[node].limits.ready;
        let task = &mut self.tasks.nodes[node][index];
        task.generation += 1;
        task.state = TaskState::Starting { since: now, until };
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
        let Some(task) = self.tasks.get(id) else { return };
        if let TaskState::Starting { since, .. } = task.state {
            task.state = TaskState::Ready { since };
            self.emit(EventKind::TaskReady { task: self.task_name(id) });
            self.settle_node(id.node, now);
        }
    }

    /// A provider is up when each of its tasks is ready, or has ended well.
    fn settle_node(&mut self, node: usize, now: Instant) {
        let all = self.tasks.nodes[node].iter().all(|task| {
            matches!(
                task.state,
                TaskState::Ready { .. }
                    | TaskState::Winding { ready: true, .. }
                    | TaskState::Over { recoverable: false }
            )
        });
        if all && self.stage == Stage::Run {
            self.up(node);
            self.start_free(now);
        }
        self.settle_run(now);
    }

    /// Everything is up: ready. Everything has ended well: nothing is left to run.
    fn settle_run(&mut self, now: Instant) {
        if matches!(self.stage, Stage::LameDuck { .. }) && self.tasks.live == 0 {
            // Nobody is left to serve on.
            self.begin_stopping(now);
            return;
        }
        if self.stage != Stage::Run || self.cause.is_some() {
            return;
        }
        if self.tasks.down == 0 && !self.tasks.ready {
            self.tasks.ready = true;
            self.emit(EventKind::Ready { took: now.saturating_duration_since(self.began) });
            self.out.push(Action::Ready);
        }
        let recoverable = |task: &Task| task.state == TaskState::Over { recoverable: true };
        if self.tasks.ready && self.tasks.live == 0 && !self.tasks.nodes.iter().flatten().any(recoverable) {
            self.request_stop(StopCause::Completed, now);
        }
    }

    pub(super) fn main_ended(&mut self, id: TaskId, exit: Exit, now: Instant) {
        let stop = self.spec.nodes[id.node].limits.stop;
        let Some(task) = self.tasks.get(id) else { return };
        let (since, ready) = match task.state {
            TaskState::Starting { since, .. } => (since, exit == Exit::Ok),
            TaskState::Ready { since } => (since, true),
            _ => return,
        };
        task.state = TaskState::Winding { since, until: now + stop, ready };
        self.watch(now + stop);
        self.task_exit(id, None, exit, now);
        self.settle_node(id.node, now);
    }

    pub(super) fn task_over(&mut self, id: TaskId, exit: Exit, now: Instant) {
        let Some(task) = self.tasks.get(id) else { return };
        if !task.state.is_live() {
            return;
        }
        let winding = matches!(task.state, TaskState::Winding { .. });
        let recoverable = matches!(&exit, Exit::Failed(cause) if cause.kind() == CauseKind::Recoverable);
        task.state = TaskState::Over { recoverable };
        self.tasks.live -= 1;
        if matches!(exit, Exit::Ok | Exit::Disabled) {
            let disabled = exit == Exit::Disabled;
            self.emit(EventKind::TaskEnded { task: self.task_name(id), disabled });
        } else if !winding {
            self.task_exit(id, None, exit, now);
        }
        if self.stage == Stage::Stop {
            self.stop_task_over(id.node, now);
        } else {
            self.settle_node(id.node, now);
        }
    }

    pub(super) fn child_failed(&mut self, id: TaskId, child: &str, exit: Exit, now: Instant) {
        if self.tasks.get(id).is_some() {
            self.task_exit(id, Some(child), exit, now);
        }
    }

    /// What an end means: nothing, a line, or the end of the process.
    fn task_exit(&mut self, id: TaskId, child: Option<&str>, exit: Exit, now: Instant) {
        let node = &self.spec.nodes[id.node];
        // A runtime that goes away while we stop takes its tasks along: that is an end, not a failure.
        if exit == Exit::RuntimeGone && self.cause.is_some() {
            return;
        }
        let Some(failure) = Failure::of(node.name, Phase::Run, exit) else { return };
        let task = match (node.tasks[id.task].name, child) {
            (Some(task), Some(child)) => Some(format!("{task}/{child}")),
            (task, child) => task.or(child).map(str::to_owned),
        };
        let failure = failure.task(task, id.generation).at(node.site);
        let recoverable =
            matches!(failure.problem(), Problem::Error(cause) if cause.kind() == CauseKind::Recoverable);
        if recoverable {
            self.emit(EventKind::Recoverable(failure));
        } else if self.cause.is_some() {
            // It failed while it stopped: listed, and a stop that lost something is not a success.
            self.stop_failures = true;
            self.note_failure(failure);
        } else {
            self.fail(failure, now);
        }
    }

    pub(super) fn tasks_tick(&mut self, now: Instant, look: &dyn Look) {
        let mut late = Vec::new();
        let mut wound = Vec::new();
        for (node, tasks) in self.tasks.nodes.iter().enumerate() {
            for (index, task) in tasks.iter().enumerate() {
                let id = TaskId { node, task: index, generation: task.generation };
                match task.state {
                    TaskState::Starting { until, .. } if until <= now && self.cause.is_none() => {
                        late.push(id);
                    }
                    TaskState::Winding { since, until, .. } if until <= now => wound.push((id, since)),
                    _ => {}
                }
            }
        }
        for id in late {
            let node = &self.spec.nodes[id.node];
            let failure = Failure::new(node.name, Phase::Run, Problem::Deadline(node.limits.ready))
                .task(node.tasks[id.task].name.map(str::to_owned), id.generation)
                .at(node.site)
                .detail(describe(&look.task(id)));
            self.fail(failure, now);
        }
        for (id, since) in wound {
            self.cut_task(id, since, now, CutBy::Deadline, look);
            if let Some(task) = self.tasks.get(id) {
                task.state = TaskState::Over { recoverable: false };
                self.tasks.live -= 1;
            }
            self.settle_node(id.node, now);
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

    pub(super) fn tasks_wake(&self) -> Option<Instant> {
        let tasks = self.tasks.nodes.iter().flatten();
        tasks
            .filter_map(|task| match task.state {
                TaskState::Starting { until, .. } if self.cause.is_none() => Some(until),
                TaskState::Winding { until, .. } => Some(until),
                _ => None,
            })
            .min()
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
        let mut starting = Vec::new();
        for (node, tasks) in self.tasks.nodes.iter().enumerate() {
            for (index, task) in tasks.iter().enumerate() {
                if let TaskState::Starting { since, .. } = task.state {
                    starting.push((TaskId { node, task: index, generation: task.generation }, since));
                }
            }
        }
        starting
    }
}
