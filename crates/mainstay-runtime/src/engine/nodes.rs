//! The providers of a run, with the slots of their hooks and tasks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstay_registry::{Plan, Provider, Registry};

use super::Slot;
use crate::cell::Cell;
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
    running: Option<Running>,
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
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) generation: Arc<Generation>,
    pub(crate) cell: Arc<Cell>,
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

    pub(crate) fn current(&self) -> Option<Running> {
        self.lock().running.clone()
    }

    /// Puts a generation in, before its task is spawned, and learns what it was told already.
    pub(crate) fn put(&self, running: &Running) -> Told {
        let mut current = self.lock();
        let told = current.told.take().filter(|(generation, _)| *generation == running.generation.number());
        let old = current.running.replace(running.clone());
        drop(current);
        drop(old);
        told.map_or(Told::Nothing, |(_, told)| told)
    }

    /// The generation to tell it to; `None`: it is not there yet, and will learn it when it is put in.
    pub(crate) fn tell(&self, generation: u64, what: Told) -> Option<Running> {
        let mut current = self.lock();
        match &current.running {
            Some(running) if running.generation.number() == generation => return Some(running.clone()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::slot::tests::cell;

    fn running() -> Running {
        Running { generation: Generation::detached(), cell: cell() }
    }

    /// Two threads carry actions out: the ask of the one may overtake the start of the other.
    #[test]
    fn an_ask_that_overtakes_the_start_is_heard_at_the_start() {
        let slot = TaskSlot::default();
        assert!(slot.tell(1, Told::Asked).is_none());
        assert_eq!(slot.put(&running()), Told::Asked);
        assert!(slot.tell(1, Told::Aborted).is_some(), "it is there now, and told itself");

        let slot = TaskSlot::default();
        assert!(slot.tell(1, Told::Asked).is_none() && slot.tell(1, Told::Aborted).is_none());
        assert!(slot.tell(1, Told::Asked).is_none());
        assert_eq!(slot.put(&running()), Told::Aborted, "the stronger one counts");
    }

    #[test]
    fn what_was_meant_for_another_generation_is_not_heard() {
        let slot = TaskSlot::default();
        slot.put(&running());
        assert!(slot.tell(0, Told::Asked).is_none(), "an old one");
        assert!(slot.tell(2, Told::Asked).is_none(), "the next one");
        assert_eq!(slot.put(&running()), Told::Nothing, "this is the first");
    }
}
