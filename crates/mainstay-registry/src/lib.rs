//! Providers, their typed registry and the plan of their lifecycle.

mod code;
pub mod codes;
mod deadlines;
mod dep;
mod dependencies;
mod error;
mod log;
mod names;
mod phase;
mod plan;
pub mod priority;
mod provider;
mod registry;
mod reload;
mod result_ext;
mod runnable;
mod state;

pub use async_trait::async_trait;

pub use self::{
    code::Code,
    deadlines::Deadlines,
    dep::Dep,
    dependencies::Dependencies,
    error::{BoxError, Error, Result, StdError},
    names::{NearKind, NearMatch},
    phase::Phase,
    plan::{
        Absent, Cycle, CycleStep, Edge, EdgeKind, Missing, OrderKind, Panicked, Plan, PlanError, PlanProblem,
        PlanWarning, Planned, PlannedRunnable, Requirer,
    },
    provider::{Provider, Validate},
    registry::{Held, InsertError, NotRegistered, NotReloadable, Registry, UnknownName},
    reload::{ReloadState, Reloadable},
    result_ext::ResultExt,
    runnable::{NamedRunnable, ReadyWhen, Runnable, TaskFuture},
    state::SharedState,
};
