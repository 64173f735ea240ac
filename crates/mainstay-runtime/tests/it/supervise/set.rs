//! The set: listed, counted, limited, and nothing kept of who has gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainstay_registry::RestartPolicy;
use mainstay_runtime::{ChildError, ChildState, RunContext, SuperviseError};

use super::{AT_ONCE, NO_JITTER, ends, fails, fine, keep_well, settle, state, waits};

#[tokio::test(start_paused = true)]
async fn add_stop_restart_and_remove_do_what_their_names_say_and_the_list_shows_it() {
    keep_well(|cx: RunContext| async move {
        let children = cx.children();
        let a = cx.supervise("a", NO_JITTER, waits).unwrap();
        let b = cx.supervise("b", NO_JITTER, ends(&[fails])).unwrap();
        settle().await;
        let backoff = ChildState::Backoff { attempt: 1, next_in: Duration::from_millis(100) };
        let listed: Vec<_> = children.list().iter().map(|child| (child.name.clone(), child.state)).collect();
        assert_eq!(listed, [("a".to_owned(), ChildState::Running), ("b".to_owned(), backoff)]);
        assert_eq!((children.count(), children.len()), (1, 2), "one in backoff is not active");

        assert_eq!(a.remove(), Err(ChildError::Running { name: "a".to_owned() }));
        assert_eq!(b.remove(), Err(ChildError::Running { name: "b".to_owned() }));
        assert_eq!(a.stop().await, Ok(()));
        assert_eq!((state(&a), a.stop().await), (Some(ChildState::Stopped), Ok(())));
        assert_eq!((children.count(), children.len()), (0, 2));
        assert_eq!(a.restart().await, Ok(()));
        let status = a.status().unwrap();
        assert_eq!((status.generation, status.restarts, status.state), (2, 1, ChildState::Running));
        assert_eq!((children.count(), children.len()), (1, 2));
        a.stop().await.unwrap();
        assert_eq!((a.remove(), a.remove(), a.status()), (Ok(()), Ok(()), None));
        assert_eq!(a.restart().await, Err(ChildError::Gone { name: "a".to_owned() }));
        assert_eq!((a.stop().await, children.len()), (Ok(()), 1));

        b.stop().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(state(&b), Some(ChildState::Stopped), "its restart does not come any more");
        assert_eq!(b.status().unwrap().generation, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_name_in_use_is_refused_and_the_one_that_runs_is_untouched() {
    keep_well(|cx: RunContext| async move {
        let first = cx.supervise("peer", NO_JITTER, waits).unwrap();
        settle().await;
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let second = cx.supervise("peer", NO_JITTER, move |cx| {
            let _holds = &holds;
            waits(cx)
        });
        let refused = second.expect_err("the name is in use");
        assert_eq!(refused, SuperviseError::NameInUse { name: "peer".to_owned() });
        assert_eq!(refused.code().id, "MS0241");
        assert_eq!(Arc::strong_count(&held), 1, "what was refused is dropped");
        assert_eq!((cx.children().len(), first.status().unwrap().generation), (1, 1));
        // Stopped it still has its name; removed it has not.
        first.stop().await.unwrap();
        assert!(cx.supervise("peer", NO_JITTER, waits).is_err());
        first.remove().unwrap();
        let third = cx.supervise("peer", NO_JITTER, waits).unwrap();
        settle().await;
        assert_eq!((first.status(), state(&third)), (None, Some(ChildState::Running)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_full_set_refuses_and_one_in_backoff_takes_a_place() {
    keep_well(|cx: RunContext| async move {
        cx.children().limit(2);
        let a = cx.supervise("a", NO_JITTER, waits).unwrap();
        cx.supervise("b", NO_JITTER, ends(&[fails])).unwrap();
        settle().await;
        let refused = cx.supervise("c", NO_JITTER, waits).expect_err("it is full");
        assert_eq!((refused.clone(), refused.code().id), (SuperviseError::Full { limit: 2 }, "MS0242"));
        let twice = cx.supervise("a", NO_JITTER, waits).expect_err("and has that one");
        assert_eq!(twice, SuperviseError::NameInUse { name: "a".to_owned() });
        a.stop().await.unwrap();
        assert!(cx.supervise("c", NO_JITTER, waits).is_err(), "one that was stopped as well");
        a.remove().unwrap();
        assert!(cx.supervise("c", NO_JITTER, waits).is_ok());
        cx.children().limit(0);
        assert_eq!(cx.children().count(), 1, "a lower limit ends nobody");
    })
    .await;
}

/// The table of a hundred thousand names shrinks as they go: see `members.rs` for that of the set itself.
#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_a_hundred_thousand_that_have_ended() {
    keep_well(|cx: RunContext| async move {
        let held = Arc::new(());
        for number in 0..100_000 {
            let holds = Arc::clone(&held);
            let body = move |_| {
                let _holds = &holds;
                async { fine() }
            };
            cx.supervise(number.to_string(), RestartPolicy::never(), body).unwrap();
            if number % 1000 == 0 {
                settle().await;
            }
        }
        while !cx.children().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!((Arc::strong_count(&held), cx.children().list().len()), (1, 0));
    })
    .await;
}

/// With a search through the list in place of the map the second hundred thousand take a thousand times as long.
#[tokio::test]
async fn the_time_of_an_add_and_a_remove_does_not_grow_with_the_set() {
    async fn round(cx: &RunContext, size: usize) -> Duration {
        for number in 0..size {
            cx.supervise(format!("{size}-{number}"), NO_JITTER, waits).unwrap();
        }
        // The best of several rounds: what disturbs one only adds.
        let mut best = Duration::MAX;
        for _ in 0..7 {
            let began = std::time::Instant::now();
            for number in 0..200 {
                let child = cx.supervise(format!("more-{number}"), NO_JITTER, waits).unwrap();
                // Stopped before it was ever polled: this measures the set, and nothing else.
                child.stop().await.unwrap();
                child.remove().unwrap();
            }
            best = best.min(began.elapsed());
        }
        best
    }
    let log = mainstay_test::Log::new();
    let registry = super::keeper(&log, |cx: RunContext| async move {
        let few = round(&cx, 100).await.min(round(&cx, 1000).await);
        let many = round(&cx, 100_000).await;
        assert!(many < few * 10 + Duration::from_millis(20), "{few:?} {many:?}");
    });
    let outcome = mainstay_runtime::Runtime::new(registry, ()).signals(mainstay_runtime::Signals::none());
    let outcome = outcome.stop_budget(Duration::from_secs(60)).run().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_child_has_a_context_like_any_other() {
    keep_well(|cx: RunContext| async move {
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        let child = cx
            .supervise("peer", AT_ONCE, move |cx| {
                let count = Arc::clone(&count);
                async move {
                    assert_eq!(cx.provider(), "a");
                    assert_eq!(RunContext::current().unwrap().generation(), cx.generation());
                    cx.ready();
                    cx.tick();
                    let _pinned = cx.pin();
                    mainstay_runtime::note("connecting");
                    let mut every = cx.every(Duration::from_secs(1));
                    while every.next().await.is_some() {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    fine()
                }
            })
            .unwrap();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert_eq!(seen.load(Ordering::Relaxed), 3);
        assert_eq!(child.status().unwrap().note.as_deref(), Some("connecting"));
        assert_eq!(child.name(), "peer");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn usr1_reaches_a_child_and_one_that_came_before_its_start_does_not() {
    let log = mainstay_test::Log::new();
    let seen = log.clone();
    let (sender, signals) = mainstay_runtime::Signals::channel();
    let registry = super::keeper(&log, move |cx: RunContext| {
        let log = seen.clone();
        async move {
            cx.reopen().await;
            let body = move |cx: RunContext| {
                let log = log.clone();
                async move {
                    log.push("child waits");
                    cx.reopen().await;
                    log.push("child reopened");
                    waits(cx).await
                }
            };
            cx.supervise("peer", AT_ONCE, body).unwrap();
            cx.shutdown_token().cancelled().await;
        }
    });
    let runtime = mainstay_runtime::Runtime::new(registry, ()).signals(signals).inline();
    let (outcome, ()) = tokio::join!(runtime.run(), async {
        log.wait_for("run a").await;
        sender.send(mainstay_runtime::Signal::User1);
        log.wait_for("child waits").await;
        settle().await;
        assert_eq!(log.count("child reopened"), 0);
        sender.send(mainstay_runtime::Signal::User1);
        log.wait_for("child reopened").await;
        sender.send(mainstay_runtime::Signal::Terminate);
    });
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
}
