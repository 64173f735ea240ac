//! The limit of restarts, its reset, and the delays.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainstay_registry::{Error, RestartPolicy, Result};
use mainstay_runtime::{ChildEnd, ChildState, RunContext, SuperviseError};

use super::{AT_ONCE, NO_JITTER, ends, fails, keep, keep_well, of_children, settle, state, waits};

/// Fails after so long, every time; counts its runs.
fn lives(
    uptime: Duration,
    runs: &Arc<AtomicUsize>,
) -> impl FnMut(RunContext) -> super::Ending + Send + 'static {
    let runs = Arc::clone(runs);
    move |_| {
        runs.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            tokio::time::sleep(uptime).await;
            fails()
        })
    }
}

#[tokio::test(start_paused = true)]
async fn it_escalates_after_the_limit_and_not_at_it() {
    for limit in [0, 2, 40] {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let (outcome, said) = keep(move |cx: RunContext| {
            let runs = Arc::clone(&runs);
            async move {
                let body = lives(Duration::from_millis(1), &runs);
                cx.supervise("peer", NO_JITTER.limit(limit), body).unwrap();
                cx.shutdown_token().cancelled().await;
            }
        })
        .await;
        let limit = usize::try_from(limit).unwrap();
        assert_eq!(counted.load(Ordering::Relaxed), limit + 1);
        assert_eq!((outcome.exit_code(), of_children(&said).len()), (1, limit), "{outcome}");
        assert_eq!(outcome.failures()[0].task_name(), Some("peer"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_panics_is_a_failed_start_and_is_charged() {
    let (outcome, said) = keep(|cx: RunContext| async move {
        let body = |_| -> std::future::Ready<Result<()>> { panic!("no socket") };
        cx.supervise("peer", NO_JITTER.limit(3), body).unwrap();
        cx.shutdown_token().cancelled().await;
    })
    .await;
    assert_eq!((outcome.exit_code(), of_children(&said).len()), (1, 3));
    assert!(outcome.to_string().contains("'a/peer' panicked: no socket"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn the_row_begins_anew_after_exactly_the_uptime_and_not_a_millisecond_less() {
    let reset = Duration::from_secs(60);
    for (uptime, runs) in [(reset, 20), (reset.saturating_sub(Duration::from_millis(1)), 2)] {
        keep_well(move |cx: RunContext| async move {
            let count = Arc::new(AtomicUsize::new(0));
            let policy = NO_JITTER.limit(1).degrade();
            let child = cx.supervise("peer", policy, lives(uptime, &count)).unwrap();
            tokio::time::sleep(
                ((uptime + Duration::from_millis(100)) * 20).checked_sub(Duration::from_millis(50)).unwrap(),
            )
            .await;
            assert_eq!(count.load(Ordering::Relaxed), runs);
            assert_eq!(state(&child) == Some(ChildState::Failed), runs == 2);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn given_up_with_degrade_it_is_listed_as_failed_and_the_others_counters_are_their_own() {
    let said = keep_well(|cx: RunContext| async move {
        let policy = NO_JITTER.limit(2).degrade();
        let child = cx.supervise("peer", policy, ends(&[fails as super::Way; 9])).unwrap();
        let other = cx.supervise("other", policy, ends(&[fails as super::Way; 2])).unwrap();
        assert!(matches!(child.wait().await, Ok(ChildEnd::Failed(_))));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((state(&child), state(&other)), (Some(ChildState::Failed), Some(ChildState::Running)));
        assert_eq!((child.status().unwrap().restarts, other.status().unwrap().restarts), (2, 2));
        // By hand nothing is charged, and the row begins anew.
        child.restart().await.unwrap();
        settle().await;
        assert!(matches!(state(&child), Some(ChildState::Backoff { attempt: 1, .. })), "{child:?}");
        assert_eq!(child.status().unwrap().restarts, 4);
    })
    .await;
    assert_eq!(said.iter().filter(|line| *line == "child failed a/peer").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unlimited_one_never_gives_up() {
    keep_well(|cx: RunContext| async move {
        let policy = NO_JITTER.unlimited();
        let runs = Arc::new(AtomicUsize::new(0));
        cx.supervise("peer", policy, lives(Duration::from_secs(1), &runs)).unwrap();
        tokio::time::sleep(Duration::from_secs(20_000)).await;
        assert!(runs.load(Ordering::Relaxed) > 1000);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn several_that_fail_in_one_tick_are_each_charged_and_restarted() {
    let said = keep_well(|cx: RunContext| async move {
        for name in ["x", "y", "z"] {
            cx.supervise(name, NO_JITTER, ends(&[fails])).unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(cx.children().list().iter().all(|child| child.restarts == 1 && child.generation == 2));
    })
    .await;
    assert_eq!(of_children(&said).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_delays_double_up_to_the_cap_and_begin_anew_after_a_run_that_lasted() {
    let said = keep_well(|cx: RunContext| async move {
        let body = |cx: RunContext| async move {
            if cx.generation() == 10 {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            fails()
        };
        cx.supervise("peer", NO_JITTER.unlimited(), body).unwrap();
        tokio::time::sleep(Duration::from_secs(93)).await;
    })
    .await;
    let delays: Vec<&str> = of_children(&said).iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(delays[..7], ["100ms", "200ms", "400ms", "800ms", "1.6s", "3.2s", "6.4s"]);
    assert_eq!(delays[7..11], ["10s", "10s", "100ms", "200ms"]);
}

/// Without the jitter all of them come back in one millisecond.
#[tokio::test(start_paused = true)]
async fn a_hundred_that_fail_together_come_back_spread() {
    keep_well(|cx: RunContext| async move {
        let back = Arc::new(std::sync::Mutex::new(Vec::new()));
        let began = tokio::time::Instant::now();
        for number in 0..100 {
            let back = Arc::clone(&back);
            let body = move |cx: RunContext| {
                let back = Arc::clone(&back);
                async move {
                    if cx.generation() == 1 {
                        return fails();
                    }
                    back.lock().unwrap().push(began.elapsed().as_millis());
                    waits(cx).await
                }
            };
            let policy = RestartPolicy::on_failure().initial_delay(Duration::from_secs(1)).jitter(0.5);
            cx.supervise(format!("peer {number}"), policy, body).unwrap();
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let back = back.lock().unwrap();
        assert!(back.iter().all(|at| (500..=1001).contains(at)), "{back:?}");
        let distinct: std::collections::BTreeSet<_> = back.iter().collect();
        assert!(back.len() == 100 && distinct.len() > 50, "{distinct:?}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_means_for_ever_is_a_delay_like_others() {
    keep_well(|cx: RunContext| async move {
        let policy = RestartPolicy::on_failure()
            .initial_delay(Duration::MAX)
            .max_delay(Duration::MAX)
            .reset_after(Duration::MAX);
        let child = cx.supervise("peer", policy, ends(&[fails])).unwrap();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(matches!(state(&child), Some(ChildState::Backoff { attempt: 1, next_in }) if next_in > Duration::from_secs(1)));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_contradicts_itself_is_refused_by_the_name_of_its_field() {
    keep_well(|cx: RunContext| async move {
        for (policy, field) in [
            (AT_ONCE.factor(0.5), "factor"),
            (AT_ONCE.factor(f64::NAN), "factor"),
            (AT_ONCE.jitter(1.5), "jitter"),
            (AT_ONCE.initial_delay(Duration::from_secs(60)), "initial_delay"),
            (RestartPolicy::never().limit(3), "limit"),
        ] {
            let refused = cx.supervise("peer", policy, |_| async { Err(Error::msg("it never runs")) });
            let refused = refused.expect_err("it contradicts itself");
            assert!(matches!(&refused, SuperviseError::Policy { field: said, .. } if *said == field));
            assert_eq!(refused.code().id, "MS0244");
            assert!(cx.children().is_empty());
        }
    })
    .await;
}
