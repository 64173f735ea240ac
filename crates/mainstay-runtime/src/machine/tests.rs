//! The machine under every weather: random graphs, behaviours, signals and moments, on a simulated clock.
//!
//! The world below plays the engine (it starts what it is told to start, and reports what came of it), the
//! supervisor (it sleeps until `sleep_until()`, and looks again only when it is woken), and whoever sends signals.
//! Nothing else moves time, so a deadline that nobody watches, or a wake-up that is lost, ends in "waits for ever".
//!
//! That each invariant can fail was shown by switching its mechanism off; the mutants are named at its check.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_registry::{Deadlines, Error, Phase, ReadyWhen, RestartPolicy, Validate};
use proptest::prelude::*;

use super::{Action, HookId, HookKind, Input, Look, Machine, ReloadOf, Stage, TaskId};
use crate::cell::Seen;
use crate::clock::Clock;
use crate::control::ControlError;
use crate::event::{EventKind, Operation};
use crate::exit::{Cause, CauseKind, Exit};
use crate::outcome::{Cut, CutBy, Failure, Outcome, Problem, StopCause};
use crate::signals::Signal;
use crate::spec::{GRACE, LAST_CHANCE, Limits, NodeSpec, Resolved, Spec, TaskSpec};

const NAMES: [&str; 8] = ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"];

/// What a hook does, with its time in milliseconds.
#[derive(Clone, Copy, Debug)]
enum Act {
    Ok(u64),
    Fail(u64),
    Invalid(u64),
    Panic(u64),
    /// Ends only when it is aborted, so long after; `None` is never.
    Hang(Option<u64>),
    /// Panics in a destructor when it is aborted.
    PanicDrop,
    /// Deaf to the abort.
    Block(u64),
    /// Deaf to the abort, and fails in the end.
    BlockFail(u64),
    /// Never polled.
    Starved,
}

#[derive(Clone, Copy, Debug)]
enum Life {
    /// Runs until it is asked, and a little longer.
    Obeys(u64),
    /// Fails when it is asked.
    FailsAtStop,
    Ends(u64),
    Fails(u64),
    Recoverable(u64),
    Panics(u64),
    /// Its first poll does not return.
    Blocks,
    /// Deaf to the ask, not to the abort.
    Deaf,
    PanicDrop,
    /// Deaf to both.
    Undead,
    /// Its provider's shutdown hook ends it.
    ByHook(u64),
    /// Its main future ends, a child stays: until it is asked again, aborted, or for ever.
    Winds(u64, Option<u64>),
    /// The same, of a main future that failed.
    WindsFailed(u64, Option<u64>),
    /// A child fails, the main future goes on.
    ChildFails(u64),
}

#[derive(Clone, Debug)]
struct TaskPlan {
    ready: Option<u64>,
    signalled: bool,
    life: Life,
    policy: Policy,
    with_required: bool,
}

#[derive(Clone, Copy, Debug)]
enum Policy {
    Never,
    AtOnce,
    Delayed,
    Degrades,
    Always,
}

impl TaskPlan {
    fn restart(&self) -> RestartPolicy {
        let policy = match self.policy {
            Policy::Never => RestartPolicy::never(),
            Policy::AtOnce => RestartPolicy::on_failure().initial_delay(Duration::ZERO).limit(2),
            Policy::Delayed => RestartPolicy::on_failure().initial_delay(ms(20)).limit(2),
            Policy::Degrades => RestartPolicy::on_failure().initial_delay(ms(5)).limit(1).degrade(),
            Policy::Always => RestartPolicy::always().initial_delay(ms(7)).limit(2),
        };
        if self.with_required { policy.with_required() } else { policy }
    }
}

#[derive(Clone, Debug)]
struct NodePlan {
    level: u8,
    start: u8,
    requires: u8,
    wants: u8,
    validate_when: u8,
    boot: Act,
    validate: Act,
    reload: Option<Act>,
    shutdown: Act,
    tasks: Vec<TaskPlan>,
    stop_limit: u64,
    shutdown_limit: u64,
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Signal(Signal),
    Stop,
    Reload,
    ReloadOne(usize),
    Order(Operation, usize),
}

#[derive(Clone, Debug)]
struct Scenario {
    nodes: Vec<NodePlan>,
    calls: Vec<(u64, Call)>,
    /// A stop that is asked between two phases.
    gap: Option<u8>,
    budgets: [u64; 5],
    concurrency: usize,
    reload_state: Option<Act>,
    /// So long the effects of a transaction take.
    effects: u64,
    /// Of what happens in the same instant, the timer comes first.
    timer_first: bool,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => (0u64..50).prop_map(Act::Ok),
        1 => (0u64..60).prop_map(Act::Fail),
        1 => (0u64..60).prop_map(Act::Invalid),
        1 => (0u64..60).prop_map(Act::Panic),
        1 => prop_oneof![Just(None), (0u64..200).prop_map(Some)].prop_map(Act::Hang),
        1 => Just(Act::PanicDrop),
        1 => (0u64..400).prop_map(Act::Block),
        1 => (0u64..400).prop_map(Act::BlockFail),
        1 => Just(Act::Starved),
    ]
}

fn life() -> impl Strategy<Value = Life> {
    prop_oneof![
        8 => (0u64..40).prop_map(Life::Obeys),
        1 => Just(Life::FailsAtStop),
        4 => (0u64..300).prop_map(Life::Ends),
        1 => (0u64..300).prop_map(Life::Fails),
        1 => (0u64..300).prop_map(Life::Recoverable),
        1 => (0u64..300).prop_map(Life::Panics),
        1 => Just(Life::Blocks),
        1 => Just(Life::Deaf),
        1 => Just(Life::PanicDrop),
        1 => Just(Life::Undead),
        1 => (0u64..40).prop_map(Life::ByHook),
        1 => ((0u64..100), prop_oneof![Just(None), (0u64..200).prop_map(Some)])
            .prop_map(|(main, child)| Life::Winds(main, child)),
        1 => ((0u64..100), prop_oneof![Just(None), (0u64..200).prop_map(Some)])
            .prop_map(|(main, child)| Life::WindsFailed(main, child)),
        1 => (0u64..300).prop_map(Life::ChildFails),
    ]
}

fn task() -> impl Strategy<Value = TaskPlan> {
    let policy = prop_oneof![
        3 => Just(Policy::Never),
        1 => Just(Policy::AtOnce),
        1 => Just(Policy::Delayed),
        1 => Just(Policy::Degrades),
        1 => Just(Policy::Always),
    ];
    let ready = prop_oneof![1 => Just(None), 4 => (0u64..60).prop_map(Some)];
    (ready, any::<bool>(), life(), policy, proptest::bool::weighted(0.3)).prop_map(
        |(ready, signalled, life, policy, with_required)| TaskPlan {
            ready,
            signalled,
            life,
            policy,
            with_required,
        },
    )
}

fn node() -> impl Strategy<Value = NodePlan> {
    let order = (0u8..3, 0u8..3, any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), 0u8..3);
    let limits = (prop_oneof![Just(0u64), Just(30), Just(200)], prop_oneof![Just(0u64), Just(30), Just(200)]);
    let hooks = (act(), act(), proptest::option::of(act()), act());
    (order, hooks, proptest::collection::vec(task(), 0..3), limits).prop_map(
        |((level, start, a, b, c, d, validate_when), (boot, validate, reload, shutdown), tasks, limits)| {
            NodePlan {
                level,
                start,
                requires: a & b,
                wants: c & d & !(a & b),
                validate_when,
                boot,
                validate,
                reload,
                shutdown,
                tasks,
                stop_limit: limits.0,
                shutdown_limit: limits.1,
            }
        },
    )
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        Just(Call::Signal(Signal::Terminate)),
        Just(Call::Signal(Signal::Interrupt)),
        Just(Call::Signal(Signal::Hangup)),
        Just(Call::Signal(Signal::User1)),
        Just(Call::Stop),
        Just(Call::Reload),
        (0usize..8).prop_map(Call::ReloadOne),
        (0usize..8).prop_map(|node| Call::Order(Operation::Start, node)),
        (0usize..8).prop_map(|node| Call::Order(Operation::Stop, node)),
        (0usize..8).prop_map(|node| Call::Order(Operation::Stop, node)),
        (0usize..8).prop_map(|node| Call::Order(Operation::Restart, node)),
        (0usize..8).prop_map(|node| Call::Order(Operation::Restart, node)),
    ]
}

/// Half of them boot well: else nearly nothing would ever run.
fn scenario() -> impl Strategy<Value = Scenario> {
    let budgets = (
        prop_oneof![Just(60u64), Just(1000)],
        prop_oneof![Just(100u64), Just(500), Just(3000)],
        prop_oneof![Just(0u64), Just(60), Just(400)],
        prop_oneof![Just(60u64), Just(1000)],
        prop_oneof![Just(0u64), Just(50)],
    );
    let rest = (
        budgets,
        prop_oneof![Just(1usize), Just(2), Just(usize::MAX)],
        proptest::option::of(act()),
        prop_oneof![2 => Just(1u64), 1 => 0u64..200],
        any::<bool>(),
        any::<bool>(),
    );
    let calls = proptest::collection::vec((0u64..900, call()), 0..7);
    let gap = proptest::option::weighted(0.2, 0u8..4);
    (proptest::collection::vec(node(), 0..7), calls, gap, rest).prop_map(
        |(mut nodes, mut calls, gap, rest)| {
            let (budgets, concurrency, reload_state, effects, timer_first, good) = rest;
            if good {
                for node in &mut nodes {
                    node.boot = Act::Ok(1);
                    node.validate = Act::Ok(0);
                }
            }
            calls.sort_by_key(|(at, _)| *at);
            let (boot, stop, reserve, rollback, lame) = budgets;
            let budgets = [boot, stop, reserve, rollback, lame];
            Scenario { nodes, calls, gap, budgets, concurrency, reload_state, effects, timer_first }
        },
    )
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Scenario {
    fn limits(&self) -> Limits {
        let [boot, stop, reserve, rollback, lame] = self.budgets;
        Limits {
            defaults: Deadlines::new().reload(ms(40)),
            boot_budget: ms(boot),
            stop_budget: ms(stop),
            stop_reserve: ms(reserve),
            rollback_budget: ms(rollback),
            lame_duck: ms(lame),
            late_after: ms(70),
            boot_concurrency: self.concurrency,
            ..Limits::default()
        }
    }

    /// As the registry plans it: what is needed is pulled into the level of whoever needs it, then sorted.
    fn spec(&self) -> (Spec, Vec<NodePlan>) {
        let count = self.nodes.len();
        let deps = |node: usize, mask: u8| (0..node).filter(move |dep| mask & (1 << dep) != 0);
        let mut boot: Vec<u8> = self.nodes.iter().map(|node| node.level).collect();
        let mut start: Vec<u8> =
            self.nodes.iter().map(|n| if n.tasks.is_empty() { 9 } else { n.start }).collect();
        for node in (0..count).rev() {
            for dep in deps(node, self.nodes[node].requires | self.nodes[node].wants) {
                boot[dep] = boot[dep].min(boot[node]);
                start[dep] = start[dep].min(start[node]);
            }
        }
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|&node| (boot[node], node));
        let mut place = vec![0; count];
        for (index, &node) in order.iter().enumerate() {
            place[node] = index;
        }
        let plans: Vec<NodePlan> = order.iter().map(|&node| self.nodes[node].clone()).collect();
        let nodes: Vec<NodeSpec> = order
            .iter()
            .enumerate()
            .map(|(index, &raw)| {
                let plan = &self.nodes[raw];
                let requires: Vec<usize> = deps(raw, plan.requires).map(|dep| place[dep]).collect();
                let mut all: Vec<usize> =
                    deps(raw, plan.requires | plan.wants).map(|dep| place[dep]).collect();
                all.sort_unstable();
                let limits = Deadlines::new().boot(ms(40)).validate(ms(20)).ready(ms(80)).reload(ms(40));
                let limits = limits.stop(ms(plan.stop_limit)).shutdown(ms(plan.shutdown_limit));
                NodeSpec {
                    name: NAMES[index],
                    site: None,
                    deps: all,
                    requires,
                    dependents: Vec::new(),
                    required_by: Vec::new(),
                    reloadable: plan.reload.is_some(),
                    boot_level: boot[raw],
                    start_level: start[raw],
                    limits: Resolved::of(limits, Deadlines::new()),
                    validate: match plan.validate_when {
                        0 => Validate::AfterBoot,
                        1 => Validate::BeforeBoot,
                        _ => Validate::Both,
                    },
                    tasks: plan
                        .tasks
                        .iter()
                        .map(|task| TaskSpec {
                            name: None,
                            ready_when: if task.signalled {
                                ReadyWhen::Signalled
                            } else {
                                ReadyWhen::Started
                            },
                            restart: task.restart(),
                        })
                        .collect(),
                }
            })
            .collect();
        let mut start_order: Vec<usize> = (0..count).filter(|&node| !plans[node].tasks.is_empty()).collect();
        start_order.sort_by_key(|&node| (nodes[node].start_level, node));
        let reload_order = (0..count).filter(|&node| plans[node].reload.is_some()).collect();
        let reload_state = self.reload_state.is_some();
        let spec = Spec { nodes, start_order, reload_order, reload_state, any_with_required: false, seed: 1 };
        (spec.linked(), plans)
    }
}

#[derive(Clone, Debug)]
enum Event {
    Hook(HookId, Exit),
    Walk(HookId, Option<(usize, Exit)>),
    Began(TaskId),
    Ready(TaskId),
    Main(TaskId),
    Over(TaskId, Exit),
    Child(TaskId),
    Call(Call),
}

/// What is seen from outside: who was polled.
#[derive(Default)]
struct Eyes(RefCell<BTreeSet<u64>>);

impl Look for Eyes {
    fn hook(&self, id: HookId) -> Seen {
        Seen { begun: !self.0.borrow().contains(&id.serial), ..Seen::default() }
    }

    fn task(&self, _: TaskId) -> Seen {
        Seen { begun: true, ..Seen::default() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
enum Turn {
    Plan,
    Preflight,
    Boot,
    Validate,
    Run,
    Stop,
}

/// The transaction of the reload, as the engine has it.
#[derive(Clone, Copy, Default)]
struct Transaction {
    open: bool,
    refused: bool,
    /// Its hooks have greater serials.
    after: u64,
}

struct World {
    machine: Machine,
    spec: Arc<Spec>,
    scenario: Scenario,
    plans: Vec<NodePlan>,
    zero: Instant,
    now: Instant,
    turn: Turn,
    asleep: Option<Instant>,
    woken: bool,
    eyes: Eyes,
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    events: HashMap<u64, Event>,
    next: u64,
    texts: u64,
    /// Hooks and tasks that were started; what is over of them.
    hooks: BTreeMap<u64, (HookId, Act, bool)>,
    tasks: HashMap<TaskId, bool>,
    /// Who is ready now, and who ever was, or was in trouble.
    ready: BTreeSet<(usize, usize)>,
    ever: BTreeSet<(usize, usize)>,
    troubled: BTreeSet<usize>,
    /// Generations that were aborted to no effect, and said to be.
    left: BTreeSet<(&'static str, u64)>,
    /// Tickets that were not answered, with what must be over by then.
    tickets: HashMap<u64, (Option<Operation>, Vec<TaskId>)>,
    /// Of whom a stop or restart was asked, with the tasks that are to be gone before.
    before: HashMap<usize, Vec<TaskId>>,
    /// How main futures ended that have left children.
    mains: HashMap<TaskId, Exit>,
    attempted: BTreeSet<usize>,
    booted: BTreeSet<usize>,
    shutdowns: HashMap<usize, u32>,
    ending: Option<Instant>,
    transaction: Transaction,
    asked: HashMap<usize, Instant>,
    aborted: (BTreeSet<u64>, std::collections::HashSet<TaskId>),
    since: HashMap<u64, Instant>,
    stop_at: Option<Instant>,
    phase_at: Instant,
    named: BTreeSet<(&'static str, u8)>,
    /// Texts of errors and panics that were reported to the machine, by whom and in which phase.
    told: Vec<(String, &'static str, Phase)>,
    /// Failures that were said and ended nothing.
    said: Vec<Failure>,
    trace: Vec<String>,
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let (spec, plans) = scenario.spec();
        let zero = Clock::Real.now();
        let spec = Arc::new(spec);
        let mut machine = Machine::new(scenario.limits(), zero);
        machine.planned(Arc::clone(&spec));
        let mut world = Self {
            machine,
            spec,
            scenario: scenario.clone(),
            plans,
            zero,
            now: zero,
            turn: Turn::Plan,
            asleep: None,
            woken: true,
            eyes: Eyes::default(),
            queue: BinaryHeap::new(),
            events: HashMap::new(),
            next: 0,
            texts: 0,
            hooks: BTreeMap::new(),
            tasks: HashMap::new(),
            ready: BTreeSet::new(),
            ever: BTreeSet::new(),
            troubled: BTreeSet::new(),
            left: BTreeSet::new(),
            tickets: HashMap::new(),
            before: HashMap::new(),
            mains: HashMap::new(),
            attempted: BTreeSet::new(),
            booted: BTreeSet::new(),
            shutdowns: HashMap::new(),
            ending: None,
            transaction: Transaction::default(),
            asked: HashMap::new(),
            aborted: Default::default(),
            since: HashMap::new(),
            stop_at: None,
            phase_at: zero,
            named: BTreeSet::new(),
            told: Vec::new(),
            said: Vec::new(),
            trace: Vec::new(),
        };
        for (at, call) in scenario.calls.clone() {
            world.after(at, Event::Call(call));
        }
        world
    }

    fn after(&mut self, millis: u64, event: Event) {
        self.next += 1;
        self.events.insert(self.next, event);
        self.queue.push(Reverse((self.now + ms(millis), self.next)));
    }

    fn note(&mut self, text: &str) {
        let at = self.now.saturating_duration_since(self.zero).as_millis();
        self.trace.push(format!("{at:>6} {text}"));
    }

    fn fail(&mut self, error: fn(String) -> Error, who: usize, phase: Phase) -> Exit {
        self.texts += 1;
        let text = format!("e{}.", self.texts);
        self.tell(&text, who, phase);
        Exit::Failed(Cause::of(error(text)))
    }

    fn panic(&mut self, who: usize, phase: Phase) -> Exit {
        self.texts += 1;
        let text = format!("e{}.", self.texts);
        self.tell(&text, who, phase);
        Exit::Panicked(text.into())
    }

    fn tell(&mut self, text: &str, who: usize, phase: Phase) {
        let name = self.spec.nodes.get(who).map_or("state", |node| node.name);
        self.told.push((text.to_owned(), name, phase));
    }

    fn on(&mut self, input: Input) {
        self.note(&format!("-> {input:?}"));
        self.machine.on(input, self.now, &self.eyes);
        self.act();
    }

    /// Carries out what the machine decided, as the engine does, and checks each decision.
    fn act(&mut self) {
        let mut actions = Vec::new();
        self.machine.exchange(&mut actions);
        for action in actions {
            if !matches!(action, Action::Wake) {
                self.note(&format!("   {action:?}"));
            }
            match action {
                Action::SpawnHook(id) => self.spawn(id),
                Action::AbortHook(id) => self.abort(id),
                Action::StartTask(id) => self.start(id),
                Action::AskTask(id) => self.ask(id),
                Action::AbortTask(id) => self.abort_task(id),
                Action::Wake => self.woken = true,
                Action::StopBegan => self.ending = Some(self.now),
                Action::Emit(kind) => self.seen(&kind),
                Action::OpenTransaction => {
                    assert!(!self.transaction.open, "one transaction at a time");
                    self.transaction = Transaction { open: true, ..self.transaction };
                    self.transaction.refused = false;
                    self.transaction.after = self.hooks.keys().max().copied().unwrap_or(0);
                }
                Action::ReloadDone { ticket, report } => {
                    assert!(
                        report.is_none() || !self.transaction.open,
                        "over when its transaction has ended"
                    );
                    // A signal asks as well, and waits for no answer.
                    self.tickets.remove(&ticket);
                }
                Action::Answer { ticket, answer } => self.answered(ticket, &answer),
                Action::Reopen | Action::Ready | Action::Late | Action::Nothing => {}
            }
        }
    }

    /// Each request is answered once. One that asked for an end is answered when all of it is over. Shown to fail:
    /// with `Ok` for a stop at once.
    fn answered(&mut self, ticket: u64, answer: &Result<crate::control::Done, ControlError>) {
        let Some((operation, ids)) = self.tickets.remove(&ticket) else {
            panic!("{ticket} is answered twice")
        };
        if self.machine.stage() == Stage::Over {
            // What was left of it by the end of everything was named.
            return;
        }
        if operation == Some(Operation::Stop) && answer.is_ok() {
            for id in ids {
                assert!(self.is_gone(id), "{id:?} lives, and its stop is answered");
            }
        } else if let (Some(operation), Ok(_)) = (operation, answer) {
            for id in ids {
                let ready = self.ready.contains(&(id.node, id.task));
                assert!(ready, "{id:?} is not ready, and its {operation} is answered");
                assert!(operation != Operation::Restart || self.is_gone(id), "{id:?} is the old one");
            }
        }
    }

    fn is_gone(&self, id: TaskId) -> bool {
        self.tasks.get(&id).is_none_or(|over| *over)
            || self.left.contains(&(self.spec.nodes[id.node].name, id.generation))
            || self.machine.is_forced()
    }

    fn live(&self, node: usize) -> Vec<TaskId> {
        self.tasks.iter().filter(|(id, over)| id.node == node && !**over).map(|(id, _)| *id).collect()
    }

    /// Its tasks do their jobs, and so do those of whom it requires.
    fn is_up(&self, node: usize) -> bool {
        let own = (0..self.spec.nodes[node].tasks.len()).all(|task| self.ready.contains(&(node, task)));
        own && self.spec.nodes[node].requires.iter().all(|&dep| self.is_up(dep))
    }

    fn required_by(&self, node: usize) -> BTreeSet<usize> {
        let (mut found, mut stack) = (BTreeSet::new(), vec![node]);
        while let Some(node) = stack.pop() {
            stack.extend(self.spec.nodes[node].required_by.iter().filter(|&&other| found.insert(other)));
        }
        found
    }

    /// There is a newer generation.
    fn is_stale(&self, id: TaskId) -> bool {
        let newer = |other: &TaskId| {
            (other.node, other.task) == (id.node, id.task) && other.generation > id.generation
        };
        self.tasks.keys().any(newer)
    }

    fn ready(&mut self, id: TaskId) {
        if self.is_stale(id) {
            return;
        }
        self.ready.insert((id.node, id.task));
        self.ever.insert((id.node, id.task));
    }

    fn not_ready(&mut self, id: TaskId) {
        if self.is_stale(id) {
            return;
        }
        self.ready.remove(&(id.node, id.task));
        self.troubled.insert(id.node);
        let dependents = self.required_by(id.node);
        self.troubled.extend(dependents);
    }

    fn order(&mut self, operation: Operation, node: usize) {
        if node >= self.spec.nodes.len() {
            return;
        }
        let live = self.live(node);
        let dependents = self.required_by(node);
        self.before.clear();
        if operation != Operation::Start {
            let first: Vec<TaskId> = dependents.iter().flat_map(|&dependent| self.live(dependent)).collect();
            self.before.insert(node, first);
        }
        self.troubled.insert(node);
        self.troubled.extend(&dependents);
        let accepted = self.machine.order(operation, (node, None), None, self.now);
        self.note(&format!("-> {operation} {node}: {accepted:?}"));
        if let Ok(accepted) = accepted {
            let about = match operation {
                Operation::Stop => {
                    live.into_iter().chain(dependents.iter().flat_map(|&d| self.live(d))).collect()
                }
                _ => live,
            };
            self.tickets.entry(accepted.ticket).or_insert((Some(operation), about));
        }
        self.act();
    }

    fn reload(&mut self, of: ReloadOf) {
        if let Some(ticket) = self.machine.request_reload(of, self.now) {
            self.tickets.insert(ticket, (None, Vec::new()));
        }
        self.act();
    }

    fn seen(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Recoverable(failure) | EventKind::Degraded(failure) => self.said.push(failure.clone()),
            EventKind::Restarting { failure: Some(failure), .. } => self.said.push(Failure::clone(failure)),
            EventKind::LeftBehind { task, .. } => {
                self.left.insert((task.provider, task.generation));
            }
            EventKind::Forced(cut) => {
                let what = match cut.what {
                    Cut::Task => 0,
                    Cut::Shutdown => 1,
                    _ => 2,
                };
                self.named.insert((cut.provider, what));
            }
            // What was cancelled is over at the end of its grace: it does not miss its own deadline as well.
            EventKind::Failed(failure) if failure.phase() == Phase::Boot => {
                let late = matches!(failure.problem(), Problem::Deadline(_));
                assert!(!late || self.ending.is_none_or(|at| at == self.now), "late after the cancel");
            }
            EventKind::Failed(failure) if failure.phase() == Phase::Shutdown => {
                self.named.insert((failure.provider(), 1));
            }
            EventKind::Finished { .. } | EventKind::Stopping { .. } if self.stop_at.is_none() => {
                self.stop_at = Some(self.now);
            }
            _ => {}
        }
    }

    fn spawn(&mut self, id: HookId) {
        assert!(!self.hooks.contains_key(&id.serial), "a serial is used once");
        let act = match id.kind {
            HookKind::Boot => self.check_boot(id.node),
            HookKind::Shutdown => self.check_shutdown(id.node),
            HookKind::Reload => {
                assert!(self.ending.is_none(), "nothing is reloaded while it ends");
                self.plans[id.node].reload.expect("it is reloadable")
            }
            HookKind::ReloadState => self.scenario.reload_state.expect("the state reloads"),
            HookKind::Commit | HookKind::Abort => {
                // Each transaction ends once; a commit only if nobody refused and nobody asked for the end. Shown to
                // fail: without the look at `first_refusal` in `reload_next`; without the check of `ending` in
                // `reload_abort`.
                assert!(self.transaction.open, "what was opened ends once");
                self.transaction.open = false;
                let commit = id.kind == HookKind::Commit;
                assert!(!commit || !self.transaction.refused, "all or nothing");
                assert!(!commit || self.ending.is_none(), "nothing is committed while it ends");
                Act::Ok(self.scenario.effects)
            }
            HookKind::Validate => {
                self.hooks.insert(id.serial, (id, Act::Block(0), false));
                self.after(0, Event::Walk(id, None));
                return;
            }
        };
        self.hooks.insert(id.serial, (id, act, false));
        self.since.insert(id.serial, self.now);
        let phase = id.kind.phase();
        match act {
            Act::Ok(time) | Act::Block(time) => self.after(time, Event::Hook(id, Exit::Ok)),
            Act::Fail(time) | Act::BlockFail(time) => {
                let exit = Exit::Failed(Cause::of(Error::msg("later").in_phase(phase, "")));
                self.after(time, Event::Hook(id, exit));
            }
            Act::Invalid(time) => {
                let exit = Exit::Failed(Cause::of(Error::Validate { name: "", source: "later".into() }));
                self.after(time, Event::Hook(id, exit));
            }
            Act::Panic(time) => self.after(time, Event::Hook(id, Exit::Panicked("".into()))),
            Act::Hang(_) | Act::PanicDrop => {}
            Act::Starved => {
                self.eyes.0.borrow_mut().insert(id.serial);
            }
        }
        if id.kind == HookKind::Boot && !matches!(act, Act::Starved) {
            self.attempted.insert(id.node);
        }
        if id.kind == HookKind::Shutdown {
            for index in 0..self.plans[id.node].tasks.len() {
                if let Life::ByHook(time) = self.plans[id.node].tasks[index].life {
                    for task in self.live(id.node) {
                        if task.task == index {
                            self.after(time, Event::Over(task, Exit::Ok));
                        }
                    }
                }
            }
        }
    }

    /// A dependent is never booted before its dependencies are, nor a level before the one below; nobody is while it
    /// ends. Shown to fail: without `waits_for`, without `open_level`, without the check in `begin_boot`.
    fn check_boot(&mut self, node: usize) -> Act {
        assert!(self.ending.is_none(), "nothing is booted once the end was asked for");
        for (index, other) in self.spec.nodes.iter().enumerate() {
            let first = self.spec.nodes[node].deps.contains(&index);
            if first || other.boot_level < self.spec.nodes[node].boot_level {
                assert!(self.booted.contains(&index), "{node} is booted before {index}");
            }
        }
        let beside = self.hooks.values().filter(|(id, _, over)| id.kind == HookKind::Boot && !over).count();
        assert!(beside < self.scenario.concurrency, "{beside} boot already");
        self.plans[node].boot
    }

    /// A provider's shutdown is called once, and not before all of its attempted dependents are gone or named.
    /// Shown to fail: without `waits_for` and without the levels in `prepare_stop`; without `hook_called`; without
    /// the levels in `stop_level`.
    fn check_shutdown(&mut self, node: usize) -> Act {
        assert!(self.attempted.contains(&node), "{node} was never attempted");
        let calls = self.shutdowns.entry(node).or_default();
        *calls += 1;
        assert_eq!(*calls, 1, "the shutdown of {node}");
        if !self.machine.is_forced() {
            for (index, other) in self.spec.nodes.iter().enumerate() {
                let above = other.boot_level > self.spec.nodes[node].boot_level;
                if (above || other.deps.contains(&node)) && self.attempted.contains(&index) {
                    assert!(self.shutdowns.contains_key(&index), "{node} before {index}");
                    let hook = self
                        .hooks
                        .values()
                        .any(|(id, _, over)| id.kind == HookKind::Shutdown && id.node == index && !over);
                    assert!(!hook || self.named.contains(&(other.name, 1)), "hook of {index}, before {node}");
                    let live = self.tasks.iter().any(|(id, over)| id.node == index && !over);
                    assert!(!live || self.named.contains(&(other.name, 0)), "task of {index}, before {node}");
                }
            }
        }
        if let (false, Some(at)) = (self.machine.is_forced(), self.asked.get(&node)) {
            let until = (*at).max(self.share(node, 0));
            assert!(self.now <= until, "the tasks of {node} are waited for too long");
        }
        self.plans[node].shutdown
    }

    /// T − R·(k − less)/n of a stop, counted anew. What waits longer takes it from the hooks below. Shown to fail:
    /// with `limit` without its reserve.
    fn share(&self, node: usize, less: u32) -> Instant {
        let [_, budget, reserve, ..] = self.scenario.budgets;
        let (mut depth, mut levels) = (vec![0u32; self.plans.len()], BTreeMap::<u8, u32>::new());
        for (index, spec) in self.spec.nodes.iter().enumerate() {
            let same = spec.deps.iter().filter(|&&dep| self.spec.nodes[dep].boot_level == spec.boot_level);
            depth[index] = same.map(|&dep| depth[dep]).max().unwrap_or(0) + 1;
            let length = levels.entry(spec.boot_level).or_default();
            *length = depth[index].max(*length);
        }
        let all: u32 = levels.values().sum();
        let below: u32 = levels.range(..self.spec.nodes[node].boot_level).map(|(_, length)| length).sum();
        let reserved =
            ms(reserve.min(budget)).mul_f64(f64::from(below + depth[node] - less) / f64::from(all));
        let left = ms(budget).saturating_sub(reserved);
        self.stop_at.unwrap_or(self.now) + left + Duration::from_micros(1)
    }

    fn abort(&mut self, id: HookId) {
        if matches!(id.kind, HookKind::Reload | HookKind::ReloadState) {
            self.transaction.refused = true;
        }
        let Some(&(known, act, over)) = self.hooks.get(&id.serial) else { panic!("{id:?} is unknown") };
        self.aborted.0.insert(id.serial);
        assert_eq!(known, id, "another hook has that serial");
        if over {
            return;
        }
        if id.kind == HookKind::Shutdown && self.tasks.keys().any(|_| true) && !self.machine.is_forced() {
            let since = self.since.get(&id.serial).copied().unwrap_or(self.now);
            let until = (since + LAST_CHANCE).max(self.share(id.node, 1));
            assert!(self.now <= until, "the hook of {} is waited for too long", id.node);
        }
        match act {
            Act::Ok(_) | Act::Fail(_) | Act::Invalid(_) | Act::Panic(_) => {
                self.after(0, Event::Hook(id, Exit::Aborted));
            }
            Act::Hang(Some(time)) => self.after(time, Event::Hook(id, Exit::Aborted)),
            Act::PanicDrop => self.after(0, Event::Hook(id, Exit::Panicked("".into()))),
            Act::Hang(None) | Act::Block(_) | Act::BlockFail(_) => {}
            // The engine takes it back at once.
            Act::Starved => self.hook_over(id, Exit::NeverBegan),
        }
    }

    fn hook_over(&mut self, id: HookId, exit: Exit) {
        let Some(entry) = self.hooks.get_mut(&id.serial) else { return };
        if std::mem::replace(&mut entry.2, true) {
            return;
        }
        // One that an earlier transaction has left behind is nothing to this one.
        let of_this = id.serial > self.transaction.after;
        if matches!(id.kind, HookKind::Reload | HookKind::ReloadState) && exit != Exit::Ok && of_this {
            self.transaction.refused = true;
        }
        let phase = id.kind.phase();
        let exit = match exit {
            Exit::Failed(cause) if cause.kind() == CauseKind::Validate => {
                self.fail(|text| Error::Validate { name: "", source: text.into() }, id.node, phase)
            }
            Exit::Failed(cause) if cause.kind() == CauseKind::Boot => {
                self.fail(|text| Error::Boot { name: "", source: text.into() }, id.node, phase)
            }
            Exit::Failed(_) => self.fail(Error::msg, id.node, phase),
            Exit::Panicked(_) => self.panic(id.node, phase),
            exit => exit,
        };
        if id.kind == HookKind::Boot && exit == Exit::Ok {
            self.booted.insert(id.node);
        }
        self.on(Input::HookEnded(id, exit));
    }

    fn walk(&mut self, id: HookId, last: Option<(usize, Exit)>) {
        let last = last.map(|(node, exit)| {
            let exit = match exit {
                Exit::Failed(_) => {
                    self.fail(|text| Error::Validate { name: "", source: text.into() }, node, Phase::Validate)
                }
                Exit::Panicked(_) => self.panic(node, Phase::Validate),
                exit => exit,
            };
            (node, exit)
        });
        self.note(&format!("-> walk {last:?}"));
        let next = self.machine.walk(id, last, self.now);
        self.act();
        assert!(next.is_none() || !self.machine.is_forced(), "nobody is asked after a second signal");
        let Some(node) = next else {
            if let Some(entry) = self.hooks.get_mut(&id.serial) {
                entry.2 = true;
            }
            return self.on(Input::HookEnded(id, Exit::Ok));
        };
        let invalid = || Exit::Failed(Cause::of(Error::msg("later")));
        match self.plans[node].validate {
            Act::Ok(time) | Act::Block(time) => {
                self.after(time / 10, Event::Walk(id, Some((node, Exit::Ok))));
            }
            Act::Fail(_) | Act::BlockFail(_) | Act::Invalid(_) => {
                self.after(0, Event::Walk(id, Some((node, invalid()))));
            }
            Act::Panic(_) => self.after(0, Event::Walk(id, Some((node, Exit::Panicked("".into()))))),
            // It blocks its thread, for a while or for ever.
            Act::Hang(Some(time)) => self.after(time, Event::Walk(id, Some((node, invalid())))),
            Act::Hang(None) | Act::PanicDrop | Act::Starved => {}
        }
    }

    /// A task starts when what its provider requires is ready, the level below is, and nobody has asked for the end.
    /// Shown to fail: without `waits_for` in `up`, without `free_start_level`, without the check in `start_free`.
    fn start(&mut self, id: TaskId) {
        assert!(self.ending.is_none(), "nothing is started once the end was asked for");
        assert!(self.tasks.insert(id, false).is_none(), "a generation is started once");
        for before in 1..id.generation {
            // Nothing of a generation is left when the next one starts, or it was named. Shown to fail: with a start
            // in `judge`.
            let old = TaskId { generation: before, ..id };
            assert!(self.is_gone(old), "{id:?} starts, and {old:?} lives");
        }
        self.ready.remove(&(id.node, id.task));
        let own = &self.spec.nodes[id.node];
        for (index, other) in self.spec.nodes.iter().enumerate() {
            let below = !other.tasks.is_empty() && other.start_level < own.start_level;
            let ever = (0..other.tasks.len()).all(|task| self.ever.contains(&(index, task)));
            let waited = below || own.deps.contains(&index);
            assert!(
                !waited || ever || self.troubled.contains(&index),
                "{} starts before {index} was ready",
                id.node
            );
            // Shown to fail: without `lacks_required` in `try_start`.
            assert!(
                !own.requires.contains(&index) || self.is_up(index),
                "{} starts, and {index} is not ready",
                id.node
            );
        }
        let task = self.plans[id.node].tasks[id.task].clone();
        let first = match task.life {
            Life::Ends(0) => Some(Exit::Ok),
            Life::Fails(0) | Life::Recoverable(0) | Life::Panics(0) => Some(Exit::Panicked("".into())),
            Life::Blocks => return,
            _ => None,
        };
        if first.is_none() {
            self.after(0, Event::Began(id));
        }
        if let Some(time) = task.ready {
            self.after(time, Event::Ready(id));
        }
        match task.life {
            Life::Ends(time) => self.after(time, Event::Over(id, Exit::Ok)),
            Life::Fails(time) => {
                self.after(time, Event::Over(id, Exit::Failed(Cause::of(Error::msg("later")))));
            }
            Life::Recoverable(time) => {
                let exit = Exit::Failed(Cause::of(Error::recoverable("well")));
                self.after(time, Event::Over(id, exit));
            }
            Life::Panics(time) => self.after(time, Event::Over(id, Exit::Panicked("".into()))),
            Life::Winds(time, _) | Life::WindsFailed(time, _) => self.after(time, Event::Main(id)),
            Life::ChildFails(time) => self.after(time, Event::Child(id)),
            _ => {}
        }
    }

    fn ask(&mut self, id: TaskId) {
        let Some(&over) = self.tasks.get(&id) else { panic!("{id:?} is unknown") };
        if self.machine.stage() == Stage::Stop || self.machine.is_forced() {
            self.asked.entry(id.node).or_insert(self.now);
        } else {
            // Dependents are gone before anybody whom they require is asked. Shown to fail: without
            // `dependents_leave` in `advance`.
            for before in self.before.get(&id.node).cloned().unwrap_or_default() {
                assert!(self.is_gone(before), "{id:?} is asked before {before:?} is gone");
            }
        }
        let until = self.machine.stop_deadline(id, self.now);
        assert!(until.is_some_and(|until| until >= self.zero), "{id:?} is asked, and not told its time");
        self.not_ready(id);
        if over {
            return;
        }
        match self.plans[id.node].tasks[id.task].life {
            Life::Obeys(time) => self.after(time, Event::Over(id, Exit::Ok)),
            Life::FailsAtStop => {
                self.after(3, Event::Over(id, Exit::Failed(Cause::of(Error::msg("later")))));
            }
            Life::ChildFails(_) => self.after(1, Event::Over(id, Exit::Ok)),
            Life::Ends(time) | Life::Fails(time) | Life::Recoverable(time) | Life::Panics(time) => {
                self.after(time / 4, Event::Over(id, Exit::Ok));
            }
            _ => {}
        }
    }

    fn abort_task(&mut self, id: TaskId) {
        let Some(&over) = self.tasks.get(&id) else { panic!("{id:?} is unknown") };
        // Shown to fail: with the provider's own time where its share of the budget is less.
        let until = self.machine.stop_deadline(id, self.now);
        assert!(until.is_some_and(|until| until <= self.now), "{id:?} is aborted before its time, {until:?}");
        self.aborted.1.insert(id);
        if over {
            return;
        }
        match self.plans[id.node].tasks[id.task].life {
            Life::Undead | Life::Blocks | Life::Winds(_, None) | Life::WindsFailed(_, None) => {}
            Life::PanicDrop => self.after(0, Event::Over(id, Exit::Panicked("".into()))),
            Life::Winds(_, Some(time)) | Life::WindsFailed(_, Some(time)) => {
                self.after(time, Event::Over(id, Exit::Ok));
            }
            _ => self.after(0, Event::Over(id, Exit::Aborted)),
        }
    }

    fn task_over(&mut self, id: TaskId, exit: Exit) {
        let Some(over) = self.tasks.get_mut(&id) else { return };
        if std::mem::replace(over, true) {
            return;
        }
        let exit = match exit {
            // It is the end of the main future that is told again when the last child has gone.
            _ if self.mains.contains_key(&id) => self.mains[&id].clone(),
            Exit::Failed(cause) if cause.kind() != CauseKind::Recoverable => {
                self.fail(Error::msg, id.node, Phase::Run)
            }
            Exit::Panicked(_) => self.panic(id.node, Phase::Run),
            exit => exit,
        };
        let always = matches!(self.plans[id.node].tasks[id.task].policy, Policy::Always);
        if exit == Exit::Ok && !always {
            self.ready(id);
        } else {
            self.not_ready(id);
        }
        self.on(Input::TaskOver(id, exit));
    }

    fn happens(&mut self, event: Event) {
        let live = |world: &Self, id: &TaskId| world.tasks.get(id) == Some(&false);
        match event {
            Event::Hook(id, exit) => self.hook_over(id, exit),
            Event::Walk(id, last) => self.walk(id, last),
            Event::Began(id) if live(self, &id) => {
                if !self.plans[id.node].tasks[id.task].signalled {
                    self.ready(id);
                }
                self.on(Input::TaskBegan(id));
            }
            Event::Ready(id) if live(self, &id) => {
                self.ready(id);
                self.on(Input::TaskReady(id));
            }
            Event::Main(id) if live(self, &id) => {
                let failed = matches!(self.plans[id.node].tasks[id.task].life, Life::WindsFailed(..));
                let exit = if failed { self.fail(Error::msg, id.node, Phase::Run) } else { Exit::Ok };
                if failed {
                    self.not_ready(id);
                } else {
                    self.ready(id);
                }
                self.mains.insert(id, exit.clone());
                self.on(Input::MainEnded(id, exit));
            }
            Event::Child(id) if live(self, &id) => {
                let exit = self.panic(id.node, Phase::Run);
                self.not_ready(id);
                self.on(Input::ChildFailed(id, "child".to_owned(), exit));
            }
            Event::Over(id, exit) => self.task_over(id, exit),
            Event::Call(Call::Signal(signal)) => {
                self.on(Input::Signal(signal));
                // It is the supervisor that hears signals.
                self.woken = true;
            }
            Event::Call(Call::Stop) => self.on(Input::Stop(StopCause::Requested("test".to_owned()))),
            Event::Call(Call::Reload) => self.reload(ReloadOf::All),
            Event::Call(Call::ReloadOne(node))
                if self.plans.get(node).is_some_and(|plan| plan.reload.is_some()) =>
            {
                self.reload(ReloadOf::One(node));
            }
            Event::Call(Call::Order(operation, node)) => self.order(operation, node),
            _ => {}
        }
    }

    fn over(&self) -> bool {
        match self.turn {
            Turn::Plan => true,
            Turn::Preflight | Turn::Validate => self.machine.walk_over(),
            Turn::Boot => self.machine.boot_over(),
            Turn::Run => self.machine.run_over(),
            Turn::Stop => self.machine.stop_over() && !self.machine.is_forced(),
        }
    }

    /// `Supervisor::lifecycle`: goes on to the next phase when this one is over. True at the end.
    fn supervise(&mut self) -> bool {
        self.woken = false;
        loop {
            let over = self.over();
            if self.machine.is_forced() {
                self.turn = Turn::Stop;
                let Stage::Forced { until } = self.machine.stage() else {
                    panic!("forced, and not at its end")
                };
                self.asleep = Some(until);
                if until <= self.now {
                    self.machine.name_the_cut(self.now, &self.eyes);
                    self.act();
                }
                return until <= self.now;
            }
            if !over {
                self.asleep = self.machine.sleep_until();
                return false;
            }
            if self.turn == Turn::Stop {
                return true;
            }
            self.check_phase_time();
            if self.scenario.gap == Some(self.turn as u8) {
                self.scenario.gap = None;
                self.on(Input::Stop(StopCause::Dropped));
            }
            let now = self.now;
            self.turn = match self.turn {
                Turn::Plan => Turn::Preflight,
                Turn::Preflight => Turn::Boot,
                Turn::Boot => Turn::Validate,
                Turn::Validate => Turn::Run,
                Turn::Run | Turn::Stop => Turn::Stop,
            };
            self.phase_at = now;
            let stage = self.machine.stage();
            match self.turn {
                Turn::Preflight => self.machine.begin_preflight(now),
                Turn::Boot => self.machine.begin_boot(now),
                Turn::Validate => self.machine.begin_validate(now),
                Turn::Run => self.machine.begin_run(now),
                Turn::Plan | Turn::Stop => {
                    self.stop_at = Some(now);
                    self.machine.begin_stop(now);
                }
            }
            if self.turn != Turn::Stop && self.ending.is_some() {
                // Shown to fail: without the check in each `begin_…`.
                assert_eq!(self.machine.stage(), stage, "nothing is begun once the end was asked for");
            }
            self.act();
        }
    }

    /// Boot ends by its budget and a grace, a walk by the deadlines of those who are asked. Shown to fail: without the
    /// budget in `boot_tick`; without `boot_leave`; without `walk_wake`.
    fn check_phase_time(&self) {
        let took = self.now.saturating_duration_since(self.phase_at);
        let [budget, ..] = self.scenario.budgets;
        let limit = match self.turn {
            Turn::Boot => ms(budget) + GRACE,
            Turn::Preflight | Turn::Validate => ms(20 * self.plans.len() as u64) + GRACE,
            Turn::Plan | Turn::Run | Turn::Stop => return,
        };
        assert!(took <= limit, "{:?} took {took:?}", self.turn);
    }

    /// Whoever sleeps is woken for the end of a phase and for an earlier deadline, and a provider is gone as soon as
    /// all of it has ended. Shown to fail: without the `Wake` in `boot_settle` or `stop_settle`; without `watch`;
    /// without the case of `Aborting` in `shutdown_ended`.
    fn check_sleep(&mut self) {
        if self.machine.stage() == Stage::Stop {
            for (id, _, over) in self.hooks.values() {
                let live = self.tasks.iter().any(|(task, over)| task.node == id.node && !over);
                if id.kind == HookKind::Shutdown && *over && !live {
                    assert!(self.machine.stop.is_gone(id.node), "{} has ended, and is not gone", id.node);
                }
            }
        }
        // Shown to fail: without `pend` in `try_start`.
        assert!(self.machine.forgotten().is_empty(), "{:?} were forgotten", self.machine.forgotten());
        if self.woken || self.machine.is_forced() {
            return;
        }
        assert!(!self.over(), "nobody is told that {:?} is over", self.turn);
        // What the machine is told by this look is not what the supervisor knows.
        let known = self.machine.wake_at;
        let (late, wake) = (self.machine.late_at(), self.machine.sleep_until());
        self.machine.wake_at = known;
        let slept = wake.is_none_or(|wake| self.asleep.is_some_and(|at| at <= wake) || Some(wake) == late);
        assert!(slept, "a deadline is slept through");
    }

    /// Runs it to its end. Every wait ends: shown to fail without `boot_wake`, `stop_wake` or `walk_wake` in
    /// `sleep_until`; without the `Wake` in `interrupt`, `boot_settle` or `stop_settle`; without `watch`; without the
    /// check in `begin_boot`, where a boot that fails after a stop was asked for spins for ever.
    fn run(&mut self) -> Outcome {
        let mut still = 0;
        for _ in 0..20_000 {
            if self.woken && self.supervise() {
                return self.finish();
            }
            if self.woken {
                continue;
            }
            let event = self.queue.peek().map(|Reverse((at, _))| *at);
            let timer = self.asleep;
            if self.turn == Turn::Run && !self.machine.is_ending() && event.is_none() && self.idle() {
                // It serves, and would for ever.
                self.after(1, Event::Call(Call::Signal(Signal::Terminate)));
                continue;
            }
            let next = super::earliest(event, timer);
            let Some(next) = next else { panic!("it waits for ever, in {:?}", self.machine.stage()) };
            still = if next <= self.now { still + 1 } else { 0 };
            assert!(still < 500, "it spins");
            self.now = self.now.max(next);
            let first = event.is_some_and(|at| at <= self.now);
            if first && !(self.scenario.timer_first && timer.is_some_and(|at| at <= self.now)) {
                let Some(Reverse((_, key))) = self.queue.pop() else { unreachable!() };
                if let Some(event) = self.events.remove(&key) {
                    self.happens(event);
                    self.check_sleep();
                }
            } else {
                self.on(Input::Tick);
                self.woken = true;
            }
        }
        panic!("it never ends");
    }

    /// Nothing is waited for but what a user may ask: a deadline that is left is one too many.
    fn idle(&self) -> bool {
        self.asleep.is_none()
    }

    fn finish(&mut self) -> Outcome {
        let outcome = self.machine.outcome(self.now, Vec::new());
        self.act();
        self.check_attempts();
        self.check_left();
        self.check_stop_time(&outcome);
        self.check_failures(&outcome);
        self.check_code(&outcome);
        assert!(self.machine.sleep_until().is_none(), "nothing is waited for after the end");
        assert!(self.tickets.is_empty(), "{:?} were not answered", self.tickets);
        outcome
    }

    /// Every attempted boot has one shutdown, also when it was forced. Shown to fail: with `attempted` true for
    /// booted providers alone; with `NeverBegan` among the attempted; without the loop in `shutdown_at_once`.
    fn check_attempts(&self) {
        let called: BTreeSet<usize> = self.shutdowns.keys().copied().collect();
        assert_eq!(called, self.attempted, "shutdown hooks, and attempted boots");
    }

    /// What still runs at the end was aborted; a walk cannot be, and effects are waited for as long as a reload may
    /// take. Shown to fail: without `cut_task` in `abort_node`, without the abort in `reload_abort`, without
    /// `is_ending` in `stop_over`.
    fn check_left(&self) {
        for (serial, (id, _, over)) in &self.hooks {
            let waited = self.since.get(serial).map(|since| self.now.saturating_duration_since(*since));
            let late = self.machine.is_forced() || waited.is_some_and(|waited| waited >= ms(40));
            let left = match id.kind {
                HookKind::Validate => true,
                HookKind::Commit | HookKind::Abort => *over || late,
                _ => *over || self.aborted.0.contains(serial),
            };
            assert!(left, "{id:?} was left behind");
        }
        for (id, over) in &self.tasks {
            assert!(*over || self.aborted.1.contains(id), "{id:?} was left behind");
        }
    }

    /// The stop ends by its budget: a hook whose time is gone has 5 ms, so has the grace after it, so has the abort.
    /// Shown to fail: with `limit` at the end of the budget for everybody; without it in `abort_node`.
    fn check_stop_time(&self, outcome: &Outcome) {
        let Some(at) = self.stop_at else { return };
        let took = self.now.saturating_duration_since(at);
        let links = u32::try_from(self.spec.nodes.len()).unwrap_or(8) + 1;
        let slack = LAST_CHANCE * 3 * links;
        assert!(took <= outcome.stop_budget() + slack, "{took:?} of {:?}", outcome.stop_budget());
    }

    /// What was told is reported once, or was cut and reported as that. Shown to fail: without the step's check in
    /// `shutdown_ended`; without the state's check in `boot_ended`; without `winding` in `task_over`.
    fn check_failures(&self, outcome: &Outcome) {
        let text = |failure: &Failure| match failure.problem() {
            Problem::Error(cause) => cause.chain()[0].clone(),
            Problem::Panic(text) => text.clone(),
            _ => String::new(),
        };
        for (told, who, phase) in &self.told {
            let all = outcome.failures().iter().chain(&self.said);
            let times = all.filter(|failure| text(failure).contains(told)).count();
            assert!(times <= 1, "{told} is reported {times} times");
            if times == 0 && *phase != Phase::Reload {
                let cut = outcome.forced().iter().any(|cut| cut.provider == *who);
                let late = outcome.failures().iter().any(|failure| {
                    let late = matches!(failure.problem(), Problem::Deadline(_) | Problem::Budget(_));
                    failure.provider() == *who && failure.phase() == *phase && late
                });
                assert!(cut || late, "{told} of {who} in {phase} is lost");
            }
        }
        let mut seen = BTreeSet::new();
        for failure in outcome.failures() {
            // A destructor that panics afterwards is one of its own.
            if !matches!(failure.problem(), Problem::Panic(_)) {
                let both = failure.phase() == Phase::Validate;
                let again = !seen.insert((failure.provider(), failure.phase().as_str()));
                let tasks = failure.phase() == Phase::Run;
                assert!(
                    !again || both || tasks,
                    "{} failed twice in {}",
                    failure.provider(),
                    failure.phase()
                );
            }
        }
    }

    /// The code follows the table: 128 + n, then 124, then the code of the cause. Shown to fail: with 124 before
    /// the signal; with the last failure for the first; with a stop timeout of zero taken for the budget.
    fn check_code(&self, outcome: &Outcome) {
        let budget = outcome.forced().iter().any(|cut| cut.by == CutBy::Budget);
        let code = outcome.exit_code();
        if let Some(signal) = outcome.forced_by() {
            assert_eq!(code, 128 + signal.number());
        } else if budget {
            assert_eq!(code, 124);
            let [_, _, reserve, rollback, _] = self.scenario.budgets;
            let shared =
                ms(if outcome.stop_budget() == ms(rollback) { rollback.max(reserve) } else { reserve });
            let latest = outcome.stop_took() + shared + LAST_CHANCE * 2;
            assert!(latest >= outcome.stop_budget(), "124, and {:?} used", outcome.stop_took());
        } else if *outcome.cause() == StopCause::Failed {
            let expected =
                outcome.failures().first().map(|failure| match (failure.problem(), failure.phase()) {
                    (Problem::Error(cause), _) if cause.kind() == CauseKind::Boot => 75,
                    (Problem::Error(cause), _) if cause.kind() == CauseKind::Validate => 78,
                    (Problem::Deadline(_) | Problem::Budget(_), Phase::Boot) => 75,
                    _ => 1,
                });
            assert_eq!(Some(code), expected);
        } else {
            let bad = |failure: &Failure| {
                matches!(failure.problem(), Problem::Panic(_)) || failure.phase() == Phase::Run
            };
            assert_eq!(code, u8::from(outcome.failures().iter().any(bad)), "{:?}", outcome.cause());
        }
    }
}

fn live_through(scenario: &Scenario) {
    let mut world = World::new(scenario);
    let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run()));
    if let Err(panic) = lived {
        panic!("{}\n{}", crate::caught::panic_message(panic), world.trace.join("\n"));
    }
}

/// 2,000 cases, or as many as `PROPTEST_CASES` says.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_it_ends_in_order_in_time_and_with_every_failure_named(scenario in scenario()) {
        live_through(&scenario);
    }
}

/// Providers of one level that do everything at once and well, in a chain.
fn chain(count: usize) -> Scenario {
    let node = NodePlan {
        level: 0,
        start: 0,
        requires: 0,
        wants: 0,
        validate_when: 0,
        boot: Act::Ok(1),
        validate: Act::Ok(0),
        reload: None,
        shutdown: Act::Ok(1),
        tasks: Vec::new(),
        stop_limit: 200,
        shutdown_limit: 200,
    };
    let mut nodes = vec![node; count];
    for (index, node) in nodes.iter_mut().enumerate().skip(1) {
        node.requires = 1 << (index - 1);
    }
    let budgets = [1000, 3000, 400, 1000, 0];
    let concurrency = usize::MAX;
    Scenario {
        nodes,
        calls: Vec::new(),
        gap: None,
        budgets,
        concurrency,
        reload_state: None,
        effects: 1,
        timer_first: false,
    }
}

fn lives(life: Life) -> TaskPlan {
    TaskPlan { ready: None, signalled: false, life, policy: Policy::Never, with_required: false }
}

fn outcome(scenario: &Scenario) -> Outcome {
    World::new(scenario).run()
}

#[test]
fn a_stop_between_two_phases_begins_nothing() {
    for gap in 0..4 {
        let mut scenario = chain(2);
        scenario.gap = Some(gap);
        // Before it was refused, a boot that failed after that stop spun for ever.
        scenario.nodes[1].boot = if gap < 2 { Act::Fail(1) } else { Act::Ok(1) };
        let outcome = outcome(&scenario);
        assert_eq!((outcome.exit_code(), outcome.failures().len()), (0, 0), "{gap}");
    }
}

#[test]
fn a_stop_timeout_of_zero_is_no_budget_that_ran_out() {
    let mut scenario = chain(1);
    scenario.nodes[0].stop_limit = 0;
    scenario.nodes[0].tasks = vec![lives(Life::Obeys(0))];
    assert_eq!(outcome(&scenario).exit_code(), 0);
}

#[test]
fn a_shutdown_deadline_of_zero_gives_the_hook_its_last_chance() {
    let mut scenario = chain(1);
    scenario.nodes[0].shutdown_limit = 0;
    assert_eq!(outcome(&scenario).hooks(), (1, 1));
}

#[test]
fn what_was_cancelled_does_not_miss_its_own_deadline_as_well() {
    let mut scenario = chain(2);
    scenario.nodes[1].requires = 0;
    scenario.nodes[0].boot = Act::Fail(35);
    scenario.nodes[1].boot = Act::Hang(None);
    let outcome = outcome(&scenario);
    assert_eq!(outcome.failures().len(), 1, "{outcome}");
    assert_eq!(outcome.forced().len(), 1, "it is named as still running: {outcome}");
}

#[test]
fn a_hook_that_fails_after_its_deadline_is_reported_once() {
    let mut scenario = chain(2);
    scenario.nodes[0].shutdown = Act::BlockFail(210);
    scenario.nodes[1].boot = Act::BlockFail(60);
    let outcome = outcome(&scenario);
    let who: Vec<_> =
        outcome.failures().iter().map(|failure| (failure.provider(), failure.phase())).collect();
    assert_eq!(who, [("n1", Phase::Boot), ("n0", Phase::Shutdown)], "{outcome}");
}

#[test]
fn a_boot_that_was_never_polled_has_no_shutdown_also_when_its_deadline_passed() {
    let mut scenario = chain(1);
    scenario.nodes[0].boot = Act::Starved;
    let outcome = outcome(&scenario);
    assert_eq!((outcome.exit_code(), outcome.hooks()), (75, (0, 0)), "{outcome}");
}

#[test]
fn a_validate_that_blocks_is_named_when_the_stop_does_not_wait_for_it() {
    let mut scenario = chain(1);
    scenario.nodes[0].validate = Act::Hang(None);
    scenario.calls = vec![(10, Call::Signal(Signal::Terminate))];
    let mut world = World::new(&scenario);
    let outcome = world.run();
    assert_eq!(outcome.forced().iter().map(|cut| cut.what).collect::<Vec<_>>(), [Cut::Validate], "{outcome}");
    assert_eq!(outcome.exit_code(), 0);
}

#[test]
fn nobody_is_validated_after_a_second_signal() {
    let mut scenario = chain(3);
    scenario.nodes[0].validate = Act::Fail(0);
    scenario.nodes[1].validate = Act::Hang(Some(9));
    scenario.calls = vec![(8, Call::Signal(Signal::Terminate)), (9, Call::Signal(Signal::Interrupt))];
    // The check is in `World::walk`.
    assert_eq!(outcome(&scenario).exit_code(), 130);
}

#[test]
fn limits_that_mean_for_ever_do_not_overflow() {
    let ever = Duration::MAX;
    let deadlines =
        Deadlines::new().boot(ever).validate(ever).ready(ever).reload(ever).stop(ever).shutdown(ever);
    let limits = Limits {
        defaults: deadlines,
        boot_budget: ever,
        stop_budget: ever,
        stop_reserve: ever,
        rollback_budget: ever,
        lame_duck: ever,
        late_after: ever,
        boot_concurrency: 1,
        ..Limits::default()
    };
    let mut scenario = chain(2);
    scenario.nodes[1].tasks = vec![lives(Life::Ends(5))];
    let mut world = World::new(&scenario);
    let mut spec = Spec::clone(&world.spec);
    for node in &mut spec.nodes {
        node.limits = Resolved::of(deadlines, Deadlines::new());
    }
    world.machine = Machine::new(limits, world.zero);
    world.spec = Arc::new(spec);
    world.machine.planned(Arc::clone(&world.spec));
    assert_eq!(world.run().exit_code(), 0);
}

#[test]
fn a_hook_that_was_left_behind_by_a_reload_is_nothing_to_the_next_one() {
    let mut scenario = chain(2);
    scenario.nodes[0].reload = Some(Act::BlockFail(400));
    scenario.nodes[1].reload = Some(Act::Ok(35));
    scenario.nodes[1].tasks = vec![lives(Life::Obeys(0))];
    let stop = Call::Signal(Signal::Terminate);
    scenario.calls = vec![(100, Call::ReloadOne(0)), (490, Call::ReloadOne(1)), (600, stop)];
    assert_eq!(outcome(&scenario).exit_code(), 0);
}
