//! The engine: carries out what the machine decides, from whichever thread fed it.

mod alarms;
mod ask;
mod body;
mod calls;
mod hooks;
mod intercepted;
mod nodes;
mod pulse;
mod rescue;
mod slot;
mod transaction;
mod waiters;

pub(crate) use self::nodes::Node;
pub(crate) use self::pulse::{Felt, Pulse};
pub(crate) use self::rescue::rescue;
pub(crate) use self::slot::Slot;
pub(crate) use self::transaction::epochs_of;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use mainstay_registry::{Registry, Result};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;

use self::alarms::Alarms;
use self::calls::Calls;
use self::rescue::rescue_and;
use self::waiters::Waiters;
use crate::cell::Seen;
use crate::clock::Clock;
use crate::control::ReloadAnswer;
use crate::event::{Busy, EventKind, ReloadReport, Sink};
use crate::exit::Exit;
use crate::intercept::Intercepting;
use crate::lints::{Lint, Lints};
use crate::machine::{Action, HookId, HookKind, Input, Look, Machine, TaskId, describe};
use crate::spec::STARVED;

/// Calls the state's own reload, when the runtime was told to.
pub(crate) type StateReload<S> = fn(Arc<S>) -> BoxFuture<'static, Result<()>>;

/// The same, after one had to be.
const STARVED_AGAIN: Duration = Duration::from_millis(5);

/// For so long after a rescue the workers are taken for blocked.
const BLOCKED: Duration = Duration::from_secs(1);

thread_local! {
    /// A list of actions with room, empty.
    static SPARE: std::cell::Cell<Vec<Action>> = const { std::cell::Cell::new(Vec::new()) };
}

pub(crate) struct Engine<S> {
    machine: Mutex<Machine>,
    pub(crate) nodes: OnceLock<Vec<Node<S>>>,
    /// Given up at the end, in a task.
    pub(crate) state: Mutex<Option<Arc<S>>>,
    pub(crate) registry: Mutex<Option<Arc<Registry<S>>>>,
    pub(crate) state_reload: Option<StateReload<S>>,
    walk: Slot,
    step0: Slot,
    /// The commit or the abort of a reload.
    ending: Slot,
    epochs: transaction::Known,
    /// What comes between this and the hooks, in tests.
    intercept: Intercepting,
    pub(crate) lints: Lints,
    /// Breaches that were found before there was an engine.
    early: Mutex<Vec<Lint>>,
    pub(crate) transaction: Mutex<Option<mainstay_sync::Open>>,
    waiters: Waiters,
    pub(crate) pulse: Mutex<Pulse>,
    last_reload: Mutex<Option<Arc<ReloadReport>>>,
    pub(crate) handle: Handle,
    pub(crate) clock: Clock,
    pub(crate) sink: Sink,
    pub(crate) wake: Notify,
    reopen: watch::Sender<u64>,
    /// The same count, for who only looks at it: each start of each child does.
    reopens: Arc<AtomicU64>,
    pub(crate) ready: Mutex<Option<oneshot::Sender<()>>>,
    pub(crate) stop_token: Option<CancellationToken>,
    pub(super) calls: Calls,
    pub(crate) alarms: Alarms,
    /// Hooks that no worker polls may be run on threads of their own.
    pub(crate) rescues: bool,
    /// When a hook had to be, last.
    rescued: Mutex<Option<Instant>>,
}

pub(crate) struct EngineParts<S> {
    pub(crate) machine: Machine,
    pub(crate) state: S,
    pub(crate) registry: Arc<Registry<S>>,
    pub(crate) state_reload: Option<StateReload<S>>,
    pub(crate) handle: Handle,
    pub(crate) clock: Clock,
    pub(crate) sink: Sink,
    pub(crate) ready: Option<oneshot::Sender<()>>,
    pub(crate) stop_token: Option<CancellationToken>,
    pub(crate) rescues: bool,
    pub(crate) intercept: Intercepting,
    pub(crate) lints: Lints,
    pub(crate) early: Vec<Lint>,
}

impl<S: Clone + Send + Sync + 'static> Engine<S> {
    pub(crate) fn new(parts: EngineParts<S>) -> Arc<Self> {
        Arc::new(Self {
            machine: Mutex::new(parts.machine),
            nodes: OnceLock::new(),
            state: Mutex::new(Some(Arc::new(parts.state))),
            registry: Mutex::new(Some(parts.registry)),
            state_reload: parts.state_reload,
            walk: Slot::default(),
            step0: Slot::default(),
            ending: Slot::default(),
            epochs: OnceLock::new(),
            intercept: parts.intercept,
            lints: parts.lints,
            early: Mutex::new(parts.early),
            transaction: Mutex::new(None),
            waiters: Waiters::default(),
            pulse: Mutex::default(),
            last_reload: Mutex::new(None),
            handle: parts.handle,
            clock: parts.clock,
            sink: parts.sink,
            wake: Notify::new(),
            reopen: watch::Sender::new(0),
            reopens: Arc::default(),
            ready: Mutex::new(parts.ready),
            stop_token: parts.stop_token,
            calls: Calls::new(parts.rescues),
            alarms: Alarms::default(),
            rescues: parts.rescues,
            rescued: Mutex::new(None),
        })
    }

    /// The machine. No code of the user's runs under this lock.
    pub(crate) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the machine, and carries out what it decides.
    ///
    /// Its events are put in the queue under its lock, because two threads that have left it may overtake each
    /// other; what reads them runs outside. The clock is read inside for the same reason.
    pub(crate) fn with_machine<R>(self: &Arc<Self>, f: impl FnOnce(&mut Machine, Instant) -> R) -> R {
        // What the last call on this thread has left: a restart allocates no list of its own.
        let mut actions = SPARE.try_with(std::cell::Cell::take).unwrap_or_default();
        let result = {
            let mut machine = self.machine();
            let now = self.now();
            let result = f(&mut machine, now);
            machine.exchange(&mut actions);
            for action in &mut actions {
                if matches!(action, Action::Emit(_))
                    && let Action::Emit(kind) = std::mem::replace(action, Action::Nothing)
                {
                    self.sink.push(now, kind);
                }
            }
            result
        };
        self.sink.deliver();
        self.act(&mut actions);
        // A thread that ends has no use for it.
        let _ = SPARE.try_with(|spare| spare.set(actions));
        result
    }

    /// The time of the run, also on a thread that knows nothing of its runtime and so of its paused clock.
    fn now(&self) -> Instant {
        let _inside =
            (self.clock == Clock::Ambient && Handle::try_current().is_err()).then(|| self.handle.enter());
        self.clock.now()
    }

    /// Tells the machine, and carries out what it decides.
    pub(crate) fn feed(self: &Arc<Self>, input: Input) {
        self.with_machine(|machine, now| machine.on(input, now, &**self));
    }

    /// Whether the end was asked for, and whether it was forced.
    pub(crate) fn asked_to_end(&self) -> (bool, bool) {
        let machine = self.machine();
        (machine.is_ending(), machine.is_forced())
    }

    /// Begins a phase.
    pub(crate) fn begin(self: &Arc<Self>, phase: impl FnOnce(&mut Machine, Instant)) {
        self.with_machine(phase);
    }

    fn act(self: &Arc<Self>, actions: &mut Vec<Action>) {
        for action in actions.drain(..) {
            match action {
                Action::SpawnHook(id) => self.spawn_hook(id),
                Action::AbortHook(id) => self.slot(id).abort(id.serial),
                Action::StartTask(id) => self.start_task(id),
                Action::AskTask(id) => self.ask_task(id),
                Action::AbortTask(id) => self.abort_task(id),
                Action::Reopen => {
                    let (reopen, reopens) = (self.reopen.clone(), Arc::clone(&self.reopens));
                    self.calls.call(move || {
                        let mut now = 0;
                        reopen.send_modify(|count| {
                            *count += 1;
                            now = *count;
                        });
                        reopens.store(now, Ordering::Release);
                    });
                }
                Action::OpenTransaction => self.open_transaction(),
                Action::ReloadDone { ticket, report } => self.reload_done(ticket, &report),
                Action::Answer { ticket, answer } => {
                    self.waiters.answer_order(ticket, &answer, &self.calls);
                }
                Action::Ready => {
                    let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(ready) = ready {
                        self.calls.call(move || {
                            let _ = ready.send(());
                        });
                    }
                }
                Action::StopBegan => {
                    if let Some(token) = self.stop_token.clone() {
                        self.calls.call(move || token.cancel());
                    }
                }
                // In the queue since the lock was left.
                Action::Emit(_) | Action::Nothing => {}
                Action::Late => self.say_late(),
                Action::Wake => self.wake.notify_one(),
            }
        }
    }

    /// The walking task of the validation asks for its next provider.
    pub(crate) fn walk(self: &Arc<Self>, id: HookId, last: Option<(usize, Exit)>) -> Option<usize> {
        self.with_machine(|machine, now| machine.walk(id, last, now))
    }

    pub(crate) fn node(&self, node: usize) -> Option<&Node<S>> {
        self.nodes.get()?.get(node)
    }

    pub(crate) fn slot(&self, id: HookId) -> &Slot {
        let node = self.node(id.node);
        match (id.kind, node) {
            (HookKind::Boot, Some(node)) => &node.boot,
            (HookKind::Reload, Some(node)) => &node.reload,
            (HookKind::Shutdown, Some(node)) => &node.shutdown,
            (HookKind::ReloadState, _) => &self.step0,
            (HookKind::Commit | HookKind::Abort, _) => &self.ending,
            _ => &self.walk,
        }
    }

    pub(crate) fn registry(&self) -> Option<Arc<Registry<S>>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs every hook that nobody has polled yet on a thread of its own, now.
    pub(crate) fn rescue_now(self: &Arc<Self>) {
        if self.rescues {
            let hooks = self.machine().running_hooks();
            for id in hooks {
                if let Some(cell) = self.slot(id).unpolled(self.clock.now()) {
                    rescue(&cell);
                }
            }
        }
    }

    /// Every hook was polled once; one that has blocked its thread for a while counts as well.
    pub(crate) fn all_were_polled(&self) -> bool {
        let hooks = self.machine().running_hooks();
        hooks.into_iter().all(|id| {
            let seen = self.hook(id);
            seen.begun && seen.polling.is_none_or(|since| since >= STARVED_AGAIN)
        })
    }

    /// Takes hooks that nobody has polled for a while out of their tasks and runs them elsewhere. Says when to look
    /// again.
    pub(crate) fn rescue_the_starved(self: &Arc<Self>) -> Instant {
        let now = self.clock.now();
        let patience = self.patience(now);
        let mut next = now + patience;
        if !self.rescues {
            return next;
        }
        let hooks = self.machine().running_hooks();
        for id in hooks {
            let Some(cell) = self.slot(id).unpolled(now) else { continue };
            let due = cell.born() + patience;
            if due > now {
                next = next.min(due);
            } else {
                let provider = self.node(id.node).map_or("validate", |node| node.name);
                let said = EventKind::Rescued { provider, phase: id.kind.phase() };
                let (sink, clock) = (self.sink.clone(), self.clock);
                if rescue_and(&cell, move || sink.emit(clock.now(), said)) {
                    *self.rescued.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
                }
            }
        }
        next
    }

    /// How long a hook may wait for a worker. Once one has waited in vain, the workers are known to be blocked, and
    /// those behind it in a chain shall not lose their part of the budget to waiting.
    fn patience(&self, now: Instant) -> Duration {
        let rescued = *self.rescued.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = rescued.is_some_and(|at| now.saturating_duration_since(at) < BLOCKED);
        if lately { STARVED_AGAIN } else { STARVED }
    }

    fn reload_done(&self, ticket: u64, answer: &ReloadAnswer) {
        if let Some(report) = answer {
            let report = Some(Arc::clone(report));
            let old = std::mem::replace(
                &mut *self.last_reload.lock().unwrap_or_else(PoisonError::into_inner),
                report,
            );
            drop(old);
        }
        self.waiters.answer_reload(ticket, answer, &self.calls);
    }

    fn say_late(self: &Arc<Self>) {
        let now = self.clock.now();
        let (phase, standing) = {
            let machine = self.machine();
            (machine.phase(), machine.standing(now))
        };
        let hooks = standing.hooks.into_iter().map(|(id, name, since)| Busy {
            name: name.to_owned(),
            phase: id.kind.phase(),
            since,
            seen: describe(&self.hook(id)),
        });
        let tasks = standing.tasks.into_iter().map(|(id, name, since)| Busy {
            name,
            phase: mainstay_registry::Phase::Run,
            since,
            seen: describe(&self.task(id)),
        });
        let running = hooks.chain(tasks).collect();
        self.sink.emit(
            now,
            EventKind::Late { phase, elapsed: standing.elapsed, running, waiting: standing.waiting },
        );
    }
}

impl<S: Clone + Send + Sync + 'static> Look for Engine<S> {
    fn hook(&self, id: HookId) -> Seen {
        self.slot(id).seen(id.serial, self.clock.now())
    }

    fn task(&self, id: TaskId) -> Seen {
        let now = self.clock.now();
        let Some(task) = self.see_task(id) else { return Seen::default() };
        let main = task.cell.seen(now);
        let seen = match task.generation.busiest_child(now) {
            // It holds the thread, or it is all that is left of the task.
            Some((child, seen)) if seen.polling > main.polling || task.generation.is_winding() => {
                Seen { child: Some(child), ..seen }
            }
            _ => main,
        };
        Seen { ticked: task.generation.ticked(), ..seen }
    }
}
