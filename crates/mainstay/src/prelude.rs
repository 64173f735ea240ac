//! What a file with providers needs: `use mainstay::prelude::*`.
//!
//! It brings mainstay's [`Result`], whose second parameter has a default: `Result<T, E>` with two
//! parameters is still the standard library's.

pub use crate::{
    Dep, Dependencies, Error, Outcome, Provider, Registry, ReloadState, Reloadable, Result, ResultExt,
    RunContext, Runnable, Runtime, SharedState, Snapshot, TaskFuture, async_trait, runnable, task,
};

#[cfg(feature = "daemon")]
pub use crate::{Daemon, RunMode};
