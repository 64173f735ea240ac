//! Who runs on this thread: the hook, task or child that is being polled or dropped.

use std::borrow::Cow;
use std::cell::RefCell;
use std::mem;
use std::sync::Arc;

use super::RunContext;
use crate::cell::Cell;

thread_local! {
    static AMBIENT: RefCell<Option<Ambient>> = const { RefCell::new(None) };
}

/// Who runs on this thread.
pub(crate) enum Ambient {
    /// A hook, a task, or a child that was spawned.
    Cell(Arc<Cell>),
    /// A supervised child.
    Child(RunContext),
}

impl Ambient {
    /// Calls `f` with it around. It stays the caller's and is there again afterwards, so that a poll counts no reference.
    pub(crate) fn around<T>(ambient: &mut Option<Self>, f: impl FnOnce() -> T) -> T {
        let _inside = Inside::new(ambient);
        f()
    }

    /// Looks at who runs; nobody does while the thread ends. `look` calls nothing of the user's.
    pub(crate) fn look<T>(look: impl FnOnce(&Self) -> T) -> Option<T> {
        AMBIENT.try_with(|ambient| ambient.borrow().as_ref().map(look)).ok().flatten()
    }

    pub(super) fn note(&self, text: Cow<'static, str>) {
        match self {
            Self::Cell(cell) => cell.note(text),
            Self::Child(cx) => cx.generation.watch().note(text),
        }
    }

    /// Whose boot hook it is, if it is one.
    pub(crate) fn booting(&self) -> Option<&'static str> {
        match self {
            Self::Cell(cell) => cell.booting(),
            Self::Child(_) => None,
        }
    }

    /// Of a supervised child, taken back out.
    pub(super) fn into_context(self) -> Option<RunContext> {
        match self {
            Self::Cell(_) => None,
            Self::Child(cx) => Some(cx),
        }
    }

    /// `None` in a hook.
    pub(crate) fn context(&self) -> Option<&RunContext> {
        match self {
            Self::Cell(cell) => cell.context(),
            Self::Child(cx) => Some(cx),
        }
    }
}

/// It is around for as long as this lives.
struct Inside<'a>(&'a mut Option<Ambient>);

impl<'a> Inside<'a> {
    fn new(ambient: &'a mut Option<Ambient>) -> Self {
        exchange(ambient);
        Self(ambient)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        exchange(self.0);
    }
}

fn exchange(ambient: &mut Option<Ambient>) {
    // Nobody runs any more while the thread ends, and there is nothing to put back.
    let _ = AMBIENT.try_with(|around| mem::swap(&mut *around.borrow_mut(), ambient));
}
