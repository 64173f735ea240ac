//! Control: the handle to ask a running lifecycle to do something.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;

use crate::context::{AMBIENT, Host};
use crate::event::ReloadReport;
use crate::machine::Input;
use crate::outcome::StopCause;

/// Asks a running lifecycle to reload, to reopen its logs, to stop.
///
/// Callable from every hook, task and thread: each call is accepted at once and never waits; what came of it is seen
/// in the events and in the outcome. After the end nothing happens.
#[derive(Clone)]
pub struct Control {
    /// `None`: the supervisor could not be started, and the outcome says so.
    host: Option<Arc<dyn Host>>,
}

/// The last reload that is over: its round, and its report unless it was given up.
pub(crate) type LastReload = (u64, Option<Arc<ReloadReport>>);

impl Control {
    pub(crate) fn new(host: Option<Arc<dyn Host>>) -> Self {
        Self { host }
    }

    /// Stops the process in good order. The first reason is kept; asking again changes nothing.
    pub fn shutdown(&self, reason: impl Into<String>) {
        self.tell(Input::Stop(StopCause::Requested(reason.into())));
    }

    /// Reloads, as SIGHUP does: one transaction over the state's own reload and every reloadable provider.
    ///
    /// Accepted at once; await the answer for the report, or drop it: that gives up the answer and nothing else.
    /// Requests during a reload are answered by one more reload after it.
    pub fn reload(&self) -> Reloading {
        let asked = self.host.as_ref().and_then(|host| Arc::clone(host).request_reload());
        // A hook that waited for the reload that it is part of would wait for itself.
        let in_hook = AMBIENT.try_with(|cell| cell.context().is_none()).unwrap_or(false);
        Reloading(match asked {
            None => Answer::Refused(ControlError::NotRunning),
            Some(_) if in_hook => Answer::Refused(ControlError::Busy),
            Some((round, reloads)) => Answer::Round(round, reloads),
        })
    }

    /// The report of the last reload that was committed or refused.
    pub fn last_reload(&self) -> Option<Arc<ReloadReport>> {
        self.host.as_ref().and_then(|host| host.last_reload())
    }

    /// Asks every task that waits for it to reopen its log files, as SIGUSR1 does.
    pub fn reopen(&self) {
        self.tell(Input::Reopen);
    }

    fn tell(&self, input: Input) {
        if let Some(host) = &self.host {
            Arc::clone(host).tell(input);
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Control")
    }
}

/// Why an answer will not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The lifecycle is not in its run phase: it boots, stops, or is over.
    #[error("nothing can be reloaded now: the lifecycle is not in its run phase")]
    NotRunning,
    /// Asked from inside a hook, which would wait for itself. The request stands.
    #[error(
        "a hook cannot wait for the reload that it asks for: the request stands, its answer is in the events"
    )]
    Busy,
    /// The process stops: the reload was given up before its commit.
    #[error("the reload was given up before its commit, because the process stops")]
    Aborted,
}

/// An accepted request to reload: made by [`Control::reload`], awaited for its report.
///
/// # Cancel safety
///
/// Dropping it, or its future, gives up the answer; the reload goes on.
pub struct Reloading(Answer);

enum Answer {
    Refused(ControlError),
    Round(u64, watch::Receiver<LastReload>),
}

impl IntoFuture for Reloading {
    type Output = Result<Arc<ReloadReport>, ControlError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.0 {
                Answer::Refused(error) => Err(error),
                Answer::Round(round, mut reloads) => {
                    let answer = reloads.wait_for(|(done, _)| *done >= round).await;
                    let report = answer.ok().and_then(|last| last.1.clone());
                    report.ok_or(ControlError::Aborted)
                }
            }
        })
    }
}

impl fmt::Debug for Reloading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reloading")
    }
}
