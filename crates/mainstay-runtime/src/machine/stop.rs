//! Stop: each provider as soon as everything that requires it is gone, all of them under one budget.
//!
//! Of one provider: ask its tasks → wait → its `shutdown` hook → grace → abort what is left → one more grace for the
//! abort to take effect; then it is named, and what it requires is stopped regardless.
//!
//! The budget: T its end, R the reserve of the hooks, n the length of the longest chain to stop, k what is left of
//! it with this provider. Its tasks are waited for until T − R·k/n at most; its hook, grace and abort until
//! T − R·(k−1)/n. So hooks use what nobody has used before they share the reserve, and nothing passes T.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mainstay_registry::Phase;

use super::{Action, HookId, HookKind, Look, Machine, Running, Stage, TaskId, describe};
use crate::event::EventKind;
use crate::exit::Exit;
use crate::outcome::{Cut, CutBy, Failure, Forced, Problem, StopCause};
use crate::spec::{GRACE, LAST_CHANCE, Spec};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Never booted: no part of the stop.
    Out,
    Waiting,
    /// Its tasks were asked.
    Asked {
        until: Instant,
        by: CutBy,
    },
    Hook {
        by: CutBy,
    },
    /// The hook is over, tasks are left.
    Grace {
        until: Instant,
        by: CutBy,
    },
    Aborting {
        until: Instant,
    },
    Gone,
}

pub(super) struct Stop {
    pub(super) nodes: Vec<StopNode>,
    began: Option<Instant>,
    ended: Option<Instant>,
    budget: Duration,
    end: Instant,
    reserve: Duration,
    longest: u32,
    rollback: bool,
    /// Providers of each level that are not gone; the last entry is the level that is being stopped.
    levels: BTreeMap<u8, usize>,
    left: usize,
    gone: Vec<usize>,
    hooks_done: usize,
    hooks_due: usize,
}

#[derive(Clone, Copy)]
pub(super) struct StopNode {
    pub(super) step: Step,
    pub(super) since: Instant,
    /// Dependents that are not gone.
    waits_for: usize,
    /// What is left of the longest chain with this one.
    chain: u32,
    /// Whose time was up when its tasks were not waited for any longer: what cuts them in the end.
    waited: CutBy,
    pub(super) hook: Option<Running>,
    hook_called: bool,
}

impl Stop {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            nodes: Vec::new(),
            began: None,
            ended: None,
            budget: Duration::ZERO,
            end: now,
            reserve: Duration::ZERO,
            longest: 1,
            rollback: false,
            levels: BTreeMap::new(),
            left: 0,
            gone: Vec::new(),
            hooks_done: 0,
            hooks_due: 0,
        }
    }

    pub(super) fn took(&self, now: Instant) -> Duration {
        self.began.map_or(Duration::ZERO, |began| self.ended.unwrap_or(now).saturating_duration_since(began))
    }

    /// When its budget is spent.
    pub(super) fn end(&self) -> Instant {
        self.end
    }

    pub(super) fn budget(&self) -> Duration {
        self.budget
    }

    pub(super) fn hooks(&self) -> (usize, usize) {
        (self.hooks_done, self.hooks_due)
    }

    pub(super) fn is_rollback(&self) -> bool {
        self.rollback
    }

    pub(super) fn gone_in_order(&self, spec: &Spec) -> Vec<&'static str> {
        self.gone.iter().map(|&node| spec.nodes[node].name).collect()
    }

    pub(super) fn running(&self) -> impl Iterator<Item = Running> + '_ {
        self.nodes.iter().filter_map(|node| node.hook)
    }

    /// Those whose tasks are waited for, since when.
    pub(super) fn asked(&self) -> impl Iterator<Item = (usize, Instant)> + '_ {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| matches!(node.step, Step::Asked { .. } | Step::Grace { .. }))
            .map(|(index, node)| (index, node.since))
    }

    pub(super) fn is_waiting(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|node| node.step == Step::Waiting)
    }

    pub(super) fn is_gone(&self, node: usize) -> bool {
        self.nodes.get(node).is_none_or(|node| matches!(node.step, Step::Gone | Step::Out))
    }

    /// T − R·share/n.
    fn limit(&self, share: u32) -> Instant {
        let reserved = self.reserve.mul_f64(f64::from(share) / f64::from(self.longest.max(1)));
        self.end.checked_sub(reserved).unwrap_or(self.end)
    }
}

impl Machine {
    /// The stop, or the rollback when nothing was started, of everything whose boot was attempted.
    pub(crate) fn begin_stop(&mut self, now: Instant) {
        let rollback = !self.tasks.began();
        self.prepare_stop(rollback, now);
        let operator = matches!(
            self.cause,
            Some(StopCause::Signal(_) | StopCause::Requested(_) | StopCause::ShutdownOn)
        );
        let delay = self.limits.lame_duck.min(self.stop.budget.saturating_sub(self.stop.reserve));
        if operator && !rollback && self.was_ready() && delay > Duration::ZERO {
            self.emit(EventKind::LameDuck { delay });
            self.enter(Stage::LameDuck { until: now + delay }, now);
        } else {
            self.begin_stopping(now);
        }
    }

    fn prepare_stop(&mut self, rollback: bool, now: Instant) {
        if self.stop.began.is_some() {
            return;
        }
        let (budget, reserve) = if rollback {
            (self.limits.rollback_budget, self.limits.rollback_budget / 2)
        } else {
            (self.limits.stop_budget, self.limits.stop_reserve.min(self.limits.stop_budget))
        };
        let part: Vec<bool> = (0..self.spec.nodes.len()).map(|node| self.attempted(node)).collect();
        let mut stop = Stop::new(now);
        stop.began = Some(now);
        stop.budget = budget;
        stop.reserve = reserve;
        stop.end = now + budget;
        stop.rollback = rollback && part.contains(&true);
        stop.left = part.iter().filter(|&&part| part).count();
        stop.hooks_due = stop.left;
        // The longest chain inside of each level; levels are stopped one after the other.
        let mut lengths: BTreeMap<u8, u32> = BTreeMap::new();
        let mut depth = vec![0u32; part.len()];
        for (index, spec) in self.spec.nodes.iter().enumerate() {
            let below = spec.deps.iter().filter(|&&dep| part[dep]);
            let below = below.filter(|&&dep| self.spec.nodes[dep].boot_level == spec.boot_level);
            let below = below.map(|&dep| depth[dep]).max().unwrap_or(0);
            if part[index] {
                depth[index] = below + 1;
                let length = lengths.entry(spec.boot_level).or_default();
                *length = (*length).max(depth[index]);
                *stop.levels.entry(spec.boot_level).or_default() += 1;
            }
        }
        stop.longest = lengths.values().sum::<u32>().max(1);
        let mut lower = 0;
        let mut below: BTreeMap<u8, u32> = BTreeMap::new();
        for (&level, &length) in &lengths {
            below.insert(level, lower);
            lower += length;
        }
        for (index, spec) in self.spec.nodes.iter().enumerate() {
            stop.nodes.push(StopNode {
                step: if part[index] { Step::Waiting } else { Step::Out },
                since: now,
                waits_for: spec.dependents.iter().filter(|&&dependent| part[dependent]).count(),
                chain: depth[index] + below.get(&spec.boot_level).copied().unwrap_or(0),
                waited: CutBy::Deadline,
                hook: None,
                hook_called: false,
            });
        }
        self.stop = stop;
    }

    pub(super) fn begin_stopping(&mut self, now: Instant) {
        self.enter(Stage::Stop, now);
        if self.stage != Stage::Stop {
            return;
        }
        if self.stop.rollback {
            self.emit(EventKind::RollingBack);
        }
        self.stop_level(now);
        self.stop_settle(now);
    }

    /// Stops what waits for nobody in the highest level that is not gone.
    fn stop_level(&mut self, now: Instant) {
        let Some((&level, _)) = self.stop.levels.last_key_value() else { return };
        // The last of the plan first.
        for node in (0..self.spec.nodes.len()).rev() {
            let StopNode { step, waits_for, .. } = self.stop.nodes[node];
            if self.spec.nodes[node].boot_level == level && step == Step::Waiting && waits_for == 0 {
                self.stop_node(node, now);
            }
        }
    }

    fn stop_node(&mut self, node: usize, now: Instant) {
        self.stop.nodes[node].since = now;
        self.emit(EventKind::Stopping { provider: self.spec.nodes[node].name });
        let live = self.tasks.live_of(node);
        if live.is_empty() {
            self.stop_hook(node, now);
            return;
        }
        let own = now + self.spec.nodes[node].limits.stop;
        let share = self.stop.limit(self.stop.nodes[node].chain);
        let until = own.min(share);
        self.ask_all(live, until);
        if until <= now {
            self.stop.nodes[node].waited = sooner(share, own);
            self.stop_hook(node, now);
        } else {
            self.stop.nodes[node].step = Step::Asked { until, by: sooner(share, own) };
            self.watch(until);
        }
    }

    fn ask_all(&mut self, live: Vec<TaskId>, until: Instant) {
        for id in live {
            if let Some(task) = self.tasks.get(id) {
                task.ends_by = Some(until);
            }
            self.out.push(Action::AskTask(id));
        }
    }

    fn stop_hook(&mut self, node: usize, now: Instant) {
        let own = now + self.spec.nodes[node].limits.shutdown;
        let share = self.stop.limit(self.stop.nodes[node].chain.saturating_sub(1));
        let until = own.min(share).max(now + LAST_CHANCE);
        let id = HookId { kind: HookKind::Shutdown, node, serial: self.next_serial() };
        let stop = &mut self.stop.nodes[node];
        stop.step = Step::Hook { by: sooner(share, own) };
        stop.hook = Some(Running { id, since: now, until });
        stop.hook_called = true;
        self.out.push(Action::SpawnHook(id));
        self.watch(until);
    }

    pub(super) fn shutdown_ended(&mut self, id: HookId, exit: Exit, now: Instant) {
        let Some(node) = self.stop.nodes.get_mut(id.node) else { return };
        if node.hook.is_none_or(|running| running.id != id) {
            return;
        }
        node.hook = None;
        let step = node.step;
        let spec = &self.spec.nodes[id.node];
        let (name, site) = (spec.name, spec.site);
        if !matches!(step, Step::Hook { .. }) {
            // It was cut, and that was reported.
            self.note_panic(name, Phase::Shutdown, exit, site);
        } else if matches!(exit, Exit::Ok | Exit::Disabled) {
            self.stop.hooks_done += 1;
        } else if let Some(failure) = Failure::of(name, Phase::Shutdown, exit) {
            self.note_failure(failure.at(site));
        }
        match step {
            Step::Hook { .. } if self.tasks.is_live(id.node) => {
                let share = self.stop.limit(self.stop.nodes[id.node].chain.saturating_sub(1));
                let until = (now + GRACE).min(share.max(now + LAST_CHANCE));
                let by = match self.stop.nodes[id.node].waited {
                    CutBy::Deadline => sooner(share, now + GRACE),
                    by => by,
                };
                self.stop.nodes[id.node].step = Step::Grace { until, by };
                self.watch(until);
            }
            Step::Hook { .. } => self.node_gone(id.node, now),
            Step::Aborting { .. } if !self.tasks.is_live(id.node) => self.node_gone(id.node, now),
            _ => {}
        }
    }

    pub(super) fn stop_task_over(&mut self, node: usize, now: Instant) {
        if self.tasks.is_live(node) {
            return;
        }
        match self.stop.nodes[node].step {
            Step::Asked { .. } => self.stop_hook(node, now),
            Step::Grace { .. } => self.node_gone(node, now),
            Step::Aborting { .. } if self.stop.nodes[node].hook.is_none() => self.node_gone(node, now),
            _ => {}
        }
    }

    fn node_gone(&mut self, node: usize, now: Instant) {
        if self.stop.nodes[node].step == Step::Gone {
            return;
        }
        let since = self.stop.nodes[node].since;
        self.stop.nodes[node].step = Step::Gone;
        self.stop.gone.push(node);
        self.stop.left -= 1;
        let spec = std::sync::Arc::clone(&self.spec);
        self.emit(EventKind::Stopped {
            provider: spec.nodes[node].name,
            took: now.saturating_duration_since(since),
        });
        let level = spec.nodes[node].boot_level;
        let open = self.stop.levels.last_key_value().map(|(level, _)| *level) == Some(level);
        for &dep in spec.nodes[node].deps.iter().rev() {
            let stop = &mut self.stop.nodes[dep];
            stop.waits_for = stop.waits_for.saturating_sub(1);
            if stop.waits_for == 0
                && stop.step == Step::Waiting
                && open
                && spec.nodes[dep].boot_level == level
            {
                self.stop_node(dep, now);
            }
        }
        if let Some(left) = self.stop.levels.get_mut(&level) {
            *left -= 1;
            if *left == 0 {
                self.stop.levels.remove(&level);
                self.stop_level(now);
            }
        }
        self.stop_settle(now);
    }

    pub(super) fn stop_settle(&mut self, now: Instant) {
        if self.stop_over() && self.stop.ended.is_none() {
            self.stop.ended = Some(now);
            self.out.push(Action::Wake);
        }
    }

    pub(super) fn stop_began(&self) -> bool {
        self.stop.began.is_some()
    }

    /// The stop has come to this one.
    pub(super) fn was_asked(&self, node: usize) -> bool {
        self.stop_began() && !self.stop.is_waiting(node)
    }

    /// What is left of the stop's budget.
    pub(crate) fn stop_left(&self, now: Instant) -> Duration {
        self.stop.end.saturating_duration_since(now)
    }

    pub(crate) fn stop_over(&self) -> bool {
        // What is committed or aborted has effects, and those are the user's: they are not cut off in silence.
        self.stop.began.is_some() && self.stop.left == 0 && !self.reload.is_ending()
    }

    pub(super) fn stop_tick(&mut self, now: Instant, look: &dyn Look) {
        for node in (0..self.stop.nodes.len()).rev() {
            let StopNode { step, hook, .. } = self.stop.nodes[node];
            match step {
                Step::Asked { until, by } if until <= now => {
                    // Not cut yet: the hook, or the grace after it, may be what ends it.
                    self.stop.nodes[node].waited = by;
                    self.stop_hook(node, now);
                }
                Step::Hook { by } => {
                    if let Some(running) = hook.filter(|running| running.until <= now) {
                        self.cut_hook(running, by, now, look);
                        self.abort_node(node, now, by, look);
                    }
                }
                Step::Grace { until, by } if until <= now => {
                    self.abort_node(node, now, by, look);
                }
                Step::Aborting { until } if until <= now => {
                    self.name_stuck(node, CutBy::Deadline, now, look);
                    self.node_gone(node, now);
                }
                _ => {}
            }
        }
    }

    /// A hook past its deadline is a failure of that hook; one cut by the budget is listed as forced.
    fn cut_hook(&mut self, running: Running, by: CutBy, now: Instant, look: &dyn Look) {
        let spec = &self.spec.nodes[running.id.node];
        let (provider, site, limit) = (spec.name, spec.site, spec.limits.shutdown);
        let seen = describe(&look.hook(running.id));
        self.out.push(Action::AbortHook(running.id));
        if by == CutBy::Budget {
            let after = now.saturating_duration_since(running.since);
            self.force_cut(Forced { provider, task: None, what: Cut::Shutdown, after, by, seen });
        } else {
            let failure = Failure::new(provider, Phase::Shutdown, Problem::Deadline(limit));
            self.note_failure(failure.at(site).detail(seen));
        }
    }

    /// Aborts the tasks that are left, each of them named, and waits one grace for the abort to take effect.
    fn abort_node(&mut self, node: usize, now: Instant, by: CutBy, look: &dyn Look) {
        let by = if self.stop.nodes[node].waited == CutBy::Budget { CutBy::Budget } else { by };
        for id in self.tasks.live_of(node) {
            let since = self.stop.nodes[node].since;
            self.cut_task(id, since, now, by, look);
        }
        let share = self.stop.limit(self.stop.nodes[node].chain.saturating_sub(1));
        let until = (now + GRACE).min(share.max(now + LAST_CHANCE));
        self.stop.nodes[node].step = Step::Aborting { until };
        self.watch(until);
    }

    /// Forced: hooks that were not called yet are called, and get one last chance.
    pub(super) fn shutdown_at_once(&mut self, now: Instant) {
        let rollback = !self.tasks.began();
        self.prepare_stop(rollback, now);
        for node in (0..self.spec.nodes.len()).rev() {
            let stop = self.stop.nodes[node];
            if stop.step == Step::Gone || stop.step == Step::Out {
                continue;
            }
            let live = self.tasks.live_of(node);
            self.ask_all(live, now);
            if !stop.hook_called {
                self.stop_hook(node, now);
            }
        }
    }

    pub(super) fn stop_wake(&self) -> Option<Instant> {
        let nodes = self.stop.nodes.iter();
        nodes
            .filter_map(|node| match node.step {
                Step::Asked { until, .. } | Step::Grace { until, .. } | Step::Aborting { until } => {
                    Some(until)
                }
                Step::Hook { .. } => node.hook.map(|hook| hook.until),
                Step::Out | Step::Waiting | Step::Gone => None,
            })
            .min()
    }
}

/// Whose time is up first.
fn sooner(share: Instant, own: Instant) -> CutBy {
    if share < own { CutBy::Budget } else { CutBy::Deadline }
}
