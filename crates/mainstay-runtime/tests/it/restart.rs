//! Restarts: what a policy does with an end, and what a failure costs the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use mainstay_registry::{Deadlines, Error, RestartPolicy, Result, ResultExt};
use mainstay_runtime::{Outcome, Problem, RunContext, RunnableState, Runtime, Signals, StopCause, runnable};
use mainstay_test::{Fault, Log};
use tokio::time::Instant;

use crate::registry;
use crate::support::{A, B, C, events, fake, paused};

const NO_JITTER: RestartPolicy = RestartPolicy::on_failure().jitter(0.0);

/// Ends in these ways, one generation after the other, then waits for its stop.
fn ends(
    name: &'static str,
    policy: RestartPolicy,
    ways: Vec<fn() -> Result<()>>,
) -> impl mainstay_registry::Provider<()> {
    let ways = Arc::new(ways);
    runnable(name, move |(), cx: RunContext| {
        let ways = Arc::clone(&ways);
        async move {
            let way = usize::try_from(cx.generation()).unwrap() - 1;
            if let Some(way) = ways.get(way) {
                // Ready by its first poll.
                tokio::task::yield_now().await;
                return way();
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        }
    })
    .restart(policy)
}

fn fails() -> Result<()> {
    Err(Error::msg("refused"))
}

fn panics() -> Result<()> {
    panic!("boom")
}

#[allow(clippy::unnecessary_wraps, reason = "one of the ways to end")]
fn fine() -> Result<()> {
    Ok(())
}

/// Runs until that line is there, or until it ends by itself.
async fn until(line: &str, registry: mainstay_registry::Registry<()>) -> (Outcome, Vec<String>) {
    let log = Log::new();
    let runtime = paused(registry).on_event(events(&log));
    let running = runtime.start().await;
    let outcome = match running {
        Ok(running) => {
            tokio::select! {
                () = log.wait_for(line) => { running.control().shutdown("seen"); }
                _ = running.wait() => {}
            }
            running.wait().await
        }
        Err(outcome) => outcome,
    };
    (outcome, log.lines())
}

fn restarts(lines: &[String]) -> Vec<&str> {
    lines.iter().filter(|line| line.starts_with("restarting")).map(String::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn always_restarts_after_ok_and_after_an_error_and_charges_each() {
    let policy = RestartPolicy::always().jitter(0.0);
    let (outcome, lines) =
        until("ready again after 200ms", registry![ends("a", policy, vec![fine, fails])]).await;
    assert_eq!(restarts(&lines), ["restarting a 1 after 100ms", "restarting a 2 after 200ms"]);
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn on_failure_restarts_after_an_error_or_a_panic_and_completes_with_ok() {
    let (outcome, lines) = until("never", registry![ends("a", NO_JITTER, vec![fails, panics, fine])]).await;
    assert_eq!(restarts(&lines), ["restarting a 1 after 100ms", "restarting a 2 after 200ms"]);
    assert_eq!((outcome.exit_code(), outcome.cause()), (0, &StopCause::Completed), "{outcome}");
    assert!(outcome.failures().is_empty(), "what was restarted is no failure of the process");
}

#[tokio::test(start_paused = true)]
async fn never_restarts_nothing_and_the_process_ends_with_the_tasks_name() {
    let (outcome, lines) = until("never", registry![ends("a", RestartPolicy::never(), vec![fails])]).await;
    assert!(restarts(&lines).is_empty());
    assert_eq!((outcome.exit_code(), outcome.failures()[0].provider()), (1, "a"));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_asked_to_stop_and_fails_is_not_restarted() {
    for (policy, by_hand) in [
        (RestartPolicy::always(), true),
        (NO_JITTER, true),
        (RestartPolicy::always(), false),
        (NO_JITTER, false),
    ] {
        let (log, seen) = (Log::new(), Log::new());
        let registry = registry![
            fake::<A>("a", &log).runs(Fault::Error("late")).restart(policy),
            fake::<B>("b", &log).runs(Fault::None),
        ];
        let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
        if by_hand {
            running.control().stop("a").await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(running.control().status().runnable("a").unwrap().state, RunnableState::Stopped);
        }
        running.control().shutdown("done");
        let outcome = running.wait().await;
        // By the stop of everything it is a failure of the process, by an operator's one that was told.
        assert_eq!(outcome.failures().len(), usize::from(!by_hand), "{outcome}");
        assert!(restarts(&seen.lines()).is_empty());
        assert_eq!(log.count("run a"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_may_say_that_it_is_the_last_whatever_the_policy() {
    let log = Log::new();
    let last: fn() -> Result<()> = || Err(Error::msg("revoked").no_restart());
    let other = fake::<B>("b", &log).runs(Fault::None);
    let (outcome, lines) =
        until("degraded a", registry![ends("a", RestartPolicy::always(), vec![last]), other]).await;
    assert!(restarts(&lines).is_empty());
    assert_eq!(outcome.cause(), &StopCause::Requested("seen".to_owned()), "its siblings run on");
    assert_eq!(log.count("run b"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_may_say_that_it_is_fatal_whatever_the_policy() {
    let fatal: fn() -> Result<()> = || Err(Error::recoverable("the disk is gone").fatal());
    for policy in [RestartPolicy::never(), NO_JITTER, RestartPolicy::always()] {
        let log = Log::new();
        let other = fake::<B>("b", &log).runs(Fault::None);
        let (outcome, lines) = until("never", registry![ends("a", policy, vec![fatal]), other]).await;
        assert!(restarts(&lines).is_empty());
        assert_eq!(outcome.exit_code(), 1, "{outcome}");
        assert_eq!((log.count("stop b"), log.count("shutdown b")), (1, 1), "in good order");
    }
}

#[tokio::test(start_paused = true)]
async fn each_run_gets_a_fresh_future_and_keeps_what_the_provider_holds() {
    let kept = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&kept);
    let registry = registry![
        runnable("a", move |(), _: RunContext| {
            let kept = Arc::clone(&kept);
            async move {
                let mut own = 0;
                own += 1;
                assert_eq!(own, 1);
                if kept.fetch_add(own, Ordering::SeqCst) < 3 { fails() } else { fine() }
            }
        })
        .restart(NO_JITTER)
    ];
    let (outcome, _) = until("never", registry).await;
    assert_eq!((outcome.exit_code(), seen.load(Ordering::SeqCst)), (0, 4));
}

/// "More than", not "at": two restarts are allowed, the third failure escalates, and the others stop in good order.
#[tokio::test(start_paused = true)]
async fn past_its_limit_the_failure_leaves_the_task_and_siblings_stop_in_reverse_order() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::None),
        fake::<B>("b", &log).requires::<A>().runs(Fault::None),
        ends("c", NO_JITTER.limit(2), vec![fails; 9]),
    ];
    let (outcome, lines) = until("never", registry).await;
    assert_eq!(restarts(&lines).len(), 2);
    assert_eq!((outcome.exit_code(), outcome.failures().len()), (1, 1), "{outcome}");
    assert_eq!(outcome.failures()[0].seen(), Some("given up after 2 restarts in a row"));
    assert_eq!(outcome.failures()[0].generation(), Some(3));
    let stops: Vec<_> = log.lines().into_iter().filter(|line| line.starts_with("shutdown")).collect();
    assert_eq!(stops, ["shutdown b", "shutdown a"]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_escalates_without_a_restart_and_one_of_forty_at_the_forty_first() {
    for (limit, generation) in [(0, 1), (40, 41)] {
        let policy = NO_JITTER.limit(limit).max_delay(Duration::from_millis(200));
        let (outcome, _) = until("never", registry![ends("a", policy, vec![fails; 99])]).await;
        assert_eq!(outcome.failures()[0].generation(), Some(generation));
    }
}

#[tokio::test(start_paused = true)]
async fn a_factory_that_panics_is_a_failed_start_and_is_charged() {
    struct Factory(AtomicUsize);
    impl mainstay_registry::Provider<()> for Factory {
        fn name(&self) -> &'static str {
            "factory"
        }
        fn as_runnable(&self) -> Option<&dyn mainstay_registry::Runnable<()>> {
            Some(self)
        }
    }
    impl mainstay_registry::Runnable<()> for Factory {
        fn run(&self, (): ()) -> mainstay_registry::TaskFuture {
            let starts = self.0.fetch_add(1, Ordering::SeqCst);
            panic!("start {starts} failed");
        }
        fn restart_policy(&self) -> RestartPolicy {
            NO_JITTER.limit(3)
        }
    }
    let (outcome, lines) = until("never", registry![Factory(AtomicUsize::new(0))]).await;
    assert_eq!(restarts(&lines).len(), 3);
    assert_eq!(outcome.failures()[0].problem(), &Problem::Panic("start 3 failed".to_owned()));
    assert_eq!(outcome.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lasts_begins_the_row_anew_and_one_that_nearly_does_not() {
    for (uptime, second) in [(60_000, "1 after 100ms"), (59_999, "2 after 200ms")] {
        let registry = registry![
            runnable("a", move |(), cx: RunContext| async move {
                if cx.generation() == 2 {
                    tokio::time::sleep(Duration::from_millis(uptime)).await;
                }
                if cx.generation() < 3 { fails() } else { fine() }
            })
            .restart(NO_JITTER)
        ];
        let (_, lines) = until("never", registry).await;
        assert_eq!(restarts(&lines), ["restarting a 1 after 100ms", &format!("restarting a {second}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_flaps_for_an_hour_waits_at_the_cap_and_never_gives_up_when_unlimited() {
    let registry = registry![
        runnable("a", async |(), _: RunContext| {
            tokio::time::sleep(Duration::from_secs(50)).await;
            fails()
        })
        .restart(NO_JITTER.unlimited())
    ];
    let log = Log::new();
    let began = Instant::now();
    let running = paused(registry).on_event(events(&log)).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(restarts(&log.lines()).iter().rev().take(40).all(|line| line.ends_with("after 10s")));
    let status = running.control().status();
    assert!(status.runnable("a").unwrap().restarts > 55, "{status}");
    assert_eq!(began.elapsed().as_secs(), 3600);
    running.control().shutdown("seen");
    assert_eq!(running.wait().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn unlimited_never_gives_up_in_a_thousand_failures() {
    let registry =
        registry![ends("a", NO_JITTER.unlimited().initial_delay(Duration::ZERO), vec![fails; 1000])];
    let (outcome, lines) = until("restarting a 1000 after 0ns", registry).await;
    assert_eq!((outcome.exit_code(), restarts(&lines).len()), (0, 1000), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_restart_without_delay_passes_through_no_timer() {
    let began = Instant::now();
    let policy = NO_JITTER.initial_delay(Duration::ZERO).limit(500);
    let (outcome, lines) = until("never", registry![ends("a", policy, vec![fails; 501])]).await;
    assert_eq!((restarts(&lines).len(), outcome.exit_code()), (500, 1));
    assert_eq!(began.elapsed(), Duration::ZERO, "not even a millisecond of paused time");
}

#[tokio::test(start_paused = true)]
async fn one_child_at_its_limit_costs_another_nothing() {
    let registry = registry![
        ends("a", NO_JITTER.limit(1).degrade(), vec![fails; 9]),
        runnable("b", async |(), cx: RunContext| {
            tokio::task::yield_now().await;
            if cx.generation() < 3 {
                return fails();
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        })
        .restart(NO_JITTER),
    ];
    let (outcome, lines) = until("restarting b 2 after 200ms", registry).await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    let b: Vec<_> =
        restarts(&lines).into_iter().filter(|line| line.contains(" b ")).map(str::to_owned).collect();
    assert_eq!(b, ["restarting b 1 after 100ms", "restarting b 2 after 200ms"]);
    assert!(lines.contains(&"degraded a".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn many_that_fail_at_once_are_each_charged_and_come_back_spread() {
    let log = Log::new();
    let registry = mainstay_registry::Registry::<()>::new();
    macro_rules! tasks {
        ($($n:literal)*) => {$(
            registry.insert(Arc::new(runnable(concat!("t", $n), async |(), cx: RunContext| {
                if cx.generation() == 1 {
                    return fails();
                }
                cx.shutdown_token().cancelled().await;
                Ok(())
            }).restart(RestartPolicy::on_failure())));
        )*};
    }
    tasks!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
    let running = paused(registry).on_event(events(&log)).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lines = log.lines();
    let delays: std::collections::BTreeSet<_> =
        restarts(&lines).into_iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(restarts(&lines).len(), 20, "each to its own counter");
    assert!(delays.len() >= 15, "spread: {delays:?}");
    running.control().shutdown("seen");
    assert_eq!(running.wait().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_backoff_ends_at_once_and_nothing_is_restarted() {
    let log = Log::new();
    let policy = NO_JITTER.initial_delay(Duration::from_secs(3600)).max_delay(Duration::from_secs(3600));
    let registry = registry![ends("a", policy, vec![fails])];
    let began = Instant::now();
    let running = paused(registry).on_event(events(&log)).start().await.unwrap();
    log.wait_for("restarting a 1 after 3600s").await;
    let backoff = running.control().status().runnable("a").unwrap().state.clone();
    assert!(matches!(backoff, RunnableState::Backoff { attempt: 1, .. }), "{backoff:?}");
    running.control().shutdown("enough");
    assert_eq!(running.wait().await.exit_code(), 0);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(log.count("started a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_delay_of_for_ever_is_a_backoff_like_another() {
    let log = Log::new();
    let policy = NO_JITTER.initial_delay(Duration::MAX).max_delay(Duration::MAX).reset_after(Duration::MAX);
    let running =
        paused(registry![ends("a", policy, vec![fails])]).on_event(events(&log)).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(86_400 * 365)).await;
    let status = running.control().status();
    assert!(matches!(status.runnable("a").unwrap().state, RunnableState::Backoff { .. }), "{status}");
    running.control().shutdown("seen");
    assert_eq!(running.wait().await.exit_code(), 0);
}

/// What requires it is not ready meanwhile, and is left alone; with `with_required` it is restarted in order.
#[tokio::test(start_paused = true)]
async fn dependents_are_restarted_with_what_they_require_when_their_policy_says_so() {
    for follows in [false, true] {
        let (log, seen) = (Log::new(), Log::new());
        let own = RestartPolicy::never();
        let policy = if follows { own.with_required() } else { own };
        let registry = registry![
            fake::<A>("db", &log)
                .run(|cx| async move {
                    if cx.generation() == 1 {
                        tokio::time::sleep(Duration::from_secs(5)).await;
                        return fails();
                    }
                    cx.shutdown_token().cancelled().await;
                    Ok(())
                })
                .restart(NO_JITTER),
            fake::<B>("cache", &log).requires::<A>(),
            fake::<C>("api", &log)
                .requires::<B>()
                .runs(Fault::Slow(Duration::from_millis(30)))
                .restart(policy),
        ];
        let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let runs: Vec<_> = log
            .lines()
            .into_iter()
            .filter(|line| !line.starts_with("boot") && !line.starts_with("validate"))
            .collect();
        if follows {
            assert_eq!(runs, ["run db", "run api", "end db", "stop api", "end api", "run db", "run api"]);
        } else {
            assert_eq!(runs, ["run db", "run api", "end db", "run db"]);
        }
        let status = running.control().status();
        assert!(status.ready.is_ready(), "{status}");
        assert_eq!(status.runnable("api").unwrap().generation, if follows { 2 } else { 1 });
        running.control().shutdown("seen");
        assert_eq!(running.wait().await.exit_code(), 0);
    }
}

/// Who waits for one that is down does not burn its own restarts.
#[tokio::test(start_paused = true)]
async fn a_task_is_not_started_again_before_what_it_requires_is_ready() {
    let (log, seen) = (Log::new(), Log::new());
    let fails_once = |after: u64| {
        move |cx: RunContext| async move {
            if cx.generation() == 1 {
                tokio::time::sleep(Duration::from_millis(after)).await;
                return fails();
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        }
    };
    let slow = NO_JITTER.initial_delay(Duration::from_secs(30)).max_delay(Duration::from_secs(30));
    let registry = registry![
        fake::<A>("db", &log).run(fails_once(100)).restart(slow),
        fake::<B>("api", &log).requires::<A>().run(fails_once(200)).restart(NO_JITTER),
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let status = running.control().status();
    let api = status.runnable("api").unwrap();
    assert_eq!((api.state.clone(), api.waits_for.clone()), (RunnableState::Waiting, vec!["db"]), "{status}");
    tokio::time::sleep(Duration::from_secs(30)).await;
    let status = running.control().status();
    assert_eq!((status.runnable("api").unwrap().restarts, status.ready.is_ready()), (1, true), "{status}");
    running.control().shutdown("seen");
    assert_eq!(running.wait().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_fails_restarts_the_whole_generation_and_never_outlives_it() {
    let log = Log::new();
    let children = Arc::new(AtomicUsize::new(0));
    let alive = Arc::clone(&children);
    struct Alive(Arc<AtomicUsize>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let registry = registry![
        runnable("a", move |(), cx: RunContext| {
            let children = Arc::clone(&children);
            async move {
                assert_eq!(children.load(Ordering::SeqCst), 0, "nothing of the last generation is left");
                children.fetch_add(1, Ordering::SeqCst);
                let child = Alive(children);
                cx.spawn("stays", async move {
                    let _child = child;
                    std::future::pending().await
                });
                if cx.generation() < 3 {
                    cx.spawn("fails", async { fails() });
                }
                cx.shutdown_token().cancelled().await;
                Ok(())
            }
        })
        .deadlines(Deadlines::new().stop(Duration::from_millis(50)))
        .restart(NO_JITTER)
    ];
    let running = paused(registry).on_event(events(&log)).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(running.control().status().runnable("a").unwrap().generation, 3);
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    running.control().shutdown("seen");
    let _ = running.wait().await;
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_get_ready_in_time_is_restarted_by_its_policy() {
    let log = Log::new();
    let registry = registry![
        runnable("a", async |(), cx: RunContext| {
            if cx.generation() == 3 {
                cx.ready();
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        })
        .ready_when(mainstay_registry::ReadyWhen::Signalled)
        .deadlines(Deadlines::new().ready(Duration::from_secs(1)))
        .restart(NO_JITTER)
    ];
    let running = paused(registry).on_event(events(&log)).start().await.unwrap();
    assert_eq!(restarts(&log.lines()).len(), 2);
    let failure = running.control().status().runnable("a").unwrap().last_failure.clone().unwrap();
    assert_eq!(failure.problem(), &Problem::Deadline(Duration::from_secs(1)));
    running.control().shutdown("seen");
    assert_eq!(running.wait().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn disabled_is_an_end_and_no_restart_whatever_the_policy() {
    let registry = registry![
        runnable("a", async |(), cx: RunContext| {
            cx.disabled();
            Ok(())
        })
        .restart(RestartPolicy::always())
    ];
    let (outcome, lines) = until("never", registry).await;
    assert_eq!((outcome.exit_code(), outcome.cause()), (0, &StopCause::Completed));
    assert!(lines.contains(&"disabled a".to_owned()) && restarts(&lines).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_at_once_again_and_again_escalates_although_it_never_fails() {
    let (outcome, _) = until("never", registry![ends("a", RestartPolicy::always(), vec![fine; 99])]).await;
    assert_eq!(outcome.failures()[0].problem(), &Problem::Ended { times: 11 }, "{outcome}");
    assert_eq!((outcome.failures()[0].code().id, outcome.exit_code()), ("MS0224", 1));
}

#[tokio::test(start_paused = true)]
async fn a_degraded_task_keeps_neither_its_level_nor_those_that_only_want_it_from_starting() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).run_priority(10).runs_at_once(Fault::Recoverable("gone")),
        fake::<B>("b", &log).run_priority(20).wants::<A>().runs(Fault::None),
        fake::<C>("c", &log).run_priority(30).runs(Fault::None),
    ];
    let running = paused(registry).start().await.unwrap();
    let status = running.control().status();
    assert_eq!(status.ready.to_string(), "degraded", "{status}");
    assert_eq!((log.count("run b"), log.count("run c")), (1, 1), "{status}");
    running.control().shutdown("seen");
    assert_eq!(running.wait().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_override_survives_the_context_that_is_put_around_it() {
    let wrapped: fn() -> Result<()> = || Err(Error::msg("disk").fatal()).doing("writing the journal");
    let (outcome, _) = until("never", registry![ends("a", RestartPolicy::always(), vec![wrapped])]).await;
    assert_eq!(outcome.exit_code(), 1);
    assert_eq!(outcome.failures()[0].to_string().lines().nth(1).unwrap().trim(), "caused by   disk");
}

/// On real threads: a crash loop without a delay starves nobody, and its stop is heard.
#[test]
fn a_crash_loop_without_delay_leaves_the_worker_to_others() {
    for workers in [1, 2] {
        let app =
            tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
        let beats = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&beats);
        let registry = registry![
            runnable("loop", async |(), _: RunContext| fails())
                .restart(RestartPolicy::on_failure().initial_delay(Duration::ZERO).unlimited()),
            runnable("other", move |(), cx: RunContext| {
                let beats = Arc::clone(&beats);
                async move {
                    while !cx.shutdown_token().is_cancelled() {
                        beats.fetch_add(1, Ordering::Relaxed);
                        tokio::task::yield_now().await;
                    }
                    Ok(())
                }
            }),
        ];
        let running = Runtime::new(registry, ()).signals(Signals::none()).run_on(app.handle().clone());
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while seen.load(Ordering::Relaxed) < 50 && std::time::Instant::now() < end {
            std::thread::yield_now();
        }
        running.control().shutdown("seen");
        let outcome = running.wait();
        assert!(seen.load(Ordering::Relaxed) >= 50, "starved: {outcome}");
        // It may have failed once more after it was asked: that is said, and is not a hang.
        assert_eq!(outcome.hooks(), (2, 2), "{outcome}");
        assert!(outcome.failures().len() <= 1 && outcome.forced().is_empty(), "{outcome}");
    }
}
