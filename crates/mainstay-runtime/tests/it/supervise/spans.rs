//! A subscriber that panics: its panic is nobody's end but that of the task or child whose span it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mainstay_registry::{Registry, RestartPolicy};
use mainstay_runtime::{Outcome, RunContext};
use mainstay_test::Log;
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{keeper, settle};
use crate::support::paused;

const PANICS: u64 = 2;

/// Panics whenever a span of that name is entered, once it is told to.
#[derive(Clone, Default)]
struct Panics(&'static str, Arc<AtomicBool>);

impl Subscriber for Panics {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        Id::from_u64(if span.metadata().name() == self.0 { PANICS } else { 1 })
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, span: &Id) {
        assert!(span.into_u64() != PANICS || !self.1.load(Ordering::Relaxed), "the disk is full");
    }
    fn exit(&self, _: &Id) {}
}

struct Says(Log, &'static str);

impl Drop for Says {
    fn drop(&mut self) {
        self.0.push(self.1);
    }
}

/// Without the catch around the destructors this process is aborted: the span is entered again as tokio unwinds.
#[test]
fn a_subscriber_that_panics_keeps_nobody_from_their_end() {
    for (span, who) in [("child", "a/peer"), ("provider", "a")] {
        let (panics, log, wake) = (Panics(span, Arc::default()), Log::new(), Arc::new(Notify::new()));
        let registry = registry_of(&log, &wake);
        let outcome = outcome_of(&panics, registry, || {
            panics.1.store(true, Ordering::Relaxed);
            wake.notify_waiters();
        });
        assert_eq!(outcome.exit_code(), 1, "{outcome}");
        let said = format!("runnable '{who}' panicked: the disk is full");
        assert!(outcome.to_string().contains(&said), "{said}: {outcome}");
        for dropped in ["future", "body", "task"] {
            assert_eq!(log.count(&format!("{dropped} dropped")), 1, "{span}: {:?}", log.lines());
        }
    }
}

/// Shown to fail: what `dropped` leaves undropped ends its child once more as the task goes, with a second failure.
#[test]
fn a_subscriber_that_panics_as_a_child_is_dropped_ends_it_once() {
    for supervised in [true, false] {
        let (panics, log) = (Panics("child", Arc::default()), Log::new());
        let (armed, held) = (Arc::clone(&panics.1), log.clone());
        let registry = keeper(&log, move |cx: RunContext| {
            let (armed, held) = (Arc::clone(&armed), Says(held.clone(), "dropped"));
            async move {
                if supervised {
                    let once = move |_| {
                        let (armed, _) = (Arc::clone(&armed), &held);
                        async move {
                            armed.store(true, Ordering::Relaxed);
                            Ok(())
                        }
                    };
                    cx.supervise("peer", RestartPolicy::never(), once).unwrap();
                } else {
                    let once = async move {
                        let _held = held;
                        armed.store(true, Ordering::Relaxed);
                        std::future::poll_fn(|_| std::task::Poll::Ready(Ok(()))).await
                    };
                    cx.spawn("peer", once);
                }
                cx.shutdown_token().cancelled().await;
            }
        });
        let outcome = outcome_of(&panics, registry, || {});
        assert_eq!((outcome.failures().len(), outcome.exit_code()), (1, 1), "{supervised}: {outcome}");
        assert_eq!(log.count("dropped"), 1, "{supervised}: {:?}", log.lines());
    }
}

/// How it ends with this subscriber.
fn outcome_of(panics: &Panics, registry: Registry<()>, then: impl FnOnce()) -> Outcome {
    // With one alone, whether anybody is interested is asked of the thread that comes first: another test's.
    let _second = tracing::Dispatch::new(Panics::default());
    let tokio = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    tracing::subscriber::with_default(panics.clone(), || {
        tracing::callsite::rebuild_interest_cache();
        tokio.block_on(async {
            let running = paused(registry).start().await.unwrap();
            settle().await;
            then();
            tokio::time::timeout(Duration::from_secs(60), running.wait()).await.expect("it ends")
        })
    })
}

/// A task and a child of it, which wait to be woken.
fn registry_of(log: &Log, wake: &Arc<Notify>) -> Registry<()> {
    let (held, wake) = (log.clone(), Arc::clone(wake));
    keeper(log, move |cx: RunContext| {
        let (held, wake) = (held.clone(), Arc::clone(&wake));
        async move {
            let _task = Says(held.clone(), "task dropped");
            let (body, woken) = (Says(held.clone(), "body dropped"), Arc::clone(&wake));
            cx.supervise("peer", RestartPolicy::never(), move |cx| {
                let (woken, future, _) = (Arc::clone(&woken), Says(held.clone(), "future dropped"), &body);
                async move {
                    let _future = future;
                    cx.until_shutdown(woken.notified()).await;
                    Ok(())
                }
            })
            .unwrap();
            wake.notified().await;
            cx.shutdown_token().cancelled().await;
        }
    })
}
