//! What control and the contexts of tasks ask of the engine.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use mainstay_sync::Epochs;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::{Engine, Felt};
use crate::clock::Clock;
use crate::context::{Alarm, Ambient, Host};
use crate::control::{ControlError, OrderAnswer, ReloadAnswer};
use crate::event::{Busy, EventKind, Operation, ReloadReport, Sink};
use crate::lints::{Lint, Lints};
use crate::machine::{Input, Look, ReloadOf, TaskId, describe};
use crate::outcome::StopCause;
use crate::status::Status;

impl<S: Clone + Send + Sync + 'static> Engine<S> {
    /// Nobody in the plan is called so. Runs on the thread of whoever asks: names are user code.
    fn unknown(&self, name: &str) -> ControlError {
        let known: Vec<String> = {
            let machine = self.machine();
            let tasks = |node: &crate::spec::NodeSpec| {
                let own = node
                    .tasks
                    .iter()
                    .filter_map(|task| task.name.map(|task| format!("{}/{task}", node.name)));
                own.collect::<Vec<_>>()
            };
            let spec = &machine.spec.nodes;
            spec.iter().flat_map(|node| std::iter::once(node.name.to_owned()).chain(tasks(node))).collect()
        };
        let late = self.registry().is_some_and(|registry| {
            let names = catch_unwind(AssertUnwindSafe(|| registry.list_names().contains(&name)));
            names.unwrap_or_else(|panic| {
                std::mem::forget(panic);
                false
            })
        });
        if late && !known.is_empty() {
            return ControlError::Sealed { name: name.to_owned() };
        }
        let near = mainstay_registry::near_names(name, known.iter().map(String::as_str));
        ControlError::Unknown { name: name.to_owned(), near }
    }

    /// Feels the pulse of the application's runtime; says when to feel it next.
    pub(crate) fn feel_pulse(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        if !self.rescues {
            return None;
        }
        let (felt, next) = {
            let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
            (pulse.feel(&self.handle, now), pulse.look())
        };
        match felt {
            Felt::Nothing => {}
            Felt::Wedged(since) => {
                let running = self.standing_tasks();
                self.sink.emit(now, EventKind::Wedged { since, running });
            }
            Felt::Unwedged(after) => self.sink.emit(now, EventKind::Unwedged { after }),
        }
        next
    }

    /// Every task and hook that is inside of a poll, or has left a note.
    fn standing_tasks(&self) -> Vec<Busy> {
        let (tasks, hooks, spec) = {
            let machine = self.machine();
            (machine.live_tasks(), machine.running_hooks(), Arc::clone(&machine.spec))
        };
        let name = |id: TaskId| match spec.nodes[id.node].tasks[id.task].name {
            Some(task) => format!("{}/{task}", spec.nodes[id.node].name),
            None => spec.nodes[id.node].name.to_owned(),
        };
        let tasks = tasks.into_iter().map(|id| (name(id), mainstay_registry::Phase::Run, self.task(id)));
        let hooks = hooks.into_iter().map(|id| {
            let name = spec.nodes.get(id.node).map_or("state", |node| node.name);
            (name.to_owned(), id.kind.phase(), self.hook(id))
        });
        tasks
            .chain(hooks)
            .filter_map(|(name, phase, seen)| {
                let said = describe(&seen)?;
                Some(Busy { name, phase, since: seen.age, seen: Some(said) })
            })
            .collect()
    }
}

impl<S: Clone + Send + Sync + 'static> Host for Engine<S> {
    fn tell(self: Arc<Self>, input: Input) {
        self.feed(input);
    }

    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    fn reopened(&self) -> watch::Receiver<u64> {
        self.reopen.subscribe()
    }

    fn reopen_count(&self) -> u64 {
        self.reopens.load(Ordering::Acquire)
    }

    fn epochs(&self) -> Epochs {
        Self::epochs(self)
    }

    fn alarm(&self, at: Instant, key: u64, who: Weak<dyn Alarm>) {
        if self.alarms.set(at, key, who) {
            self.wake.notify_one();
        }
    }

    fn stop_limit(&self, id: TaskId) -> Duration {
        self.machine().spec.nodes.get(id.node).map_or(Duration::ZERO, |node| node.limits.stop)
    }

    fn stop_deadline(&self, id: TaskId) -> Option<Instant> {
        let now = self.now();
        self.machine().stop_deadline(id, now)
    }

    fn call(&self, call: Box<dyn FnOnce() + Send>) {
        self.calls.call(call);
    }

    fn order(
        self: Arc<Self>,
        operation: Operation,
        name: &str,
    ) -> Result<oneshot::Receiver<OrderAnswer>, ControlError> {
        let (asker, in_hook) = asker();
        let accepted = self.with_machine(|machine, now| {
            let target = machine.named(name)?;
            Some(machine.order(operation, target, asker, now).map(|accepted| {
                // A boot or validation hook would wait for the run that waits for it.
                let too_soon = in_hook && operation != Operation::Stop && !machine.has_begun_to_run();
                (self.waiters.of_order(accepted.ticket), accepted.waits_for_itself || too_soon)
            }))
        });
        match accepted {
            None => Err(self.unknown(name)),
            Some(Err(error)) => Err(error),
            Some(Ok((_, true))) => Err(ControlError::Busy),
            Some(Ok((answer, false))) => Ok(answer),
        }
    }

    fn request_reload(
        self: Arc<Self>,
        name: Option<&str>,
    ) -> Result<oneshot::Receiver<ReloadAnswer>, ControlError> {
        let answer = self.with_machine(|machine, now| {
            let of = match name {
                None => ReloadOf::All,
                Some(name) => {
                    let Some((node, None)) = machine.named(name) else { return Ok(None) };
                    machine.check_reloadable(node)?;
                    ReloadOf::One(node)
                }
            };
            match machine.request_reload(of, now) {
                Some(ticket) => Ok(Some(self.waiters.of_reload(ticket))),
                None if machine.is_ending() => Err(ControlError::Closed),
                None => Err(ControlError::NotRunning),
            }
        })?;
        answer.ok_or_else(|| self.unknown(name.unwrap_or_default()))
    }

    fn shutdown(self: Arc<Self>, reason: String) -> oneshot::Receiver<OrderAnswer> {
        self.with_machine(|machine, now| {
            machine.on(Input::Stop(StopCause::Requested(reason)), now, &*self);
            let ticket = machine.wait_for_the_end(now);
            self.waiters.of_order(ticket)
        })
    }

    fn status(self: Arc<Self>) -> Status {
        let (mut status, tasks) = {
            let machine = self.machine();
            let now = self.now();
            (machine.view(now), machine.live_tasks())
        };
        for id in tasks {
            let seen = self.task(id);
            let runnable = status.providers.get_mut(id.node).and_then(|node| node.runnables.get_mut(id.task));
            if let Some(runnable) = runnable {
                runnable.note = seen.note;
                runnable.polling = seen.polling;
                if let Some(running) = self.see_task(id) {
                    runnable.children = running.generation.children_status();
                }
            }
        }
        status.epoch = self.epochs.get().map_or(0, Epochs::epoch);
        status.last_reload = self.last_reload();
        let wedged = self.pulse.lock().unwrap_or_else(PoisonError::into_inner).wedged_since();
        status.wedged = wedged.map(|at| self.now().saturating_duration_since(at));
        status
    }

    fn sink(&self) -> &Sink {
        &self.sink
    }

    fn lints(&self) -> Lints {
        self.lints
    }

    fn found(&self, lint: Lint) {
        self.sink.emit(self.clock.now(), EventKind::Lint(lint));
    }

    fn last_reload(&self) -> Option<Arc<ReloadReport>> {
        self.last_reload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The task that asks, if it is one; or whether it is a hook.
fn asker() -> (Option<TaskId>, bool) {
    let asker = Ambient::look(|ambient| match ambient.context() {
        Some(context) => (Some(context.id()), false),
        None => (None, true),
    });
    asker.unwrap_or_default()
}
