//! The lifecycle as a pure machine: what happened and what time it is go in, what is to be done comes out.
//!
//! It knows no tokio, no thread and no value of the user's. One lock holds it; hooks' own tasks and the supervisor
//! feed it, and whoever fed it carries its actions out after the lock is released. Each phase is a file of the same
//! shape: `begin_…`, what its hooks report, `…_tick` for its deadlines, `…_over`.

mod boot;
mod cuts;
mod ends;
mod finish;
mod late;
mod orders;
mod readiness;
mod reload;
mod seen;
mod stop;
mod tasks;
#[cfg(test)]
mod tests;
mod validate;
mod view;

use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_registry::Phase;

use self::boot::Boot;
pub(crate) use self::reload::ReloadOf;
pub(crate) use self::seen::describe;

use self::orders::Orders;
use self::readiness::Readiness;
use self::reload::Reload;
use self::stop::Stop;
use self::tasks::Tasks;
use self::validate::Walk;
use crate::cell::Seen;
use crate::control::{ControlError, Done};
use crate::event::{EventKind, ReloadReport};
use crate::exit::Exit;
use crate::outcome::{CutBy, Failure, Forced, StopCause};
use crate::signals::Signal;
use crate::spec::{LAST_CHANCE, Limits, Spec};

/// Not a provider: the state's own reload, or the walk of the validation.
pub(crate) const NO_NODE: usize = usize::MAX;

/// So many tasks that were cut while everything else went on are kept for the report.
const MOST_CUTS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HookKind {
    Boot,
    Validate,
    ReloadState,
    Reload,
    Commit,
    Abort,
    Shutdown,
}

impl HookKind {
    pub(crate) fn phase(self) -> Phase {
        match self {
            Self::Boot => Phase::Boot,
            Self::Validate => Phase::Validate,
            Self::ReloadState | Self::Reload | Self::Commit | Self::Abort => Phase::Reload,
            Self::Shutdown => Phase::Shutdown,
        }
    }
}

/// One call of one hook. A report with an old serial is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HookId {
    pub(crate) kind: HookKind,
    pub(crate) node: usize,
    pub(crate) serial: u64,
}

/// One generation of one runnable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TaskId {
    pub(crate) node: usize,
    pub(crate) task: usize,
    pub(crate) generation: u64,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    HookEnded(HookId, Exit),
    /// A task came back from its first poll.
    TaskBegan(TaskId),
    /// A task said that it is ready.
    TaskReady(TaskId),
    /// The main future of a task ended, children are left.
    MainEnded(TaskId, Exit),
    /// A task and all of its children have ended.
    TaskOver(TaskId, Exit),
    /// A child ended with a failure.
    ChildFailed(TaskId, String, Exit),
    /// A supervised child was not waited for any longer, by its own deadline.
    ChildCut(Forced),
    /// From inside the hook that ends a reload's transaction.
    TransactionVisible(HookId, u64),
    /// With what went wrong in its effects, one line each.
    TransactionEnded(HookId, Vec<String>),
    Signal(Signal),
    Stop(StopCause),
    Reopen,
    Tick,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Action {
    SpawnHook(HookId),
    AbortHook(HookId),
    StartTask(TaskId),
    AskTask(TaskId),
    AbortTask(TaskId),
    Reopen,
    /// A reload begins: what is published in its hooks from now on is staged.
    OpenTransaction,
    /// A reload is over; without a report it was given up.
    ReloadDone {
        ticket: u64,
        report: Option<Arc<ReloadReport>>,
    },
    /// An order is carried out, or never will be.
    Answer {
        ticket: u64,
        answer: Result<Done, ControlError>,
    },
    /// Everything is ready.
    Ready,
    /// The end has begun: tell the state's token.
    StopBegan,
    Emit(EventKind),
    /// It was carried out already.
    Nothing,
    /// A phase is late: look who is running.
    Late,
    /// The supervisor must look: a phase is over, or a deadline is earlier than it knows.
    Wake,
}

/// What the machine may ask of the outside while it decides: is a hook's future polled, what did it note?
pub(crate) trait Look {
    fn hook(&self, id: HookId) -> Seen;
    fn task(&self, id: TaskId) -> Seen;
}

/// A hook that was started and has not been reported as ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    pub(crate) id: HookId,
    pub(crate) since: Instant,
    /// When it stops being waited for.
    pub(crate) until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    New,
    Preflight,
    Boot,
    Validate,
    Run,
    LameDuck { until: Instant },
    Stop,
    Forced { until: Instant },
    Over,
}

pub(crate) struct Machine {
    pub(crate) spec: Arc<Spec>,
    limits: Limits,
    stage: Stage,
    stage_since: Instant,
    began: Instant,
    boot: Boot,
    walk: Walk,
    tasks: Tasks,
    readiness: Readiness,
    orders: Orders,
    reload: Reload,
    stop: Stop,
    cause: Option<StopCause>,
    failures: Vec<Failure>,
    forced: Vec<Forced>,
    signals: u32,
    forced_by: Option<Signal>,
    panicked: bool,
    stop_failures: bool,
    out_of_budget: bool,
    boot_took: Option<Duration>,
    late_said: u32,
    serial: u64,
    /// Until when the supervisor sleeps.
    wake_at: Option<Instant>,
    out: Vec<Action>,
}

impl Machine {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            spec: Arc::default(),
            limits: limits.bounded(),
            stage: Stage::New,
            stage_since: now,
            began: now,
            boot: Boot::default(),
            walk: Walk::default(),
            tasks: Tasks::default(),
            readiness: Readiness::default(),
            orders: Orders::default(),
            reload: Reload::default(),
            stop: Stop::new(now),
            cause: None,
            failures: Vec::new(),
            forced: Vec::new(),
            signals: 0,
            forced_by: None,
            panicked: false,
            stop_failures: false,
            out_of_budget: false,
            boot_took: None,
            late_said: 0,
            serial: 0,
            wake_at: None,
            out: Vec::new(),
        }
    }

    /// Learns the plan, before the first phase.
    pub(crate) fn planned(&mut self, spec: Arc<Spec>) {
        self.boot = Boot::of(&spec);
        self.tasks = Tasks::of(&spec, self.began);
        self.spec = spec;
    }

    /// Takes what is to be done, in order, and leaves an empty list with room.
    pub(crate) fn exchange(&mut self, empty: &mut Vec<Action>) {
        std::mem::swap(&mut self.out, empty);
    }

    pub(crate) fn on(&mut self, input: Input, now: Instant, look: &dyn Look) {
        match input {
            Input::HookEnded(id, exit) => self.hook_ended(id, exit, now),
            Input::TaskBegan(id) => self.task_began(id, now),
            Input::TaskReady(id) => self.task_ready(id, now),
            Input::MainEnded(id, exit) => self.main_ended(id, &exit, now),
            Input::TaskOver(id, exit) => self.task_over(id, &exit, now),
            Input::ChildFailed(id, child, exit) => self.child_failed(id, &child, &exit, now),
            Input::ChildCut(cut) => self.child_cut(cut),
            Input::Signal(signal) => self.signal(signal, now),
            Input::Stop(cause) => self.request_stop(cause, now),
            Input::TransactionVisible(id, epoch) => self.transaction_visible(id, epoch),
            Input::TransactionEnded(id, effects) => self.transaction_ended(id, effects),
            Input::Reopen => self.out.push(Action::Reopen),
            Input::Tick => self.tick(now, look),
        }
    }

    fn hook_ended(&mut self, id: HookId, exit: Exit, now: Instant) {
        match id.kind {
            HookKind::Boot => self.boot_ended(id, exit, now),
            HookKind::Validate => self.walk_ended(id, &exit, now),
            HookKind::ReloadState | HookKind::Reload | HookKind::Commit | HookKind::Abort => {
                self.reload_ended(id, exit, now);
            }
            HookKind::Shutdown => self.shutdown_ended(id, exit, now),
        }
    }

    fn tick(&mut self, now: Instant, look: &dyn Look) {
        match self.stage {
            Stage::Preflight | Stage::Validate => self.walk_tick(now, look),
            Stage::Boot => self.boot_tick(now, look),
            Stage::Run => {
                self.tasks_tick(now, look);
                self.reload_tick(now, look);
            }
            Stage::LameDuck { until } if until > now => {
                self.tasks_tick(now, look);
                self.reload_tick(now, look);
            }
            Stage::LameDuck { until } if until <= now => self.begin_stopping(now),
            Stage::Stop => {
                self.stop_tick(now, look);
                self.reload_tick(now, look);
            }
            _ => {}
        }
        self.answer_orders(now);
        if self.late_at().is_some_and(|at| at <= now) {
            self.late_said += 1;
            self.out.push(Action::Late);
        }
    }

    fn signal(&mut self, signal: Signal, now: Instant) {
        if signal.stops() {
            self.signals += 1;
            if self.signals >= 2 {
                self.force(signal, now);
            } else {
                self.request_stop(StopCause::Signal(signal), now);
            }
            return;
        }
        if self.stage == Stage::Run && self.cause.is_none() {
            if signal == Signal::User1 {
                self.emit(EventKind::Reopening);
                self.out.push(Action::Reopen);
            } else {
                let _ = self.request_reload(ReloadOf::All, now);
            }
        } else {
            self.emit(EventKind::SignalRefused { signal, phase: self.phase() });
        }
    }

    /// The first cause is kept; what comes later changes nothing.
    fn request_stop(&mut self, cause: StopCause, now: Instant) {
        if self.cause.is_none() && self.stage != Stage::Over {
            self.emit(EventKind::StopRequested { cause: cause.clone() });
            self.cause = Some(cause);
            self.interrupt(now);
        }
    }

    /// Records a failure; the first one of a run that nobody asked to stop is its cause.
    fn fail(&mut self, failure: Failure, now: Instant) {
        self.panicked |= failure.is_panic();
        self.emit(EventKind::Failed(failure.clone()));
        self.failures.push(failure);
        self.request_stop(StopCause::Failed, now);
    }

    /// Records a failure that does not end anything: of a hook or task during the stop.
    fn note_failure(&mut self, failure: Failure) {
        self.panicked |= failure.is_panic();
        self.emit(EventKind::Failed(failure.clone()));
        self.failures.push(failure);
    }

    /// Of a hook that was reported already: it ended at last, and all that is news is a panic.
    fn note_panic(
        &mut self,
        provider: &'static str,
        phase: Phase,
        exit: Exit,
        site: Option<&'static Location<'static>>,
    ) {
        if let Exit::Panicked(panic) = exit {
            self.note_failure(Failure::panicked(provider, phase, panic).at(site));
        }
    }

    /// The run is to end: what is in progress is given up, and the supervisor goes on to the stop.
    fn interrupt(&mut self, now: Instant) {
        self.out.push(Action::StopBegan);
        self.end_backoffs(now);
        self.answer_orders(now);
        match self.stage {
            Stage::Boot => self.boot_cancel(now),
            Stage::Preflight | Stage::Validate => self.walk_cancel(now),
            Stage::Run => self.reload_abort(now),
            _ => {}
        }
        self.out.push(Action::Wake);
    }

    /// A second stop signal: nothing is waited for any more.
    fn force(&mut self, signal: Signal, now: Instant) {
        if matches!(self.stage, Stage::Forced { .. } | Stage::Over) {
            return;
        }
        self.forced_by = Some(signal);
        self.emit(EventKind::ForcedExit { signal });
        self.stage = Stage::Forced { until: now + LAST_CHANCE };
        if self.cause.is_none() {
            self.cause = Some(StopCause::Signal(signal));
        }
        self.walk_end();
        self.shutdown_at_once(now);
        self.out.push(Action::Wake);
    }

    fn enter(&mut self, stage: Stage, now: Instant) {
        if !matches!(self.stage, Stage::Forced { .. }) {
            self.stage = stage;
            self.stage_since = now;
            self.late_said = 0;
        }
    }

    fn emit(&mut self, kind: EventKind) {
        self.out.push(Action::Emit(kind));
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A deadline was set: the supervisor is woken if it sleeps for longer.
    pub(super) fn watch(&mut self, until: Instant) {
        if self.wake_at.is_some_and(|at| until < at) {
            self.wake_at = Some(until);
            self.out.push(Action::Wake);
        }
    }

    /// Until when the supervisor may sleep, if nobody wakes it; it tells so by calling this.
    pub(crate) fn sleep_until(&mut self) -> Option<Instant> {
        let stage = match self.stage {
            Stage::Preflight | Stage::Validate => self.walk_wake(),
            Stage::Boot => self.boot_wake(),
            Stage::Run => earliest(self.tasks_wake(), self.reload_wake()),
            Stage::LameDuck { until } => {
                earliest(earliest(self.tasks_wake(), self.reload_wake()), Some(until))
            }
            Stage::Forced { until } => Some(until),
            Stage::Stop => earliest(self.stop_wake(), self.reload_wake()),
            Stage::New | Stage::Over => None,
        };
        let orders = if self.cause.is_none() { self.orders_wake() } else { None };
        let wake = earliest(earliest(stage, orders), self.late_at());
        // `None` would read as "sleeps for ever, and no deadline is news to it".
        self.wake_at = Some(wake.unwrap_or_else(|| self.never()));
        wake
    }

    /// The same, by a supervisor that others have to wake: it keeps to an earlier time that it knows, so that a
    /// deadline that comes and goes with each start of a task wakes it once.
    pub(crate) fn doze_until(&mut self, now: Instant) -> Option<Instant> {
        let known = self.wake_at.filter(|at| *at > now && *at < self.never());
        let wake = self.sleep_until();
        let known = known.filter(|known| wake.is_none_or(|wake| *known < wake));
        if known.is_some() {
            self.wake_at = known;
        }
        known.or(wake)
    }

    fn never(&self) -> Instant {
        self.began + Duration::from_secs(60 * 60 * 24 * 365)
    }

    /// Hooks of the boot and of the validation are behind it.
    pub(crate) fn has_begun_to_run(&self) -> bool {
        !matches!(self.stage, Stage::New | Stage::Preflight | Stage::Boot | Stage::Validate)
    }

    /// The end was asked for, or became necessary.
    pub(crate) fn is_ending(&self) -> bool {
        self.cause.is_some()
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    pub(crate) fn is_forced(&self) -> bool {
        self.forced_by.is_some()
    }

    /// The stage as a phase of the user's.
    pub(crate) fn phase(&self) -> Phase {
        match self.stage {
            Stage::New => Phase::Plan,
            Stage::Preflight | Stage::Validate => Phase::Validate,
            Stage::Boot => Phase::Boot,
            Stage::Run => Phase::Run,
            Stage::LameDuck { .. } | Stage::Stop | Stage::Forced { .. } | Stage::Over => Phase::Stop,
        }
    }

    fn force_cut(&mut self, cut: Forced) {
        self.out_of_budget |= cut.by == CutBy::Budget;
        self.emit(EventKind::Forced(cut.clone()));
        // A process may live for years and cut a task every day: the report is about its end.
        if self.cause.is_some() || self.forced.len() < MOST_CUTS {
            self.forced.push(cut);
        }
    }
}

pub(crate) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
