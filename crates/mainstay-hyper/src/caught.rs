//! A panic while a connection is served costs that connection, or that stream, and nothing else.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::log;
use crate::shared::{Shared, count};

pin_project! {
    /// A future whose panics are counted and said with the peer; its value is `None` then.
    ///
    /// It is dropped in here as well when it has ended, however it did: what its destructors panic with is no worse. Not
    /// an async function: that would hold it twice, once as its argument and once as what it awaits.
    pub(crate) struct Caught<F> {
        #[pin]
        future: Option<F>,
        shared: Arc<Shared>,
    }
}

/// Catches the panics of a future.
pub(crate) fn caught<F: Future>(shared: Arc<Shared>, future: F) -> Caught<F> {
    Caught { future: Some(future), shared }
}

impl<F: Future> Future for Caught<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = catching(this.shared, || {
            let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Ready(None) };
            future.poll(cx).map(Some)
        });
        if let Some(Poll::Pending) = polled {
            return Poll::Pending;
        }
        let dropped = catching(this.shared, || this.future.set(None));
        match (polled, dropped) {
            (Some(Poll::Ready(value)), Some(())) => Poll::Ready(value),
            _ => Poll::Ready(None),
        }
    }
}

fn catching<T>(shared: &Shared, f: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(f))
        .inspect_err(|payload| {
            count(&shared.tally.panics);
            log::panicked(shared.peer(), message(&**payload));
        })
        // The payload is forgotten, because its `Drop` may panic in its turn.
        .map_err(std::mem::forget)
        .ok()
}

/// The text of a panic.
fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic with a payload that is not text")
}
