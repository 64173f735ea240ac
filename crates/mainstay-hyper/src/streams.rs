//! The streams of an HTTP/2 connection: each a child of the generation, none outlives its connection, and none waits
//! for ever for a client whose window stays shut.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::rt::Executor;
use mainstay_runtime::RunContext;
use mainstay_sync::GuardGroup;
use tokio_util::sync::CancellationToken;

use crate::caught::caught;
use crate::flow::{Flowed, Flowing};
use crate::shared::{Shared, count};

/// Spawns the streams of one connection.
#[derive(Clone)]
pub(crate) struct Streams {
    cx: RunContext,
    shared: Arc<Shared>,
    /// How long a client may take nothing of an answer.
    write: Duration,
    over: CancellationToken,
    open: GuardGroup,
}

impl Streams {
    pub(crate) fn new(cx: &RunContext, shared: &Arc<Shared>, write: Duration) -> Self {
        Self {
            cx: cx.clone(),
            shared: Arc::clone(shared),
            write,
            over: CancellationToken::new(),
            open: GuardGroup::new(),
        }
    }

    /// Ends what is left of them, and waits until each has dropped what it held.
    pub(crate) async fn end(&self) {
        self.over.cancel();
        self.open.wait_empty().await;
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let (open, shared) = (self.open.guard(), Arc::clone(&self.shared));
        let stream = caught(Arc::clone(&shared), Flowing::new(stream, self.write, self.over.clone()));
        self.cx.spawn(
            "http/2 stream",
            stream.map(move |ended| {
                if ended == Some(Flowed::Stalled) {
                    count(&shared.tally.stalled);
                }
                drop(open);
                Ok(())
            }),
        );
    }
}
