//! Who runs on this thread: the hook, task or child that is being polled or dropped.

use std::borrow::Cow;
use std::cell::RefCell;
use std::mem;
use std::sync::Arc;

use mainstay_sync::Epochs;
use tracing::Span;
use tracing::level_filters::LevelFilter;

use super::RunContext;
use super::spawned::Spawned;
use crate::caught::{Panicked, caught};
use crate::cell::{Cell, Label, within};

thread_local! {
    static AMBIENT: RefCell<Option<Ambient>> = const { RefCell::new(None) };
}

/// Who runs on this thread.
pub(crate) enum Ambient {
    /// A hook or a task.
    Cell(Arc<Cell>),
    Spawned(Arc<Spawned>),
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
            Self::Spawned(child) => child.note(text),
            Self::Child(cx) => cx.generation.watch().note(text),
        }
    }

    /// Whose boot hook it is, if it is one.
    pub(crate) fn booting(&self) -> Option<&'static str> {
        match self {
            Self::Cell(cell) => cell.booting(),
            Self::Spawned(_) | Self::Child(_) => None,
        }
    }

    /// `None` in a hook.
    pub(crate) fn context(&self) -> Option<&RunContext> {
        match self {
            Self::Cell(cell) => cell.context(),
            Self::Spawned(child) => Some(child.context()),
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

/// Calls user code of a child with what it finds around it: its span, its context, its provider's epochs. No poll
/// counts a reference for it, because all children share them.
pub(super) fn region<T>(ambient: &mut Option<Ambient>, span: Option<&Span>, f: impl FnOnce() -> T) -> T {
    within(span, || Ambient::around(ambient, || Epochs::enter_for(on_behalf_of, f)))
}

/// Drops something of the user's there. A subscriber that panics as its span is entered keeps nothing from being
/// dropped, and nobody from their end: then it is dropped without a span.
pub(super) fn dropped(
    ambient: &mut Option<Ambient>,
    span: Option<&Span>,
    f: impl FnOnce(),
) -> Result<(), Panicked> {
    let mut f = Some(f);
    let inside = caught(|| region(ambient, span, || caught(|| f.take().map_or((), |f| f()))));
    let inside = inside.unwrap_or_else(Err);
    match f {
        Some(f) => inside.and(region(ambient, None, || caught(f))),
        None => inside,
    }
}

/// On whose behalf the one that runs on this thread does.
fn on_behalf_of() -> Option<(Epochs, &'static str)> {
    let of = |cx: &RunContext| (cx.generation.root().epochs.clone(), cx.generation.root().name.provider);
    Ambient::look(|ambient| ambient.context().map(of)).flatten()
}

/// The span of a child, where a subscriber wants it.
pub(super) fn span(label: impl FnOnce() -> Label) -> Option<Box<Span>> {
    if LevelFilter::current() < LevelFilter::DEBUG {
        return None;
    }
    let span = label().span();
    (!span.is_disabled()).then(|| Box::new(span))
}
