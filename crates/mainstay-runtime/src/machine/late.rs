//! Late: while a boot or a stop takes long, who is running since when, and who waits for whom.

use std::time::{Duration, Instant};

use super::{HookId, Machine, Running, Stage, TaskId};

/// What runs and who waits, as the machine knows it; what is seen of each is added outside.
pub(crate) struct Standing {
    pub(crate) elapsed: Duration,
    pub(crate) hooks: Vec<(HookId, &'static str, Duration)>,
    pub(crate) tasks: Vec<(TaskId, String, Duration)>,
    pub(crate) waiting: Vec<(&'static str, Vec<&'static str>)>,
}

impl Machine {
    /// When the next line about a late phase is due: after one, two, three times the interval.
    pub(super) fn late_at(&self) -> Option<Instant> {
        let is_late = match self.stage {
            Stage::Preflight | Stage::Validate | Stage::Boot | Stage::Stop => true,
            Stage::Run => !self.starting().is_empty() && self.cause.is_none(),
            _ => false,
        };
        // Of a stop the first line comes before its tasks are at their own deadline.
        let interval = match self.stage {
            Stage::Stop => self.limits.late_after / 2,
            _ => self.limits.late_after,
        };
        is_late.then(|| self.stage_since + interval * (self.late_said + 1))
    }

    /// Every hook that is being waited for.
    pub(crate) fn running_hooks(&self) -> Vec<HookId> {
        let mut hooks: Vec<HookId> =
            self.boot.running().chain(self.stop.running()).map(|running| running.id).collect();
        hooks.extend(self.walk.running().map(|(running, _)| running.id));
        hooks.extend(self.reload.running().map(|running| running.id));
        hooks
    }

    pub(crate) fn has_running_hooks(&self) -> bool {
        self.walk.running().is_some()
            || self.reload.running().is_some()
            || self.boot.running().next().is_some()
            || self.stop.running().next().is_some()
    }

    pub(crate) fn standing(&self, now: Instant) -> Standing {
        let since = |at: Instant| now.saturating_duration_since(at);
        let name = |node: usize| self.spec.nodes.get(node).map_or("state", |node| node.name);
        let hook = |running: Running, node: usize| (running.id, name(node), since(running.since));
        let mut hooks = Vec::new();
        let mut tasks = Vec::new();
        let mut waiting = Vec::new();
        match self.stage {
            Stage::Boot => {
                hooks.extend(self.boot.running().map(|running| hook(running, running.id.node)));
                for (index, node) in self.spec.nodes.iter().enumerate() {
                    let whom = self.boot_waits_for(index);
                    if !whom.is_empty() {
                        waiting.push((node.name, whom));
                    }
                }
            }
            Stage::Preflight | Stage::Validate => {
                let running = self.walk.running();
                hooks.extend(running.and_then(|(running, node)| node.map(|node| hook(running, node))));
            }
            Stage::Run => {
                let starting = self.starting().into_iter();
                tasks.extend(starting.map(|(id, at)| (id, self.task_name(id).to_string(), since(at))));
                waiting = self.starts_waiting();
            }
            Stage::Stop => {
                hooks.extend(
                    self.reload.running().map(|running| (running.id, "effects", since(running.since))),
                );
                hooks.extend(self.stop.running().map(|running| hook(running, running.id.node)));
                for (node, at) in self.stop.asked() {
                    let live = self.tasks.live_of(node).into_iter();
                    tasks.extend(live.map(|id| (id, self.task_name(id).to_string(), since(at))));
                }
                for (index, node) in self.spec.nodes.iter().enumerate() {
                    if self.stop.is_waiting(index) {
                        let whom = node.dependents.iter().filter(|&&dependent| !self.stop.is_gone(dependent));
                        waiting.push((node.name, whom.map(|&index| self.spec.nodes[index].name).collect()));
                    }
                }
            }
            _ => {}
        }
        Standing { elapsed: since(self.stage_since), hooks, tasks, waiting }
    }
}
