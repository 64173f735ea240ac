//! A child that was spawned: one task of tokio's for its future, and one record that is shared with its handle and with
//! the members of its generation.
//!
//! 1. Every poll and the destructor of the future run in its own task, caught and named.
//! 2. The future is dropped before the end is reported, so that what it held is released by then.
//! 3. The end is reported exactly once, also when a runtime that shuts down drops the task.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use mainstay_registry::{Phase, Result};
use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tracing::Span;

use super::ambient::{self, Ambient};
use super::generation::quietly;
use super::members::NOWHERE;
use super::{Generation, RunContext};
use crate::caught::caught;
use crate::cell::{Label, Seen, Watch, after_drop};
use crate::clock::Clock;
use crate::exit::Exit;

/// What is known of one.
pub(crate) struct Spawned {
    /// Of the generation that it belongs to: what its code is given to work with.
    context: RunContext,
    name: Cow<'static, str>,
    /// Among the members, and changed under their lock.
    pub(super) place: AtomicU32,
    watch: Watch,
    abort: AtomicBool,
    /// Of its task.
    task: AtomicWaker,
    ended: AtomicBool,
    /// Of who waits for its end.
    joins: AtomicWaker,
}

impl Spawned {
    pub(super) fn context(&self) -> &RunContext {
        &self.context
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn note(&self, text: Cow<'static, str>) {
        self.watch.note(text);
    }

    pub(super) fn polling(&self, now: Instant) -> Option<Duration> {
        self.watch.polling(now)
    }

    pub(super) fn seen(&self, now: Instant) -> Seen {
        self.watch.seen(now)
    }

    /// Asks its task to drop the future at its next poll. Returns at once.
    pub(super) fn abort(&self) {
        self.abort.store(true, Ordering::Release);
        self.task.wake();
    }

    fn end(self: &Arc<Self>, exit: Exit) {
        self.watch.leave_poll();
        // A handle may be kept, and nothing of the task with it.
        drop(self.task.take());
        self.context.generation.child_ended(self, exit);
        self.has_ended();
    }

    fn has_ended(&self) {
        self.ended.store(true, Ordering::Release);
        quietly(|| self.joins.wake());
    }
}

/// Lets it in and spawns its task; when it comes too late its future is dropped here.
pub(super) fn spawn<F>(home: &Arc<Generation>, name: Cow<'static, str>, future: F) -> Child
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let spawned = record(home, name);
    if home.make_members().let_in(home, &spawned) {
        let life = Life::new(&spawned, future);
        match home.host() {
            Some(host) => host.handle().spawn(life),
            None => Handle::current().spawn(life),
        };
    } else {
        drop(future);
        spawned.has_ended();
    }
    Child { spawned }
}

fn record(home: &Arc<Generation>, name: Cow<'static, str>) -> Arc<Spawned> {
    Arc::new(Spawned {
        context: RunContext::new(Arc::clone(home)),
        name,
        place: AtomicU32::new(NOWHERE),
        watch: Watch::new(home.root().now()),
        abort: AtomicBool::new(false),
        task: AtomicWaker::new(),
        ended: AtomicBool::new(false),
        joins: AtomicWaker::new(),
    })
}

pin_project! {
    /// The future that a runtime polls. The user's is inside of it and not in a box.
    struct Life<F> {
        spawned: Arc<Spawned>,
        // The same, to be lent to the thread.
        ambient: Option<Ambient>,
        // In a box: most programs have no subscriber that wants it.
        span: Option<Box<Span>>,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Life<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                // Only a runtime that is shut down drops it before its end.
                let dropped = ambient::dropped(this.ambient, this.span.as_deref(), || this.future.set(None));
                this.spawned.end(after_drop(dropped, Exit::RuntimeGone));
            }
        }
    }
}

impl<F> Life<F> {
    fn new(spawned: &Arc<Spawned>, future: F) -> Self {
        let ambient = Some(Ambient::Spawned(Arc::clone(spawned)));
        Self { spawned: Arc::clone(spawned), ambient, span: None, future: Some(future) }
    }
}

impl<F: Future<Output = Result<()>>> Future for Life<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let (spawned, generation) = (&*this.spawned, &this.spawned.context.generation);
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        if !spawned.watch.has_begun() {
            // Of its task, which is always the same. Before the flag is read: an abort after that finds it.
            spawned.task.register(cx.waker());
            *this.span = span_of(spawned);
        }
        let exit = if spawned.abort.load(Ordering::Acquire) {
            Exit::Aborted
        } else {
            spawned.watch.enter_poll(generation.root().now_inside());
            // Of the machine's clock: a paused one stands still while a thread is blocked.
            let measured = generation.measures().then(|| Clock::Real.now());
            let provider = generation.root().name.provider;
            let exit =
                |result: Result<()>| Exit::of(result.map_err(|error| error.in_phase(Phase::Run, provider)));
            let polled =
                ambient::region(this.ambient, this.span.as_deref(), || caught(|| future.poll(cx).map(exit)));
            // The hook of a panic may print a backtrace: that is not the user's code.
            if let (Some(since), Ok(_)) = (measured, &polled) {
                generation.polled(Some(&spawned.name), Clock::Real.now().saturating_duration_since(since));
            }
            match polled {
                Ok(Poll::Pending) => {
                    spawned.watch.leave_poll();
                    return Poll::Pending;
                }
                Ok(Poll::Ready(exit)) => exit,
                Err(panic) => Exit::Panicked(panic),
            }
        };
        let dropped = ambient::dropped(this.ambient, this.span.as_deref(), || this.future.set(None));
        this.spawned.end(after_drop(dropped, exit));
        Poll::Ready(())
    }
}

fn span_of(spawned: &Spawned) -> Option<Box<Span>> {
    let name = spawned.context.generation.name();
    ambient::span(|| Label::Child {
        provider: name.provider,
        child: spawned.name.clone(),
        generation: name.generation,
    })
}

/// A child that was spawned. Dropping this changes nothing: the child belongs to its generation.
pub struct Child {
    spawned: Arc<Spawned>,
}

impl Child {
    /// Waits until the child has ended, however it did. What failed was reported to the runtime.
    pub async fn join(self) {
        let ended = || self.spawned.ended.load(Ordering::Acquire);
        poll_fn(|cx| {
            // Looked at before, so that nothing of the waiter's is kept for no reason, and after, so that no end is missed.
            if !ended() {
                self.spawned.joins.register(cx.waker());
            }
            if ended() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Ends the child at its next await, by dropping its future. Returns at once.
    pub fn abort(&self) {
        self.spawned.abort();
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Child").field(&self.spawned.name).finish()
    }
}
