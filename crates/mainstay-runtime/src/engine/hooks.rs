//! Turns a decision of the machine into a task that calls the user's code.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mainstay_registry::{Phase, Provider, Result, TaskFuture};
use mainstay_sync::Epochs;

use super::Engine;
use super::body::Body;
use super::intercepted::called;
use super::nodes::{Running, TaskSlot, Told};
use super::slot::cancel;
use crate::cell::{Cell, Done, Label, Work};
use crate::context::{Generation, Host, MainDone, RunContext};
use crate::exit::Exit;
use crate::intercept::Hook;
use crate::machine::{HookId, HookKind, Input, TaskId};

impl<S: Clone + Send + Sync + 'static> Engine<S> {
    fn state(&self) -> Option<Arc<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn spawn_hook(self: &Arc<Self>, id: HookId) {
        let name = self.node(id.node).map_or("", |node| node.name);
        let Some(future) = self.hook_future(id) else {
            self.feed(Input::HookEnded(id, Exit::NeverBegan));
            return;
        };
        let label = Label::Hook { provider: name, phase: id.kind.phase().as_str() };
        let done = HookDone { engine: Arc::clone(self), id };
        let cell = Cell::new(Work { future, done: Box::new(done) }, None, label, self.clock);
        if self.slot(id).put(id.serial, &cell) {
            self.handle.spawn(cell.isolated());
        } else {
            cancel(&cell);
        }
    }

    /// The hook's future. Nothing of the user's runs before its first poll: the call itself is in the future. What a
    /// hook publishes belongs to the daemon, and what a reload publishes is staged.
    fn hook_future(self: &Arc<Self>, id: HookId) -> Option<BoxFuture<'static, Exit>> {
        let state = self.state()?;
        let provider = || self.node(id.node).and_then(|node| Some((node.provider()?, node.name)));
        let epochs = self.epochs();
        Some(match id.kind {
            HookKind::Boot => {
                let (provider, name) = provider()?;
                self.async_hook(Phase::Boot, name, provider, state, &epochs)
            }
            HookKind::Shutdown => {
                let (provider, name) = provider()?;
                self.async_hook(Phase::Shutdown, name, provider, state, &epochs)
            }
            HookKind::Reload => {
                let ((provider, name), transaction) = (provider()?, self.transaction()?);
                let hook = self.async_hook(Phase::Reload, name, provider, state, &epochs);
                Box::pin(transaction.scope(hook))
            }
            HookKind::ReloadState => {
                let (reload, transaction) = (self.state_reload?, self.transaction()?);
                let hook: BoxFuture<'static, Result<()>> = match self.between_state() {
                    None => reload(state),
                    Some((intercept, call)) => Box::pin(async move {
                        let hook = Hook::new(move || reload(Arc::clone(&state)));
                        intercept.hook(&call, hook).await
                    }),
                };
                Box::pin(transaction.scope(epochs.scope("state", hook)).map(Exit::of))
            }
            HookKind::Commit | HookKind::Abort => {
                let engine = Arc::clone(self);
                Box::pin(async move {
                    engine.end_transaction(id, id.kind == HookKind::Commit);
                    Exit::Ok
                })
            }
            HookKind::Validate => {
                let engine = Arc::clone(self);
                Box::pin(async move {
                    engine.validate_all(id);
                    Exit::Ok
                })
            }
        })
    }

    /// What the phases of an asynchronous hook have in common.
    fn async_hook(
        self: &Arc<Self>,
        phase: Phase,
        name: &'static str,
        provider: Arc<dyn Provider<S>>,
        state: Arc<S>,
        epochs: &Epochs,
    ) -> BoxFuture<'static, Exit> {
        let between = self.between(&provider, name, phase);
        let hook = async move {
            called(between, phase, provider, state).await.map_err(|error| error.in_phase(phase, name))
        };
        self.linted(name, phase, Box::pin(epochs.scope(name, hook).map(Exit::of)))
    }

    /// The walk of the validation: one provider after the other, each isolated, until the machine says that it is
    /// over, or that this walk was left behind. It holds nothing of the user's while it reports: its last report may
    /// be the one that lets everything be released.
    fn validate_all(self: &Arc<Self>, id: HookId) {
        let mut last = None;
        while let Some(index) = self.walk(id, last.take()) {
            last = Some((index, self.validate_one(index)));
        }
    }

    fn validate_one(&self, index: usize) -> Exit {
        let provider = self.node(index).and_then(|node| Some((node.provider()?, node.name)));
        match (provider, self.state()) {
            (Some((provider, name)), Some(state)) => {
                self.epochs().enter(name, || self.validated(&provider, &state, name))
            }
            _ => Exit::Ok,
        }
    }

    pub(super) fn start_task(self: &Arc<Self>, id: TaskId) {
        let (Some(node), Some(state)) = (self.node(id.node), self.state()) else { return };
        let Some(provider) = node.provider() else { return };
        let name = self.machine().task_name(id);
        let host: Arc<dyn Host> = Arc::<Self>::clone(self);
        let generation = Generation::new(id, name, host);
        let index = id.task;
        let between = self.between_task(&provider, &generation);
        let epochs = self.epochs();
        // The call, the clone and their destructors are the user's: here they are inside of the cell.
        let make = move || match between {
            None => made(&provider, &state, index),
            Some((intercept, call)) => {
                let hook = Hook::new(move || made(&provider, &state, index));
                intercept.hook(&call, hook)
            }
        };
        let future: BoxFuture<'static, Exit> = Box::pin(Body::new(&epochs, name.provider, make));
        let label = Label::Task { provider: name.provider, generation: id.generation };
        let done = Box::new(MainDone::new(&generation));
        let context = RunContext::new(Arc::clone(&generation));
        let cell = Cell::new(Work { future, done }, Some(context), label, self.clock);
        let running = Running { generation, cell };
        // What was decided later may have been carried out sooner, by another thread.
        match node.tasks[id.task].put(&running) {
            Told::Nothing => {}
            Told::Asked => running.generation.ask(),
            Told::Aborted => return cancel(&running.cell),
        }
        self.handle.spawn(running.cell.isolated());
    }

    fn task_slot(&self, id: TaskId) -> Option<&TaskSlot> {
        self.node(id.node)?.tasks.get(id.task)
    }

    pub(super) fn ask_task(&self, id: TaskId) {
        if let Some(running) = self.task_slot(id).and_then(|slot| slot.tell(id.generation, Told::Asked)) {
            self.calls.call(move || running.generation.ask());
        }
    }

    pub(super) fn abort_task(&self, id: TaskId) {
        if let Some(running) = self.task_slot(id).and_then(|slot| slot.tell(id.generation, Told::Aborted)) {
            running.generation.abort_members();
            cancel(&running.cell);
        }
    }

    pub(super) fn see_task(&self, id: TaskId) -> Option<Running> {
        self.task_slot(id)?.current().filter(|running| running.generation.number() == id.generation)
    }
}

/// The future of a runnable: its synchronous part is called here.
fn made<S: Clone + 'static>(provider: &Arc<dyn Provider<S>>, state: &Arc<S>, index: usize) -> TaskFuture {
    let own = S::clone(state);
    let mut runnables = provider.runnables();
    if index < runnables.len() {
        runnables.swap_remove(index).runnable.run(own)
    } else {
        Box::pin(std::future::ready(Ok(())))
    }
}

struct HookDone<S> {
    engine: Arc<Engine<S>>,
    id: HookId,
}

impl<S: Clone + Send + Sync + 'static> Done for HookDone<S> {
    fn measures(&self) -> bool {
        // The walk of the validation measures each provider by itself.
        self.engine.lints.are_on() && self.id.kind != HookKind::Validate
    }

    fn polled(&mut self, took: Duration) {
        let name = match self.id.kind {
            HookKind::Commit | HookKind::Abort => "effects",
            _ => self.engine.node(self.id.node).map_or("state", |node| node.name),
        };
        self.engine.hook_polled(name, self.id.kind.phase(), took);
    }

    fn ended(self: Box<Self>, exit: Exit) {
        self.engine.slot(self.id).clear(self.id.serial);
        self.engine.feed(Input::HookEnded(self.id, exit));
    }
}
