//! Fakes, and a driver for real processes, to test daemons with.
//!
//! A [`Fake`] is a provider that does what its test says in each phase (fail, panic, hang, take its time) and writes
//! down in a [`Log`] what was called. Each needs a type of its own, because a registry knows providers by type: any
//! marker will do.
//!
//! # Examples
//!
//! ```
//! use mainstay_registry::Registry;
//! use mainstay_runtime::{Runtime, Signals};
//! use mainstay_test::{Fake, Fault, Log};
//! use std::sync::Arc;
//!
//! struct Db;
//! struct Api;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let log = Log::new();
//! let registry = Registry::new();
//! registry.insert(Arc::new(Fake::<Db>::new("db", &log)));
//! registry.insert(Arc::new(Fake::<Api>::new("api", &log).requires::<Db>().boot(Fault::Error("no route"))));
//!
//! let outcome = Runtime::new(registry, ()).signals(Signals::none()).inline().run().await;
//! assert_eq!(outcome.exit_code(), 75);
//! let lines = log.take();
//! assert_eq!(lines, ["boot db", "boot api", "shutdown api", "shutdown db", "drop api", "drop db"]);
//! # }
//! ```

mod check;
mod child;
mod ended;
mod fake;
mod fault;
mod harness;
mod inject;
mod log;
mod matrix;
mod record;

pub use self::child::{Process, Program};
pub use self::ended::Ended;
pub use self::fake::Fake;
pub use self::fault::{Blocker, Fault, Left};
pub use self::harness::{Harness, OverrideError, Started};
pub use self::log::Log;
#[doc(hidden)]
pub use self::matrix::Tampered;
pub use self::matrix::{LifecycleMatrix, MatrixReport, MatrixViolation, lifecycle_matrix};
