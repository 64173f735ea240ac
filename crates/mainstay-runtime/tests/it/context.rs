//! The run context: children that end with their task, tickers, reopening, notes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mainstay_registry::{Deadlines, Error, Provider, Registry, Result, Runnable, TaskFuture};
use mainstay_runtime::{Cut, RunContext, Runtime, Signal, Signals, task};
use mainstay_test::{Fault, Log};
use tokio::task::JoinSet;

use crate::registry;
use crate::support::{A, B, events, fake, paused, run};

#[tokio::test(start_paused = true)]
async fn a_child_that_fails_or_panics_fails_its_task_by_name() {
    for (fault, said) in [
        (Fault::Error("lost"), "runnable 'a/peer' failed: lost"),
        (Fault::Panic("boom"), "runnable 'a/peer' panicked: boom"),
    ] {
        let log = Log::new();
        let registry = registry![
            fake::<A>("a", &log).run(move |cx| {
                let fault = fault.clone();
                async move {
                    cx.spawn("peer", async move {
                        match fault {
                            Fault::Error(text) => Err(Error::msg(text)),
                            _ => panic!("boom"),
                        }
                    });
                    cx.shutdown_token().cancelled().await;
                    Ok(())
                }
            }),
            fake::<B>("b", &log).runs(Fault::None),
        ];
        let outcome = run(registry).await;
        assert_eq!(outcome.exit_code(), 1);
        assert!(outcome.to_string().contains(said), "{outcome}");
        assert_eq!(log.count("shutdown b"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recoverable_child_is_said_and_its_task_goes_on() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![fake::<A>("a", &log).run(|cx: RunContext| async move {
        cx.spawn("peer", async { Err(Error::recoverable("gone")) }).join().await;
        Ok(())
    })];
    let outcome = paused(registry).on_event(events(&seen)).run().await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(seen.count("recoverable a"), 1);
}

#[tokio::test(start_paused = true)]
async fn when_a_task_ends_its_children_are_asked_and_waited_for() {
    let log = Log::new();
    let children = log.clone();
    let registry = registry![fake::<A>("a", &log).run(move |cx| {
        let log = children.clone();
        async move {
            let own = cx.clone();
            cx.spawn("slow", async move {
                own.shutdown_token().cancelled().await;
                tokio::time::sleep(Duration::from_secs(3)).await;
                log.push("child done");
                Ok(())
            });
            Ok(())
        }
    })];
    let outcome = run(registry).await;
    assert_eq!(outcome.exit_code(), 0);
    assert!(log.position("child done").unwrap() < log.position("shutdown a").unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_child_that_outlives_its_task_is_aborted_at_the_stop_timeout_and_named() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).deadlines(Deadlines::new().stop(Duration::from_secs(2))).run(
            |cx: RunContext| async move {
                cx.spawn("stubborn", std::future::pending());
                Ok(())
            }
        ),
        fake::<B>("b", &log).runs_at_once(Fault::Slow(Duration::from_secs(10))),
    ];
    let outcome = run(registry).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(outcome.forced().len(), 1, "{outcome}");
    assert_eq!((outcome.forced()[0].provider, outcome.forced()[0].what), ("a", Cut::Task));
    assert_eq!(outcome.forced()[0].after, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn what_is_spawned_after_the_end_is_dropped_at_once() {
    let log = Log::new();
    let kept: Arc<std::sync::Mutex<Option<RunContext>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let registry = registry![fake::<A>("a", &log).run(move |cx| {
        *keep.lock().unwrap() = Some(cx);
        async { Ok(()) }
    })];
    assert_eq!(run(registry).await.exit_code(), 0);
    let cx = kept.lock().unwrap().take().unwrap();
    assert!(cx.shutdown_token().is_cancelled());
    let ran = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&ran);
    cx.spawn("late", async move {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    })
    .join()
    .await;
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    assert_eq!(Arc::strong_count(&ran), 1);
}

#[tokio::test(start_paused = true)]
async fn a_child_spawned_during_the_stop_is_asked_to_stop_at_once() {
    let log = Log::new();
    let children = log.clone();
    let registry = registry![fake::<A>("a", &log).run(move |cx| {
        let log = children.clone();
        async move {
            cx.shutdown_token().cancelled().await;
            let own = cx.clone();
            cx.spawn("late", async move {
                own.shutdown_token().cancelled().await;
                log.push("late child stopped");
                Ok(())
            });
            Ok(())
        }
    })];
    let running = paused(registry).start().await.unwrap();
    running.control().shutdown("enough");
    let outcome = running.wait().await;
    assert_eq!(outcome.exit_code(), 0);
    assert!(outcome.forced().is_empty());
    assert_eq!(log.count("late child stopped"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_child_can_be_aborted_by_hand() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).run(|cx: RunContext| async move {
        let child = cx.spawn("endless", std::future::pending());
        tokio::task::yield_now().await;
        child.abort();
        child.join().await;
        Ok(())
    })];
    let outcome = run(registry).await;
    assert_eq!((outcome.exit_code(), outcome.forced().len()), (0, 0), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_ticker_does_not_overlap_skips_what_it_missed_and_ends_with_its_task() {
    let log = Log::new();
    let task = log.clone();
    let registry = registry![fake::<A>("a", &log).run(move |cx| {
        let log = task.clone();
        async move {
            let (mut every, start) = (cx.every(Duration::from_secs(1)), tokio::time::Instant::now());
            // The second round takes three and a half periods, the others half of one.
            for takes in [500, 3500, 500, 500].into_iter().cycle() {
                if every.next().await.is_none() {
                    break;
                }
                log.push(format!("{:?}, {} skipped", start.elapsed(), every.skipped()));
                tokio::time::sleep(Duration::from_millis(takes)).await;
            }
            Ok(())
        }
    })];
    let runtime = paused(registry).shutdown_on(tokio::time::sleep(Duration::from_millis(6_700)));
    assert_eq!(runtime.run().await.exit_code(), 0);
    let ticks: Vec<String> = log.lines().into_iter().filter(|line| line.contains("skipped")).collect();
    // That at 4.5 is the one of 2, and stands for those of 3 and 4; then the beat is as it was.
    assert_eq!(
        ticks,
        ["0ns, 0 skipped", "1s, 0 skipped", "4.5s, 2 skipped", "5s, 0 skipped", "6s, 0 skipped"]
    );
}

#[tokio::test(start_paused = true)]
async fn usr1_reopens_and_what_came_while_nobody_waited_counts_once() {
    let log = Log::new();
    let task = log.clone();
    let (sender, signals) = Signals::channel();
    let registry = registry![fake::<A>("a", &log).run(move |cx| {
        let log = task.clone();
        async move {
            cx.reopen().await;
            log.push("first");
            tokio::time::sleep(Duration::from_secs(5)).await;
            // Two have come meanwhile.
            cx.reopen().await;
            log.push("second");
            tokio::select! {
                () = cx.reopen() => log.push("third"),
                () = cx.shutdown_token().cancelled() => {}
            }
            Ok(())
        }
    })];
    let runtime = Runtime::new(registry, ()).signals(signals).inline();
    let (outcome, ()) = tokio::join!(runtime.run(), async {
        log.wait_for("run a").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        sender.send(Signal::User1);
        log.wait_for("first").await;
        sender.send(Signal::User1);
        sender.send(Signal::User1);
        log.wait_for("second").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        sender.send(Signal::Terminate);
    });
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(log.count("third"), 0);
}

#[tokio::test(start_paused = true)]
async fn outside_of_a_runtime_a_task_has_a_context_whose_token_never_fires() {
    struct Job(Log);
    impl Provider<()> for Job {
        fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
            Some(self)
        }
    }
    impl Runnable<()> for Job {
        fn run(&self, (): ()) -> TaskFuture {
            let log = self.0.clone();
            task(move |cx| async move {
                assert!(!cx.shutdown_token().is_cancelled());
                let child = log.clone();
                let spawned = cx.spawn("child", async move {
                    child.push("child");
                    Ok(())
                });
                spawned.join().await;
                log.push("done");
                Ok(())
            })
        }
    }
    let log = Log::new();
    let registry: Registry<()> = Registry::new();
    registry.insert(Arc::new(Job(log.clone())));
    let mut tasks: JoinSet<Result<()>> = JoinSet::new();
    assert_eq!(registry.run_all((), &mut tasks), 1);
    tasks.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(log.lines(), ["child", "done"]);
}

#[tokio::test(start_paused = true)]
async fn until_shutdown_ends_what_it_runs_when_the_task_is_asked_to_stop() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).run(|cx: RunContext| async move {
        assert_eq!(cx.until_shutdown(async { 7 }).await, Some(7));
        assert_eq!(cx.until_shutdown(std::future::pending::<u8>()).await, None);
        assert_eq!((cx.provider(), cx.name(), cx.generation()), ("a", None, 1));
        Ok(())
    })];
    let running = paused(registry).start().await.unwrap();
    running.control().shutdown("enough");
    assert_eq!(running.wait().await.exit_code(), 0);
}
