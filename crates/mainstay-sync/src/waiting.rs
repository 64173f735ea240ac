//! The one loop in which a future waits for a condition that others announce.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The waiting half of a future: nothing until it really has to wait, then one boxed registration.
///
/// Whoever makes the condition true does so first and calls [`Notify::notify_waiters`] second. The loop
/// registers first and looks second. So either the look sees the condition, or the registration is older than
/// the announcement and is woken by it: no wake-up is lost, and none is passed on, so a dropped future takes
/// nothing from another.
#[derive(Debug, Default)]
pub(crate) struct Waiting<'a> {
    registration: Option<Pin<Box<Notified<'a>>>>,
}

impl<'a> Waiting<'a> {
    /// Is ready with the first `Some` that `look` gives; looks again after each announcement.
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        notify: &'a Notify,
        mut look: impl FnMut() -> Option<R>,
    ) -> Poll<R> {
        loop {
            if let Some(found) = look() {
                self.registration = None;
                return Poll::Ready(found);
            }
            if let Some(registration) = &mut self.registration {
                ready!(registration.as_mut().poll(cx));
                self.registration = None;
            } else {
                // A `Notified` counts announcements from the moment it is made, polled or not; the next turn
                // looks.
                self.registration = Some(Box::pin(notify.notified()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn an_announcement_right_after_any_look_is_not_missed() {
        for after in 1..=2 {
            let notify = Notify::new();
            let mut looks = 0;
            let look = || {
                looks += 1;
                if looks > after {
                    return Some(looks);
                }
                if looks == after {
                    notify.notify_waiters(); // another thread, in the worst instant: it comes true after this look
                }
                None
            };
            let mut waiting = Waiting::default();
            let mut cx = Context::from_waker(Waker::noop());
            let polled = waiting.poll(&mut cx, &notify, look);
            assert_eq!(polled, Poll::Ready(after + 1));
        }
    }
}
