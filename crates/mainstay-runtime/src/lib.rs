//! One process from boot to exit: phases, deadlines, supervision, signals, outcome.
//!
//! A program registers [providers](mainstay_registry::Provider) in a [registry](mainstay_registry::Registry) and
//! hands it to a [`Runtime`], which boots them along the plan, validates them, runs and supervises their tasks,
//! reloads them on SIGHUP, and stops them in reverse order within a budget. What came of it is an [`Outcome`].
//!
//! ```
//! use mainstay_registry::Registry;
//! use mainstay_runtime::{RunContext, Runtime, Signal, Signals, runnable};
//! use std::sync::Arc;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let registry: Registry<()> = Registry::new();
//! registry.insert(Arc::new(runnable("http", async |(), cx: RunContext| {
//!     cx.shutdown_token().cancelled().await;
//!     Ok(())
//! })));
//!
//! let (sender, signals) = Signals::channel();
//! sender.send(Signal::Terminate);
//! let outcome = Runtime::new(registry, ()).signals(signals).run().await;
//! assert_eq!(outcome.exit_code(), 0);
//! # }
//! ```
//!
//! # Which door
//!
//! - A program of its own: `Daemon::main` of the crate `mainstay`, which owns the process. It stands on
//!   [`Runtime::run_on`].
//! - Inside an existing `#[tokio::main]`: [`Runtime::run`], then [`Outcome::exit`], because returning from `main`
//!   would wait for ever for a thread that somebody blocks.
//! - Started and held by other code: [`Runtime::start`], [`Running::control`], [`Running::wait`].
//!
//! # What is isolated
//!
//! Every hook and task, its synchronous part, its destructor, and even a provider's `name`: an error, a panic, a hang
//! past its deadline and a cancellation are each a [`Failure`] with the provider's name. A panic that leaves a
//! destructor while its thread unwinds already aborts the process, as Rust has it; so does a panic in a program that
//! is built with `panic = "abort"`.
//!
//! A hook that no thread of the application's runtime polls for 50 ms is run on a thread of its own, so that blocked
//! workers cost no provider its `shutdown`. What it awaits from the blocked runtime may never come; its deadline
//! holds.

mod caught;
mod cell;
mod clock;
pub mod codes;
mod context;
mod control;
mod engine;
mod event;
mod exit;
mod intercept;
mod lints;
mod machine;
mod outcome;
mod release;
mod restart;
mod runnable;
mod runtime;
mod signals;
mod spec;
mod status;
mod supervise;

pub use self::context::{
    Child, ChildEnd, ChildError, ChildState, ChildStatus, Children, Every, RunContext, SuperviseError,
    Supervised, note, task,
};
pub use self::control::{Control, ControlError, Done, Reloading, Request};
pub use self::event::{Busy, Event, EventKind, Events, Operation, ReloadReport, ReloadResult, TaskName};
pub use self::exit::{Cause, CauseKind};
pub use self::intercept::{Hook, HookCall, Intercept};
#[doc(hidden)]
pub use self::lints::Lookups;
pub use self::lints::{Lint, Lints, Severity, codes as lint_codes};
pub use self::outcome::{Cut, CutBy, Failure, Forced, Outcome, OutcomeError, Problem, StopCause};
pub use self::runnable::{RunnableFn, runnable};
pub use self::runtime::{IntoRuntime, RunOn, Running, Runtime};
pub use self::signals::{Signal, SignalSender, Signals};
pub use self::status::{
    ProviderState, ProviderStatus, ReadyState, RunnableState, RunnableStatus, Status, Unready,
};
