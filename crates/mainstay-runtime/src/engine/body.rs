//! The body of a task: its synchronous part and its future, on behalf of its provider.
//!
//! Written by hand, and not as an `async` block around another: a restart makes one allocation less. A panic is caught
//! in here, where it is near: each frame that it unwinds through, and each destructor on its way, is dear.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use mainstay_registry::{Phase, Result, TaskFuture};
use mainstay_sync::{Epochs, Scoped};

use crate::caught::caught;
use crate::exit::Exit;

pub(super) struct Body<M> {
    scope: Scoped,
    provider: &'static str,
    /// Called at the first poll: it is the user's code.
    make: Option<M>,
    task: Option<TaskFuture>,
}

impl<M: FnOnce() -> TaskFuture + Unpin> Body<M> {
    pub(super) fn new(epochs: &Epochs, provider: &'static str, make: M) -> Self {
        Self { scope: epochs.scoped(provider), provider, make: Some(make), task: None }
    }
}

impl<M: FnOnce() -> TaskFuture + Unpin> Future for Body<M> {
    type Output = Exit;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Exit> {
        let Self { scope, provider, make, task } = self.get_mut();
        let exit =
            |result: Result<()>| Exit::of(result.map_err(|error| error.in_phase(Phase::Run, provider)));
        scope.enter(|| {
            let polled = caught(|| {
                if let Some(make) = make.take() {
                    *task = Some(make());
                }
                task.as_mut().map_or(Poll::Ready(Exit::Ok), |task| task.as_mut().poll(cx).map(exit))
            });
            polled.unwrap_or_else(|panic| Poll::Ready(Exit::Panicked(panic)))
        })
    }
}

impl<M> Drop for Body<M> {
    fn drop(&mut self) {
        let Self { scope, make, task, .. } = self;
        scope.enter(|| {
            drop(task.take());
            drop(make.take());
        });
    }
}
