//! The pointer to a table and the home of a snapshot: arc-swap's and the standard library's, or a form of
//! them that loom sees where a model is checked.

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

    /// A place where loom sees that two threads meet.
    ///
    /// loom remembers the latest access of an atomic only. A thread that loads and then stores, which is what
    /// a writer does, hides from it that another one had loaded in between; so it would try one order only.
    /// Every access knocks here first, which is a write each time and is seen. Relaxed: it orders nothing for
    /// the code.
    #[derive(Default)]
    struct Door(AtomicUsize);

    impl Door {
        fn knock(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All tables there ever were, and which of them is current. A load may be stale, as far as acquire and
    /// release allow it: that is less than arc-swap promises.
    pub(in super::super) struct Current {
        door: Door,
        tables: Mutex<Vec<Arc<Held>>>,
        at: AtomicUsize,
    }

    pub(in super::super) struct Guard(Arc<Held>);

    impl Current {
        pub(in super::super) fn new(held: Arc<Held>) -> Self {
            Self { door: Door::default(), tables: Mutex::new(vec![held]), at: AtomicUsize::new(0) }
        }

        pub(in super::super) fn load(&self) -> Guard {
            Guard(self.load_full())
        }

        pub(in super::super) fn load_full(&self) -> Arc<Held> {
            self.door.knock();
            let at = self.at.load(Ordering::Acquire);
            Arc::clone(&self.tables.lock().unwrap()[at])
        }

        pub(in super::super) fn swap(&self, held: Arc<Held>) -> Arc<Held> {
            self.door.knock();
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
        door: Door,
        set: AtomicBool,
        value: OnceLock<T>,
    }

    impl<T> Once<T> {
        pub(in super::super) fn new() -> Self {
            Self { door: Door::default(), set: AtomicBool::new(false), value: OnceLock::new() }
        }

        pub(in super::super) fn get(&self) -> Option<&T> {
            self.door.knock();
            if self.set.load(Ordering::Acquire) { self.value.get() } else { None }
        }

        pub(in super::super) fn set(&self, value: T) -> Result<(), T> {
            self.door.knock();
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

/// A value of each thread's own.
macro_rules! per_thread {
    (static $name:ident: $type:ty = $value:expr;) => {
        #[cfg(not(all(test, mainstay_loom)))]
        thread_local!(static $name: $type = const { $value });
        #[cfg(all(test, mainstay_loom))]
        loom::thread_local!(static $name: $type = $value);
    };
}
pub(super) use per_thread;
