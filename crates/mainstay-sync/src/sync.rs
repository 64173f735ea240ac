//! The lock and the atomics of this crate: the standard library's, or loom's where a model is checked.
//!
//! loom sees what goes through here, and nothing that goes around it. The command is in `loom_tests`.

#[cfg(not(all(test, mainstay_loom)))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, atomic};

#[cfg(all(test, mainstay_loom))]
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard, atomic};

use std::sync::PoisonError;

/// Takes a lock; a panic under it (a waker's clone) leaves nothing half done, so poison is ignored.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
