//! How a transaction ended, and what its effects did.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::ambient::{self, Run};
use super::table::{drop_caught, drop_quietly};

/// A transaction that was committed.
#[derive(Debug)]
#[must_use = "an effect may have failed"]
pub struct Committed {
    pub(super) epoch: u64,
    pub(super) published: usize,
    pub(super) failures: Vec<EffectFailure>,
}

impl Committed {
    /// Returns the epoch that it made visible, or the current one if nothing had been staged.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Counts the snapshots that have changed.
    pub fn published(&self) -> usize {
        self.published
    }

    /// Returns what panicked. It undid nothing.
    pub fn failures(&self) -> &[EffectFailure] {
        &self.failures
    }
}

/// A transaction that was aborted.
#[derive(Debug)]
#[must_use = "an effect may have failed"]
pub struct Aborted {
    pub(super) discarded: usize,
    pub(super) failures: Vec<EffectFailure>,
}

impl Aborted {
    /// Counts the snapshots that keep what they had, though something else was staged.
    pub fn discarded(&self) -> usize {
        self.discarded
    }

    /// Returns what panicked. It kept nothing else from being undone.
    pub fn failures(&self) -> &[EffectFailure] {
        &self.failures
    }
}

/// A panic in the code of a provider at the end of a transaction. `Display` is one line.
#[derive(Clone, Debug)]
pub struct EffectFailure {
    provider: Option<&'static str>,
    effect: Effect,
    panic: String,
}

/// What panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// A closure given to [`Transaction::on_commit`](super::Transaction::on_commit).
    OnCommit,
    /// A closure given to [`Transaction::on_abort`](super::Transaction::on_abort).
    OnAbort,
    /// The destructor of a value that was replaced or discarded, or of a closure that was not called.
    Drop,
}

impl EffectFailure {
    /// Returns whose it was, if that is known.
    pub fn provider(&self) -> Option<&'static str> {
        self.provider
    }

    /// Returns what panicked.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Returns the text of the panic.
    pub fn panic(&self) -> &str {
        &self.panic
    }
}

impl fmt::Display for EffectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.effect {
            Effect::OnCommit => "`on_commit`",
            Effect::OnAbort => "`on_abort`",
            Effect::Drop => "a destructor",
        })?;
        if let Some(provider) = self.provider {
            write!(f, " of \"{provider}\"")?;
        }
        write!(f, " panicked: {}", self.panic)
    }
}

/// An effect, and who registered it.
pub(super) struct Registered {
    call: Box<dyn FnOnce() + Send>,
    run: Option<Run>,
}

impl Registered {
    pub(super) fn new(f: impl FnOnce() + Send + 'static, run: Option<Run>) -> Self {
        Self { call: Box::new(f), run }
    }

    /// Calls it outside of every transaction and pin, on behalf of who registered it.
    pub(super) fn call(self) {
        ambient::enter(ambient::outside(self.run), self.call);
    }
}

/// Runs one thing after the other, and keeps what they panic with.
#[derive(Default)]
pub(super) struct Isolated {
    pub(super) failures: Vec<EffectFailure>,
}

impl Isolated {
    pub(super) fn call(&mut self, effect: Effect, registered: Registered) {
        let provider = registered.provider();
        self.keep(effect, provider, catch_unwind(AssertUnwindSafe(|| registered.call())));
    }

    pub(super) fn drop<T>(&mut self, provider: Option<&'static str>, value: T) {
        self.keep(Effect::Drop, provider, drop_caught(value));
    }

    pub(super) fn drop_uncalled(&mut self, registered: Registered) {
        self.drop(registered.provider(), registered);
    }

    fn keep(
        &mut self,
        effect: Effect,
        provider: Option<&'static str>,
        outcome: Result<(), Box<dyn Any + Send>>,
    ) {
        if let Err(payload) = outcome {
            let text = payload.downcast_ref::<&str>().copied();
            let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
            let panic = text.unwrap_or("a value that is no text").to_owned();
            drop_quietly(payload);
            self.failures.push(EffectFailure { provider, effect, panic });
        }
    }
}

impl Registered {
    fn provider(&self) -> Option<&'static str> {
        self.run.as_ref().map(|run| run.provider)
    }
}
