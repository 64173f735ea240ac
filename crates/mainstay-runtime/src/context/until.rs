//! A future that is given up when its task is asked to stop.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

pin_project! {
    /// Made by `RunContext::until_shutdown`. Not an async function: that would hold the future twice, once as its
    /// argument and once as what it awaits.
    pub(super) struct UntilShutdown<'a, F> {
        #[pin]
        future: Option<F>,
        #[pin]
        asked: Option<WaitForCancellationFuture<'a>>,
        token: &'a CancellationToken,
    }
}

impl<'a, F> UntilShutdown<'a, F> {
    pub(super) fn new(token: &'a CancellationToken, future: F) -> Self {
        Self { future: Some(future), asked: None, token }
    }
}

impl<F: Future> Future for UntilShutdown<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut future = this.future.as_mut();
        // What was asked before is seen before anything is begun; from then on the future has the first word.
        let begins = this.asked.is_none();
        if !(begins && this.token.is_cancelled()) {
            let running = future.as_mut().as_pin_mut().expect("it is not polled after its end");
            if let Poll::Ready(output) = running.poll(cx) {
                future.set(None);
                return Poll::Ready(Some(output));
            }
        }
        if begins {
            this.asked.set(Some(this.token.cancelled()));
        }
        if let Some(asked) = this.asked.as_pin_mut() {
            ready!(asked.poll(cx));
        }
        future.set(None);
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_was_asked_before_wins_and_afterwards_the_future_does() {
        let token = CancellationToken::new();
        assert_eq!(UntilShutdown::new(&token, ready(1)).await, Some(1));
        let cancels = async {
            token.cancel();
            2
        };
        assert_eq!(UntilShutdown::new(&token, cancels).await, Some(2));
        let polled = async { unreachable!("it was asked before") };
        assert_eq!(UntilShutdown::new(&token, polled).await, None::<()>);
    }

    #[tokio::test]
    async fn it_holds_its_future_once_and_drops_it_when_the_stop_wins() {
        let token = CancellationToken::new();
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let large = [0_u8; 4096];
        let future = async move {
            pending::<()>().await;
            drop((sender, large));
        };
        let size = size_of_val(&future);
        let until = UntilShutdown::new(&token, future);
        assert!(size_of_val(&until) < size + 256, "{} for {size}", size_of_val(&until));
        let stop = async {
            tokio::task::yield_now().await;
            token.cancel();
        };
        let mut until = std::pin::pin!(until);
        assert_eq!(tokio::join!(until.as_mut(), stop).0, None);
        assert!(receiver.await.is_err(), "dropped");
    }
}
