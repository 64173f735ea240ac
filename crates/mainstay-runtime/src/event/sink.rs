//! Where events go: a bounded queue to a writer thread, so that no reader can hold the supervisor.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;

use super::{Event, EventKind, log};
use crate::exit::panic_message;

/// A reader that a program has given.
pub(crate) type Reader = Box<dyn FnMut(&Event) + Send>;

/// How many events may wait for their readers.
const QUEUE: usize = 4096;

/// Accepts events from every thread, never waits, and counts what it has to drop.
#[derive(Clone)]
pub(crate) struct Sink {
    inner: Arc<Inner>,
    /// A program reads the events: then each of them counts.
    read: bool,
}

enum Inner {
    /// To the writer thread.
    Queue { sender: mpsc::SyncSender<Message>, lost: AtomicU64 },
    /// To the readers at once, in the task that emits: for the inline supervisor. A reader may cause further events
    /// (it may call control): these wait in the queue until it returns.
    Direct { queue: Mutex<VecDeque<Event>>, readers: Mutex<Vec<Reader>> },
}

enum Message {
    Event(Event),
    Flush(mpsc::SyncSender<()>),
}

impl Sink {
    /// Starts the writer thread. It ends with the last sink.
    ///
    /// It speaks to the subscriber that is current where this is called, the thread-local one of a test included.
    pub(crate) fn threaded(mut readers: Vec<Reader>) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::sync_channel(QUEUE);
        let read = !readers.is_empty();
        let inner = Arc::new(Inner::Queue { sender, lost: AtomicU64::new(0) });
        let weak = Arc::downgrade(&inner);
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        std::thread::Builder::new().name("mainstay-events".to_owned()).spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || {
                while let Ok(message) = receiver.recv() {
                    match message {
                        Message::Event(event) => {
                            let lost = weak.upgrade().map_or(0, |inner| inner.take_lost());
                            if lost > 0 {
                                deliver(
                                    &mut readers,
                                    &Event { at: event.at, kind: EventKind::Lost { events: lost } },
                                );
                            }
                            deliver(&mut readers, &event);
                        }
                        Message::Flush(done) => {
                            let _ = done.try_send(());
                        }
                    }
                }
            });
        })?;
        Ok(Self { inner, read })
    }

    pub(crate) fn direct(readers: Vec<Reader>) -> Self {
        let read = !readers.is_empty();
        let inner = Inner::Direct { queue: Mutex::default(), readers: Mutex::new(readers) };
        Self { inner: Arc::new(inner), read }
    }

    pub(crate) fn emit(&self, at: Instant, kind: EventKind) {
        self.push(at, kind);
        self.deliver();
    }

    /// Puts an event in the queue, and runs nobody's code. What would only be a line that no log wants is left out: it
    /// costs the boot of thousands of providers a tenth of a microsecond each, and a thread that is woken for it.
    pub(crate) fn push(&self, at: Instant, kind: EventKind) {
        if !self.read && kind.is_detail() && LevelFilter::current() < LevelFilter::DEBUG {
            return;
        }
        let event = Event { at, kind };
        match &*self.inner {
            Inner::Queue { sender, lost } => {
                if sender.try_send(Message::Event(event)).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            Inner::Direct { queue, .. } => {
                queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
            }
        }
    }

    /// Calls the readers, where there is no thread that does.
    pub(crate) fn deliver(&self) {
        let Inner::Direct { queue, readers } = &*self.inner else { return };
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        // Who finds the readers busy leaves the event to the one who has them, and who therefore looks again after
        // he has given them back.
        let waits = || !queue.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        while waits() {
            let Ok(mut readers) = readers.try_lock() else { return };
            while let Some(event) = next() {
                deliver(&mut readers, &event);
            }
        }
    }

    /// Waits until everything emitted so far was read, but not longer than `patience`.
    pub(crate) fn flush(&self, patience: Duration) {
        if let Inner::Queue { sender, .. } = &*self.inner {
            let (done, wait) = mpsc::sync_channel(1);
            if sender.try_send(Message::Flush(done)).is_ok() {
                let _ = wait.recv_timeout(patience);
            }
        }
    }
}

impl Inner {
    fn take_lost(&self) -> u64 {
        match self {
            Self::Queue { lost, .. } => lost.swap(0, Ordering::Relaxed),
            Self::Direct { .. } => 0,
        }
    }
}

/// Prints the line, then calls the program's readers. A reader that panics is not called again.
fn deliver(readers: &mut Vec<Reader>, event: &Event) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| log::log(event))) {
        std::mem::forget(panic);
    }
    readers.retain_mut(|reader| match catch_unwind(AssertUnwindSafe(|| reader(event))) {
        Ok(()) => true,
        Err(panic) => {
            tracing::error!(target: "mainstay", "a reader of events panicked and is not called again: {}", panic_message(panic));
            false
        }
    });
}
