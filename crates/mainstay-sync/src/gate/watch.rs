//! Waiting for a turn in the life of a gate: closed, forced, drained.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::clock::Timer;
use super::shared::Shared;
use super::word::Close;
use crate::bell::Listener;

/// Waits until `look` finds something; on the way, forces when the deadline has come.
///
/// There is no task that watches the deadline: everyone who waits for what it ends has a timer for it, and the
/// first to see it over forces for all. So it does not matter who waits, nor whether the wait or the deadline
/// was there first. Where nobody waits, nobody misses it.
pub(super) struct Watch<'a, R> {
    shared: &'a Shared,
    look: fn(&Shared) -> Option<R>,
    listener: Listener<'a>,
    timer: Option<Timer>,
}

impl<'a, R> Watch<'a, R> {
    pub(super) fn new(shared: &'a Shared, look: fn(&Shared) -> Option<R>) -> Self {
        Self { shared, look, listener: shared.bell().listener(), timer: None }
    }
}

impl<R> Future for Watch<'_, R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let Self { shared, look, listener, timer } = &mut *self;
        loop {
            if let Poll::Ready(found) = listener.poll(cx, || look(shared)) {
                return Poll::Ready(found);
            }
            // Read after the registration: a deadline that is set later rings for this one.
            let Some(deadline) = shared.deadline() else { return Poll::Pending };
            let timer = timer.get_or_insert_with(|| Timer::until(deadline));
            timer.move_to(deadline);
            ready!(timer.poll(cx));
            shared.close(Close::Forced);
        }
    }
}
