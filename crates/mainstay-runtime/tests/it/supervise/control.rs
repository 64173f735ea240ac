//! Stop, restart, abort and wait: by hand, from anywhere.

use std::sync::Arc;
use std::time::Duration;

use mainstay_registry::{Deadlines, Result};
use mainstay_runtime::{ChildEnd, ChildError, ChildState, Cut, RunContext};
use mainstay_test::Log;

use super::{
    AT_ONCE, NO_JITTER, ends, fails, ignores, keep, keep_well, keeper, of_children, panics, settle, state,
    waits,
};
use crate::support::paused;

/// Takes its time to stop.
async fn slow(cx: RunContext) -> Result<()> {
    cx.shutdown_token().cancelled().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_that_is_asked_to_stop_and_fails_is_not_restarted_and_its_failure_is_said() {
    for ending in [fails as super::Way, panics] {
        let said = keep_well(move |cx: RunContext| async move {
            let body = move |cx: RunContext| async move {
                cx.shutdown_token().cancelled().await;
                ending()
            };
            let child = cx.supervise("peer", AT_ONCE, body).unwrap();
            settle().await;
            assert_eq!(child.stop().await, Ok(()));
            let status = child.status().unwrap();
            assert_eq!((status.state, status.restarts), (ChildState::Stopped, 0));
            assert!(status.last_failure.is_some());
            assert_eq!(child.wait().await, Ok(ChildEnd::Stopped));
        })
        .await;
        assert_eq!(of_children(&said), ["child failed a/peer"]);
    }
}

/// A restart that gives up because the old generation ends with an error leaves it down.
#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_although_the_old_generation_fails() {
    keep_well(|cx: RunContext| async move {
        let body = |cx: RunContext| async move {
            cx.shutdown_token().cancelled().await;
            if cx.generation() == 1 { fails() } else { Ok(()) }
        };
        let child = cx.supervise("peer", NO_JITTER.limit(0), body).unwrap();
        settle().await;
        assert_eq!(child.restart().await, Ok(()));
        assert_eq!((state(&child), child.status().unwrap().generation), (Some(ChildState::Running), 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_last_wish_counts_and_each_answer_is_true_when_it_comes() {
    keep_well(|cx: RunContext| async move {
        let child = cx.supervise("peer", NO_JITTER, slow).unwrap();
        settle().await;
        // A stop, then a restart while it stops: it runs.
        let (stop, restart) = (child.stop(), child.restart());
        assert_eq!(state(&child), Some(ChildState::Stopping));
        assert_eq!(tokio::join!(stop, restart), (Ok(()), Ok(())));
        assert_eq!((state(&child), child.status().unwrap().generation), (Some(ChildState::Running), 2));
        // A restart, then a stop: it is stopped, and the restart says so.
        let (restart, stop) = (child.restart(), child.stop());
        let stopped = Err(ChildError::Stopped { name: "peer".to_owned() });
        assert_eq!(tokio::join!(restart, stop), (stopped, Ok(())));
        assert_eq!((state(&child), child.status().unwrap().generation), (Some(ChildState::Stopped), 2));
        // Several at once are one.
        let answers = futures_util::future::join_all((0..5).map(|_| child.restart())).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(child.status().unwrap().generation, 3);
        // Asked before it has begun.
        let early = cx.supervise("early", NO_JITTER, waits).unwrap();
        assert_eq!((early.restart().await, early.status().unwrap().generation), (Ok(()), 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_backoff_is_at_once_and_the_old_alarm_does_nothing() {
    keep_well(|cx: RunContext| async move {
        let child = cx.supervise("peer", NO_JITTER, ends(&[fails])).unwrap();
        settle().await;
        let began = tokio::time::Instant::now();
        child.restart().await.unwrap();
        assert_eq!((began.elapsed(), child.status().unwrap().generation), (Duration::ZERO, 2));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((child.status().unwrap().generation, cx.children().count()), (2, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_by_hand_whose_body_panics_is_an_error_and_leaves_it_stopped() {
    let said = keep_well(|cx: RunContext| async move {
        let body = |cx: RunContext| {
            assert!(cx.generation() != 2, "no socket");
            waits(cx)
        };
        let child = cx.supervise("peer", AT_ONCE, body).unwrap();
        settle().await;
        let refused = child.restart().await.expect_err("its body panics");
        assert_eq!(refused.code().id, "MS0251");
        let said = refused.to_string();
        assert!(said.contains("runnable 'a/peer' panicked: no socket"), "{said}");
        assert_eq!((state(&child), cx.children().len()), (Some(ChildState::Stopped), 1));
        assert_eq!((child.restart().await, child.status().unwrap().generation), (Ok(()), 3));
    })
    .await;
    assert_eq!(of_children(&said), Vec::<&str>::new(), "who asked was told, and the log is not");
}

#[tokio::test(start_paused = true)]
async fn an_abort_drops_what_the_child_owns_and_wins_over_a_graceful_stop() {
    keep_well(|cx: RunContext| async move {
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let child = cx
            .supervise("peer", AT_ONCE, move |cx| {
                let holds = Arc::clone(&holds);
                async move {
                    cx.supervise("inner", AT_ONCE, ignores)?;
                    cx.spawn("plain", std::future::pending());
                    let _holds = holds;
                    std::future::pending().await
                }
            })
            .unwrap();
        settle().await;
        assert_eq!(Arc::strong_count(&held), 3);
        let began = tokio::time::Instant::now();
        let stop = child.stop();
        child.abort();
        child.abort();
        assert_eq!(stop.await, Ok(()));
        assert_eq!((Arc::strong_count(&held), began.elapsed()), (2, Duration::ZERO));
        assert_eq!(state(&child), Some(ChildState::Stopped));
        child.abort();
        child.remove().unwrap();
        settle().await;
        assert_eq!(Arc::strong_count(&held), 1, "what the body holds goes with its place in the list");
    })
    .await;
}

/// With the alarm switched off the stop waits for ever.
#[tokio::test(start_paused = true)]
async fn one_that_ignores_its_stop_is_aborted_at_the_deadline_and_named_and_its_restart_goes_on() {
    let (outcome, said) = keep(|cx: RunContext| async move {
        let body = |cx: RunContext| async move {
            if cx.generation() > 2 {
                return waits(cx).await;
            }
            cx.note("reading");
            std::future::pending().await
        };
        let child = cx.supervise("peer", AT_ONCE, body).unwrap();
        settle().await;
        let began = tokio::time::Instant::now();
        assert_eq!(child.stop().await, Ok(()));
        assert_eq!(began.elapsed(), Duration::from_secs(5), "the stop timeout of its provider");
        assert_eq!((child.restart().await, child.restart().await), (Ok(()), Ok(())));
        assert_eq!((began.elapsed(), state(&child)), (Duration::from_secs(10), Some(ChildState::Running)));
    })
    .await;
    assert_eq!((outcome.exit_code(), said.iter().filter(|line| line.starts_with("forced")).count()), (0, 2));
    let forced = &outcome.forced()[0];
    assert_eq!((forced.provider, forced.task.as_deref(), forced.what), ("a", Some("peer"), Cut::Task));
    assert_eq!(outcome.forced().len(), 1, "one entry of the report: {outcome}");
    assert!(outcome.to_string().contains("reading"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn inside_of_itself_nobody_waits_for_itself_and_the_request_stands() {
    keep_well(|cx: RunContext| async move {
        let set = cx.children();
        let child = cx
            .supervise("peer", AT_ONCE, move |cx| {
                let set = set.clone();
                async move {
                    if cx.generation() > 1 {
                        return waits(cx).await;
                    }
                    let own = set.get("peer").unwrap();
                    let busy = ChildError::Busy { name: "peer".to_owned() };
                    assert_eq!(own.wait().await, Err(busy.clone()));
                    let nested = own.clone();
                    cx.supervise("inner", AT_ONCE, move |_| {
                        let nested = nested.clone();
                        async move {
                            assert!(matches!(nested.wait().await, Err(ChildError::Busy { .. })));
                            Ok(())
                        }
                    })?
                    .wait()
                    .await?;
                    assert_eq!(own.restart().await, Err(busy));
                    waits(cx).await
                }
            })
            .unwrap();
        settle().await;
        assert_eq!((state(&child), child.status().unwrap().generation), (Some(ChildState::Running), 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn everybody_who_waits_gets_the_same_end() {
    keep_well(|cx: RunContext| async move {
        let child = cx.supervise("peer", NO_JITTER.limit(0).degrade(), ends(&[fails])).unwrap();
        let (one, two) = (child.clone(), child.clone());
        let (one, two) = tokio::join!(one.wait(), two.wait());
        assert_eq!(one, two);
        assert_eq!(child.wait().await, one);
        assert!(matches!(one, Ok(ChildEnd::Failed(failure)) if failure.task_name() == Some("peer")));
        // Once it runs again there is another end to wait for.
        child.restart().await.unwrap();
        let (ended, stopped) = tokio::join!(child.wait(), child.stop());
        assert_eq!((ended, stopped), (Ok(ChildEnd::Stopped), Ok(())));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_the_end_of_its_task_every_question_has_an_answer() {
    let log = Log::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    let registry = keeper(&log, move |cx: RunContext| {
        let sender = sender.clone();
        async move {
            let child = cx.supervise("peer", NO_JITTER, waits).unwrap();
            sender.send((cx, child)).unwrap();
        }
    });
    let outcome = paused(registry).deadlines(Deadlines::new()).run().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    let (cx, child) = receiver.recv().unwrap();
    assert_eq!((child.status(), child.wait().await), (None, Ok(ChildEnd::Stopped)));
    assert_eq!((child.stop().await, child.remove()), (Ok(()), Ok(())));
    assert_eq!(child.restart().await, Err(ChildError::Closed { name: "peer".to_owned() }));
    child.abort();
    let refused = cx.supervise("late", NO_JITTER, waits).expect_err("it is over");
    assert_eq!((refused.code().id, cx.children().len()), ("MS0243", 0));
    assert!(cx.children().list().is_empty() && cx.children().get("peer").is_none());
}
