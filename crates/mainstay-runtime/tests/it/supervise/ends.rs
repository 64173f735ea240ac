//! What follows from an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainstay_registry::{Error, RestartPolicy};
use mainstay_runtime::{ChildEnd, ChildState, Problem, RunContext};

use super::{
    AT_ONCE, NO_JITTER, ends, fails, fine, keep, keep_well, of_children, panics, settle, state, waits,
};

#[tokio::test(start_paused = true)]
async fn always_restarts_after_ok_and_after_an_error_and_charges_each() {
    let said = keep_well(|cx: RunContext| async move {
        let policy = RestartPolicy::always().jitter(0.0);
        let child = cx.supervise("peer", policy, ends(&[fine, fails])).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let status = child.status().unwrap();
        assert_eq!((status.generation, status.restarts, status.state), (3, 2, ChildState::Running));
        assert_eq!(status.uptime, Some(Duration::from_millis(700)));
        assert_eq!(status.last_failure.unwrap().task_name(), Some("peer"));
    })
    .await;
    assert_eq!(of_children(&said), ["restarting a/peer 1 after 100ms", "restarting a/peer 2 after 200ms"]);
}

#[tokio::test(start_paused = true)]
async fn on_failure_restarts_after_an_error_or_a_panic_and_is_off_the_list_after_ok() {
    let said = keep_well(|cx: RunContext| async move {
        let child = cx.supervise("peer", NO_JITTER, ends(&[fails, panics, fine])).unwrap();
        assert_eq!(child.wait().await, Ok(ChildEnd::Completed));
        assert_eq!((child.status(), cx.children().len(), cx.children().count()), (None, 0, 0));
        assert!(cx.children().get("peer").is_none());
    })
    .await;
    assert_eq!(of_children(&said), ["restarting a/peer 1 after 100ms", "restarting a/peer 2 after 200ms"]);
}

#[tokio::test(start_paused = true)]
async fn an_error_or_a_panic_with_never_fails_the_task_by_name_and_the_others_stop_in_order() {
    for (way, text) in [
        (fails as super::Way, "runnable 'a/peer' failed: refused"),
        (panics, "runnable 'a/peer' panicked: boom"),
    ] {
        let (outcome, said) = keep(move |cx: RunContext| async move {
            let sibling = cx.supervise("sibling", AT_ONCE, waits).unwrap();
            let child = cx.supervise("peer", RestartPolicy::never(), move |_| async move { way() }).unwrap();
            assert!(matches!(child.wait().await, Ok(ChildEnd::Failed(_))));
            cx.shutdown_token().cancelled().await;
            assert_eq!(sibling.wait().await, Ok(ChildEnd::Stopped));
        })
        .await;
        assert_eq!(outcome.exit_code(), 1);
        assert!(outcome.to_string().contains(text), "{outcome}");
        assert_eq!(outcome.failures().len(), 1, "each is told once: {outcome}");
        assert_eq!(of_children(&said), Vec::<&str>::new(), "nothing is charged");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recoverable_failure_with_never_is_said_and_listed_and_the_task_serves_on() {
    let said = keep_well(|cx: RunContext| async move {
        let child = cx
            .supervise("peer", RestartPolicy::never(), |_| async { Err(Error::recoverable("gone")) })
            .unwrap();
        settle().await;
        assert_eq!(state(&child), Some(ChildState::Failed));
        assert_eq!((cx.children().count(), cx.children().len()), (0, 1));
        assert!(!cx.shutdown_token().is_cancelled());
        // And one that is spawned beside it does not end anybody either.
        cx.spawn("plain", async { Err(Error::recoverable("gone")) }).join().await;
    })
    .await;
    assert_eq!(of_children(&said), ["child failed a/peer"]);
}

#[tokio::test(start_paused = true)]
async fn an_error_may_say_that_it_is_the_last_or_that_it_is_fatal_whatever_the_policy() {
    keep_well(|cx: RunContext| async move {
        let sibling = cx.supervise("sibling", AT_ONCE, waits).unwrap();
        let last = |_| async { Err(Error::msg("gone").no_restart()) };
        let child = cx.supervise("peer", RestartPolicy::always(), last).unwrap();
        assert!(matches!(child.wait().await, Ok(ChildEnd::Failed(_))));
        assert_eq!((state(&child), state(&sibling)), (Some(ChildState::Failed), Some(ChildState::Running)));
    })
    .await;
    for recoverable in [false, true] {
        let (outcome, _) = keep(move |cx: RunContext| async move {
            let fatal = move |_| async move {
                Err(if recoverable { Error::recoverable("no disk") } else { Error::msg("no disk") }.fatal())
            };
            cx.supervise("peer", RestartPolicy::always(), fatal).unwrap();
            cx.shutdown_token().cancelled().await;
        })
        .await;
        assert_eq!(outcome.exit_code(), 1, "{outcome}");
        assert_eq!(outcome.failures()[0].task_name(), Some("peer"));
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_nothing_to_do_has_ended_whatever_the_policy() {
    keep_well(|cx: RunContext| async move {
        let idle = |cx: RunContext| async move {
            cx.disabled();
            Ok(())
        };
        let child = cx.supervise("peer", RestartPolicy::always(), idle).unwrap();
        assert_eq!(child.wait().await, Ok(ChildEnd::Disabled));
        assert!(cx.children().is_empty());
    })
    .await;
}

/// `FnMut` keeps what it captures from one generation to the next; what it makes is of one.
#[tokio::test(start_paused = true)]
async fn every_generation_begins_with_what_the_body_makes_anew() {
    keep_well(|cx: RunContext| async move {
        let kept = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&kept);
        let child = cx
            .supervise("peer", AT_ONCE, move |cx| {
                let (total, mut own) = (Arc::clone(&seen), 0);
                async move {
                    own += 1;
                    assert_eq!(own, 1, "of this run");
                    let total = total.fetch_add(own, Ordering::Relaxed) + 1;
                    assert_eq!(u64::try_from(total).unwrap(), cx.generation());
                    if total < 5 { fails() } else { fine() }
                }
            })
            .unwrap();
        child.wait().await.unwrap();
        assert_eq!(kept.load(Ordering::Relaxed), 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_anywhere_is_an_end_with_the_childs_name() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "a bomb goes off");
        }
    }
    enum At {
        Body,
        Poll,
        DropOfFuture,
        DropOfBody,
        NotText,
    }
    for (at, text) in [
        (At::Body, "runnable 'a/peer' panicked: in the body"),
        (At::Poll, "runnable 'a/peer' panicked: in a poll"),
        (At::DropOfFuture, "runnable 'a/peer' panicked: a bomb goes off"),
        (At::DropOfBody, "runnable 'a/peer' panicked: a bomb goes off"),
        (At::NotText, "runnable 'a/peer' panicked: a panic with a payload that is not text"),
    ] {
        let at = Arc::new(at);
        let (outcome, _) = keep(move |cx: RunContext| {
            let at = Arc::clone(&at);
            async move {
                let bomb = matches!(*at, At::DropOfBody).then(|| Bomb);
                let body = move |_| {
                    let _keep = &bomb;
                    assert!(!matches!(*at, At::Body), "in the body");
                    let bomb = matches!(*at, At::DropOfFuture).then(|| Bomb);
                    let at = Arc::clone(&at);
                    async move {
                        let _bomb = bomb;
                        assert!(!matches!(*at, At::Poll), "in a poll");
                        if matches!(*at, At::NotText) {
                            std::panic::panic_any(7);
                        }
                        Ok(())
                    }
                };
                cx.supervise("peer", RestartPolicy::never(), body).unwrap();
                cx.shutdown_token().cancelled().await;
            }
        })
        .await;
        assert_eq!(outcome.exit_code(), 1, "{outcome}");
        assert!(outcome.to_string().contains(text), "{text}: {outcome}");
        assert!(matches!(outcome.failures()[0].problem(), Problem::Panic(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_without_delay_takes_no_time_and_leaves_the_worker_to_others() {
    keep_well(|cx: RunContext| async move {
        let began = tokio::time::Instant::now();
        let turns = Arc::new(AtomicUsize::new(0));
        let child =
            cx.supervise("peer", AT_ONCE, |cx| async move {
                if cx.generation() <= 1000 { fails() } else { fine() }
            })
            .unwrap();
        let (other, stop) = (Arc::clone(&turns), cx.shutdown_token().clone());
        let counter = cx.spawn("other", async move {
            while !stop.is_cancelled() {
                other.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
            Ok(())
        });
        assert_eq!(child.wait().await, Ok(ChildEnd::Completed));
        // One that yields to everybody gets a turn with each look at the clock and at sockets.
        let turns = turns.load(Ordering::Relaxed);
        assert!(turns > 10, "it had its turns in between: {turns}");
        counter.abort();
        assert_eq!(began.elapsed(), Duration::ZERO);
    })
    .await;
}
