//! The providers of a run, with the slots of their hooks and tasks.

use std::sync::{Arc, Mutex, PoisonError};

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
pub(crate) struct TaskSlot {
    current: Mutex<Option<Arc<Running>>>,
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
    pub(crate) fn current(&self) -> Option<Arc<Running>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, running: Option<Arc<Running>>) {
        let old =
            std::mem::replace(&mut *self.current.lock().unwrap_or_else(PoisonError::into_inner), running);
        drop(old);
    }
}
