//! The view: what the machine knows of every provider at one moment, as plain data.

use std::time::Instant;

use super::boot::BootState;
use super::tasks::{End, Task, TaskState};
use super::{Machine, Stage, TaskId};
use crate::status::{ProviderState, ProviderStatus, RunnableState, RunnableStatus, Status};

impl Machine {
    /// The status without what only the engine sees: notes, polls, epoch, the last reload.
    pub(crate) fn view(&self, now: Instant) -> Status {
        let providers = (0..self.spec.nodes.len()).map(|node| self.view_of(node, now)).collect();
        Status {
            phase: self.phase(),
            uptime: now.saturating_duration_since(self.began),
            ready: self.whole_ready_state(now),
            boot_took: self.boot_took,
            critical_path: if self.boot_took.is_some() { self.critical_path() } else { Vec::new() },
            epoch: 0,
            last_reload: None,
            wedged: None,
            providers,
        }
    }

    fn view_of(&self, node: usize, now: Instant) -> ProviderStatus {
        let (boot_began, boot_took) = self.boot_times(node);
        ProviderStatus {
            name: self.spec.nodes[node].name,
            state: self.provider_state(node),
            boot_began,
            boot_took,
            ready: self.ready_state(node, now),
            runnables: (0..self.tasks.nodes[node].len())
                .map(|task| self.runnable_view(node, task, now))
                .collect(),
        }
    }

    fn provider_state(&self, node: usize) -> ProviderState {
        if matches!(self.stage, Stage::Stop | Stage::Forced { .. } | Stage::Over) && self.stop_began() {
            if self.stop.is_gone(node) {
                return if self.attempted(node) { ProviderState::Stopped } else { ProviderState::Waiting };
            }
            if !self.stop.is_waiting(node) {
                return ProviderState::Stopping;
            }
        }
        match self.boot_state(node) {
            BootState::Waiting | BootState::NeverBegan => ProviderState::Waiting,
            BootState::Running => ProviderState::Booting,
            BootState::Booted => ProviderState::Booted,
            BootState::Failed | BootState::Cancelled => ProviderState::Failed,
        }
    }

    fn runnable_view(&self, node: usize, index: usize, now: Instant) -> RunnableStatus {
        let task: &Task = &self.tasks.nodes[node][index];
        let since = |at: Instant| now.saturating_duration_since(at);
        let waits = task.state == TaskState::Idle && self.stage == Stage::Run;
        let lacking = self.spec.nodes[node].requires.iter().filter(|&&dep| waits && !self.is_ready(dep));
        RunnableStatus {
            name: self.spec.nodes[node].tasks[index].name,
            generation: task.generation,
            state: state_of(task, now),
            uptime: if task.state.is_live() { since(task.started) } else { std::time::Duration::ZERO },
            restarts: task.restarts.total(),
            last_failure: task.last_failure.clone(),
            note: None,
            children: Vec::new(),
            polling: None,
            waits_for: lacking.map(|&dep| self.spec.nodes[dep].name).collect(),
        }
    }

    /// Every task with a future, in the order of the plan.
    pub(crate) fn live_tasks(&self) -> Vec<TaskId> {
        self.tasks.all().filter(|(_, task)| task.state.is_live()).map(|(id, _)| id).collect()
    }
}

/// What a task is doing, in the words of the status.
pub(super) fn state_of(task: &Task, now: Instant) -> RunnableState {
    match task.state {
        TaskState::Idle => RunnableState::Waiting,
        TaskState::Starting { .. } => RunnableState::Starting,
        TaskState::Ready if task.stuck => RunnableState::Stuck,
        TaskState::Ready => RunnableState::Ready,
        TaskState::Ending { .. } | TaskState::Aborting { .. } => RunnableState::Stopping,
        TaskState::Backoff { until, attempt } => {
            RunnableState::Backoff { attempt, next_in: until.saturating_duration_since(now) }
        }
        TaskState::Over(End::Completed) => RunnableState::Completed,
        TaskState::Over(End::Disabled) => RunnableState::Disabled,
        TaskState::Over(End::Stopped) => RunnableState::Stopped,
        TaskState::Over(End::Failed) => RunnableState::Failed,
    }
}
