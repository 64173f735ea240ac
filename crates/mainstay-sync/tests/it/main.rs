//! The promises of the crate, one test each.

mod cancelled;
mod consistency;
mod epochs;
mod epochs_model;
mod gate;
mod gate_model;
mod gate_threads;
mod gate_time;
mod guard;
mod guard_model;
mod late;
mod pins;
mod readiness;
mod snapshot;
mod snapshot_model;
mod snapshot_threads;
mod support;
mod transaction;
