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
use super::settle::{Flow, Step};
use crate::caught::caught;
use crate::cell::{Label, after_drop};
use crate::context::{Ambient, Generation, RunContext, ambient};
use crate::exit::Exit;

pin_project! {
    /// The future that a runtime polls. The user's is inside of it and not in a box, so that a child costs one
    /// allocation of tokio's as a bare task does.
    pub(super) struct Life<F, Fut> {
        entry: Entry,
        // Of the generation whose future lives, or lived last: its context, to be lent to the thread.
        ambient: Option<Ambient>,
        // In a box: most programs have no subscriber that wants it.
        span: Option<Box<Span>>,
        body: Option<F>,
        #[pin]
        future: Option<Fut>,
    }

    impl<F, Fut> PinnedDrop for Life<F, Fut> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.body.is_none() {
                return;
            }
            // Only a runtime that is shut down drops it before its end.
            let lives = this.future.is_some();
            let dropped = ambient::dropped(this.ambient, this.span.as_deref(), || this.future.set(None));
            let exit = after_drop(dropped, Exit::RuntimeGone);
            let generation = generation_of(this.ambient).filter(|_| lives);
            this.entry.runtime_gone(generation.map(|generation| &**generation), exit);
            leave(this.entry, this.ambient, this.span.as_deref(), this.body);
        }
    }
}

impl<F, Fut> Life<F, Fut> {
    pub(super) fn new(entry: Entry, body: F) -> Self {
        Self { entry, ambient: None, span: None, body: Some(body), future: None }
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
            let entry = &*this.entry;
            let flow = if this.future.is_some() {
                if let Some(generation) = generation_of(this.ambient) {
                    generation.watch().enter_poll(entry.home().root().now_inside());
                }
                let polled = ambient::region(this.ambient, this.span.as_deref(), || {
                    live(entry, this.future.as_mut(), cx)
                });
                follows(entry, this.ambient, polled)
            } else {
                match entry.next(cx.waker()) {
                    Step::Start(generation, heard) => {
                        *this.span = span_of(entry, &generation);
                        let context = RunContext::new(generation);
                        *this.ambient = Some(Ambient::Child(context.clone()));
                        let body = &mut *this.body;
                        let polled = ambient::region(this.ambient, this.span.as_deref(), || {
                            match caught(|| body.as_mut().map(|body| body(context))) {
                                Ok(future) => {
                                    this.future.set(future);
                                    entry.started(heard);
                                    live(entry, this.future.as_mut(), cx)
                                }
                                Err(panic) => Poll::Ready(Exit::Panicked(panic)),
                            }
                        });
                        follows(entry, this.ambient, polled)
                    }
                    Step::Settle(generation, exit) => entry.settle(&generation, exit),
                    Step::Wait => Flow::Wait,
                    Step::End => Flow::End,
                }
            };
            match flow {
                Flow::Go => {}
                Flow::Yield => {
                    // To the end of the queue: a child that fails at once must not hold its worker, and what this poll
                    // has woken would wait for its end.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Flow::Wait => return Poll::Pending,
                Flow::End => {
                    leave(entry, this.ambient, this.span.as_deref(), this.body);
                    return Poll::Ready(());
                }
            }
        }
    }
}

#[allow(clippy::ref_option, reason = "it is a field that is lent and comes back")]
fn generation_of(ambient: &Option<Ambient>) -> Option<&Arc<Generation>> {
    ambient.as_ref()?.context().map(|context| &context.generation)
}

/// How the task goes on after a poll of its future.
#[allow(clippy::ref_option, reason = "as above")]
fn follows(entry: &Entry, ambient: &Option<Ambient>, polled: Poll<Exit>) -> Flow {
    let Some(generation) = generation_of(ambient) else { return Flow::Wait };
    let flow = match polled {
        Poll::Pending => Flow::Wait,
        Poll::Ready(exit) => entry.main_ended(generation, exit),
    };
    if flow != Flow::End {
        generation.watch().leave_poll();
    }
    flow
}

/// One poll of the user's future, and its drop when that was the last one. Both are caught.
fn live<Fut>(entry: &Entry, mut future: Pin<&mut Option<Fut>>, cx: &mut Context<'_>) -> Poll<Exit>
where
    Fut: Future<Output = Result<()>>,
{
    let polled = match future.as_mut().as_pin_mut() {
        Some(_) if entry.aborted.load(Ordering::Acquire) => Poll::Ready(Exit::Aborted),
        Some(future) => {
            let provider = entry.home().root().name.provider;
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

/// Drops the body, which is the last of the user's, and leaves.
fn leave<F>(entry: &Entry, ambient: &mut Option<Ambient>, span: Option<&Span>, body: &mut Option<F>) {
    let dropped = if std::mem::needs_drop::<F>() {
        ambient::dropped(ambient, span, || drop(body.take()))
    } else {
        // Nothing to drop, so nothing to catch.
        *body = None;
        Ok(())
    };
    if let Some(generation) = generation_of(ambient) {
        generation.watch().leave_poll();
    }
    entry.left(match dropped {
        Ok(()) => Exit::Ok,
        Err(panic) => Exit::Panicked(panic.with("in a destructor, as its body was dropped")),
    });
}

fn span_of(entry: &Entry, generation: &Generation) -> Option<Box<Span>> {
    ambient::span(|| Label::Child {
        provider: generation.root().name.provider,
        child: entry.path().into(),
        generation: generation.number(),
    })
}
