//! How a drain ended.

use std::fmt;

/// How a drain ended; from [`Gate::drain`](super::Gate::drain) and [`Gate::drained`](super::Gate::drained).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "somebody may have been cut off"]
#[non_exhaustive]
pub enum Drained {
    /// Everybody who was inside has left by themselves.
    All,
    /// The deadline came, or somebody forced, while some were still inside.
    #[non_exhaustive]
    Forced {
        /// How many were inside at that moment; never 0.
        left: usize,
    },
}

impl Drained {
    /// How many were inside when they were forced to end; 0 if nobody was.
    pub fn left(self) -> usize {
        match self {
            Self::All => 0,
            Self::Forced { left } => left,
        }
    }
}

impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("drained"),
            Self::Forced { left } => write!(f, "forced with {left} inside"),
        }
    }
}
