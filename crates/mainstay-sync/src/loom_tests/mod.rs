//! Every interleaving of two or three threads at a gate, a group of guards, a readiness.
//!
//! Run: `RUSTFLAGS="--cfg mainstay_loom" cargo test -p mainstay-sync --lib --profile models --target-dir target/loom loom_tests`
//!
//! The cfg is our own, because `--cfg loom` takes `tokio::net` away. loom sees what goes through [`crate::sync`]:
//! the words, the locks, the reference counts, and its own wakers; a deadline is modelled by the call that it
//! leads to. Where a model says with how many preemptions, all interleavings would take hours.

#[cfg(mainstay_loom)]
mod gate;
#[cfg(mainstay_loom)]
mod guard;
#[cfg(mainstay_loom)]
mod readiness;
#[cfg(mainstay_loom)]
mod support;
