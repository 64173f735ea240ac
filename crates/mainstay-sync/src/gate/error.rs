//! Why a gate refused.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why [`enter`](super::Gate::enter) gave no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnterError {
    /// The gate is closed, or was closed while this one waited.
    Closed,
    /// No place became free for this one within the gate's acquire timeout.
    #[non_exhaustive]
    TimedOut {
        /// How long it waited at most.
        after: Duration,
    },
}

/// Why [`try_enter`](super::Gate::try_enter) gave no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryEnterError {
    /// The gate is closed.
    Closed,
    /// As many are inside as may be, or others wait already.
    #[non_exhaustive]
    Full {
        /// How many may be inside.
        capacity: usize,
    },
}

impl fmt::Display for EnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the gate is closed"),
            Self::TimedOut { after } => write!(f, "the gate was full for {after:?}"),
        }
    }
}

impl fmt::Display for TryEnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the gate is closed"),
            Self::Full { capacity } => write!(f, "the gate is full (capacity {capacity})"),
        }
    }
}

impl Error for EnterError {}
impl Error for TryEnterError {}
