//! Calls that may end in a waker of the user's: on a thread of their own, so that none of them holds the supervisor.
//!
//! A token wakes whoever awaits it, and that need not be a task of tokio's: it may be any executor, and its waker may
//! block or panic. The thread is started with the first call (the beginning of the stop, or a reopen), and ends with
//! the engine.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{OnceLock, mpsc};

type Call = Box<dyn FnOnce() + Send>;

/// Makes calls in order, one after the other.
pub(crate) struct Calls {
    /// `None`: here and now, for the inline supervisor, and where a thread cannot be had.
    thread: OnceLock<Option<mpsc::Sender<Call>>>,
}

impl Calls {
    pub(crate) fn new(threaded: bool) -> Self {
        let thread = OnceLock::new();
        if !threaded {
            let _ = thread.set(None);
        }
        Self { thread }
    }

    pub(crate) fn call(&self, call: impl FnOnce() + Send + 'static) {
        let call: Call = Box::new(call);
        match self.thread.get_or_init(start) {
            Some(sender) => {
                let _ = sender.send(call);
            }
            None => run(call),
        }
    }
}

fn start() -> Option<mpsc::Sender<Call>> {
    let (sender, receiver) = mpsc::channel::<Call>();
    let body = move || receiver.into_iter().for_each(run);
    std::thread::Builder::new().name("mainstay-calls".to_owned()).spawn(body).is_ok().then_some(sender)
}

fn run(call: Call) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
        std::mem::forget(panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A waker of the user's that panics or blocks is no business of the one who calls.
    #[test]
    fn a_call_that_panics_or_blocks_holds_nobody() {
        for threaded in [true, false] {
            let calls = Calls::new(threaded);
            let (done, wait) = mpsc::channel();
            calls.call(|| panic!("a waker panics"));
            calls.call(move || {
                let _ = done.send(());
            });
            assert!(wait.recv().is_ok(), "the next call is made all the same");
        }
        let (release, blocked) = mpsc::channel::<()>();
        let calls = Calls::new(true);
        calls.call(move || {
            let _ = blocked.recv();
        });
        calls.call(|| {});
        drop(release);
    }
}
