//! The stop of a task takes everything with it that it supervises.

use std::sync::Arc;
use std::time::Duration;

use mainstay_registry::{Deadlines, Registry, RestartPolicy};
use mainstay_runtime::{ChildEnd, ChildError, ChildState, RunContext, Runtime, Signals, StopCause, runnable};
use mainstay_test::Log;

use super::{AT_ONCE, NO_JITTER, ends, fails, fine, ignores, keep, keep_well, keeper, settle, state, waits};
use crate::support::paused;

#[tokio::test(start_paused = true)]
async fn when_the_task_ends_its_children_are_asked_all_at_once_and_waited_for() {
    let began = tokio::time::Instant::now();
    keep_well(|cx: RunContext| async move {
        for number in 0..10u64 {
            let body = move |cx: RunContext| async move {
                cx.shutdown_token().cancelled().await;
                tokio::time::sleep(Duration::from_secs(number % 3)).await;
                fine()
            };
            cx.supervise(format!("peer {number}"), AT_ONCE, body).unwrap();
        }
        settle().await;
    })
    .await;
    assert_eq!(began.elapsed(), Duration::from_secs(2), "the longest, not the sum");
}

#[tokio::test(start_paused = true)]
async fn one_in_backoff_is_gone_at_once_is_not_restarted_and_nobody_waits_for_its_timer() {
    let log = Log::new();
    let registry = keeper(&log, |cx: RunContext| async move {
        let policy = RestartPolicy::on_failure().initial_delay(Duration::from_secs(5)).jitter(0.0);
        let child = cx.supervise("peer", policy, ends(&[fails])).unwrap();
        let parked = cx.supervise("parked", NO_JITTER, waits).unwrap();
        parked.stop().await.unwrap();
        cx.shutdown_token().cancelled().await;
        assert_eq!(child.wait().await, Ok(ChildEnd::Stopped));
        assert_eq!(child.status(), None);
    });
    let running = paused(registry).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = tokio::time::Instant::now();
    running.control().shutdown("enough");
    let outcome = running.wait().await;
    assert_eq!((outcome.exit_code(), began.elapsed()), (0, Duration::ZERO), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_started_during_the_stop_and_who_waits_is_told() {
    keep_well(|cx: RunContext| async move {
        let slow = |cx: RunContext| async move {
            cx.shutdown_token().cancelled().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            fine()
        };
        let (a, b) = (cx.supervise("a", AT_ONCE, slow).unwrap(), cx.supervise("b", AT_ONCE, slow).unwrap());
        let c = cx.supervise("c", AT_ONCE, waits).unwrap();
        c.stop().await.unwrap();
        settle().await;
        let (restart, stop) = (a.restart(), b.stop());
        let ending = cx.clone();
        // Told while the task ends, by somebody who is not in it.
        let told = tokio::spawn(async move {
            ending.shutdown_token().cancelled().await;
            let began = tokio::time::Instant::now();
            let refused = ending.supervise("late", AT_ONCE, waits).expect_err("it ends");
            assert_eq!(
                refused.to_string(),
                "nothing is supervised any more: the task was asked to stop, or has ended"
            );
            let closed = |name: &str| Err(ChildError::Closed { name: name.to_owned() });
            assert_eq!(
                (restart.await, c.restart().await, b.restart().await),
                (closed("a"), closed("c"), closed("b"))
            );
            assert_eq!(began.elapsed(), Duration::ZERO, "they need not wait");
            assert_eq!((stop.await, began.elapsed()), (Ok(()), Duration::from_secs(1)));
        });
        drop(tokio::spawn(async move { told.await.unwrap() }));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_outlives_its_task_is_aborted_at_the_stop_timeout_and_named() {
    let began = tokio::time::Instant::now();
    let (outcome, _) = keep(|cx: RunContext| async move {
        let body = |cx: RunContext| async move {
            cx.supervise("inner", AT_ONCE, |cx: RunContext| async move {
                cx.note("deaf");
                ignores(cx).await
            })?;
            settle().await;
            fine()
        };
        cx.supervise("peer", AT_ONCE, body).unwrap();
        settle().await;
    })
    .await;
    assert_eq!((outcome.exit_code(), outcome.forced().len()), (0, 1), "{outcome}");
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    assert!(outcome.to_string().contains("child 'peer/inner'"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_during_the_stop_is_reported_by_name_and_once() {
    let log = Log::new();
    let registry = keeper(&log, |cx: RunContext| async move {
        let bad = |cx: RunContext| async move {
            cx.shutdown_token().cancelled().await;
            fails()
        };
        let outer = move |cx: RunContext| async move {
            cx.supervise("inner", AT_ONCE, bad)?;
            bad(cx).await
        };
        cx.supervise("peer", AT_ONCE, outer).unwrap();
        cx.supervise("fine", AT_ONCE, waits).unwrap();
        cx.shutdown_token().cancelled().await;
    });
    let running = paused(registry).start().await.unwrap();
    settle().await;
    running.control().shutdown("enough");
    let outcome = running.wait().await;
    let mut failed: Vec<_> = outcome.failures().iter().map(|failure| failure.task_name().unwrap()).collect();
    failed.sort_unstable();
    assert_eq!(failed, ["peer", "peer/inner"], "{outcome}");
    assert_eq!((outcome.exit_code(), outcome.cause()), (1, &StopCause::Requested("enough".to_owned())));
}

/// Without the mark that the main future has ended, a child that is supervised in that moment would outlive it.
#[tokio::test(start_paused = true)]
async fn the_next_generation_of_a_task_begins_with_an_empty_set() {
    let registry: Registry<()> = Registry::new();
    let held = Arc::new(());
    let keep = Arc::downgrade(&held);
    let body = move |(), cx: RunContext| {
        let held = Arc::clone(&held);
        async move {
            assert!(cx.children().is_empty());
            assert_eq!(Arc::strong_count(&held), 2, "of the last generation nothing is left");
            if cx.generation() > 3 {
                return fine();
            }
            let holds = Arc::clone(&held);
            let peer = move |cx: RunContext| {
                let holds = Arc::clone(&holds);
                async move {
                    let _holds = holds;
                    waits(cx).await
                }
            };
            let child = cx.supervise("peer", NO_JITTER, peer)?;
            settle().await;
            assert_eq!(state(&child), Some(ChildState::Running));
            fails()
        }
    };
    registry.insert(Arc::new(runnable("job", body).restart(AT_ONCE)));
    let outcome = paused(registry).run().await;
    assert_eq!((outcome.exit_code(), keep.strong_count()), (0, 0), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_run_frees_its_engine_also_when_its_children_were_stopped_or_have_failed() {
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    let log = Log::new();
    let registry = keeper(&log, |cx: RunContext| async move {
        cx.supervise("runs", AT_ONCE, waits).unwrap();
        cx.supervise("failed", NO_JITTER.limit(0).degrade(), ends(&[fails])).unwrap();
        let stopped = cx.supervise("stopped", NO_JITTER, waits).unwrap();
        cx.supervise("backoff", RestartPolicy::on_failure(), ends(&[fails])).unwrap();
        stopped.stop().await.unwrap();
        settle().await;
    });
    let runtime = Runtime::new(registry, ()).signals(Signals::none()).inline();
    let runtime = runtime.deadlines(Deadlines::new()).on_event(move |_| {
        let _ = &held;
    });
    assert_eq!(runtime.run().await.exit_code(), 0);
    settle().await;
    assert_eq!(weak.strong_count(), 0);
}
