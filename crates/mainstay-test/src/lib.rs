//! Tests of daemons: a harness on paused time, the lifecycle matrix, fakes, and a driver for real processes.
//!
//! | to find out | use |
//! | --- | --- |
//! | whether my daemon survives every fault in every phase | [`lifecycle_matrix`]: one line |
//! | what it does in one situation | [`Harness`]: the same engine, with paused time and overrides |
//! | how it gets on with a provider that misbehaves | [`Fake`], [`Fault`], [`Log`] |
//! | what its process does with real signals and a real clock | [`Program`], [`Process`], [`Ended`] |
//!
//! It goes into `[dev-dependencies]`, with tokio's `macros` and `test-util` for `#[tokio::test(start_paused = true)]`.
//!
//! # The whole matrix in one line
//!
//! ```no_run
//! # mod greeter {
//! #     use mainstay_registry::Registry;
//! #     pub fn daemon() -> mainstay_runtime::Runtime<()> { mainstay_runtime::Runtime::new(Registry::new(), ()) }
//! # }
//! # #[allow(unused)]
//! // #[test]
//! fn every_fault_is_survived() {
//!     mainstay_test::lifecycle_matrix(|| greeter::daemon());
//! }
//! ```
//!
//! `greeter::daemon` gives a `Runtime`, a `DaemonBuilder`, or the result of its `runtime_from`. Each hook and each task
//! gets each fault (an error, a panic, a hang, a delay, an early `Ok`, a blocked thread), and the stop is asked for at
//! every step; a daemon of ten providers takes a few seconds. When an invariant does not hold, the test fails with the
//! smallest scenario that shows it, its trace, and the command that runs it alone:
//!
//! ```text
//! violated: name-left by 'lock' in boot
//!   expected  what a boot makes outside of the process, its shutdown takes away
//!   seen      left: /tmp/mainstay-matrix-812-0/greeter.lock
//!   scenario  golden+only=lock
//!   trace
//!            0.000 ms  boot lock
//!            0.112 ms  boot lock: ok
//!            ..
//!   alone     MAINSTAY_MATRIX='golden+only=lock' cargo test every_fault_is_survived
//! ```
//!
//! [`LifecycleMatrix`] has the lists of scenarios and invariants, and the options: directories to watch, phases to skip,
//! the real clock for daemons with real sockets.
//!
//! # One situation
//!
//! ```
//! use mainstay_registry::{Dependencies, Phase, Provider, Registry, Reloadable, Result, async_trait};
//! use mainstay_test::{Fault, Harness};
//! use std::sync::Arc;
//!
//! struct Routes;
//!
//! #[async_trait]
//! impl Provider<()> for Routes {
//!     fn name(&self) -> &'static str { "routes" }
//!     fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> { Some(self) }
//! }
//!
//! #[async_trait]
//! impl Reloadable<()> for Routes {
//!     async fn reload(&self, _state: &()) -> Result<()> { Ok(()) }
//! }
//!
//! fn register(registry: &Registry<()>) {
//!     registry.insert(Arc::new(Routes));
//!     # registry.insert(Arc::new(mainstay_runtime::runnable("http", async |(), cx: mainstay_runtime::RunContext| {
//!     #     cx.shutdown_token().cancelled().await;
//!     #     Ok(())
//!     # })));
//!     // .. and what serves
//! }
//!
//! // #[tokio::test(start_paused = true)]
//! async fn a_reload_that_hangs_is_refused_and_the_old_routes_serve_on() {
//!     let daemon = Harness::new((), register).fault::<Routes>(Phase::Reload, Fault::Hang).start().await;
//!     daemon.require_ready();
//!     assert!(!daemon.reload().await.is_committed());
//!     daemon.require_ready();
//!     daemon.drain().await.require_stopped();
//!     assert_eq!(daemon.exit_code(), 0);
//! }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() { a_reload_that_hangs_is_refused_and_the_old_routes_serve_on().await }
//! ```
//!
//! The providers boot in a random order that the plan allows, so that what was forgotten to be declared is found; the
//! seed is printed, and `MAINSTAY_SEED` repeats it. [`Started::phases`] is text for a golden file. A provider is replaced
//! with [`Harness::replace`], what is bound to a trait with [`Harness::bind`]; overriding what is not there is an error.
//!
//! # Rules of the phases
//!
//! In the harness, in the matrix and in a daemon's `Development` mode, breaches of the rules are found while they happen:
//!
//! | code | breach |
//! | --- | --- |
//! | `MS0601` | a provider was looked up during register |
//! | `MS0602` | a boot hook looked up what it has not declared |
//! | `MS0603` | a boot hook left a task running |
//! | `MS0604` | a poll blocked its thread: a warning from 100 ms, an error from 1 s |
//! | `MS0605` | a reload changed who is registered |
//! | `MS0606` | a shutdown hook cannot be called twice |
//!
//! In a daemon they are warnings of the log; in the harness ([`Started::require_stopped`]) and in the matrix they are
//! failures.
//!
//! # Fakes
//!
//! A [`Fake`] is a provider that does what its test says in each phase (fail, fail twice and then work, panic, hang, take
//! its time, ignore its stop, never get ready, block a thread) and writes down in a [`Log`] what was called. Each needs a
//! type of its own, because a registry knows providers by type: any marker will do.
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
//!
//! # Real processes
//!
//! Where threads block or sockets are real, a paused clock and the world lie to each other: start the binary, wait for its
//! lines, signal it, and look at its end with a [`Program`].

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
