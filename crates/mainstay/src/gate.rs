//! The path of admission with a limit.
//!
//! It belongs to the frozen names of mainstay, so that `use mainstay::gate` means the same in every
//! version. What counts work in flight today is in [`guard`](crate::guard).
