//! The future of a wait for an empty group.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::group::Shared;
use crate::bell::Listener;

/// The future of [`GuardGroup::wait_empty`](super::GuardGroup::wait_empty).
///
/// The wait begins when it is made, not when it is first polled.
#[must_use = "a wait does nothing until it is awaited"]
pub struct WaitEmpty<'a> {
    shared: &'a Shared,
    /// The number of this wait; `None` when it is over.
    wait: Option<u32>,
    listener: Listener<'a>,
}

impl<'a> WaitEmpty<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self { shared, wait: shared.begin_wait(), listener: shared.bell().listener() }
    }
}

impl Future for WaitEmpty<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { shared, wait, listener } = &mut *self;
        let Some(number) = *wait else { return Poll::Ready(()) };
        let over = listener.poll(cx, || shared.is_over(number).then_some(()));
        if over.is_ready() {
            *wait = None;
        }
        over
    }
}

impl fmt::Debug for WaitEmpty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitEmpty").field("over", &self.wait.is_none()).finish_non_exhaustive()
    }
}
