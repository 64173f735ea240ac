//! Why a child is not supervised, and why an answer about one is not what was hoped for.

use mainstay_registry::Code;

use crate::codes;
use crate::outcome::Failure;

/// Why [`RunContext::supervise`](crate::RunContext::supervise) refuses. Nothing was listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuperviseError {
    /// The set lists a child of this name; that one was not touched.
    #[error("a child with the name '{name}' is supervised already: remove it first, or choose another name")]
    NameInUse {
        /// The name.
        name: String,
    },
    /// The set has as many children as it may have; one in backoff counts as well.
    #[error("the set of supervised children is full: its limit is {limit}")]
    Full {
        /// How many it may have.
        limit: usize,
    },
    /// The generation was asked to stop, or has ended.
    #[error("nothing is supervised any more: the task was asked to stop, or has ended")]
    Closed,
    /// The policy contradicts itself.
    #[error("the restart policy contradicts itself: `{field}`: {text}")]
    Policy {
        /// The method that sets it: `factor`, `jitter`, ..
        field: &'static str,
        /// What is wrong.
        text: String,
    },
    /// The task runs outside of a runtime.
    #[error("supervised children need a runtime, and this task runs outside of one")]
    NoRuntime,
}

impl SuperviseError {
    /// The stable code: `MS0241` to `MS0245`.
    pub fn code(&self) -> Code {
        match self {
            Self::NameInUse { .. } => codes::CHILD_NAME_IN_USE,
            Self::Full { .. } => codes::CHILDREN_FULL,
            Self::Closed => codes::CHILDREN_CLOSED,
            Self::Policy { .. } => codes::CHILD_POLICY,
            Self::NoRuntime => codes::CHILD_NO_RUNTIME,
        }
    }
}

/// Why a supervised child did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// It runs, or waits for its restart: it can be removed when it was stopped.
    #[error("the child '{name}' runs: stop it before it is removed")]
    Running {
        /// Its name.
        name: String,
    },
    /// It is no longer listed.
    #[error("the child '{name}' is gone: it has ended or was removed")]
    Gone {
        /// Its name.
        name: String,
    },
    /// The generation that it belongs to is ending, so it is not started again.
    #[error("the child '{name}' is not started again: its task is ending")]
    Closed {
        /// Its name.
        name: String,
    },
    /// A stop came after the restart that this is the answer to.
    #[error("the child '{name}' was stopped before it was started again")]
    Stopped {
        /// Its name.
        name: String,
    },
    /// Asked from inside of the child, which would wait for itself. The request stands.
    #[error("the child '{name}' cannot wait for its own end: the request stands")]
    Busy {
        /// Its name.
        name: String,
    },
    /// It was aborted at its deadline and is still there.
    #[error("the child '{name}' did not end: it blocks a thread, or no thread is free to drop it")]
    Stuck {
        /// Its name.
        name: String,
    },
    /// The synchronous part of its body panicked, at a restart by hand.
    #[error("the child could not be started: {}", .0.headline())]
    NotStarted(Box<Failure>),
}

impl ChildError {
    /// The stable code: `MS0243`, `MS0246` to `MS0251`.
    pub fn code(&self) -> Code {
        match self {
            Self::Running { .. } => codes::CHILD_RUNS,
            Self::Gone { .. } => codes::CHILD_GONE,
            Self::Closed { .. } => codes::CHILDREN_CLOSED,
            Self::Stopped { .. } => codes::CHILD_STOPPED,
            Self::Busy { .. } => codes::CHILD_BUSY,
            Self::Stuck { .. } => codes::CHILD_STUCK,
            Self::NotStarted(_) => codes::CHILD_NOT_STARTED,
        }
    }
}
