//! The promises of the crate, one test each.

mod guard;
mod guard_model;
mod snapshot;
mod snapshot_model;
mod snapshot_threads;
mod support;
