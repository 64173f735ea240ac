//! The future of a wait for a change.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::slot::Changes;
use crate::waiting::Waiting;

/// The future of [`Snapshot::changed`](super::Snapshot::changed): gives the version that it was woken for.
///
/// It starts from the version that was visible when it was made, not when it is first polled.
#[must_use = "a wait does nothing until it is awaited"]
pub struct Changed<'a> {
    changes: &'a Changes,
    seen: u64,
    waiting: Waiting<'a>,
}

impl<'a> Changed<'a> {
    pub(super) fn new(changes: &'a Changes, seen: u64) -> Self {
        Self { changes, seen, waiting: Waiting::default() }
    }
}

impl Future for Changed<'_> {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        let Self { changes, seen, waiting } = &mut *self;
        waiting.poll(cx, &changes.notify, || changes.past(*seen))
    }
}

impl fmt::Debug for Changed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").field("seen", &self.seen).finish_non_exhaustive()
    }
}
