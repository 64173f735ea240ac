//! Whether a remote upstream is there: asked now and then, so that its routes say at once that it is gone.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::http::uri::Authority;
use mainstay::{Error, Result, RunContext};
use tokio::time::{sleep, timeout};

use super::{Target, Upstream, check};

/// What the last probe found, if that was bad.
#[derive(Default)]
pub(super) struct Health(Mutex<Option<Down>>);

/// Who is down, and why. It says nothing of another one, which a reload may name.
struct Down {
    who: Authority,
    why: String,
}

impl Health {
    fn found(&self, down: Option<Down>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = down;
    }

    pub(super) fn why_down(&self, target: &Target) -> Option<String> {
        let down = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        down.as_ref().filter(|down| down.who == target.authority).map(|down| down.why.clone())
    }
}

/// How long until it is looked whether there is anything to probe, when there is not.
const IDLE: Duration = Duration::from_secs(1);

/// Probes a remote upstream until it does not answer: that is the failure of this generation, and when the next one
/// asks is for the restart policy.
pub(super) async fn watch(upstream: &Upstream, cx: &RunContext) -> Result<()> {
    // The boot has asked, if it was to. Who comes after a failure is ready when there is an answer again.
    if cx.generation() == 1 {
        cx.ready();
    }
    loop {
        let (target, probe) = (upstream.load(), upstream.probe());
        if probe.is_some() {
            let Some(answer) =
                cx.until_shutdown(timeout(target.patience, check::answers(&target.authority))).await
            else {
                return Ok(());
            };
            let wrong = match answer {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("nothing in {:?}", target.patience)),
            };
            if let Some(wrong) = wrong {
                let why = format!("the upstream {} is down: {wrong}", target.authority);
                upstream.health.found(Some(Down { who: target.authority.clone(), why: why.clone() }));
                return Err(Error::msg(why));
            }
        }
        upstream.health.found(None);
        cx.ready();
        if cx.until_shutdown(sleep(probe.unwrap_or(IDLE))).await.is_none() {
            return Ok(());
        }
    }
}
