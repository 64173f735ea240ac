#![doc = include_str!("../docs/root.md")]
#![doc = include_str!("../docs/tables.md")]
#![doc = include_str!("../docs/border.md")]

pub mod codes;
#[cfg(feature = "daemon")]
mod daemon;
pub mod gate;
pub mod guard;
pub mod prelude;
pub mod readiness;
pub mod registry;
pub mod snapshot;

#[cfg(feature = "daemon")]
pub use self::daemon::{Daemon, DaemonBuilder};
#[cfg(feature = "daemon")]
pub use clap;
#[cfg(feature = "daemon")]
pub use mainstay_cli::{LogFormat, RunMode};

pub use mainstay_registry::{
    AtLimit, BoxError, Code, Deadlines, Dep, Dependencies, Edge, EdgeKind, Error, InsertError, NamedRunnable,
    NotRegistered, Override, Phase, Plan, PlanError, PlanProblem, PlanWarning, Planned, PlannedRunnable,
    PolicyFault, Provider, ReadyWhen, Registry, ReloadState, Reloadable, RestartPolicy, RestartWhen, Result,
    ResultExt, Runnable, SharedState, StdError, TaskFuture, Validate, Weight, async_trait, priority,
};
pub use mainstay_runtime::{
    Child, ChildEnd, ChildError, ChildState, ChildStatus, Children, Control, ControlError, Cut, CutBy, Done,
    Event, EventKind, Events, Every, Failure, Forced, Hook, HookCall, Intercept, IntoRuntime, Lint, Lints,
    Operation, Outcome, OutcomeError, Problem, ProviderState, ProviderStatus, ReadyState, ReloadReport,
    ReloadResult, Reloading, Request, RunContext, RunnableFn, RunnableState, RunnableStatus, Running,
    Runtime, Severity, Signal, SignalSender, Signals, Status, StopCause, SuperviseError, Supervised,
    TaskName, Unready, note, runnable, task,
};
pub use mainstay_sync::{
    Epochs, Gate, Guard, GuardGroup, Loaded, OwnedPermit, Permit, Pinned, Reader, Readiness, Snapshot,
    Transaction,
};
