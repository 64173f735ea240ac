//! Boot: who may start, in levels and along the edges; what a failure does to the others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use mainstay_registry::Phase;

use super::{Action, HookId, HookKind, Look, Machine, Running, Stage, describe, earliest};
use crate::cell::Seen;
use crate::event::EventKind;
use crate::exit::Exit;
use crate::outcome::{Cut, CutBy, Failure, Forced, Problem};
use crate::spec::{GRACE, Spec};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BootState {
    Waiting,
    Running,
    Booted,
    Failed,
    /// Given up because of another's failure, or of a stop; its boot was attempted.
    Cancelled,
    /// Taken back before its future was polled.
    NeverBegan,
}

#[derive(Default)]
pub(super) struct Boot {
    nodes: Vec<BootNode>,
    /// Providers of each level that are not booted yet; the first entry is the level that is open.
    levels: BTreeMap<u8, usize>,
    /// By rank, then by place in the plan.
    free: BinaryHeap<Reverse<(u64, usize)>>,
    /// Of a shuffled boot: who is chosen among those that are free.
    seed: Option<u64>,
    in_flight: usize,
    left: usize,
    began: Option<Instant>,
    /// Something failed or the stop was asked for: what is in flight is waited for until then.
    cancelled: Option<Instant>,
}

#[derive(Clone, Copy)]
struct BootNode {
    state: BootState,
    waits_for: usize,
    running: Option<Running>,
    began: Option<Instant>,
    ended: Option<Instant>,
    /// Whatever became of it: its future was never polled, so there is nothing to shut down.
    untouched: bool,
}

impl Boot {
    pub(super) fn of(spec: &Spec) -> Self {
        let mut levels = BTreeMap::new();
        for node in &spec.nodes {
            *levels.entry(node.boot_level).or_default() += 1;
        }
        let nodes = spec
            .nodes
            .iter()
            .map(|node| BootNode {
                state: BootState::Waiting,
                waits_for: node.deps.len(),
                running: None,
                began: None,
                ended: None,
                untouched: false,
            })
            .collect::<Vec<_>>();
        Self { left: nodes.len(), nodes, levels, ..Self::default() }
    }

    /// The same for all without a seed: then the place in the plan decides.
    fn rank(&self, node: usize) -> u64 {
        let Some(seed) = self.seed else { return 0 };
        // SplitMix64, https://prng.di.unimi.it/splitmix64.c: neighbours have nothing in common.
        let mut z = seed.wrapping_add((node as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn running(&self) -> impl Iterator<Item = Running> + '_ {
        self.nodes.iter().filter_map(|node| node.running)
    }
}

impl Machine {
    pub(crate) fn begin_boot(&mut self, now: Instant) {
        if self.is_ending() {
            return;
        }
        self.enter(Stage::Boot, now);
        self.began = now;
        self.boot.began = Some(now);
        self.boot.seed = self.limits.shuffle;
        self.open_level();
        self.boot_fill(now);
        self.boot_settle(now);
    }

    /// Nothing else boots beside a boot.
    pub(crate) fn boots_one_by_one(&self) -> bool {
        self.limits.boot_concurrency == 1
    }

    /// True when every hook has returned, when nobody is waited for any more, and when it was not begun.
    pub(crate) fn boot_over(&self) -> bool {
        if self.stage != Stage::Boot {
            return true;
        }
        match self.boot.cancelled {
            None => self.boot.left == 0,
            Some(_) => self.boot.in_flight == 0,
        }
    }

    /// Frees what waits for nobody in the first level that is not finished.
    fn open_level(&mut self) {
        let Some((&level, _)) = self.boot.levels.first_key_value() else { return };
        for (index, node) in self.spec.nodes.iter().enumerate() {
            let boot = &self.boot.nodes[index];
            if node.boot_level == level && boot.waits_for == 0 && boot.state == BootState::Waiting {
                let rank = self.boot.rank(index);
                self.boot.free.push(Reverse((rank, index)));
            }
        }
    }

    /// Starts what is free, the first of the plan first, as far as the concurrency allows.
    fn boot_fill(&mut self, now: Instant) {
        if self.boot.cancelled.is_some() {
            return;
        }
        while self.boot.in_flight < self.limits.boot_concurrency {
            let Some(Reverse((_, node))) = self.boot.free.pop() else { return };
            let spec = &self.spec.nodes[node];
            let (provider, until) = (spec.name, now + spec.limits.boot);
            let id = HookId { kind: HookKind::Boot, node, serial: self.next_serial() };
            self.boot.nodes[node].state = BootState::Running;
            self.boot.nodes[node].began = Some(now);
            self.boot.nodes[node].running = Some(Running { id, since: now, until });
            self.boot.in_flight += 1;
            self.emit(EventKind::Booting { provider });
            self.out.push(Action::SpawnHook(id));
            self.watch(until);
        }
    }

    pub(super) fn boot_ended(&mut self, id: HookId, exit: Exit, now: Instant) {
        let Some(running) = self.boot.nodes[id.node].running.filter(|running| running.id == id) else {
            return;
        };
        self.boot.nodes[id.node].running = None;
        self.boot.nodes[id.node].ended = Some(now);
        self.boot.nodes[id.node].untouched = exit == Exit::NeverBegan;
        // Zero already when it was left behind at the end of the grace.
        self.boot.in_flight = self.boot.in_flight.saturating_sub(1);
        let spec = &self.spec.nodes[id.node];
        let (provider, site) = (spec.name, spec.site);
        if self.boot.nodes[id.node].state == BootState::Failed {
            // Its deadline has passed and was reported; of its end only a destructor that panicked is news.
            self.note_panic(provider, Phase::Boot, exit, site);
            self.boot_settle(now);
            return;
        }
        let state = match &exit {
            Exit::Ok | Exit::Disabled => BootState::Booted,
            Exit::Aborted => BootState::Cancelled,
            Exit::NeverBegan => BootState::NeverBegan,
            Exit::Failed(_) | Exit::Panicked(_) | Exit::RuntimeGone => BootState::Failed,
        };
        self.boot.nodes[id.node].state = state;
        let lost = self.boot.cancelled.is_none() && matches!(exit, Exit::Aborted | Exit::NeverBegan);
        // Nobody has cancelled it: without a failure the boot would wait for it for ever.
        let exit = if lost { Exit::RuntimeGone } else { exit };
        if let Some(failure) = Failure::of(provider, Phase::Boot, exit) {
            self.fail(failure.at(site), now);
        } else if state == BootState::Booted {
            let took = now.saturating_duration_since(running.since);
            self.emit(EventKind::Booted { provider, took });
            self.boot.left -= 1;
            if self.boot.cancelled.is_none() {
                self.boot_next(id.node);
                self.boot_fill(now);
            }
        }
        self.boot_settle(now);
    }

    /// Frees those that waited for this one, and the next level when this one is finished.
    fn boot_next(&mut self, node: usize) {
        let spec = std::sync::Arc::clone(&self.spec);
        let level = spec.nodes[node].boot_level;
        for &dependent in &spec.nodes[node].dependents {
            let boot = &mut self.boot.nodes[dependent];
            boot.waits_for -= 1;
            // Of a later level: freed when that opens.
            if boot.waits_for == 0 && spec.nodes[dependent].boot_level == level {
                let rank = self.boot.rank(dependent);
                self.boot.free.push(Reverse((rank, dependent)));
            }
        }
        if let Some(left) = self.boot.levels.get_mut(&level) {
            *left -= 1;
            if *left == 0 {
                self.boot.levels.remove(&level);
                self.open_level();
            }
        }
    }

    /// Wakes the supervisor when the boot is over.
    fn boot_settle(&mut self, now: Instant) {
        if self.stage != Stage::Boot || !self.boot_over() {
            return;
        }
        if self.boot.cancelled.is_none() && self.boot_took.is_none() {
            let took = now.saturating_duration_since(self.began);
            self.boot_took = Some(took);
            let critical_path = self.critical_path();
            self.emit(EventKind::BootFinished { providers: self.spec.nodes.len(), took, critical_path });
        }
        self.out.push(Action::Wake);
    }

    /// What is in flight is cancelled, and waited for up to the grace.
    pub(super) fn boot_cancel(&mut self, now: Instant) {
        if self.boot.cancelled.is_some() {
            return;
        }
        self.boot.cancelled = Some(now + GRACE);
        self.watch(now + GRACE);
        let ids: Vec<HookId> = self.boot.running().map(|running| running.id).collect();
        self.out.extend(ids.into_iter().map(Action::AbortHook));
    }

    pub(super) fn boot_tick(&mut self, now: Instant, look: &dyn Look) {
        // What was cancelled has its grace; that its own deadline passes meanwhile is no failure.
        let open = self.boot.cancelled.is_none();
        let overdue: Vec<Running> = self
            .boot
            .running()
            .filter(|_| open)
            .filter(|running| {
                running.until <= now && self.boot.nodes[running.id.node].state == BootState::Running
            })
            .collect();
        for running in overdue {
            let spec = &self.spec.nodes[running.id.node];
            let (name, site, deadline) = (spec.name, spec.site, spec.limits.boot);
            self.boot.nodes[running.id.node].state = BootState::Failed;
            let seen = describe(&look.hook(running.id));
            self.out.push(Action::AbortHook(running.id));
            self.fail(
                Failure::new(name, Phase::Boot, Problem::Deadline(deadline)).at(site).detail(seen),
                now,
            );
        }
        let budget = self.limits.boot_budget;
        if self.boot.cancelled.is_none() && now.saturating_duration_since(self.began) >= budget {
            let running: Vec<Running> = self.boot.running().collect();
            for running in running {
                let spec = &self.spec.nodes[running.id.node];
                let (name, site) = (spec.name, spec.site);
                self.boot.nodes[running.id.node].state = BootState::Failed;
                let seen = describe(&look.hook(running.id));
                self.out.push(Action::AbortHook(running.id));
                self.fail(
                    Failure::new(name, Phase::Boot, Problem::Budget(budget)).at(site).detail(seen),
                    now,
                );
            }
        }
        if self.boot.cancelled.is_some_and(|until| until <= now) && self.boot.in_flight > 0 {
            self.boot_leave(now, look);
        }
    }

    /// The grace is over: what still runs is named, and its `shutdown` will be called all the same.
    fn boot_leave(&mut self, now: Instant, look: &dyn Look) {
        let left: Vec<Running> = self.boot.running().collect();
        for running in left {
            let seen: Seen = look.hook(running.id);
            let provider = self.spec.nodes[running.id.node].name;
            let node = &mut self.boot.nodes[running.id.node];
            node.untouched = !seen.begun;
            if node.state == BootState::Running {
                node.state = if seen.begun { BootState::Cancelled } else { BootState::NeverBegan };
            }
            self.force_cut(Forced {
                provider,
                task: None,
                what: Cut::Boot,
                after: now.saturating_duration_since(running.since),
                by: CutBy::Deadline,
                seen: describe(&seen),
            });
        }
        self.boot.in_flight = 0;
        self.out.push(Action::Wake);
    }

    pub(super) fn boot_wake(&self) -> Option<Instant> {
        match self.boot.cancelled {
            Some(until) => Some(until),
            None => earliest(
                self.boot.running().map(|running| running.until).min(),
                Some(self.began + self.limits.boot_budget),
            ),
        }
    }

    pub(super) fn boot_state(&self, node: usize) -> BootState {
        self.boot.nodes[node].state
    }

    /// When its boot hook began, from the beginning of the boot, and how long it took.
    pub(super) fn boot_times(&self, node: usize) -> (Option<Duration>, Option<Duration>) {
        let node = &self.boot.nodes[node];
        let began = node.began.zip(self.boot.began).map(|(at, zero)| at.saturating_duration_since(zero));
        let took = node.began.zip(node.ended).map(|(at, end)| end.saturating_duration_since(at));
        (began, took)
    }

    /// Its future was polled once, so it has a shutdown to come.
    pub(super) fn attempted(&self, node: usize) -> bool {
        let node = &self.boot.nodes[node];
        node.state != BootState::Waiting && !node.untouched
    }

    /// Whether the boot hook is still inside a poll that nobody waits for.
    pub(super) fn boot_waits_for(&self, node: usize) -> Vec<&'static str> {
        let spec = &self.spec.nodes[node];
        if self.boot.nodes[node].state != BootState::Waiting {
            return Vec::new();
        }
        spec.deps
            .iter()
            .filter(|&&dep| self.boot.nodes[dep].state != BootState::Booted)
            .map(|&dep| self.spec.nodes[dep].name)
            .collect()
    }

    /// Those that were never booted, each with the failed provider that it requires, directly or through others.
    pub(super) fn never_booted(&self) -> Vec<(&'static str, Option<&'static str>)> {
        let mut because: Vec<Option<&'static str>> = vec![None; self.boot.nodes.len()];
        let mut never = Vec::new();
        if self.boot.began.is_none() {
            return never;
        }
        for (index, spec) in self.spec.nodes.iter().enumerate() {
            match self.boot.nodes[index].state {
                BootState::Failed => because[index] = Some(spec.name),
                BootState::Waiting | BootState::NeverBegan => {
                    because[index] = spec.deps.iter().find_map(|&dep| because[dep]);
                    never.push((spec.name, because[index]));
                }
                _ => {}
            }
        }
        never
    }

    /// The chain of hooks that decided how long the boot took, first to last.
    pub(super) fn critical_path(&self) -> Vec<(&'static str, Duration)> {
        let ended = |node: usize| self.boot.nodes[node].ended;
        // Of each level, the one that ended last: what the next level waited for.
        let mut last_of: BTreeMap<u8, usize> = BTreeMap::new();
        for (index, spec) in self.spec.nodes.iter().enumerate() {
            let last = last_of.entry(spec.boot_level).or_insert(index);
            if ended(index) > ended(*last) {
                *last = index;
            }
        }
        let mut path = Vec::new();
        let mut next = last_of.last_key_value().map(|(_, &last)| last);
        let mut from = next.and_then(ended);
        while let Some(node) = next {
            let spec = &self.spec.nodes[node];
            let before = spec
                .deps
                .iter()
                .copied()
                .chain(last_of.range(..spec.boot_level).next_back().map(|(_, &last)| last))
                .max_by_key(|&dep| ended(dep));
            let since = before.and_then(ended).or(self.boot.began);
            if let (Some(from), Some(since)) = (from, since) {
                path.push((spec.name, from.saturating_duration_since(since)));
            }
            from = since;
            next = before;
        }
        path.reverse();
        path
    }
}
