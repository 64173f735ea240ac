//! The interceptor that writes the record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use mainstay_registry::{Phase, Result, TaskFuture};
use mainstay_runtime::{Hook, HookCall, Intercept};

use super::recorded::{Recorded, how, message};
use super::{How, Record, What, Who};

/// Whether a shutdown hook that has returned `Ok` is called once more, to see whether it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    Once,
    Twice,
}

/// So long a shutdown hook may take when it has nothing to do any more.
const AGAIN: Duration = Duration::from_secs(1);

pub(crate) struct Recorder {
    pub(crate) record: Arc<Record>,
    pub(crate) probe: Probe,
}

impl Intercept for Recorder {
    fn hook(&self, call: &HookCall, hook: Hook) -> TaskFuture {
        let who = Who::of(call);
        let recorded = Recorded::new(&self.record, who, made(&hook));
        if who.phase != Phase::Shutdown || self.probe == Probe::Once {
            return Box::pin(recorded);
        }
        let record = Arc::clone(&self.record);
        Box::pin(async move {
            recorded.await?;
            let again = AssertUnwindSafe(hook.call()).catch_unwind();
            let how = match tokio::time::timeout(AGAIN, again).await {
                Ok(Ok(result)) => how(&result, Phase::Shutdown),
                Ok(Err(panic)) => How::Panicked(message(panic.as_ref())),
                Err(_) => How::Failed("it did not return within 1 s".to_owned(), 0),
            };
            record.push(What::Again(who, how));
            Ok(())
        })
    }

    fn validate(&self, call: &HookCall, validate: &dyn Fn() -> Result<()>) -> Result<()> {
        let who = Who::of(call);
        self.record.push(What::Began(who));
        let result = catch_unwind(AssertUnwindSafe(validate));
        let end = match &result {
            Ok(result) => how(result, Phase::Validate),
            Err(panic) => How::Panicked(message(panic.as_ref())),
        };
        self.record.push(What::Ended(who, end));
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// The hook's future; the synchronous part of a runnable is called at its first poll, so that its panics are recorded.
fn made(hook: &Hook) -> TaskFuture {
    let hook = hook.clone();
    Box::pin(async move { hook.call().await })
}
