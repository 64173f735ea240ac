//! The task of a supervised child: every call of its body, every poll and every destructor, for all generations.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use mainstay_registry::{Phase, Result};
use pin_project_lite::pin_project;
use tracing::Span;

use super::Entry;
use super::settle::{Flow, Left, Step};
use crate::caught::{Panicked, caught};
use crate::cell::{Label, after_drop, within};
use crate::context::{AMBIENT, Ambient, Generation, RunContext};
use crate::exit::Exit;

pin_project! {
    /// The future that a runtime polls. The user's is inside of it and not in a box, so that a child costs one
    /// allocation of tokio's as a bare task does.
    pub(super) struct Life<F, Fut> {
        entry: Arc<Entry>,
        // Of the future that lives.
        generation: Option<Arc<Generation>>,
        // In a box: most programs have no subscriber that wants it.
        span: Option<Box<Span>>,
        body: Option<F>,
        #[pin]
        future: Option<Fut>,
    }

    impl<F, Fut> PinnedDrop for Life<F, Fut> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let Some(body) = this.body.take() else { return };
            // Only a runtime that is shut down drops it before its end.
            let exit = match this.generation.as_ref() {
                Some(generation) => {
                    let (mut future, span) = (this.future, this.span.as_deref());
                    let dropped = region(generation, span, || caught(|| future.set(None)));
                    after_drop(dropped, Exit::RuntimeGone)
                }
                None => Exit::RuntimeGone,
            };
            this.entry.runtime_gone(this.generation.as_ref(), exit);
            finish(this.entry, this.generation.take(), this.span.as_deref(), body);
        }
    }
}

impl<F, Fut> Life<F, Fut> {
    pub(super) fn new(entry: Arc<Entry>, body: F) -> Self {
        Self { entry, generation: None, span: None, body: Some(body), future: None }
    }
}

impl<F, Fut> Future for Life<F, Fut>
where
    F: FnMut(RunContext) -> Fut,
    Fut: Future<Output = Result<()>>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut this = self.as_mut().project();
            let (generation, polled) = if let Some(generation) = this.generation.take() {
                generation.watch().enter_poll(generation.root().now_inside());
                let (entry, body, span) = (&**this.entry, &mut *this.body, this.span.as_deref());
                let polled = region(&generation, span, || {
                    ended(entry, &generation, body, live(entry, &generation, this.future.as_mut(), cx))
                });
                (generation, polled)
            } else {
                match this.entry.next(cx.waker()) {
                    Step::Start(generation, heard) => {
                        generation.watch().enter_poll(generation.watch().born());
                        *this.span = span_of(this.entry, &generation);
                        let context = RunContext::new(Arc::clone(&generation));
                        let (entry, body, span) = (&**this.entry, &mut *this.body, this.span.as_deref());
                        let polled = region(&generation, span, || {
                            let polled = match caught(|| body.as_mut().map(|body| body(context))) {
                                Ok(future) => {
                                    this.future.set(future);
                                    entry.started(heard);
                                    live(entry, &generation, this.future.as_mut(), cx)
                                }
                                Err(panic) => Poll::Ready(Exit::Panicked(panic)),
                            };
                            ended(entry, &generation, body, polled)
                        });
                        (generation, polled)
                    }
                    Step::Settle(generation, exit) => (generation, Polled::Ended(exit, Left::Nobody)),
                    Step::Wait => return Poll::Pending,
                    Step::End(generation) => {
                        if let Some(body) = this.body.take() {
                            finish(this.entry, generation, this.span.as_deref(), body);
                        }
                        return Poll::Ready(());
                    }
                }
            };
            let flow = match polled {
                Polled::Pending => {
                    generation.watch().leave_poll();
                    *this.generation = Some(generation);
                    return Poll::Pending;
                }
                Polled::Dropped(dropped) => {
                    leave(this.entry, Some(generation), dropped);
                    return Poll::Ready(());
                }
                Polled::Ended(exit, left) => this.entry.main_ended(&generation, exit, left),
            };
            if let (Flow::End, Some(body)) = (flow, this.body.take_if(|_| flow == Flow::End)) {
                finish(this.entry, Some(generation), this.span.as_deref(), body);
                return Poll::Ready(());
            }
            generation.watch().leave_poll();
            match flow {
                Flow::Go => {}
                Flow::Yield => {
                    // To the end of the queue: a child that fails at once must not hold its worker.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Flow::Wait => return Poll::Pending,
                Flow::End => return Poll::Ready(()),
            }
        }
    }
}

type Caught<T> = std::result::Result<T, Panicked>;

/// What a poll has come to.
enum Polled {
    Pending,
    /// Its future is gone.
    Ended(Exit, Left),
    /// Its body is, too, and nobody is to be told.
    Dropped(Caught<()>),
}

/// A main future that has ended: the generation learns it.
fn ended<F>(entry: &Entry, generation: &Generation, body: &mut Option<F>, polled: Poll<Exit>) -> Polled {
    let Poll::Ready(exit) = polled else { return Polled::Pending };
    let (exit, over) = generation.main_ended(exit);
    if over && matches!(exit, Exit::Ok) && entry.ends_quietly() {
        return Polled::Dropped(caught(|| drop(body.take())));
    }
    Polled::Ended(exit, if over { Left::Nobody } else { Left::Members })
}

/// One poll of the user's future, and its drop when that was the last one. Both are caught.
fn live<Fut>(
    entry: &Entry,
    generation: &Generation,
    mut future: Pin<&mut Option<Fut>>,
    cx: &mut Context<'_>,
) -> Poll<Exit>
where
    Fut: Future<Output = Result<()>>,
{
    let polled = match future.as_mut().as_pin_mut() {
        Some(_) if entry.aborted.load(Ordering::Acquire) => Poll::Ready(Exit::Aborted),
        Some(future) => {
            let provider = generation.root().name.provider;
            let exit =
                |result: Result<()>| Exit::of(result.map_err(|error| error.in_phase(Phase::Run, provider)));
            match caught(|| future.poll(cx).map(exit)) {
                Ok(polled) => polled,
                Err(panic) => Poll::Ready(Exit::Panicked(panic)),
            }
        }
        None => Poll::Ready(Exit::Ok),
    };
    polled.map(|exit| after_drop(caught(|| future.set(None)), exit))
}

/// What user code of a generation finds around it: its span, its context, its provider's epochs. They are entered once
/// per poll, because each time counts a reference that all children of a set share; a scope of its own, which would
/// not, takes a task of tokio's over the next multiple of 128 bytes.
fn region<T>(generation: &Arc<Generation>, span: Option<&Span>, f: impl FnOnce() -> T) -> T {
    let root = generation.root();
    let ambient = Ambient::Child(RunContext::new(Arc::clone(generation)));
    within(span, || AMBIENT.sync_scope(ambient, || root.epochs.enter(root.name.provider, f)))
}

/// Drops the body, which is the last of the user's, and leaves.
fn finish<F>(entry: &Arc<Entry>, generation: Option<Arc<Generation>>, span: Option<&Span>, body: F) {
    let dropped = match &generation {
        // Nothing to drop, so nothing to catch: a hundred thousand children may end at once.
        _ if !std::mem::needs_drop::<F>() => Ok(()),
        Some(generation) => region(generation, span, || caught(|| drop(body))),
        // It never began.
        None => caught(|| drop(body)),
    };
    leave(entry, generation, dropped);
}

fn leave(entry: &Arc<Entry>, generation: Option<Arc<Generation>>, dropped: Caught<()>) {
    if let Some(generation) = generation {
        generation.watch().leave_poll();
    }
    entry.left(match dropped {
        Ok(()) => Exit::Ok,
        Err(panic) => Exit::Panicked(panic.with("in a destructor, as its body was dropped")),
    });
}

fn span_of(entry: &Entry, generation: &Generation) -> Option<Box<Span>> {
    if tracing::level_filters::LevelFilter::current() < tracing::level_filters::LevelFilter::DEBUG {
        return None;
    }
    let label = Label::Child {
        provider: generation.root().name.provider,
        child: entry.path().into(),
        generation: generation.number(),
    };
    let span = label.span();
    (!span.is_disabled()).then(|| Box::new(span))
}
