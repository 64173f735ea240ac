//! Control: the handle to ask a running lifecycle to do something.

use std::fmt;
use std::sync::Arc;

use crate::context::Host;
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

impl Control {
    pub(crate) fn new(host: Option<Arc<dyn Host>>) -> Self {
        Self { host }
    }

    /// Stops the process in good order. The first reason is kept; asking again changes nothing.
    pub fn shutdown(&self, reason: impl Into<String>) {
        self.tell(Input::Stop(StopCause::Requested(reason.into())));
    }

    /// Reloads, as SIGHUP does: step 0 is the state's, then every reloadable provider in order. Requests during a
    /// reload coalesce into one more afterwards. Outside of the run phase it is not followed.
    pub fn reload(&self) {
        self.tell(Input::Reload);
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
