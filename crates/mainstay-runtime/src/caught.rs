//! Panics of user code: caught, with their message and the place that a panic hook has seen.
//!
//! The hook is installed once per process and calls the one that was there. It remembers nothing but what panics inside
//! of [`caught`], and of that the message as well: a panic that user code has caught by itself, or one that a
//! destructor had while its thread was unwinding, must not lend its place to another. A panic that is resumed runs no
//! hook; it then has a place only if it was this thread's own.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

/// How many panics of one region are remembered: the last ones.
const REMEMBERED: usize = 8;

const NOT_TEXT: &str = "a panic with a payload that is not text";

thread_local! {
    /// How many regions of user code this thread is inside of.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// The panics of the innermost one.
    static SEEN: RefCell<Vec<Panicked>> = const { RefCell::new(Vec::new()) };
    /// There are some: what no poll looks for any further when there are none.
    static ANY: Cell<bool> = const { Cell::new(false) };
}

/// What is known of a panic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Panicked {
    pub(crate) message: String,
    /// `src/db.rs:12:5`
    pub(crate) place: Option<String>,
}

impl Panicked {
    fn of(payload: Box<dyn Any + Send>, seen: &[Self]) -> Self {
        let message = panic_message(payload);
        // The last one with these words: what was caught before it may have said the same.
        let place = seen.iter().rev().find(|seen| seen.message == message);
        Self { place: place.and_then(|seen| seen.place.clone()), message }
    }

    /// The same, with a word on where it was met.
    pub(crate) fn with(mut self, remark: &str) -> Self {
        self.message = format!("{} ({remark})", self.message);
        self
    }
}

impl From<String> for Panicked {
    fn from(message: String) -> Self {
        Self { message, place: None }
    }
}

impl From<&str> for Panicked {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Calls user code. What panics in it is caught, and its place known if the hook is installed.
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, Panicked> {
    if ANY.get() {
        return caught_inside(f);
    }
    let result = within(f);
    match result {
        Ok(value) => {
            if ANY.get() {
                // What it has caught itself.
                exchange(Vec::new());
            }
            Ok(value)
        }
        Err(payload) => Err(Panicked::of(payload, &exchange(Vec::new()))),
    }
}

/// The same while an outer region has seen a panic: it may be unwinding, with this one in a destructor of it, so what
/// it has seen is kept for it.
#[cold]
fn caught_inside<T>(f: impl FnOnce() -> T) -> Result<T, Panicked> {
    let outer = exchange(Vec::new());
    let result = within(f);
    let seen = exchange(outer);
    result.map_err(|payload| Panicked::of(payload, &seen))
}

fn within<T>(f: impl FnOnce() -> T) -> std::thread::Result<T> {
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(f));
    DEPTH.set(DEPTH.get() - 1);
    result
}

#[cold]
fn exchange(new: Vec<Panicked>) -> Vec<Panicked> {
    ANY.set(!new.is_empty());
    // A thread that ends has none any more.
    SEEN.try_with(|seen| seen.try_borrow_mut().map(|mut seen| std::mem::replace(&mut *seen, new)))
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default()
}

/// Installs the hook, once per process.
pub(crate) fn watch_panics() {
    static INSTALLED: Once = Once::new();
    // It would be a panic inside of a panic: the next runtime does it.
    if std::thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            remember(info);
        }));
    });
}

fn remember(info: &PanicHookInfo<'_>) {
    if DEPTH.get() == 0 {
        return;
    }
    let place = info.location().map(ToString::to_string);
    let message = text(info.payload()).to_owned();
    let _ = SEEN.try_with(|seen| {
        if let Ok(mut seen) = seen.try_borrow_mut() {
            if seen.len() == REMEMBERED {
                seen.remove(0);
            }
            seen.push(Panicked { message, place });
            ANY.set(true);
        }
    });
}

fn text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        NOT_TEXT
    }
}

/// The text of a panic. The payload is forgotten, because its `Drop` may panic in its turn.
pub(crate) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let message = text(&*payload).to_owned();
    std::mem::forget(payload);
    message
}
