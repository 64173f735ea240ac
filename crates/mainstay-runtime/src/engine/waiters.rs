//! Whoever waits for what control was asked: by the ticket of the request, answered once.
//!
//! An answer wakes whoever waits, and that waker may be a foreign executor's: answers leave by [`Calls`], never on the
//! supervision thread.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::calls::Calls;
use crate::control::{OrderAnswer, ReloadAnswer};

/// The waiters of a lifecycle.
#[derive(Default)]
pub(super) struct Waiters(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    orders: HashMap<u64, Vec<oneshot::Sender<OrderAnswer>>>,
    reloads: HashMap<u64, Vec<oneshot::Sender<ReloadAnswer>>>,
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called while the machine is locked, so that no answer comes before its waiter.
    pub(super) fn of_order(&self, ticket: u64) -> oneshot::Receiver<OrderAnswer> {
        let (sender, receiver) = oneshot::channel();
        self.lock().orders.entry(ticket).or_default().push(sender);
        receiver
    }

    /// The same for a reload.
    pub(super) fn of_reload(&self, ticket: u64) -> oneshot::Receiver<ReloadAnswer> {
        let (sender, receiver) = oneshot::channel();
        self.lock().reloads.entry(ticket).or_default().push(sender);
        receiver
    }

    pub(super) fn answer_order(&self, ticket: u64, answer: &OrderAnswer, calls: &Calls) {
        let waiting = self.lock().orders.remove(&ticket);
        for sender in waiting.into_iter().flatten() {
            let answer = answer.clone();
            calls.call(move || drop(sender.send(answer)));
        }
    }

    pub(super) fn answer_reload(&self, ticket: u64, answer: &ReloadAnswer, calls: &Calls) {
        let waiting = self.lock().reloads.remove(&ticket);
        for sender in waiting.into_iter().flatten() {
            let answer = answer.clone();
            calls.call(move || drop(sender.send(answer)));
        }
    }
}
