//! What the machine knows of the plan: names, edges, levels and deadlines as plain data.

use std::panic::Location;
use std::time::Duration;

use mainstay_registry::{Deadlines, Phase, Plan, ReadyWhen, RestartPolicy, Validate};

/// Every time limit of one run, with the runtime's defaults (design: one table).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) defaults: Deadlines,
    pub(crate) boot_budget: Duration,
    pub(crate) stop_budget: Duration,
    pub(crate) stop_reserve: Duration,
    pub(crate) rollback_budget: Duration,
    pub(crate) lame_duck: Duration,
    pub(crate) late_after: Duration,
    pub(crate) boot_concurrency: usize,
    /// The seed of the order of boots, where the plan leaves a choice.
    pub(crate) shuffle: Option<u64>,
    /// No deadline is longer.
    pub(crate) cap: Option<Duration>,
}

/// No limit of time is longer, so that `now` and a limit, `Duration::MAX` included, can be added.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// How long what was told to end may take to do so before it is named instead of waited for.
pub(crate) const GRACE: Duration = Duration::from_millis(100);

/// A hook that was not polled for so long is starved: no thread was free.
pub(crate) const STARVED: Duration = Duration::from_millis(50);

/// What a hook gets whose time was gone before it began.
pub(crate) const LAST_CHANCE: Duration = Duration::from_millis(5);

impl Default for Limits {
    fn default() -> Self {
        Self {
            defaults: Deadlines::new(),
            boot_budget: Duration::from_secs(60),
            stop_budget: Duration::from_secs(25),
            stop_reserve: Duration::from_secs(5),
            rollback_budget: Duration::from_secs(10),
            lame_duck: Duration::ZERO,
            late_after: Duration::from_secs(5),
            boot_concurrency: usize::MAX,
            shuffle: None,
            cap: None,
        }
    }
}

impl Limits {
    /// None of them so long that a sum overflows.
    pub(crate) fn bounded(self) -> Self {
        let budget = self.cap.map_or(LONGEST, |cap| cap.saturating_mul(10)).min(LONGEST);
        Self {
            boot_budget: self.boot_budget.min(budget),
            stop_budget: self.stop_budget.min(budget),
            stop_reserve: self.stop_reserve.min(budget / 2),
            rollback_budget: self.rollback_budget.min(budget),
            lame_duck: self.lame_duck.min(LONGEST),
            late_after: self.late_after.min(LONGEST),
            ..self
        }
    }
}

/// The deadlines of one provider: its own, else the runtime's, else the defaults of the documentation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolved {
    pub(crate) boot: Duration,
    pub(crate) validate: Duration,
    pub(crate) ready: Duration,
    pub(crate) reload: Duration,
    pub(crate) stop: Duration,
    pub(crate) shutdown: Duration,
    /// From one tick of a task to the next, where that is watched.
    pub(crate) tick: Option<Duration>,
}

impl Resolved {
    pub(crate) fn of(own: Deadlines, runtime: Deadlines) -> Self {
        let pick = |own: Option<Duration>, runtime: Option<Duration>, seconds| {
            own.or(runtime).unwrap_or(Duration::from_secs(seconds)).min(LONGEST)
        };
        Self {
            boot: pick(own.boot, runtime.boot, 30),
            validate: pick(own.validate, runtime.validate, 5),
            ready: pick(own.ready, runtime.ready, 30),
            reload: pick(own.reload, runtime.reload, 30),
            stop: pick(own.stop, runtime.stop, 5),
            shutdown: pick(own.shutdown, runtime.shutdown, 5),
            tick: own.tick.or(runtime.tick).map(|tick| tick.min(LONGEST)),
        }
    }

    /// None of them longer than that.
    pub(crate) fn capped(self, cap: Option<Duration>) -> Self {
        let most = cap.unwrap_or(LONGEST);
        Self {
            boot: self.boot.min(most),
            validate: self.validate.min(most),
            ready: self.ready.min(most),
            reload: self.reload.min(most),
            stop: self.stop.min(most),
            shutdown: self.shutdown.min(most),
            ..self
        }
    }

    pub(crate) fn of_phase(self, phase: Phase) -> Duration {
        match phase {
            Phase::Validate => self.validate,
            Phase::Run => self.ready,
            Phase::Reload => self.reload,
            Phase::Stop => self.stop,
            Phase::Shutdown => self.shutdown,
            _ => self.boot,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct TaskSpec {
    pub(crate) name: Option<&'static str>,
    pub(crate) ready_when: ReadyWhen,
    pub(crate) restart: RestartPolicy,
}

/// One provider. Its index is its place in the plan's boot order.
#[derive(Clone, Debug)]
pub(crate) struct NodeSpec {
    pub(crate) name: &'static str,
    pub(crate) site: Option<&'static Location<'static>>,
    /// What it requires or wants: boots and is ready before it.
    pub(crate) deps: Vec<usize>,
    /// The part of `deps` without which it cannot be.
    pub(crate) requires: Vec<usize>,
    pub(crate) dependents: Vec<usize>,
    /// Those of the dependents that cannot be without it.
    pub(crate) required_by: Vec<usize>,
    pub(crate) reloadable: bool,
    pub(crate) boot_level: u8,
    pub(crate) start_level: u8,
    pub(crate) limits: Resolved,
    pub(crate) validate: Validate,
    pub(crate) tasks: Vec<TaskSpec>,
}

/// The plan, as the machine reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    pub(crate) nodes: Vec<NodeSpec>,
    /// Those with tasks, in the order in which they start.
    pub(crate) start_order: Vec<usize>,
    pub(crate) reload_order: Vec<usize>,
    /// The state takes part in a reload as its step 0.
    pub(crate) reload_state: bool,
    /// Some runnable is restarted with what it requires.
    pub(crate) any_with_required: bool,
    /// Where the jitter of restarts comes from.
    pub(crate) seed: u64,
}

impl Spec {
    pub(crate) fn of(plan: &Plan, limits: &Limits, reload_state: bool, seed: u64) -> Self {
        let nodes: Vec<NodeSpec> = plan
            .providers()
            .iter()
            .map(|planned| {
                let mut deps: Vec<usize> = planned.edges().iter().map(|edge| edge.to).collect();
                deps.sort_unstable();
                deps.dedup();
                let mut requires: Vec<usize> = planned
                    .edges()
                    .iter()
                    .filter(|edge| edge.kind == mainstay_registry::EdgeKind::Requires)
                    .map(|edge| edge.to)
                    .collect();
                requires.sort_unstable();
                requires.dedup();
                NodeSpec {
                    name: planned.name(),
                    site: Some(planned.site()),
                    deps,
                    requires,
                    dependents: Vec::new(),
                    required_by: Vec::new(),
                    reloadable: planned.is_reloadable(),
                    boot_level: planned.boot_level(),
                    start_level: planned.start_level(),
                    limits: Resolved::of(planned.deadlines(), limits.defaults).capped(limits.cap),
                    validate: planned.validate_when(),
                    tasks: planned
                        .runnables()
                        .iter()
                        .map(|task| TaskSpec {
                            name: task.name,
                            ready_when: task.ready_when,
                            restart: task.restart,
                        })
                        .collect(),
                }
            })
            .collect();
        let spec = Self {
            nodes,
            start_order: plan.start_order().to_vec(),
            reload_order: plan.reload_order().to_vec(),
            reload_state,
            any_with_required: false,
            seed,
        };
        spec.linked()
    }

    /// With what follows from its nodes: who depends on whom.
    pub(crate) fn linked(mut self) -> Self {
        for index in 0..self.nodes.len() {
            for dep in self.nodes[index].deps.clone() {
                self.nodes[dep].dependents.push(index);
            }
            for dep in self.nodes[index].requires.clone() {
                self.nodes[dep].required_by.push(index);
            }
        }
        let mut tasks = self.nodes.iter().flat_map(|node| &node.tasks);
        self.any_with_required = tasks.any(|task| task.restart.is_with_required());
        self
    }
}
