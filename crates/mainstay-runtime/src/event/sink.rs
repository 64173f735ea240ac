//! Where events go: into the hub, and from there to the log, the readers and the subscribers, none of which can hold
//! the supervisor or another.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing::Dispatch;

use super::hub::{Hub, LOG, QUEUE};
use super::subscribe::Events;
use super::{Event, EventKind, log};
use crate::caught::panic_message;

/// A reader that a program has given.
pub(crate) type Reader = Box<dyn FnMut(&Event) + Send>;

/// Accepts events from every thread, never waits, and counts what it has to drop.
#[derive(Clone)]
pub(crate) struct Sink {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Arc<Hub>,
    /// Called at once, in the task that emits: for the inline supervisor. A reader may cause further events (it may
    /// call control): these wait in the queue until it returns.
    direct: Option<Mutex<Vec<Reader>>>,
}

impl Sink {
    /// Starts the threads of the log and of the readers. Those of the readers end with the lifecycle, the log's with
    /// the last sink.
    ///
    /// They speak to the subscriber of `tracing` that is current where this is called, the thread-local one of a test
    /// included.
    pub(crate) fn threaded(readers: Vec<Reader>) -> std::io::Result<Self> {
        let hub = Arc::new(Hub::new(readers.len(), QUEUE, true));
        // From here on: whoever has been started ends if one of them cannot be.
        let sink = Self { inner: Arc::new(Inner { hub, direct: None }) };
        sink.start(LOG, "mainstay-log", Box::new(log::log))?;
        for (index, reader) in readers.into_iter().enumerate() {
            sink.start(LOG + 1 + index, "mainstay-events", reader)?;
        }
        Ok(sink)
    }

    fn start(&self, index: usize, name: &str, reader: Reader) -> std::io::Result<()> {
        let hub = Arc::clone(&self.inner.hub);
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let body = move || read(&hub, index, reader, &dispatch);
        std::thread::Builder::new().name(name.to_owned()).spawn(body).map(|_| ())
    }

    pub(crate) fn direct(readers: Vec<Reader>) -> Self {
        let hub = Hub::new(0, usize::MAX, false);
        let hub = if readers.is_empty() { hub } else { hub.log_takes_all() };
        Self { inner: Arc::new(Inner { hub: Arc::new(hub), direct: Some(Mutex::new(readers)) }) }
    }

    pub(crate) fn emit(&self, at: Instant, kind: EventKind) {
        self.push(at, kind);
        self.deliver();
    }

    /// Records an event and puts it in the queues, and runs nobody's code. Somebody calls `deliver` after it, outside
    /// of every lock.
    pub(crate) fn push(&self, at: Instant, kind: EventKind) {
        self.inner.hub.push(at, kind);
    }

    /// Wakes the readers; calls them, where there is no thread that does.
    pub(crate) fn deliver(&self) {
        let Inner { hub, direct } = &*self.inner;
        if let Some(readers) = direct {
            // Who finds the readers busy leaves the event to the one who has them, and who therefore looks again
            // after he has given them back.
            while hub.is_waiting() {
                let Ok(mut readers) = readers.try_lock() else { return };
                while let Some(event) = hub.next() {
                    call(&mut readers, &event);
                }
            }
        }
        hub.ring();
    }

    /// Waits until everything emitted so far was read, but not longer than `patience`.
    pub(crate) fn flush(&self, patience: Duration) {
        if self.inner.direct.is_none() {
            self.inner.hub.flush(patience);
        }
    }

    /// The lifecycle is over: readers and subscribers get what waits for them, and no more. What happens later is
    /// logged, and recorded.
    pub(crate) fn finish(&self) {
        self.deliver();
        let Inner { hub, direct } = &*self.inner;
        hub.finish();
        if let Some(Ok(mut readers)) = direct.as_ref().map(Mutex::try_lock) {
            let readers = std::mem::take(&mut *readers);
            readers.into_iter().for_each(drop_apart);
        }
    }

    /// The same when it is dropped: also of a supervisor that is lost with its runtime.
    pub(crate) fn finish_at_drop(&self) -> Finish {
        Finish(self.clone())
    }

    /// The events from now on.
    pub(crate) fn subscribe(&self) -> Events {
        Events::of(&self.inner.hub)
    }

    /// The last events, oldest first.
    pub(crate) fn record(&self) -> Vec<Event> {
        self.inner.hub.record()
    }
}

/// Ends the events when it is dropped.
pub(crate) struct Finish(Sink);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.hub.close();
    }
}

/// The thread of one reader, to its end.
fn read(hub: &Hub, index: usize, mut reader: Reader, dispatch: &Dispatch) {
    tracing::dispatcher::with_default(dispatch, || {
        let mut batch = VecDeque::new();
        while let Some(lost) = hub.wait(index, &mut batch) {
            let missing = batch.front().filter(|_| lost > 0).map(|next| Arc::new(Event::lost(lost, next)));
            for event in missing.into_iter().chain(batch.drain(..)) {
                if is_done_after(&mut reader, &event) && index != LOG {
                    hub.leave(index);
                    return drop_apart(reader);
                }
            }
        }
        drop_apart(reader);
    });
}

/// Prints the line, then calls the program's readers. A reader that panics is not called again.
fn call(readers: &mut Vec<Reader>, event: &Event) {
    if log::wants(&event.kind)
        && let Err(panic) = catch_unwind(AssertUnwindSafe(|| log::log(event)))
    {
        std::mem::forget(panic);
    }
    let mut index = 0;
    while let Some(reader) = readers.get_mut(index) {
        if is_done_after(reader, event) {
            drop_apart(readers.remove(index));
        } else {
            index += 1;
        }
    }
}

/// Calls a reader. True: it panicked.
fn is_done_after(reader: &mut Reader, event: &Event) -> bool {
    let called = catch_unwind(AssertUnwindSafe(|| reader(event)));
    called.map_err(|panic| log::reader_panicked(&panic_message(panic))).is_err()
}

/// A reader is the program's, and so is its destructor.
fn drop_apart(reader: Reader) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(move || drop(reader))) {
        std::mem::forget(panic);
    }
}
