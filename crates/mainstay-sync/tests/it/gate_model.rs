//! A gate against a model that is a number, a limit and a list.

use std::collections::VecDeque;
use std::task::Poll;

use mainstay_sync::gate::{EnterError, EnterOwned, Gate, OwnedPermit, TryEnterError};
use proptest::prelude::*;

use crate::support::Polled;

#[derive(Clone, Debug)]
enum Step {
    Try,
    Enter,
    Poll(usize),
    Forget(usize),
    Leave(usize),
    Capacity(Option<usize>),
    Close,
    Force,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => Just(Step::Try),
        30 => Just(Step::Enter),
        30 => any::<usize>().prop_map(Step::Poll),
        10 => any::<usize>().prop_map(Step::Forget),
        30 => any::<usize>().prop_map(Step::Leave),
        10 => proptest::option::weighted(0.9, 0..5_usize).prop_map(Step::Capacity),
        1 => Just(Step::Close),
        1 => Just(Step::Force),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    New,
    Queued,
    Admitted,
    Refused,
}

struct Waiter {
    name: usize,
    real: Polled<EnterOwned>,
    fate: Fate,
}

#[derive(Default)]
struct Model {
    capacity: Option<usize>,
    count: usize,
    queue: VecDeque<usize>,
    closed: bool,
    left: Option<usize>,
}

impl Model {
    fn has_room(&self) -> bool {
        self.capacity.is_none_or(|capacity| self.count < capacity)
    }

    /// Admits from the head of the queue; the names of those who are to be woken.
    fn admit(&mut self) -> Vec<usize> {
        let mut admitted = Vec::new();
        while self.has_room()
            && let Some(first) = self.queue.pop_front()
        {
            self.count += 1;
            admitted.push(first);
        }
        admitted
    }

    fn leave(&mut self) -> Vec<usize> {
        self.count -= 1;
        self.admit()
    }

    fn close(&mut self) -> Vec<usize> {
        self.closed = true;
        self.queue.drain(..).collect()
    }
}

struct Run {
    gate: Gate,
    model: Model,
    permits: Vec<OwnedPermit>,
    waiters: Vec<Waiter>,
    names: usize,
}

impl Run {
    fn new() -> Self {
        let model = Model { capacity: Some(2), ..Model::default() };
        Self { gate: Gate::new(2), model, permits: Vec::new(), waiters: Vec::new(), names: 0 }
    }

    /// Those named, and nobody else who waits, were woken by this step.
    fn told(&mut self, names: &[usize], fate: Fate) -> Result<(), TestCaseError> {
        for waiter in self.waiters.iter_mut().filter(|waiter| waiter.fate == Fate::Queued) {
            let expected = names.contains(&waiter.name);
            prop_assert_eq!(waiter.real.woken(), expected, "waiter {}", waiter.name);
            if expected {
                waiter.fate = fate;
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Try => {
                let free = self.model.has_room() && self.model.queue.is_empty();
                match self.gate.try_enter_owned() {
                    Ok(permit) => {
                        prop_assert!(free && !self.model.closed);
                        self.model.count += 1;
                        self.permits.push(permit);
                    }
                    Err(TryEnterError::Closed) => prop_assert!(self.model.closed),
                    Err(error) => prop_assert!(!self.model.closed && !free, "{error}"),
                }
            }
            Step::Enter => {
                let real = Polled::new(self.gate.enter_owned());
                self.waiters.push(Waiter { name: self.names, real, fate: Fate::New });
                self.names += 1;
            }
            Step::Poll(which) if !self.waiters.is_empty() => self.poll(which % self.waiters.len())?,
            Step::Forget(which) if !self.waiters.is_empty() => {
                let Waiter { name, real, fate } = self.waiters.swap_remove(which % self.waiters.len());
                drop(real);
                self.model.queue.retain(|queued| *queued != name);
                let woken = if fate == Fate::Admitted { self.model.leave() } else { Vec::new() };
                self.told(&woken, Fate::Admitted)?;
            }
            Step::Leave(which) if !self.permits.is_empty() => {
                drop(self.permits.swap_remove(which % self.permits.len()));
                let woken = self.model.leave();
                prop_assert!(woken.len() <= 1, "one is woken per release");
                self.told(&woken, Fate::Admitted)?;
            }
            Step::Capacity(capacity) => {
                self.gate.set_capacity(capacity);
                self.model.capacity = capacity;
                let woken = self.model.admit();
                self.told(&woken, Fate::Admitted)?;
            }
            Step::Close => {
                self.gate.close();
                let woken = self.model.close();
                self.told(&woken, Fate::Refused)?;
            }
            Step::Force => {
                self.gate.force();
                self.model.left.get_or_insert(self.model.count);
                let woken = self.model.close();
                self.told(&woken, Fate::Refused)?;
            }
            Step::Poll(_) | Step::Forget(_) | Step::Leave(_) => {}
        }
        self.agrees()
    }

    fn poll(&mut self, which: usize) -> Result<(), TestCaseError> {
        let waiter = &mut self.waiters[which];
        if waiter.fate == Fate::New {
            waiter.fate = match &mut self.model {
                model if model.closed => Fate::Refused,
                model if model.has_room() && model.queue.is_empty() => {
                    model.count += 1;
                    Fate::Admitted
                }
                model => {
                    model.queue.push_back(waiter.name);
                    Fate::Queued
                }
            };
        }
        match (waiter.real.poll(), waiter.fate) {
            (Poll::Pending, Fate::Queued) => {}
            (Poll::Ready(Ok(permit)), Fate::Admitted) => {
                self.permits.push(permit);
                self.waiters.swap_remove(which);
            }
            (Poll::Ready(Err(EnterError::Closed)), Fate::Refused) => {
                self.waiters.swap_remove(which);
            }
            (real, fate) => prop_assert!(false, "{real:?} instead of {fate:?}"),
        }
        Ok(())
    }

    fn agrees(&self) -> Result<(), TestCaseError> {
        let Self { gate, model, .. } = self;
        prop_assert_eq!(gate.count(), model.count);
        prop_assert_eq!(gate.waiting(), model.queue.len());
        prop_assert_eq!(gate.capacity(), model.capacity);
        prop_assert_eq!(gate.is_closed(), model.closed);
        let left = match Polled::new(gate.drained()).poll() {
            Poll::Ready(drained) => Some(drained.left()),
            Poll::Pending => None,
        };
        prop_assert_eq!(left, model.left.or((model.closed && model.count == 0).then_some(0)));
        Ok(())
    }
}

proptest! {
    #[test]
    fn a_gate_does_what_its_model_does(steps in proptest::collection::vec(step(), 1..150)) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step)?;
        }
    }
}
