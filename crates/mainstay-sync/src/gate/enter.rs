//! The futures of those who enter.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::clock::{self, Timer};
use super::shared::{Answer, Enqueued, Shared};
use super::{EnterError, Gate, OwnedPermit, Permit, TryEnterError};
use crate::waiters::Key;

/// The future of [`Gate::enter`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Enter<'a> {
    gate: &'a Gate,
    entering: Entering,
}

/// The future of [`Gate::enter_owned`].
#[must_use = "a future does nothing until it is awaited"]
pub struct EnterOwned {
    /// Until it goes into the permit.
    gate: Option<Gate>,
    entering: Entering,
}

/// How far one who enters has come.
enum Entering {
    New,
    Queued(Place),
    Done,
}

/// A place in the queue.
struct Place {
    /// There until it has left.
    key: Option<Key>,
    limit: Option<Limit>,
}

/// How long it waits at most.
struct Limit {
    after: Duration,
    /// None where it is further away than the clock counts.
    deadline: Option<Instant>,
    /// Made when the place is safe in the future: without a runtime of tokio this panics.
    timer: Option<Timer>,
}

impl<'a> Enter<'a> {
    pub(super) fn new(gate: &'a Gate) -> Self {
        Self { gate, entering: Entering::New }
    }
}

impl EnterOwned {
    pub(super) fn new(gate: Gate) -> Self {
        Self { gate: Some(gate), entering: Entering::New }
    }
}

impl<'a> Future for Enter<'a> {
    type Output = Result<Permit<'a>, EnterError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { gate, entering } = &mut *self;
        entering.poll(gate.shared(), cx).map_ok(|()| Permit::new(gate))
    }
}

impl Future for EnterOwned {
    type Output = Result<OwnedPermit, EnterError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { gate, entering } = &mut *self;
        let shared = gate.as_ref().expect(POLLED_AGAIN).shared();
        entering.poll(shared, cx).map_ok(|()| OwnedPermit::new(gate.take().expect("it was there")))
    }
}

const POLLED_AGAIN: &str = "an entry to a gate is not polled again when it has ended";

impl Entering {
    #[inline]
    fn poll(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<Result<(), EnterError>> {
        if matches!(self, Self::New) {
            match shared.try_admit() {
                Ok(()) => return self.end(Ok(())),
                Err(TryEnterError::Closed) => return self.end(Err(EnterError::Closed)),
                Err(TryEnterError::Full { .. }) => {}
            }
        }
        self.wait(shared, cx)
    }

    #[inline(never)]
    fn wait(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<Result<(), EnterError>> {
        if matches!(self, Self::New) {
            *self = match shared.enqueue(cx.waker()) {
                Enqueued::Answered(answer) => return self.end(answer.into()),
                Enqueued::Waits(key, limit) => Self::Queued(Place::new(key, limit)),
            };
        } else if let Self::Queued(place) = self
            && let Some(answer) = shared.answer(&mut place.key, cx.waker())
        {
            return self.end(answer.into());
        }
        let Self::Queued(place) = self else { panic!("{POLLED_AGAIN}") };
        let Some(after) = place.limit.as_mut().and_then(|limit| limit.poll(cx)) else { return Poll::Pending };
        // The answer may have come while the timer was asked; then it counts.
        let answer = place.key.take().and_then(|key| shared.leave_queue(key));
        self.end(answer.map_or(Err(EnterError::TimedOut { after }), Into::into))
    }

    fn end(&mut self, with: Result<(), EnterError>) -> Poll<Result<(), EnterError>> {
        *self = Self::Done;
        Poll::Ready(with)
    }

    /// Gives up what it has: its turn, or a place that it was given and has not taken.
    fn give_up(&mut self, shared: &Shared) {
        if let Self::Queued(place) = self
            && let Some(key) = place.key.take()
            && shared.leave_queue(key) == Some(Answer::Admitted)
        {
            shared.release();
        }
    }
}

impl Place {
    fn new(key: Key, limit: Option<Duration>) -> Self {
        let limit = limit.map(|after| Limit { after, deadline: clock::after(after), timer: None });
        Self { key: Some(key), limit }
    }
}

impl Limit {
    /// The limit, once it is reached.
    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let deadline = self.deadline?;
        let timer = self.timer.get_or_insert_with(|| Timer::until(deadline));
        timer.poll(cx).is_ready().then_some(self.after)
    }
}

impl Drop for Enter<'_> {
    #[inline]
    fn drop(&mut self) {
        if matches!(self.entering, Entering::Queued(_)) {
            self.entering.give_up(self.gate.shared());
        }
    }
}

impl Drop for EnterOwned {
    #[inline]
    fn drop(&mut self) {
        if let Some(gate) = &self.gate
            && matches!(self.entering, Entering::Queued(_))
        {
            self.entering.give_up(gate.shared());
        }
    }
}

impl fmt::Debug for Entering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "New",
            Self::Queued(_) => "Queued",
            Self::Done => "Done",
        })
    }
}

impl fmt::Debug for Enter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Enter").field(&self.entering).finish()
    }
}

impl fmt::Debug for EnterOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EnterOwned").field(&self.entering).finish()
    }
}
