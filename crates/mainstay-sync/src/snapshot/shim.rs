//! The pointer to a table and the home of a snapshot: arc-swap's and the standard library's, or a form of them that
//! loom sees where a model is checked.

#![allow(unexpected_cfgs, reason = "`mainstay_loom` is given by hand, with the command in `loom_tests`")]

#[cfg(not(all(test, mainstay_loom)))]
mod real {
    use std::sync::{Arc, OnceLock};

    use arc_swap::ArcSwap;

    use super::super::table::Held;

    pub(in super::super) type Current = ArcSwap<Held>;
    pub(in super::super) type Guard = arc_swap::Guard<Arc<Held>>;
    pub(in super::super) type Once<T> = OnceLock<T>;
}

#[cfg(all(test, mainstay_loom))]
mod model {
    use std::ops::Deref;
    use std::sync::{Arc, Mutex, OnceLock};

    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::super::table::Held;

    /// All tables there ever were, and which of them is current. A load may be stale, as far as acquire and release
    /// allow it: that is less than arc-swap promises.
    pub(in super::super) struct Current {
        tables: Mutex<Vec<Arc<Held>>>,
        at: AtomicUsize,
    }

    pub(in super::super) struct Guard(Arc<Held>);

    impl Current {
        pub(in super::super) fn new(held: Arc<Held>) -> Self {
            Self { tables: Mutex::new(vec![held]), at: AtomicUsize::new(0) }
        }

        pub(in super::super) fn load(&self) -> Guard {
            Guard(self.load_full())
        }

        pub(in super::super) fn load_full(&self) -> Arc<Held> {
            let at = self.at.load(Ordering::Acquire);
            Arc::clone(&self.tables.lock().unwrap()[at])
        }

        pub(in super::super) fn swap(&self, held: Arc<Held>) -> Arc<Held> {
            let at = {
                let mut tables = self.tables.lock().unwrap();
                tables.push(held);
                tables.len() - 1
            };
            let old = self.at.swap(at, Ordering::AcqRel);
            Arc::clone(&self.tables.lock().unwrap()[old])
        }
    }

    impl Guard {
        pub(in super::super) fn from_inner(held: Arc<Held>) -> Self {
            Self(held)
        }

        pub(in super::super) fn into_inner(guard: Self) -> Arc<Held> {
            guard.0
        }
    }

    impl Deref for Guard {
        type Target = Arc<Held>;

        fn deref(&self) -> &Arc<Held> {
            &self.0
        }
    }

    pub(in super::super) struct Once<T> {
        set: AtomicBool,
        value: OnceLock<T>,
    }

    impl<T> Once<T> {
        pub(in super::super) fn new() -> Self {
            Self { set: AtomicBool::new(false), value: OnceLock::new() }
        }

        pub(in super::super) fn get(&self) -> Option<&T> {
            if self.set.load(Ordering::Acquire) { self.value.get() } else { None }
        }

        pub(in super::super) fn set(&self, value: T) -> Result<(), T> {
            self.value.set(value)?;
            self.set.store(true, Ordering::Release);
            Ok(())
        }
    }
}

#[cfg(all(test, mainstay_loom))]
pub(super) use self::model::{Current, Guard, Once};
#[cfg(not(all(test, mainstay_loom)))]
pub(super) use self::real::{Current, Guard, Once};
