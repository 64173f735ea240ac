//! What is known of one connection, and what it is told; seen by its task, its requests, its line and the server.
//!
//! Atomics are relaxed where a number is for timers and reports. What decides something (the stage, the count of
//! requests in flight) is written before the task that reads it is woken, and the waking orders it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::now;
use crate::doing::{Doing, Times};
use crate::peer::Peer;
use crate::served::Cut;

/// What a connection is read from and written to, without its type.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// How far a stop has come. It only grows, and a connection goes through every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Serve,
    /// Answers are the last ones of their connections, HTTP/2 clients are told.
    Stop,
    /// Who has nothing in flight is ended.
    LastCall,
    /// Whoever is still there is ended.
    Cut,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Serve, Self::Stop, Self::LastCall, Self::Cut];

    /// The one that comes next.
    pub(crate) fn next(self) -> Self {
        Self::ALL[(self as usize + 1).min(3)]
    }
}

/// What all connections of one server count together.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) accepted: AtomicU64,
    pub(crate) accept_failures: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) slow_heads: AtomicU64,
    pub(crate) idle: AtomicU64,
    pub(crate) stalled: AtomicU64,
}

/// Adds one.
pub(crate) fn count(number: &AtomicU64) {
    number.fetch_add(1, Ordering::Relaxed);
}

pub(crate) struct Shared {
    peer: Peer,
    opened: Instant,
    pub(crate) tally: Arc<Tally>,
    pub(crate) draining: CancellationToken,
    stage: AtomicU8,
    /// The connection's task.
    task: AtomicWaker,
    in_flight: AtomicUsize,
    requests: AtomicU64,
    /// Microseconds from `opened`.
    quiet: AtomicU64,
    /// The same plus one; 0 for none.
    head: AtomicU64,
    http2: AtomicBool,
    upgraded: AtomicBool,
    /// Since when the kernel takes nothing of what is written: microseconds from `opened` plus one; 0 for none.
    full: AtomicU64,
    last_call: AtomicBool,
    counted_as_cut: AtomicBool,
    gone: AtomicBool,
    slot: Mutex<Slot>,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

/// Where the stream is while nobody polls it: so that it can be closed under whoever owns the line.
struct Slot {
    stream: Option<Box<dyn Stream>>,
    severed: bool,
}

impl Shared {
    pub(crate) fn new(
        peer: Peer,
        stream: Box<dyn Stream>,
        tally: &Arc<Tally>,
        draining: &CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            peer,
            opened: now(),
            tally: Arc::clone(tally),
            draining: draining.clone(),
            stage: AtomicU8::new(Stage::Serve as u8),
            task: AtomicWaker::new(),
            in_flight: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            quiet: AtomicU64::new(0),
            head: AtomicU64::new(0),
            http2: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            full: AtomicU64::new(0),
            last_call: AtomicBool::new(false),
            counted_as_cut: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            slot: Mutex::new(Slot { stream: Some(stream), severed: false }),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        })
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(crate) fn age(&self) -> Duration {
        now().saturating_duration_since(self.opened)
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.age().as_micros()).unwrap_or(u64::MAX - 1)
    }

    pub(crate) fn times(&self) -> Times {
        let at = |micros| self.opened + Duration::from_micros(micros);
        let some = |micros: &AtomicU64| match micros.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(at(micros - 1)),
        };
        Times {
            opened: self.opened,
            quiet: at(self.quiet.load(Ordering::Relaxed)),
            head: some(&self.head),
            full: some(&self.full),
            requests: self.requests(),
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn doing(&self) -> Doing {
        let requests = self.in_flight.load(Ordering::Relaxed);
        if self.upgraded.load(Ordering::Relaxed) {
            Doing::Upgraded
        } else if requests > 0 {
            Doing::Answering { requests }
        } else if self.full.load(Ordering::Relaxed) > 0 {
            Doing::Writing
        } else if self.is_http2() {
            Doing::Idle
        } else if self.head.load(Ordering::Relaxed) > 0 {
            Doing::ReadingHead
        } else if self.requests() == 0 {
            Doing::Opening
        } else {
            Doing::Idle
        }
    }

    /// Whether something is in flight that must not be ended at a last call.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.doing(), Doing::Answering { .. } | Doing::Writing)
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.http2.load(Ordering::Relaxed)
    }

    pub(crate) fn speaks_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_upgraded(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    /// A request begins to be answered.
    pub(crate) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        count(&self.tally.requests);
        self.head.store(0, Ordering::Relaxed);
    }

    /// Its answer has been handed over, or given up.
    pub(crate) fn end(&self) {
        self.quiet.store(self.micros(), Ordering::Relaxed);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Something was read: the first of it between two requests begins a head.
    pub(crate) fn read_something(&self) {
        if self.head.load(Ordering::Relaxed) == 0 && self.in_flight.load(Ordering::Relaxed) == 0 {
            self.head.store(self.micros() + 1, Ordering::Relaxed);
        }
    }

    /// Whether the kernel took what was written last. Only its connection's task, or its owner's, writes.
    pub(crate) fn set_full(&self, full: bool) {
        if !full {
            self.full.store(0, Ordering::Relaxed);
        } else if self.full.load(Ordering::Relaxed) == 0 {
            self.full.store(self.micros() + 1, Ordering::Relaxed);
        }
    }

    /// The line ends where it is empty and nothing is in flight.
    pub(crate) fn last_call(&self) {
        self.last_call.store(true, Ordering::Relaxed);
    }

    pub(crate) fn ends_here(&self) -> bool {
        self.last_call.load(Ordering::Relaxed) && !self.is_busy()
    }

    /// Whether the answer to this request is the last one of its connection.
    pub(crate) fn is_last_answer(&self) -> bool {
        !self.is_http2() && (self.stage() >= Stage::Stop || self.last_call.load(Ordering::Relaxed))
    }

    pub(crate) fn stage(&self) -> Stage {
        Stage::ALL[usize::from(self.stage.load(Ordering::Acquire))]
    }

    /// Tells the connection how far the stop is.
    pub(crate) fn tell(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::AcqRel);
        self.task.wake();
    }

    pub(crate) fn watch(&self, waker: &Waker) {
        self.task.register(waker);
    }

    pub(crate) fn readers(&self) -> (&AtomicWaker, &AtomicWaker) {
        (&self.reader, &self.writer)
    }

    /// The line was given up, by whoever owned it last.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(crate) fn gone(&self) {
        drop(self.take());
        self.gone.store(true, Ordering::Release);
        self.task.wake();
    }

    /// Closes the stream, whoever owns the line: what reads or writes it sees that it was aborted.
    pub(crate) fn sever(&self) {
        let mut slot = self.slot();
        slot.severed = true;
        let stream = slot.stream.take();
        drop(slot);
        drop(stream);
        self.reader.wake();
        self.writer.wake();
    }

    /// What a report says of it, the first time that it is asked for.
    pub(crate) fn cut(&self, doing: Doing) -> Option<Cut> {
        let first = !self.counted_as_cut.swap(true, Ordering::Relaxed);
        first.then(|| Cut { peer: self.peer.clone(), age: self.age(), doing, requests: self.requests() })
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the stream out to poll it: nothing of the listener's is called under the lock.
    pub(crate) fn take(&self) -> Option<Box<dyn Stream>> {
        self.slot().stream.take()
    }

    /// Puts it back, unless it was severed meanwhile.
    pub(crate) fn put(&self, stream: Box<dyn Stream>) -> Result<(), Box<dyn Stream>> {
        let mut slot = self.slot();
        if slot.severed {
            return Err(stream);
        }
        slot.stream = Some(stream);
        Ok(())
    }
}
