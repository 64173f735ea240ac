//! The future of a wait for a change.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::inner::Inner;
use crate::bell::Listener;

/// The future of [`Snapshot::changed`](super::Snapshot::changed): gives the version that it was woken for.
///
/// It starts from the version that was visible when it was made, not when it is first polled.
#[must_use = "a wait does nothing until it is awaited"]
pub struct Changed<'a> {
    inner: &'a Inner,
    seen: u64,
    listener: Listener<'a>,
}

impl<'a> Changed<'a> {
    pub(super) fn new(inner: &'a Inner) -> Self {
        Self { inner, seen: inner.version(), listener: inner.bell.listener() }
    }
}

impl Future for Changed<'_> {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        let Self { inner, seen, listener } = &mut *self;
        listener.poll(cx, || Some(inner.version()).filter(|version| version > seen))
    }
}

impl fmt::Debug for Changed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").field("seen", &self.seen).finish_non_exhaustive()
    }
}
