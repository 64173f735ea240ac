//! Snapshots that are replaced whole, gates that drain, and guards that are waited for.
//!
//! Four small tools that every long-running program writes sooner or later, each with its edges worked out:
//!
//! - [`Snapshot<T>`](Snapshot): one immutable value that many threads read and one replaces, whole. A
//!   read takes no lock and allocates nothing.
//! - [`GuardGroup`]: a count of what is in flight. Every [`Guard`] is one piece of
//!   work; [`wait_empty`](GuardGroup::wait_empty) ends when the last one is gone.
//! - [`Gate`]: admission with a limit, in order of arrival. Every [`Permit`] is one piece of work inside;
//!   [`drain`](Gate::drain) closes the gate and waits for those inside, up to a deadline.
//! - [`Readiness`]: whether the current generation of something does its job now.
//!
//! The crate knows nothing of providers, needs no particular async runtime, and contains no `unsafe`. A
//! library that only offers providers depends on it and on `mainstay-registry`, and on nothing else of
//! mainstay.

pub mod gate;
pub mod guard;
pub mod readiness;
pub mod snapshot;

mod bell;
#[cfg(test)]
mod loom_tests;
mod sync;
mod waiters;

pub use self::gate::{Gate, OwnedPermit, Permit};
pub use self::guard::{Guard, GuardGroup};
pub use self::readiness::Readiness;
pub use self::snapshot::{Epochs, Loaded, Open, Pinned, Reader, Scoped, Snapshot, Transaction};
