//! Whether the current generation of something does its job now.

pub use mainstay_sync::readiness::{Generation, NotReady, Readiness};
