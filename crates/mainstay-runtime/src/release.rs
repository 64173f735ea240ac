//! The end of the references: dropped in reverse plan order, each isolated, so that a destructor has a name.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstay_registry::{Phase, Provider, Registry};
use mainstay_sync::{Epochs, Open};

use crate::caught::caught;
use crate::cell::Cell;
use crate::engine::Engine;
use crate::outcome::Failure;

/// Everything of the user's that the engine held.
pub(crate) struct Release<S> {
    /// In the plan's order.
    providers: Vec<(&'static str, Arc<dyn Provider<S>>)>,
    /// A future of the user's that was perhaps never polled.
    shutdown_on: Option<Arc<Cell>>,
    state: Option<Arc<S>>,
    registry: Option<Arc<Registry<S>>>,
    transaction: Option<Open>,
    epochs: Epochs,
    progress: Progress,
}

/// What was found while it was dropped, readable while it is being dropped.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<Found>>);

#[derive(Default)]
struct Found {
    held: Vec<&'static str>,
    failures: Vec<Failure>,
    current: Option<&'static str>,
}

impl Progress {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is still held, whose destructor panicked, and whose is running.
    pub(crate) fn take(&self) -> (Vec<&'static str>, Vec<Failure>, Option<&'static str>) {
        let found = std::mem::take(&mut *self.found());
        (found.held, found.failures, found.current)
    }

    fn dropping<T>(&self, name: &'static str, value: T) {
        self.found().current = Some(name);
        if let Err(panic) = caught(move || drop(value)) {
            let failure = Failure::panicked(name, Phase::Shutdown, panic.with("in a destructor"));
            self.found().failures.push(failure);
        }
        self.found().current = None;
    }
}

impl<S: Clone + Send + Sync + 'static> Release<S> {
    pub(crate) fn of(engine: &Arc<Engine<S>>, shutdown_on: Option<Arc<Cell>>) -> (Self, Progress) {
        let progress = Progress::default();
        let mut providers = Vec::new();
        for node in engine.nodes.get().into_iter().flatten() {
            for task in &node.tasks {
                // The last generation knows the engine, and the engine it: this ends the circle.
                task.clear();
            }
            if let Some(provider) = node.take_provider() {
                providers.push((node.name, provider));
            }
        }
        let release = Self {
            providers,
            shutdown_on,
            state: engine.state.lock().unwrap_or_else(PoisonError::into_inner).take(),
            epochs: engine.epochs(),
            transaction: engine.transaction.lock().unwrap_or_else(PoisonError::into_inner).take(),
            registry: engine.registry.lock().unwrap_or_else(PoisonError::into_inner).take(),
            progress: progress.clone(),
        };
        (release, progress)
    }

    /// The engine's references first, then the state, then the registry if nobody else has it.
    pub(crate) fn run(self) {
        let Self { mut providers, shutdown_on, state, registry, transaction, epochs, progress } = self;
        progress.dropping("shutdown_on", shutdown_on.and_then(|cell| cell.take()));
        // A reload that was given up, and whose abort nobody has run.
        progress.dropping("reload", transaction);
        epochs.on_warning(|_| {});
        while let Some((name, provider)) = providers.pop() {
            progress.dropping(name, provider);
        }
        progress.dropping("state", state);
        if let Some(registry) = registry.and_then(Arc::into_inner) {
            // Each snapshot gets its value back, so that it goes with its provider and not with the table.
            epochs.close();
            for held in registry.into_reverse_plan_order() {
                if Arc::strong_count(&held.value) > 1 {
                    progress.found().held.push(held.name);
                }
                progress.dropping(held.name, held.value);
            }
        }
    }
}
