//! Children of children.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainstay_registry::{Error, RestartPolicy};
use mainstay_runtime::{ChildEnd, ChildState, RunContext};
use mainstay_test::Log;

use super::{AT_ONCE, NO_JITTER, fails, fine, keep, keep_well, of_children, panics, settle, state, waits};

#[tokio::test(start_paused = true)]
async fn a_failure_deep_inside_reaches_the_root_with_its_whole_path() {
    for (way, text) in [
        (fails as super::Way, "runnable 'a/b/c/d' failed: refused"),
        (panics, "runnable 'a/b/c/d' panicked: boom"),
    ] {
        let (outcome, _) = keep(move |cx: RunContext| async move {
            let third = cx.supervise("third", AT_ONCE, waits).unwrap();
            let d = move |_: RunContext| async move { way() };
            let c = move |cx: RunContext| async move {
                cx.supervise("d", RestartPolicy::never(), d)?;
                waits(cx).await
            };
            let b = move |cx: RunContext| async move {
                cx.supervise("c", RestartPolicy::never(), c)?;
                waits(cx).await
            };
            cx.supervise("b", RestartPolicy::never(), b).unwrap();
            cx.shutdown_token().cancelled().await;
            assert_eq!(third.wait().await, Ok(ChildEnd::Stopped), "the others get their graceful stop");
        })
        .await;
        assert_eq!((outcome.exit_code(), outcome.failures().len()), (1, 1), "{outcome}");
        assert!(outcome.to_string().contains(text), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_leaves_a_nested_child_is_for_the_policy_of_the_one_around_it() {
    let said = keep_well(|cx: RunContext| async move {
        let inner = |cx: RunContext| async move {
            cx.supervise("inner", RestartPolicy::never(), |_| async { fails() })?;
            waits(cx).await
        };
        let plain = |cx: RunContext| async move {
            cx.spawn("plain", async { fails() });
            waits(cx).await
        };
        let a = cx.supervise("x", NO_JITTER.limit(2).degrade(), inner).unwrap();
        assert!(
            matches!(a.wait().await, Ok(ChildEnd::Failed(failure)) if failure.task_name() == Some("x/inner"))
        );
        let b = cx.supervise("y", NO_JITTER.limit(0).degrade(), plain).unwrap();
        assert!(
            matches!(b.wait().await, Ok(ChildEnd::Failed(failure)) if failure.task_name() == Some("y/plain"))
        );
    })
    .await;
    assert_eq!(
        of_children(&said),
        [
            "restarting a/x 1 after 100ms",
            "restarting a/x 2 after 200ms",
            "child failed a/x",
            "child failed a/y"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_recoverable_failure_of_a_child_that_a_child_spawned_is_said_and_it_goes_on() {
    let said = keep_well(|cx: RunContext| async move {
        let body = |cx: RunContext| async move {
            cx.spawn("plain", async { Err(Error::recoverable("gone")) }).join().await;
            waits(cx).await
        };
        let child = cx.supervise("peer", RestartPolicy::never(), body).unwrap();
        settle().await;
        assert_eq!((state(&child), child.status().unwrap().generation), (Some(ChildState::Running), 1));
    })
    .await;
    assert!(said.contains(&"recoverable a".to_owned()), "{said:?}");
}

/// A child that is waited for holds its place: the next generation does not begin beside what is left of the last.
#[tokio::test(start_paused = true)]
async fn a_generation_is_over_when_all_in_it_is_and_only_then_the_next_one_begins() {
    keep_well(|cx: RunContext| async move {
        let alive = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&alive);
        let body = move |cx: RunContext| {
            let alive = Arc::clone(&counted);
            async move {
                assert_eq!(alive.load(Ordering::Relaxed), 0, "something of the last generation is left");
                let slow = move |cx: RunContext| {
                    let alive = Arc::clone(&alive);
                    async move {
                        alive.fetch_add(1, Ordering::Relaxed);
                        cx.shutdown_token().cancelled().await;
                        tokio::time::sleep(Duration::from_secs(2)).await;
                        alive.fetch_sub(1, Ordering::Relaxed);
                        fine()
                    }
                };
                cx.supervise("deep", AT_ONCE, {
                    let slow = slow.clone();
                    move |cx: RunContext| {
                        let slow = slow.clone();
                        async move {
                            cx.supervise("deeper", AT_ONCE, slow)?;
                            waits(cx).await
                        }
                    }
                })?;
                cx.spawn("plain", slow(cx.clone()));
                settle().await;
                if cx.generation() == 3 { waits(cx).await } else { fails() }
            }
        };
        let child = cx.supervise("peer", AT_ONCE, body).unwrap();
        settle().await;
        settle().await;
        let status = child.status().unwrap();
        assert_eq!((status.state, status.generation), (ChildState::Stopping, 1), "it is not over yet");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!((state(&child), child.status().unwrap().generation), (Some(ChildState::Running), 3));
        let began = tokio::time::Instant::now();
        child.stop().await.unwrap();
        assert_eq!((began.elapsed(), alive.load(Ordering::Relaxed)), (Duration::from_secs(2), 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_child_leaves_behind_is_aborted_at_the_stop_timeout_and_then_it_is_started_again() {
    let (outcome, _) = keep(|cx: RunContext| async move {
        let body = |cx: RunContext| async move {
            if cx.generation() == 1 {
                cx.spawn("deaf", std::future::pending());
                return fails();
            }
            waits(cx).await
        };
        let child = cx.supervise("peer", AT_ONCE, body).unwrap();
        tokio::time::sleep(Duration::from_millis(4_999)).await;
        assert_eq!(state(&child), Some(ChildState::Stopping));
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!((state(&child), child.status().unwrap().generation), (Some(ChildState::Running), 2));
    })
    .await;
    assert_eq!((outcome.exit_code(), outcome.forced().len()), (0, 1), "{outcome}");
    assert!(outcome.to_string().contains("'deaf'"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_child_and_what_is_around_it_may_both_panic_and_a_third_gets_its_graceful_stop() {
    let log = Log::new();
    let third = log.clone();
    let (outcome, _) = keep(move |cx: RunContext| {
        let log = third.clone();
        async move {
            let body = move |cx: RunContext| {
                let log = log.clone();
                async move {
                    cx.shutdown_token().cancelled().await;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    log.push("graceful");
                    fine()
                }
            };
            cx.supervise("third", AT_ONCE, body).unwrap();
            let outer = |cx: RunContext| async move {
                cx.supervise("inner", RestartPolicy::never(), |_| async { panics() })?;
                cx.shutdown_token().cancelled().await;
                panics()
            };
            cx.supervise("peer", RestartPolicy::never(), outer).unwrap();
            cx.shutdown_token().cancelled().await;
            panic!("and the task, too");
        }
    })
    .await;
    assert_eq!((outcome.exit_code(), log.count("graceful")), (1, 1), "{outcome}");
    assert!(outcome.to_string().contains("'a/peer/inner' panicked"), "{outcome}");
}
