//! The runtime as a generation sees it, which is not generic over the state.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use mainstay_sync::Epochs;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::clock::Clock;
use crate::control::{ControlError, OrderAnswer, ReloadAnswer};
use crate::event::{Operation, ReloadReport, Sink};
use crate::lints::{Lint, Lints};
use crate::machine::{Input, TaskId};
use crate::status::Status;

/// The runtime, as a generation sees it: not generic over the state.
pub(crate) trait Host: Send + Sync {
    fn tell(self: Arc<Self>, input: Input);
    fn handle(&self) -> &Handle;
    fn clock(&self) -> Clock;
    fn reopened(&self) -> watch::Receiver<u64>;
    fn reopen_count(&self) -> u64;
    fn epochs(&self) -> Epochs;
    fn order(
        self: Arc<Self>,
        operation: Operation,
        name: &str,
    ) -> Result<oneshot::Receiver<OrderAnswer>, ControlError>;
    fn request_reload(
        self: Arc<Self>,
        name: Option<&str>,
    ) -> Result<oneshot::Receiver<ReloadAnswer>, ControlError>;
    /// Asks for the end; answered when everything is over.
    fn shutdown(self: Arc<Self>, reason: String) -> oneshot::Receiver<OrderAnswer>;
    fn status(self: Arc<Self>) -> Status;
    fn last_reload(&self) -> Option<Arc<ReloadReport>>;
    fn sink(&self) -> &Sink;
    /// Whether breaches of the rules of the phases are looked for.
    fn lints(&self) -> Lints;
    fn found(&self, lint: Lint);
    /// Has the supervisor ring somebody.
    fn alarm(&self, at: Instant, key: u64, who: Weak<dyn Alarm>);
    /// How long a task, or a child of it, may take to stop.
    fn stop_limit(&self, id: TaskId) -> Duration;
    /// Until when a task that was asked to stop is waited for.
    fn stop_deadline(&self, id: TaskId) -> Option<Instant>;
    /// Makes a call that may end in a waker of the user's, elsewhere.
    fn call(&self, call: Box<dyn FnOnce() + Send>);
}

/// Why somebody is rung.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ring {
    /// The delay before a restart is over.
    Backoff,
    /// The time to stop is over: abort.
    Deadline,
    /// The abort should have taken effect.
    Grace,
    /// Some more of the members should have been asked to stop.
    Asking,
}

impl Ring {
    /// The key of an alarm: why, and of which generation, or how many.
    pub(crate) fn key(self, number: u64) -> u64 {
        (number << 2) | self as u64
    }

    pub(crate) fn of(key: u64) -> (Self, u64) {
        let ring = match key & 3 {
            0 => Self::Backoff,
            1 => Self::Deadline,
            2 => Self::Grace,
            _ => Self::Asking,
        };
        (ring, key >> 2)
    }
}

/// Who is rung when a time has come, on the supervision thread: it may set flags and wake tasks of tokio's.
pub(crate) trait Alarm: Send + Sync {
    fn rings(self: Arc<Self>, key: u64, now: Instant);
}
