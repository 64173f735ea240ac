//! User code in a cell: polled under `catch_unwind`, watched from outside, aborted without its help.
//!
//! Every hook and task is one `Cell` (what is known of it) and one `Isolated` (the future that a runtime
//! polls). Invariants:
//!
//! 1. Whoever takes the work out of the cell runs it: a worker of the application's runtime, or a rescue thread.
//! 2. A poll, a drop and the conversion of a result happen inside [`caught`], in the task, and never elsewhere.
//! 3. The user's future is dropped before the end is reported, so that what it held is released by then.
//! 4. The end is reported exactly once, also when a runtime that shuts down drops the task.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::task::AtomicWaker;
use tracing::Span;

use crate::caught::{Panicked, caught};
use crate::clock::{Clock, Stamp};
use crate::context::{Ambient, RunContext};
use crate::exit::Exit;

/// A future of user code with the one who is told of its end.
pub(crate) struct Work {
    pub(crate) future: BoxFuture<'static, Exit>,
    pub(crate) done: Box<dyn Done>,
}

/// Learns, in the task itself, that it began and that it ended.
pub(crate) trait Done: Send {
    /// The first poll returned without an end: only tasks care.
    fn began(&mut self) {}
    /// It wants to know how long polls take, on the machine's clock.
    fn measures(&self) -> bool {
        false
    }
    /// One poll took so long.
    fn polled(&mut self, took: Duration) {
        let _ = took;
    }
    fn ended(self: Box<Self>, exit: Exit);
}

/// What is known of one running hook or task, readable from every thread.
pub(crate) struct Cell {
    work: Mutex<Option<Work>>,
    /// Of a task: what its code is given to work with.
    context: Option<RunContext>,
    label: Label,
    clock: Clock,
    watch: Watch,
    abort: AtomicBool,
    waker: AtomicWaker,
}

/// What is seen of user code from outside: since when it is there, and inside of a poll, and what it noted.
pub(crate) struct Watch {
    /// A stamp.
    born: AtomicU64,
    /// `NEVER`, `OUTSIDE`, or the stamp of the entry of the current poll.
    polling: AtomicU64,
    /// In a box, because most have none.
    note: Mutex<Option<Box<Cow<'static, str>>>>,
}

/// It was not polled yet.
const NEVER: u64 = 0;
/// It was polled, and is not now.
const OUTSIDE: u64 = 1;

impl Watch {
    pub(crate) fn new(now: Instant) -> Self {
        let born = AtomicU64::new(Stamp::of(now).bits());
        Self { born, polling: AtomicU64::new(NEVER), note: Mutex::new(None) }
    }

    /// Of what is to [begin](Self::begin) yet.
    pub(crate) fn unborn() -> Self {
        Self { born: AtomicU64::new(NEVER), polling: AtomicU64::new(NEVER), note: Mutex::new(None) }
    }

    /// It begins now, with its first poll.
    pub(crate) fn begin(&self, now: Instant) {
        let now = Stamp::of(now).bits();
        self.born.store(now, Ordering::Relaxed);
        self.polling.store(now, Ordering::Release);
    }

    pub(crate) fn born(&self) -> Instant {
        Stamp::from_bits(self.born.load(Ordering::Relaxed)).instant()
    }

    pub(crate) fn note(&self, text: Cow<'static, str>) {
        let old = self.note.lock().unwrap_or_else(PoisonError::into_inner).replace(Box::new(text));
        drop(old);
    }

    pub(crate) fn last_note(&self) -> Option<String> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(ToString::to_string)
    }

    pub(crate) fn enter_poll(&self, now: Instant) {
        self.polling.store(Stamp::of(now).bits(), Ordering::Release);
    }

    pub(crate) fn leave_poll(&self) {
        self.polling.store(OUTSIDE, Ordering::Release);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.polling.load(Ordering::Acquire) != NEVER
    }

    /// How long it has been inside of one poll.
    pub(crate) fn polling(&self, now: Instant) -> Option<Duration> {
        match self.polling.load(Ordering::Acquire) {
            NEVER | OUTSIDE => None,
            since => Some(now.saturating_duration_since(Stamp::from_bits(since).instant())),
        }
    }

    pub(crate) fn seen(&self, now: Instant) -> Seen {
        Seen {
            begun: self.has_begun(),
            polling: self.polling(now),
            note: self.last_note(),
            age: now.saturating_duration_since(self.born()),
            child: None,
            ticked: None,
        }
    }
}

/// A look at a cell from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its future was polled once.
    pub(crate) begun: bool,
    /// It has been inside one poll for so long.
    pub(crate) polling: Option<Duration>,
    pub(crate) note: Option<String>,
    /// How long it has been there.
    pub(crate) age: Duration,
    /// The child of a task that all of this is about.
    pub(crate) child: Option<String>,
    /// When the task ticked last.
    pub(crate) ticked: Option<Instant>,
}

impl Cell {
    pub(crate) fn new(work: Work, context: Option<RunContext>, label: Label, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            work: Mutex::new(Some(work)),
            context,
            label,
            clock,
            watch: Watch::new(clock.now()),
            abort: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        })
    }

    /// The future to give to a runtime. The first one that is polled takes the work.
    pub(crate) fn isolated(self: &Arc<Self>) -> Isolated {
        Isolated { cell: Arc::clone(self), work: None, span: None }
    }

    /// Takes back what no runtime has polled yet: to run it elsewhere, or not at all.
    pub(crate) fn take(&self) -> Option<Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts work that could not be run elsewhere back.
    pub(crate) fn put_back(&self, work: Work) {
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
    }

    /// Asks the task to drop the user's future at its next poll. Returns at once.
    pub(crate) fn abort(&self) {
        self.abort.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(crate) fn context(&self) -> Option<&RunContext> {
        self.context.as_ref()
    }

    pub(crate) fn born(&self) -> Instant {
        self.watch.born()
    }

    pub(crate) fn note(&self, text: Cow<'static, str>) {
        self.watch.note(text);
    }

    pub(crate) fn seen(&self, now: Instant) -> Seen {
        self.watch.seen(now)
    }

    /// Whose boot hook it is, if it is one.
    pub(crate) fn booting(&self) -> Option<&'static str> {
        match self.label {
            Label::Hook { provider, phase: "boot" } => Some(provider),
            _ => None,
        }
    }
}

/// The future that a runtime polls in the place of the user's.
pub(crate) struct Isolated {
    cell: Arc<Cell>,
    work: Option<Work>,
    /// Made at the first poll and dropped with the task, never by the supervisor: a subscriber may write a line.
    span: Option<Span>,
}

impl Isolated {
    /// For a rescue thread, which has taken the work already.
    pub(crate) fn with(cell: &Arc<Cell>, work: Work) -> Self {
        Self { cell: Arc::clone(cell), work: Some(work), span: None }
    }

    /// Drops the user's future where its panics are caught, then reports the end.
    fn finish(&mut self, exit: Exit) {
        let Some(Work { future, done }) = self.work.take() else { return };
        let cell = &self.cell;
        // A subscriber that panics as its span is entered must not keep it from its end.
        let dropped =
            caught(|| guarded(self.span.as_ref(), Ambient::Cell(Arc::clone(cell)), || drop(future)));
        let dropped = dropped.unwrap_or_else(Err);
        let exit = after_drop(dropped, exit);
        if cell.watch.has_begun() {
            cell.watch.leave_poll();
        }
        done.ended(exit);
    }
}

impl Future for Isolated {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let first = !this.cell.watch.has_begun();
        if this.work.is_none() {
            this.work = this.cell.take();
        }
        let cell = Arc::clone(&this.cell);
        // No work: it was rescued or taken back, and its end is somebody else's to report.
        let Some(work) = &mut this.work else { return Poll::Ready(()) };
        // Registered before the flag is read: an abort after the read finds this waker.
        cell.waker.register(cx.waker());
        if cell.abort.load(Ordering::Acquire) {
            // Aborted between the taking of the work and its first poll: nothing of the user's has run.
            this.finish(if first { Exit::NeverBegan } else { Exit::Aborted });
            return Poll::Ready(());
        }
        cell.watch.enter_poll(cell.clock.now());
        // Of the machine's clock: a paused one stands still while a thread is blocked.
        let measured = work.done.measures().then(|| Clock::Real.now());
        let span = this.span.get_or_insert_with(|| cell.label.span());
        let polled = guarded(Some(span), Ambient::Cell(Arc::clone(&cell)), || work.future.as_mut().poll(cx));
        // The hook of a panic may print a backtrace: that is not the user's code.
        let panicked = matches!(&polled, Ok(Poll::Ready(Exit::Panicked(_))) | Err(_));
        if let (Some(since), false) = (measured, panicked) {
            work.done.polled(Clock::Real.now().saturating_duration_since(since));
        }
        match polled {
            Ok(Poll::Pending) => {
                cell.watch.leave_poll();
                if first {
                    work.done.began();
                }
                Poll::Pending
            }
            Ok(Poll::Ready(exit)) => {
                this.finish(exit);
                Poll::Ready(())
            }
            Err(panic) => {
                this.finish(Exit::Panicked(panic));
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        // A hook whose runtime is gone is rescued: its work stays in the cell. A task goes with its runtime.
        if self.work.is_none() && self.cell.context.is_some() {
            self.work = self.cell.take();
        }
        self.finish(Exit::RuntimeGone);
    }
}

/// Calls user code in its span, with what it asks for around it, and catches its panic.
fn guarded<T>(span: Option<&Span>, ambient: Ambient, f: impl FnOnce() -> T) -> Result<T, Panicked> {
    within(span, || Ambient::around(&mut Some(ambient), || caught(f)))
}

/// How it ended, once its future was dropped.
pub(crate) fn after_drop(dropped: Result<(), Panicked>, exit: Exit) -> Exit {
    match (dropped, exit) {
        // A panic in the `Drop` of what was aborted is the more interesting end.
        (Err(panic), Exit::Ok | Exit::Disabled | Exit::Aborted | Exit::RuntimeGone) => {
            Exit::Panicked(panic.with("in a destructor, as its future was dropped"))
        }
        (_, exit) => exit,
    }
}

/// Does it in a span.
pub(crate) fn within<T>(span: Option<&Span>, f: impl FnOnce() -> T) -> T {
    match span {
        Some(span) => span.in_scope(f),
        None => f(),
    }
}

/// What a span is made of, in the task itself.
pub(crate) enum Label {
    None,
    Hook { provider: &'static str, phase: &'static str },
    Task { provider: &'static str, generation: u64 },
    Child { provider: &'static str, child: Cow<'static, str>, generation: u64 },
}

impl Label {
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::None => Span::none(),
            Self::Hook { provider, phase } => tracing::debug_span!("hook", provider, phase),
            Self::Task { provider, generation } => tracing::debug_span!("provider", provider, generation),
            Self::Child { provider, child, generation } => {
                tracing::debug_span!("child", provider, %child, generation)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Counts the spans that are made.
    #[derive(Clone, Default)]
    struct Spans(Arc<AtomicUsize>);

    impl Subscriber for Spans {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            self.0.fetch_add(1, Ordering::Relaxed);
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &Event<'_>) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    struct Ends(std::sync::mpsc::Sender<Exit>);

    impl Done for Ends {
        fn ended(self: Box<Self>, exit: Exit) {
            let _ = self.0.send(exit);
        }
    }

    fn hook() -> (Arc<Cell>, std::sync::mpsc::Receiver<Exit>) {
        let (sender, ended) = std::sync::mpsc::channel();
        let work = Work { future: Box::pin(std::future::ready(Exit::Ok)), done: Box::new(Ends(sender)) };
        (Cell::new(work, None, Label::Hook { provider: "a", phase: "boot" }, Clock::Real), ended)
    }

    fn poll(isolated: &mut Isolated) -> Poll<()> {
        Pin::new(isolated).poll(&mut Context::from_waker(std::task::Waker::noop()))
    }

    /// A subscriber may write a line for each span: that is not for the thread that starts the hook.
    #[test]
    fn a_span_is_made_in_the_task_and_not_where_the_hook_is_started() {
        let spans = Spans::default();
        // The other tests know no subscriber: whether anybody is interested must not be remembered from one of them.
        assert!(poll(&mut hook().0.isolated()).is_ready());
        tracing::subscriber::with_default(spans.clone(), || {
            tracing::callsite::rebuild_interest_cache();
            drop(hook().0.isolated());
            assert_eq!(spans.0.load(Ordering::Relaxed), 0, "started, and dropped by a runtime that is gone");
            assert!(poll(&mut hook().0.isolated()).is_ready());
            assert_eq!(spans.0.load(Ordering::Relaxed), 1);
        });
    }

    /// The abort may come between the taking of the work and its first poll: then nothing was attempted.
    #[test]
    fn what_was_aborted_before_its_first_poll_never_began() {
        let (cell, ended) = hook();
        cell.abort();
        assert!(poll(&mut cell.isolated()).is_ready());
        assert_eq!(ended.recv(), Ok(Exit::NeverBegan));
        assert!(!cell.seen(Clock::Real.now()).begun);
    }

    #[test]
    fn a_hook_whose_runtime_is_gone_can_still_be_taken_and_run() {
        let (cell, ended) = hook();
        drop(cell.isolated());
        let work = cell.take().expect("it is still there");
        assert!(poll(&mut Isolated::with(&cell, work)).is_ready());
        assert_eq!(ended.recv(), Ok(Exit::Ok));
    }
}
