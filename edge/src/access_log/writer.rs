//! The task that owns the file: it decides when, and lets a thread that may block write.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use mainstay::{Result, RunContext};
use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::line::{Answered, Format, Line};
use super::sink::{Open, Sink};

/// How many lines may wait: 3 MB of the usual ones, 46 MB at most. When they are that many, the next are dropped.
const QUEUE: usize = 16_384;
/// From which on the task is told of lines; as long as it is fewer, it comes by itself, and a request wakes nobody.
const MANY: usize = QUEUE / 4;
/// How often it comes. A line is in the file within this, and as long as a write takes.
const OFTEN: Duration = Duration::from_millis(250);
/// How often it says that lines are dropped, as long as they are.
const SELDOM: Duration = Duration::from_secs(10);

/// What requests, reloads and the task have in common. Nothing in it makes a request wait.
pub(super) struct Shared {
    /// `OFF`, or how lines are written from now on.
    format: AtomicU8,
    queue: mpsc::Sender<Vec<u8>>,
    /// There is more to do than to come by now and then.
    wake: Notify,
    turn: Mutex<Turn>,
    /// Taken by threads that may block, and by nobody else: one of them may hold it for as long as a disk is stuck.
    sink: Mutex<Sink>,
    dropped: AtomicU64,
    failures: AtomicU64,
}

const OFF: u8 = 0;
const TEXT: u8 = 1;
const JSON: u8 = 2;

/// What is wanted of the task.
#[derive(Default)]
struct Turn {
    path: Option<PathBuf>,
    /// What the task has not taken up yet.
    next: Option<Next>,
}

/// Where it goes on.
enum Next {
    File(Open),
    Nowhere,
}

/// What the task has been asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Write,
    Reopen,
    Stop,
}

/// What is in the way, said once and not at each attempt.
#[derive(Default)]
struct Told {
    failing: Option<&'static str>,
    dropped: u64,
    when: Option<Instant>,
}

impl Default for Shared {
    fn default() -> Self {
        let (queue, lines) = mpsc::channel(QUEUE);
        Self {
            format: AtomicU8::new(OFF),
            queue,
            wake: Notify::new(),
            turn: Mutex::default(),
            sink: Mutex::new(Sink::new(lines)),
            dropped: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }
}

/// Orderings: relaxed throughout. The format decides nothing but how a line looks, and the numbers are for the eye; what
/// has to be seen by others goes through the queue and the locks.
impl Shared {
    #[inline]
    pub(super) fn format(&self) -> Option<Format> {
        match self.format.load(Ordering::Relaxed) {
            TEXT => Some(Format::Text),
            JSON => Some(Format::Json),
            _ => None,
        }
    }

    /// Hands a line over, or drops it. It neither waits nor takes a lock.
    pub(super) fn hand_over(&self, line: Line, answered: &Answered) {
        if self.queue.try_send(line.end(answered)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        } else if self.queue.capacity() < QUEUE - MANY {
            self.wake.notify_one();
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        lock(&self.turn).path.clone()
    }

    /// From now on it is written in this format to this file; `None` where that is the one it has.
    pub(super) fn turn_on(&self, path: &Path, format: Format, file: Option<Open>) {
        let unused = {
            let mut turn = lock(&self.turn);
            turn.path = Some(path.to_owned());
            file.and_then(|file| turn.next.replace(Next::File(file)))
        };
        drop(unused);
        let format = if format == Format::Text { TEXT } else { JSON };
        self.format.store(format, Ordering::Relaxed);
        self.wake.notify_one();
    }

    pub(super) fn turn_off(&self) {
        let unused = {
            let mut turn = lock(&self.turn);
            turn.path = None;
            turn.next.replace(Next::Nowhere)
        };
        drop(unused);
        self.format.store(OFF, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// The task. It fails at nothing: a log that cannot be written is no reason to end what it is a log of.
    pub(super) async fn write(self: Arc<Self>, cx: RunContext) -> Result<()> {
        let (mut told, mut again, mut left) = (Told::default(), false, false);
        let mut often = interval(OFTEN);
        often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let asked = tokio::select! {
                biased;
                () = cx.shutdown_token().cancelled() => Asked::Stop,
                () = cx.reopen() => Asked::Reopen,
                () = self.wake.notified() => Asked::Write,
                _ = often.tick(), if self.format().is_some() || left => {
                    if !left && !again && self.queue.capacity() == QUEUE {
                        self.say_dropped(&mut told, SELDOM);
                        continue;
                    }
                    Asked::Write
                }
            };
            if let Some(path) = self.path() {
                cx.note(format!("writing to {}", path.display()));
            }
            again |= asked == Asked::Reopen;
            let done = self.on_a_thread(again, &mut often, &mut told).await?;
            again &= done.reopened.is_err();
            left = done.written.is_err();
            self.say(done, &mut told);
            if asked == Asked::Stop {
                self.say_dropped(&mut told, Duration::ZERO);
                return Ok(());
            }
        }
    }

    /// Does what there is to do, where it may block. When that takes long, it says meanwhile what is dropped.
    async fn on_a_thread(
        self: &Arc<Self>,
        reopen: bool,
        often: &mut Interval,
        told: &mut Told,
    ) -> Result<Done> {
        let shared = Arc::clone(self);
        let mut doing = spawn_blocking(move || shared.work(reopen));
        loop {
            tokio::select! {
                biased;
                done = &mut doing => return Ok(done?),
                _ = often.tick() => self.say_dropped(told, SELDOM),
            }
        }
    }

    /// Writes what is left where the task has not, because it was cut or no thread was free for it: how many lines are
    /// lost. Where a thread is stuck in a write, that one is not waited for a second time.
    pub(super) fn write_the_rest(&self) -> u64 {
        let queued = QUEUE - self.queue.capacity();
        match self.sink.try_lock() {
            Ok(sink) => self.work_on(sink, false).left,
            Err(TryLockError::Poisoned(poisoned)) => self.work_on(poisoned.into_inner(), false).left,
            Err(TryLockError::WouldBlock) => queued as u64,
        }
    }

    fn work(&self, reopen: bool) -> Done {
        self.work_on(lock(&self.sink), reopen)
    }

    fn work_on(&self, mut sink: MutexGuard<'_, Sink>, reopen: bool) -> Done {
        // Looked at under the lock: two threads that do this do it in the order in which it was asked for.
        let next = lock(&self.turn).next.take();
        match next {
            Some(Next::File(file)) => sink.replace(Some(file)),
            Some(Next::Nowhere) => sink.replace(None),
            None => {}
        }
        let reopened = if reopen { sink.reopen() } else { Ok(()) };
        let written = sink.pump();
        self.dropped.fetch_add(sink.take_lost(), Ordering::Relaxed);
        Done { reopened, written, left: sink.left() }
    }

    fn say(&self, done: Done, told: &mut Told) {
        let (what, error) = match (done.reopened, done.written) {
            (Err(error), _) => ("opened again", error),
            (_, Err(error)) => ("written", error),
            _ => {
                if told.failing.take().is_some() {
                    tracing::warn!(dropped = self.dropped(), "the access log is written again");
                }
                return;
            }
        };
        self.failures.fetch_add(1, Ordering::Relaxed);
        if told.failing.replace(what) != Some(what) {
            let path = self.path().unwrap_or_default();
            let (path, left) = (path.display(), done.left);
            tracing::warn!(%path, %error, left, "the access log cannot be {what}; it is tried again");
        }
    }

    /// Says how many lines are dropped, if that is news.
    fn say_dropped(&self, told: &mut Told, pause: Duration) {
        let dropped = self.dropped();
        let now = Instant::now();
        if dropped == told.dropped || told.when.is_some_and(|when| now < when + pause) {
            return;
        }
        let lines = dropped - told.dropped;
        tracing::warn!(lines, dropped, "the access log cannot keep up, and lines were dropped");
        (told.dropped, told.when) = (dropped, Some(now));
    }
}

/// How it went.
struct Done {
    reopened: io::Result<()>,
    written: io::Result<()>,
    left: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
