//! The body of a request, which comes back where nobody has begun to read it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::oneshot;

use super::body::{Body, BodyError, empty};

/// A body that was lent to whoever sends it.
pub(super) struct Lent {
    body: Body,
    /// Gone as soon as it is read.
    back: Option<oneshot::Sender<Body>>,
    read: Option<Arc<Read>>,
}

/// What its owner keeps meanwhile; nothing of an empty body, which most requests have: there is always another one.
pub(super) struct Owner(Option<(oneshot::Receiver<Body>, Arc<Read>)>);

/// What became of a body so far.
#[derive(Default)]
struct Read {
    pieces: AtomicU64,
    /// The next piece was asked for, and the client has not sent it.
    owed: AtomicBool,
    /// The client has not sent it, and never will.
    broken: AtomicBool,
}

/// Lends a body.
pub(super) fn lend(body: Body) -> (Lent, Owner) {
    if body.is_end_stream() {
        return (Lent { body, back: None, read: None }, Owner(None));
    }
    let ((sender, receiver), read) = (oneshot::channel(), Arc::<Read>::default());
    let owner = Owner(Some((receiver, Arc::clone(&read))));
    (Lent { body, back: Some(sender), read: Some(read) }, owner)
}

impl Owner {
    /// The body, if it was dropped before anybody has begun to read it.
    pub(super) fn back(&mut self) -> Option<Body> {
        match &mut self.0 {
            Some((back, _)) => back.try_recv().ok(),
            None => Some(empty()),
        }
    }

    /// How many pieces of it were read.
    pub(super) fn pieces(&self) -> u64 {
        self.0.as_ref().map_or(0, |(_, read)| read.pieces.load(Ordering::Relaxed))
    }

    /// Whether its next piece is waited for, which is the client's to send.
    pub(super) fn is_owed(&self) -> bool {
        self.0.as_ref().is_some_and(|(_, read)| read.owed.load(Ordering::Relaxed))
    }

    /// Whether the client has broken it off, or has sent what is none.
    pub(super) fn is_broken(&self) -> bool {
        self.0.as_ref().is_some_and(|(_, read)| read.broken.load(Ordering::Relaxed))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            // Nobody waits for it where the whole request was given up.
            let _ = back.send(std::mem::replace(&mut self.body, empty()));
        }
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.back = None;
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(read) = &self.read {
            read.owed.store(frame.is_pending(), Ordering::Relaxed);
            if let Poll::Ready(frame) = &frame {
                read.pieces.fetch_add(1, Ordering::Relaxed);
                read.broken.store(matches!(frame, Some(Err(_))), Ordering::Relaxed);
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::super::body::text;
    use super::*;

    #[tokio::test]
    async fn a_body_comes_back_until_it_is_read() {
        let (lent, mut owner) = lend(text("whole"));
        assert!(owner.back().is_none());
        drop(lent);
        let (mut lent, mut owner) = lend(owner.back().unwrap());
        assert_eq!(lent.frame().await.unwrap().unwrap().into_data().unwrap(), "whole");
        drop(lent);
        assert!(owner.back().is_none());
        assert_eq!(owner.pieces(), 1);
    }

    #[test]
    fn an_empty_body_always_comes_back() {
        let (lent, mut owner) = lend(empty());
        assert!(lent.is_end_stream() && owner.back().unwrap().is_end_stream());
        drop(lent);
        assert!(owner.back().unwrap().is_end_stream());
    }
}
