//! How a hook or a task ended, as plain data: no value of the user's crosses to the supervisor.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mainstay_registry::{Error, Override};

use crate::caught::{Panicked, panic_message};

/// The end of one hook, task or child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok,
    /// The task said that it has nothing to do here, whatever the policy.
    Disabled,
    Failed(Cause),
    Panicked(Panicked),
    /// Ended at our request, by dropping its future.
    Aborted,
    /// Its future was dropped by the runtime it ran on, not by us.
    RuntimeGone,
    /// Taken back before its future was polled: it never began.
    NeverBegan,
}

impl Exit {
    /// The exit of a future's result; the error is turned into text here, in the task that made it.
    pub(crate) fn of(result: Result<(), Error>) -> Self {
        match result {
            Ok(()) => Self::Ok,
            Err(error) => Self::Failed(Cause::of(error)),
        }
    }
}

/// Which variant of the registry's error a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CauseKind {
    /// `Error::Boot`: worth a retry.
    Boot,
    /// `Error::Validate`: not worth a retry.
    Validate,
    /// `Error::Reload`.
    Reload,
    /// `Error::Run`.
    Run,
    /// `Error::Recoverable`: the process survives without it.
    Recoverable,
    /// `Error::Other`.
    Other,
}

/// An error as text: what it said, and what its sources said, outermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    kind: CauseKind,
    overrides: Option<Override>,
    chain: Vec<String>,
}

impl Cause {
    /// Which variant the error was, after the phase has wrapped it.
    pub fn kind(&self) -> CauseKind {
        self.kind
    }

    /// What the error says of its own consequence, whatever the restart policy.
    pub fn override_of_policy(&self) -> Option<Override> {
        self.overrides
    }

    /// The error's own text without the provider and the phase, then its sources', outermost first. Never empty.
    pub fn chain(&self) -> &[String] {
        &self.chain
    }

    /// Reads the error's texts and drops it. `Display`, `source` and `Drop` are user code and may panic.
    pub(crate) fn of(error: Error) -> Self {
        // What was never registered will not be there at the next try either.
        let wiring = error.cause().is::<mainstay_registry::NotRegistered>();
        let kind = match &error {
            _ if wiring => CauseKind::Validate,
            Error::Boot { .. } => CauseKind::Boot,
            Error::Validate { .. } => CauseKind::Validate,
            Error::Reload { .. } => CauseKind::Reload,
            Error::Run { .. } => CauseKind::Run,
            Error::Recoverable { .. } => CauseKind::Recoverable,
            Error::Other(_) => CauseKind::Other,
        };
        let overrides =
            catch_unwind(AssertUnwindSafe(|| error.override_of_policy())).unwrap_or_else(|panic| {
                // The text of it is of no use: the error's own is read below, and panics likewise.
                std::mem::forget(panic);
                None
            });
        let chain = catch_unwind(AssertUnwindSafe(move || {
            let (Error::Boot { source, .. }
            | Error::Validate { source, .. }
            | Error::Reload { source, .. }
            | Error::Run { source, .. }
            | Error::Recoverable { source, .. }
            | Error::Other(source)) = error;
            let mut chain = vec![source.to_string()];
            let mut next = source.source();
            // A chain that bites its own tail would have no end.
            while let Some(error) = next.filter(|_| chain.len() < 64) {
                let text = error.to_string();
                // Many errors print their source themselves: a line that says nothing new is left out.
                if !chain.last().is_some_and(|said| said.ends_with(&text)) {
                    chain.push(text);
                }
                next = error.source();
            }
            chain
        }))
        .unwrap_or_else(|panic| vec![format!("an error whose own text panicked: {}", panic_message(panic))]);
        Self { kind, overrides, chain }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain[0])
    }
}
