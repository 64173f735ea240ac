//! What a file with providers needs: `use mainstay::prelude::*`.
//!
//! It brings mainstay's [`Result`], whose second parameter has a default: `Result<T, E>` with two
//! parameters is still the standard library's.

pub use crate::{
    Deadlines, Dep, Dependencies, Error, Outcome, Provider, ReadyWhen, Registry, ReloadState, Reloadable,
    RestartPolicy, Result, ResultExt, RunContext, Runnable, Runtime, SharedState, Signals, Snapshot,
    TaskFuture, Validate, async_trait, note, priority, runnable, task,
};

#[cfg(feature = "daemon")]
pub use crate::{Daemon, DaemonBuilder, RunMode};
