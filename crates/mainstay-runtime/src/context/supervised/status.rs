//! What is seen of a supervised child.

use std::time::Duration;

use crate::outcome::Failure;

/// A look at a supervised child.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildStatus {
    /// Its name in its set.
    pub name: String,
    /// The start that runs or was the last one, from 1; 0 before the first.
    pub generation: u64,
    /// What it does now.
    pub state: ChildState,
    /// How long this generation has run; `None` when none does.
    pub uptime: Option<Duration>,
    /// How often it was started again, by its policy or by hand.
    pub restarts: u64,
    /// Its last failure, of whichever generation.
    pub last_failure: Option<Failure>,
    /// What this generation, or the last one, has noted last.
    pub note: Option<String>,
}

/// What a supervised child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChildState {
    /// It runs, or is about to.
    Running,
    /// It waits for its restart.
    Backoff {
        /// The so-many-th in a row.
        attempt: u32,
        /// So long from now.
        next_in: Duration,
    },
    /// It was asked to stop, or its generation ends and something in it is left.
    Stopping,
    /// It was stopped by hand.
    Stopped,
    /// It failed and is not started again; `last_failure` says why.
    Failed,
}

impl ChildState {
    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Backoff { .. } => "backoff",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// How a supervised child ended, for [`Supervised::wait`](crate::Supervised::wait).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildEnd {
    /// With `Ok`, and its policy does not start it again.
    Completed,
    /// It said that it has nothing to do here.
    Disabled,
    /// By hand, or with the task that it belongs to.
    Stopped,
    /// With a failure that its policy does not start it again after.
    Failed(Failure),
}
