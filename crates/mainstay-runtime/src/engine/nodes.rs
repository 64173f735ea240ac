//! The providers of a run, with the slots of their hooks and tasks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstay_registry::{Plan, Provider, Registry};

use super::Slot;
use crate::context::Generation;

pub(crate) struct Node<S> {
    pub(crate) name: &'static str,
    /// Given up at the end, in a task.
    provider: Mutex<Option<Arc<dyn Provider<S>>>>,
    pub(crate) boot: Slot,
    pub(crate) reload: Slot,
    pub(crate) shutdown: Slot,
    pub(crate) tasks: Vec<TaskSlot>,
}

#[derive(Default)]
pub(crate) struct TaskSlot(Mutex<Current>);

#[derive(Default)]
struct Current {
    running: Option<Arc<Running>>,
    /// A generation that was told something before it was put in: two threads carry actions out beside each other.
    told: Option<(u64, Told)>,
}

/// What a generation was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    Nothing,
    Asked,
    Aborted,
}

/// One generation with its main future's cell.
pub(crate) struct Running {
    pub(crate) generation: Arc<Generation>,
    pub(crate) slot: Slot,
}

impl<S: 'static> Node<S> {
    /// The providers in the plan's order.
    pub(crate) fn all(registry: &Registry<S>, plan: &Plan) -> Vec<Self> {
        plan.providers()
            .iter()
            .map(|planned| Self {
                name: planned.name(),
                provider: Mutex::new(registry.provider_at(planned.registration())),
                boot: Slot::default(),
                reload: Slot::default(),
                shutdown: Slot::default(),
                tasks: planned.runnables().iter().map(|_| TaskSlot::default()).collect(),
            })
            .collect()
    }

    pub(crate) fn provider(&self) -> Option<Arc<dyn Provider<S>>> {
        self.provider.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn take_provider(&self) -> Option<Arc<dyn Provider<S>>> {
        self.provider.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl TaskSlot {
    fn lock(&self) -> MutexGuard<'_, Current> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn current(&self) -> Option<Arc<Running>> {
        self.lock().running.clone()
    }

    /// Puts a generation in, before its task is spawned, and learns what it was told already.
    pub(crate) fn put(&self, running: &Arc<Running>) -> Told {
        let mut current = self.lock();
        let told = current.told.take().filter(|(generation, _)| *generation == running.generation.number());
        let old = current.running.replace(Arc::clone(running));
        drop(current);
        drop(old);
        told.map_or(Told::Nothing, |(_, told)| told)
    }

    /// The generation to tell it to; `None`: it is not there yet, and will learn it when it is put in.
    pub(crate) fn tell(&self, generation: u64, what: Told) -> Option<Arc<Running>> {
        let mut current = self.lock();
        match &current.running {
            Some(running) if running.generation.number() == generation => return Some(Arc::clone(running)),
            // Long gone.
            Some(running) if running.generation.number() > generation => {}
            _ => {
                let before = current.told.filter(|(told, _)| *told == generation);
                let before = before.map_or(Told::Nothing, |(_, told)| told);
                current.told = Some((generation, before.max(what)));
            }
        }
        None
    }

    /// Gives the last generation up.
    pub(crate) fn clear(&self) {
        let old = self.lock().running.take();
        drop(old);
    }
}
