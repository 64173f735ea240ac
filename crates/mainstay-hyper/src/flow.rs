//! The flow of one HTTP/2 stream: whether what its answer gave last still waits for the client's window.
//!
//! hyper asks a body for its next piece when the last one found room. So a body that has given something and is not
//! asked again waits for its client; from outside that is all there is to see of a window.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::clock::now;

/// A piece that is longer has the time once more for each of these: how much of it found room is not seen.
const PIECE: usize = 64 * 1024;

tokio::task_local! {
    /// That of the stream which is polled on this thread.
    static FLOW: Flow;
}

/// Relaxed: it is written and read by the one task of its stream.
#[derive(Clone, Default)]
struct Flow(Arc<State>);

#[derive(Default)]
struct State {
    /// The pieces so far.
    pieces: AtomicU64,
    /// How many times the limit the last one may take; 0 when nothing waits.
    waits: AtomicU64,
}

/// A body is asked for its next piece.
pub(crate) fn asked() {
    let _ = FLOW.try_with(|flow| flow.0.waits.store(0, Ordering::Relaxed));
}

/// It has given one of this length.
pub(crate) fn gave(length: usize) {
    let _ = FLOW.try_with(|flow| {
        flow.0.pieces.fetch_add(1, Ordering::Relaxed);
        flow.0.waits.store(1 + (length / PIECE) as u64, Ordering::Relaxed);
    });
}

pin_project! {
    /// A stream that is given up when its client takes nothing for too long, or its connection is over.
    pub(crate) struct Flowing<F> {
        #[pin]
        stream: F,
        #[pin]
        over: WaitForCancellationFutureOwned,
        flow: Flow,
        limit: Duration,
        // For which piece.
        timer: Option<(u64, Pin<Box<Sleep>>)>,
    }
}

impl<F> Flowing<F> {
    pub(crate) fn new(stream: F, limit: Duration, over: CancellationToken) -> Self {
        Self { stream, over: over.cancelled_owned(), flow: Flow::default(), limit, timer: None }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flowed {
    /// By itself.
    Whole,
    /// Its client took nothing for too long.
    Stalled,
    /// With its connection.
    Over,
}

impl<F: Future<Output = ()>> Future for Flowing<F> {
    type Output = Flowed;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.over.poll(cx).is_ready() {
            return Poll::Ready(Flowed::Over);
        }
        let stream = this.stream;
        if FLOW.sync_scope(this.flow.clone(), || stream.poll(cx)).is_ready() {
            return Poll::Ready(Flowed::Whole);
        }
        let State { pieces, waits } = &*this.flow.0;
        let (piece, waits) = (pieces.load(Ordering::Relaxed), waits.load(Ordering::Relaxed));
        if waits == 0 {
            return Poll::Pending;
        }
        let times = u32::try_from(waits).unwrap_or(u32::MAX);
        let end = || this.limit.checked_mul(times).and_then(|limit| now().checked_add(limit));
        match this.timer {
            Some((of, _)) if *of == piece => {}
            _ => *this.timer = end().map(|at| (piece, sleep(this.timer.take(), at))),
        }
        // Without an end that the clock knows there is none.
        let Some((_, sleep)) = this.timer else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Flowed::Stalled)
    }
}

/// The same timer again, if there is one.
fn sleep(timer: Option<(u64, Pin<Box<Sleep>>)>, at: Instant) -> Pin<Box<Sleep>> {
    match timer {
        Some((_, mut timer)) => {
            timer.as_mut().reset(at);
            timer
        }
        None => Box::pin(sleep_until(at)),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::caught::Caught;

    /// A hundred streams are usual, and a service's future may be large.
    #[test]
    fn what_serves_a_stream_holds_it_once() {
        fn served<F>(_: &F) -> usize {
            size_of::<Caught<Flowing<F>>>()
        }
        let large = [0_u8; 4096];
        let stream = async move {
            pending::<()>().await;
            std::hint::black_box(&large);
        };
        assert!(served(&stream) < size_of_val(&stream) + 256, "{}", served(&stream));
    }
}
