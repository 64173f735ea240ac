//! The child that serves one connection: however it ends, its entry knows what it was doing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mainstay_sync::OwnedPermit;

use crate::drive::End;
use crate::roster::Entry;

/// Its fields are dropped in this order: the place in the gate is free when everything of the connection is gone.
pub(crate) struct Child<F> {
    future: Pin<Box<F>>,
    entry: Entry,
    _permit: OwnedPermit,
}

impl<F: Future<Output = End>> Child<F> {
    pub(crate) fn new(future: F, entry: Entry, permit: OwnedPermit) -> Self {
        Self { future: Box::pin(future), entry, _permit: permit }
    }
}

impl<F: Future<Output = End>> Future for Child<F> {
    type Output = mainstay_registry::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let end = ready!(self.future.as_mut().poll(cx));
        self.entry.ends(end);
        Poll::Ready(Ok(()))
    }
}

impl<F> Drop for Child<F> {
    fn drop(&mut self) {
        // An aborted task: before its future, with the requests in flight, is dropped.
        self.entry.is_dropped();
    }
}
