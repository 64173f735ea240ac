//! Run: tasks along the graph, their ends, their failures, their children.

use std::time::Duration;

use mainstay_registry::{
    Deadlines, Error, NamedRunnable, Provider, ReadyWhen, Registry, Runnable, TaskFuture,
};
use mainstay_runtime::{Problem, Runtime, Signal, Signals, StopCause, runnable, task};
use mainstay_test::{Fault, Log};
use std::sync::Arc;
use tokio::time::Instant;

use crate::registry;
use crate::support::{A, B, C, events, fake, hooks, paused, run};

#[tokio::test(start_paused = true)]
async fn the_calls_of_one_provider_come_in_one_fixed_order() {
    let log = Log::new();
    let (sender, signals) = Signals::channel();
    let registry = registry![
        fake::<A>("a", &log)
            .validate_when(mainstay_registry::Validate::Both)
            .reload(Fault::None)
            .runs(Fault::None)
    ];
    let runtime = Runtime::new(registry, ()).signals(signals).inline();
    let (outcome, ()) = tokio::join!(runtime.run(), async {
        log.wait_for("run a").await;
        sender.send(Signal::Hangup);
        log.wait_for("reload a").await;
        sender.send(Signal::Terminate);
    });
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(
        log.lines(),
        [
            "validate a",
            "boot a",
            "validate a",
            "run a",
            "reload a",
            "stop a",
            "end a",
            "shutdown a",
            "drop a"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_registry_without_tasks_ends_at_once() {
    let log = Log::new();
    let outcome = run(registry![fake::<A>("a", &log)]).await;
    assert_eq!((outcome.exit_code(), outcome.cause()), (0, &StopCause::Completed));
    let outcome = run(registry![]).await;
    assert_eq!((outcome.exit_code(), outcome.cause()), (0, &StopCause::Completed));
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_last_task_has_ended_and_not_before() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("short", &log).runs_at_once(Fault::None),
        fake::<B>("long", &log).runs_at_once(Fault::Slow(Duration::from_secs(60))),
    ];
    let began = Instant::now();
    let outcome = run(registry).await;
    assert_eq!((outcome.exit_code(), outcome.cause()), (0, &StopCause::Completed));
    assert_eq!(began.elapsed().as_secs(), 60);
    assert_eq!(log.count("stop short"), 0, "who has ended is not asked to stop");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_ends_the_process_in_good_order_and_is_named() {
    for (fault, code, problem) in [
        (Fault::Error("gone"), "MS0209", "runnable 'b' failed: gone"),
        (Fault::Panic("boom"), "MS0210", "runnable 'b' panicked: boom"),
        (Fault::PanicLater("boom"), "MS0210", "runnable 'b' panicked: boom"),
    ] {
        let log = Log::new();
        let registry = registry![
            fake::<A>("a", &log).runs(Fault::None),
            fake::<B>("b", &log).requires::<A>().runs_at_once(fault),
        ];
        let outcome = run(registry).await;
        assert_eq!(outcome.exit_code(), 1);
        assert_eq!(outcome.cause(), &StopCause::Failed);
        assert_eq!(outcome.failures()[0].code().id, code);
        assert!(outcome.to_string().contains(problem), "{outcome}");
        let tail = hooks(&log);
        assert_eq!(tail[tail.len() - 4..], ["shutdown b", "stop a", "end a", "shutdown a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_synchronous_part_of_run_is_one_of_the_task() {
    struct Early;
    impl Provider<()> for Early {
        fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
            Some(self)
        }
    }
    impl Runnable<()> for Early {
        fn run(&self, (): ()) -> TaskFuture {
            panic!("before the future")
        }
    }
    let log = Log::new();
    let registry = registry![Early, fake::<A>("a", &log).runs(Fault::None)];
    let outcome = run(registry).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(outcome.to_string().contains("runnable 'Early' panicked: before the future"), "{outcome}");
    assert_eq!(log.count("shutdown a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_clone_of_the_state_is_one_of_the_task() {
    struct Fragile;
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            panic!("cannot be cloned")
        }
    }
    let registry: Registry<Fragile> = Registry::new();
    registry.insert(Arc::new(runnable("job", async |_: Fragile, _| Ok(()))));
    let outcome = Runtime::new(registry, Fragile).signals(Signals::none()).inline().run().await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(outcome.to_string().contains("cannot be cloned"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_recoverable_failure_is_said_and_the_process_serves_on() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        fake::<A>("a", &log).runs_at_once(Fault::Recoverable("never mind")),
        fake::<B>("b", &log).runs(Fault::None),
    ];
    let (sender, signals) = Signals::channel();
    let runtime = Runtime::new(registry, ()).signals(signals).inline().on_event(events(&seen));
    let (outcome, ()) = tokio::join!(runtime.run(), async {
        seen.wait_for("recoverable a").await;
        log.wait_for("run b").await;
        sender.send(Signal::Terminate);
    });
    assert_eq!(outcome.exit_code(), 0);
    assert!(outcome.failures().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_says_it_is_disabled_ends_as_disabled() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![fake::<A>("a", &log).run(async |cx: mainstay_runtime::RunContext| {
        cx.disabled();
        Ok(())
    })];
    let outcome = paused(registry).on_event(events(&seen)).run().await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(seen.count("disabled a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_not_ready_in_time_is_a_failure_and_its_dependents_never_start() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        fake::<A>("a", &log)
            .runs(Fault::None)
            .ready_when(ReadyWhen::Signalled)
            .deadlines(Deadlines::new().ready(Duration::from_secs(3))),
        fake::<B>("b", &log).requires::<A>().runs(Fault::None),
    ];
    let outcome = paused(registry).on_event(events(&seen)).run().await;
    assert_eq!(outcome.exit_code(), 1);
    assert_eq!(outcome.failures()[0].problem(), &Problem::Deadline(Duration::from_secs(3)));
    assert_eq!(log.count("run b"), 0);
    assert_eq!(seen.count("ready"), 0, "no word of readiness when somebody was not ready");
}

#[tokio::test(start_paused = true)]
async fn starts_have_priorities_of_their_own_and_are_barriers() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).run_priority(200).runs_at_once(Fault::None),
        fake::<B>("b", &log).run_priority(10).runs_at_once(Fault::Slow(Duration::from_secs(1))),
        fake::<C>("c", &log).runs_at_once(Fault::None),
    ];
    assert_eq!(run(registry).await.exit_code(), 0);
    let runs: Vec<_> = log.lines().into_iter().filter(|line| line.starts_with("run ")).collect();
    assert_eq!(runs, ["run b", "run c", "run a"]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_may_have_several_named_tasks_each_with_its_own_fate() {
    struct Http(Log);
    struct Listener(&'static str, Log);
    impl Provider<()> for Http {
        fn name(&self) -> &'static str {
            "http"
        }
        fn runnables(&self) -> Vec<NamedRunnable<'_, ()>> {
            // Leaked for brevity: a real provider has them as fields.
            let listener = |name| Box::leak(Box::new(Listener(name, self.0.clone())));
            vec![
                NamedRunnable::new("public", listener("public")),
                NamedRunnable::new("admin", listener("admin")),
            ]
        }
    }
    impl Runnable<()> for Listener {
        fn run(&self, (): ()) -> TaskFuture {
            let (name, log) = (self.0, self.1.clone());
            task(move |cx| async move {
                log.push(format!("{} {}", cx.provider(), cx.name().unwrap_or_default()));
                if name == "admin" {
                    return Err(Error::msg("address in use"));
                }
                cx.shutdown_token().cancelled().await;
                log.push("public stopped");
                Ok(())
            })
        }
    }
    let log = Log::new();
    let outcome = run(registry![Http(log.clone())]).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(outcome.to_string().contains("runnable 'http/admin' failed: address in use"), "{outcome}");
    assert_eq!(log.lines(), ["http public", "http admin", "public stopped"]);
}

#[tokio::test(start_paused = true)]
async fn several_failures_are_all_in_the_outcome_also_those_that_land_after_the_stop_began() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log)
            .runs(Fault::Error("a could not flush"))
            .shutdown(Fault::Error("a could not close")),
        fake::<B>("b", &log).runs_at_once(Fault::Error("b is broken")),
    ];
    let outcome = run(registry).await;
    let said: Vec<_> = outcome.failures().iter().map(|f| (f.provider(), f.phase().as_str())).collect();
    assert_eq!(said, [("b", "run"), ("a", "run"), ("a", "shutdown")]);
    assert_eq!(outcome.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn shutdown_on_stops_when_its_future_completes() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).runs(Fault::None)];
    let outcome = paused(registry).shutdown_on(tokio::time::sleep(Duration::from_secs(5))).run().await;
    assert_eq!((outcome.exit_code(), outcome.cause()), (0, &StopCause::ShutdownOn));
}

#[tokio::test(start_paused = true)]
async fn the_first_reason_to_stop_is_kept_and_asking_again_changes_nothing() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).runs(Fault::Slow(Duration::from_secs(1)))];
    let running = paused(registry).start().await.unwrap();
    let control = running.control();
    control.shutdown("first");
    control.shutdown("second");
    let outcome = running.wait().await;
    assert_eq!(outcome.cause(), &StopCause::Requested("first".to_owned()));
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(log.count("shutdown a"), 1);
    control.shutdown("after the end");
}
