//! Counts what is in flight, and waits until it is gone.

pub use mainstay_sync::{Guard, GuardGroup};
