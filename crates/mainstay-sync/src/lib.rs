//! Snapshots that are replaced whole, and guards that are waited for.
//!
//! Two small tools that every long-running program writes sooner or later, each with its edges worked out:
//!
//! - [`Snapshot<T>`](Snapshot): one immutable value that many threads read and one replaces, whole. A
//!   read takes no lock and allocates nothing.
//! - [`GuardGroup`]: a count of what is in flight. Every [`Guard`] is one piece of
//!   work; [`wait_empty`](GuardGroup::wait_empty) ends when the last one is gone.
//!
//! The crate knows nothing of providers, needs no particular async runtime, and contains no `unsafe`. A
//! library that only offers providers depends on it and on `mainstay-registry`, and on nothing else of
//! mainstay.

pub mod guard;
pub mod snapshot;

mod waiting;

pub use self::guard::{Guard, GuardGroup};
pub use self::snapshot::{Loaded, Reader, Snapshot};
