//! Models, and futures that are polled once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Checks a model: every interleaving with at most so many preemptions, where it says how many.
pub(super) fn model(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(model);
}

/// Polls once, for nobody.
pub(super) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}
