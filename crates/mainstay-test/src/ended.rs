//! What was left of a child process: how it ended, and all that it printed.

use std::time::{Duration, Instant};

use crate::child::printed;

/// A child process that has ended.
///
/// Its checks panic with everything that the process has printed, and return it, so that they can be chained.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended {
    /// Its exit code; `None` when a signal killed it.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
    /// When it was found to have ended.
    pub at: Instant,
}

impl Ended {
    /// It exited by itself, with that code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        let Self { code: was, signal, .. } = self;
        assert_eq!(was, Some(code), "exit code (killed by signal: {signal:?}){}", self.printed());
        self
    }

    /// Each of these is in its standard error.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "no `{part}` in standard error{}", self.printed());
        }
        self
    }

    /// Nothing is in its standard error.
    #[track_caller]
    pub fn says_nothing(self) -> Self {
        assert!(self.err.is_empty(), "standard error is not empty{}", self.printed());
        self
    }

    /// Each of these is in its standard output, one behind the other.
    #[track_caller]
    pub fn prints(self, parts: &[&str]) -> Self {
        let mut rest = self.out.as_str();
        for part in parts {
            let Some(at) = rest.find(part) else {
                panic!("no `{part}`, or not in this order, in standard output{}", self.printed());
            };
            rest = &rest[at + part.len()..];
        }
        self
    }

    /// None of these is in its standard output or standard error.
    #[track_caller]
    pub fn without(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(!self.out.contains(part), "`{part}` in standard output{}", self.printed());
            assert!(!self.err.contains(part), "`{part}` in standard error{}", self.printed());
        }
        self
    }

    /// It ended within that time after that moment.
    #[track_caller]
    pub fn within(self, limit: Duration, after: Instant) -> Self {
        let took = self.at.saturating_duration_since(after);
        assert!(took <= limit, "it ended {took:?} after, not within {limit:?}{}", self.printed());
        self
    }

    fn printed(&self) -> String {
        printed(&self.out, &self.err)
    }
}
