//! The promises of the registry and the plan, one module for each subject.

#![allow(clippy::needless_raw_string_hashes, reason = "goldens, as expect-test writes them")]

mod bindings;
mod deps;
mod drops;
mod errors;
mod insertion;
mod logs;
mod lookup;
mod observed;
mod order;
mod policies;
mod problems;
mod properties;
mod rendering;
mod support;
mod threads;
mod walk;
