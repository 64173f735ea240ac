//! A hook as the user's code is called: directly, or through what a test has put between.

use std::any::{Any, TypeId};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use mainstay_registry::{Phase, Provider, Registry, Result, TaskFuture};

use super::Engine;
use crate::caught::caught;
use crate::clock::Clock;
use crate::context::{Generation, Host};
use crate::exit::Exit;
use crate::intercept::{Hook, HookCall, Intercept};
use crate::lints::{Lint, codes};

/// What a test has put between, with what it is told.
pub(super) type Between = Option<(Arc<dyn Intercept>, HookCall)>;

type Shared<S> = Arc<dyn Provider<S>>;

/// The hook in the place where the user's code is: nothing of it is called before the first poll.
pub(super) async fn called<S: Send + Sync + 'static>(
    between: Between,
    phase: Phase,
    provider: Shared<S>,
    state: Arc<S>,
) -> Result<()> {
    match between {
        None => real(phase, provider, state).await,
        Some((intercept, call)) => {
            let real = move || -> TaskFuture { Box::pin(real(phase, provider.clone(), state.clone())) };
            intercept.hook(&call, Hook::new(real)).await
        }
    }
}

async fn real<S: Send + Sync + 'static>(phase: Phase, provider: Shared<S>, state: Arc<S>) -> Result<()> {
    match phase {
        Phase::Boot => provider.boot(&state).await,
        Phase::Shutdown => provider.shutdown(&state).await,
        _ => match provider.as_reloadable() {
            Some(hook) => hook.reload(&state).await,
            None => Ok(()),
        },
    }
}

impl<S: Clone + Send + Sync + 'static> Engine<S> {
    /// One branch where no test is.
    pub(super) fn between(&self, provider: &Shared<S>, name: &'static str, phase: Phase) -> Between {
        let intercept = self.intercept.as_ref()?;
        let any: &dyn Any = &**provider;
        Some((Arc::clone(intercept), call(name, any.type_id(), phase)))
    }

    pub(super) fn between_state(&self) -> Between {
        let intercept = self.intercept.as_ref()?;
        Some((Arc::clone(intercept), call("state", TypeId::of::<S>(), Phase::Reload)))
    }

    pub(super) fn between_task(&self, provider: &Shared<S>, generation: &Generation) -> Between {
        let name = generation.name();
        let (intercept, call) = self.between(provider, name.provider, Phase::Run)?;
        Some((intercept, HookCall { runnable: name.task, generation: name.generation, ..call }))
    }

    /// The synchronous hook: isolated, and measured where breaches of the rules are looked for.
    pub(super) fn validated(&self, provider: &Shared<S>, state: &S, name: &'static str) -> Exit {
        let between = self.between(provider, name, Phase::Validate);
        let since = self.lints.are_on().then(|| Clock::Real.now());
        let result = caught(|| {
            let result = match &between {
                None => provider.validate(state),
                Some((intercept, call)) => intercept.validate(call, &|| provider.validate(state)),
            };
            Exit::of(result.map_err(|error| error.in_phase(Phase::Validate, name)))
        });
        if let (Some(since), Ok(_)) = (since, &result) {
            self.hook_polled(name, Phase::Validate, Clock::Real.now().saturating_duration_since(since));
        }
        result.unwrap_or_else(Exit::Panicked)
    }

    pub(super) fn hook_polled(&self, name: &'static str, phase: Phase, took: Duration) {
        if let Some(lint) = Lint::of_poll(name, phase, None, took) {
            self.found(lint);
        }
    }

    /// Looks at what a hook did that its phase does not allow.
    pub(super) fn linted(
        self: &Arc<Self>,
        name: &'static str,
        phase: Phase,
        hook: BoxFuture<'static, Exit>,
    ) -> BoxFuture<'static, Exit> {
        if !self.lints.are_on() {
            return hook;
        }
        let engine = Arc::clone(self);
        Box::pin(async move {
            let before = engine.stock();
            let exit = hook.await;
            let mut after = engine.stock();
            // A thread of the blocking pool counts as a task until a moment after its answer was there.
            let mut patience = if phase == Phase::Boot { SETTLES } else { 0 };
            while after.tasks > before.tasks && patience > 0 && engine.rescues {
                patience -= 1;
                tokio::task::yield_now().await;
                after = engine.stock();
            }
            // Only what boots alone can be told apart from the others.
            if phase == Phase::Boot && after.tasks > before.tasks && engine.boots_one_by_one() {
                let left = after.tasks - before.tasks;
                let text = format!(
                    "it left {left} task{} running: long work belongs to a runnable",
                    if left == 1 { "" } else { "s" }
                );
                engine.found(Lint::new(codes::TASK_LEFT_BY_BOOT, name, phase, text));
            }
            if phase == Phase::Reload && after.providers != before.providers {
                let text = "it registered something: the set of providers is fixed by the plan";
                engine.found(Lint::new(codes::RELOAD_CHANGED_SET, name, phase, text));
            }
            exit
        })
    }

    /// Says what was found before anything was planned.
    pub(crate) fn tell_early_lints(&self) {
        let early = std::mem::take(&mut *self.early.lock().unwrap_or_else(PoisonError::into_inner));
        if self.lints.are_on() {
            for lint in early {
                self.found(lint);
            }
        }
    }

    fn boots_one_by_one(&self) -> bool {
        self.machine().boots_one_by_one()
    }

    fn stock(&self) -> Stock {
        Stock {
            tasks: self.handle.metrics().num_alive_tasks(),
            providers: self.registry().map_or(0, |registry| Registry::providers(&registry).len()),
        }
    }
}

/// So many turns of others may pass until what a boot hook has awaited is counted as gone: some milliseconds.
const SETTLES: u32 = 10_000;

/// How much there is of what a hook may not change.
struct Stock {
    tasks: usize,
    providers: usize,
}

fn call(provider: &'static str, type_id: TypeId, phase: Phase) -> HookCall {
    HookCall { provider, type_id, phase, runnable: None, generation: 0 }
}
