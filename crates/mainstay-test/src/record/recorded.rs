//! The future of a hook or task that writes down when it begins, is asked to stop, and how it ends.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use mainstay_registry::{Error, NotRegistered, Phase, Result, TaskFuture};
use mainstay_runtime::RunContext;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{How, Record, What, Who};

/// Of whom a hook or task is, and where it is written down.
pub(super) struct Recorded {
    record: Arc<Record>,
    who: Who,
    future: Option<TaskFuture>,
    began: bool,
    /// Of a task that was not asked yet.
    asked: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Recorded {
    pub(super) fn new(record: &Arc<Record>, who: Who, future: TaskFuture) -> Self {
        Self { record: Arc::clone(record), who, future: Some(future), began: false, asked: None }
    }

    fn begin(&mut self) {
        if self.began {
            return;
        }
        self.began = true;
        self.record.push(What::Began(self.who));
        if self.who.phase == Phase::Run {
            let token = RunContext::current().map(|context| context.shutdown_token().clone());
            self.asked = token.map(|token| Box::pin(token.cancelled_owned()));
        }
    }

    fn end(&mut self, how: How) {
        let Some(future) = self.future.take() else { return };
        // Dropped first: what it held is released by its end. A panic in its destructor goes on to the engine.
        let dropped = catch_unwind(AssertUnwindSafe(move || drop(future)));
        let how = match &dropped {
            Err(panic) => How::Panicked(message(panic.as_ref())),
            Ok(()) => how,
        };
        self.record.push(What::Ended(self.who, how));
        if let Err(panic) = dropped {
            resume_unwind(panic);
        }
    }
}

impl Future for Recorded {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        this.begin();
        if this.asked.as_mut().is_some_and(|asked| asked.as_mut().poll(cx).is_ready()) {
            this.asked = None;
            this.record.push(What::Asked(this.who));
        }
        let Some(future) = &mut this.future else { return Poll::Ready(Ok(())) };
        let before = alive();
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        this.record.spawned(this.who, alive() - before);
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => {
                this.end(how(&result, this.who.phase));
                Poll::Ready(result)
            }
            Err(panic) => {
                this.end(How::Panicked(message(panic.as_ref())));
                resume_unwind(panic)
            }
        }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if self.began && self.future.is_some() {
            self.end(How::Dropped);
        }
    }
}

/// What a result is, and which exit code it stands for: the variant decides, not the phase.
pub(super) fn how(result: &Result<()>, phase: Phase) -> How {
    let Err(error) = result else { return How::Ok };
    let text = error.cause().to_string();
    let code = match error {
        _ if error.cause().is::<NotRegistered>() => 78,
        Error::Recoverable { .. } if phase == Phase::Run => return How::Recoverable(text),
        Error::Validate { .. } => 78,
        Error::Boot { .. } => 75,
        Error::Other(_) if phase == Phase::Boot => 75,
        Error::Other(_) if phase == Phase::Validate => 78,
        _ => 1,
    };
    How::Failed(text, code)
}

/// The text of a panic.
pub(super) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&'static str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "not text".to_owned())
}

/// The tasks of the ambient runtime that have not ended.
fn alive() -> i64 {
    let handle = tokio::runtime::Handle::try_current();
    handle.map_or(0, |handle| i64::try_from(handle.metrics().num_alive_tasks()).unwrap_or(i64::MAX))
}
