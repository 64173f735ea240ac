//! Progress: a task that says how often it comes by, and does not.

use std::time::Duration;

use mainstay_registry::{Deadlines, RestartPolicy};
use mainstay_runtime::{Problem, ReadyState, RunContext, RunnableState, Runtime, Signals, runnable};
use mainstay_test::{Blocker, Fault, Log};

use crate::registry;
use crate::support::{A, B, events, fake, paused};

const INTERVAL: Duration = Duration::from_secs(10);

/// Ticks three times, hangs for 100 s in its first generation, and ticks again.
async fn hangs_once(cx: RunContext) -> mainstay_registry::Result<()> {
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(8)).await;
        cx.tick();
    }
    if cx.generation() == 1 {
        cx.note("asking the broker");
        tokio::time::sleep(Duration::from_secs(100)).await;
    }
    let mut every = cx.every(Duration::from_secs(5));
    while every.next().await.is_some() {
        cx.tick();
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stuck_task_is_seen_and_makes_its_dependents_not_ready_until_it_ticks() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        fake::<A>("consumer", &log).deadlines(Deadlines::new().tick(INTERVAL)).run(hangs_once),
        fake::<B>("api", &log).requires::<A>().runs(Fault::None),
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    let control = running.control();
    tokio::time::sleep(Duration::from_secs(33)).await;
    assert_eq!(control.status().ready, ReadyState::Ready, "its interval begins with each tick");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let status = control.status();
    assert_eq!(status.runnable("consumer").unwrap().state, RunnableState::Stuck, "{status}");
    assert_eq!(status.ready.causes()[1].to_string(), "'api' not ready: 'consumer' stuck, since 1 s");
    assert_eq!(seen.count("stuck consumer"), 1);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(control.status().ready, ReadyState::Ready);
    assert_eq!(
        (seen.count("unstuck consumer"), seen.count("started consumer")),
        (1, 1),
        "never restarts nothing"
    );
    control.shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_task_is_restarted_when_its_policy_restarts() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        fake::<A>("consumer", &log)
            .deadlines(Deadlines::new().tick(INTERVAL).stop(Duration::from_secs(1)))
            .run(hangs_once)
            .restart(RestartPolicy::on_failure().jitter(0.0)),
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let status = running.control().status();
    let consumer = status.runnable("consumer").unwrap();
    assert_eq!((consumer.state.clone(), consumer.generation), (RunnableState::Ready, 2), "{status}");
    let failure = consumer.last_failure.clone().unwrap();
    assert_eq!(failure.problem(), &Problem::Stuck(INTERVAL));
    assert_eq!(failure.seen(), Some("last note: \"asking the broker\""));
    assert_eq!(failure.code().id, "MS0225");
    running.control().shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_an_interval_nobody_looks() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![fake::<A>("quiet", &log).runs(Fault::None)];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    assert_eq!((seen.count("stuck quiet"), running.control().status().ready), (0, ReadyState::Ready));
    running.control().shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
}

/// On real threads, with every worker blocked: the supervision thread sees it all the same.
#[test]
fn a_task_that_blocks_every_worker_is_seen_as_stuck_and_named() {
    for workers in [0, 1] {
        let app = match workers {
            0 => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            n => tokio::runtime::Builder::new_multi_thread().worker_threads(n).enable_all().build().unwrap(),
        };
        let handle = app.handle().clone();
        let driver = std::thread::spawn(move || app.block_on(std::future::pending::<()>()));
        let (blocker, seen) = (Blocker::new(), Log::new());
        let held = blocker.clone();
        let registry = registry![
            runnable("reader", move |(), cx: RunContext| {
                let held = held.clone();
                async move {
                    cx.tick();
                    tokio::task::yield_now().await;
                    held.block();
                    cx.shutdown_token().cancelled().await;
                    Ok(())
                }
            })
            .deadlines(Deadlines::new().tick(Duration::from_millis(80)))
        ];
        let runtime = Runtime::new(registry, ()).signals(Signals::none()).on_event(events(&seen));
        let running = runtime.run_on(handle);
        wait_for(&seen, "stuck reader");
        let status = running.control().status();
        assert!(status.runnable("reader").unwrap().polling.is_some(), "{status}");
        blocker.release();
        running.control().shutdown("done");
        let outcome = running.wait();
        assert_eq!(outcome.exit_code(), 0, "{outcome}");
        drop(driver);
    }
}

fn wait_for(log: &Log, line: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let waited =
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), log.wait_for(line)).await });
    assert!(waited.is_ok(), "no '{line}' in {:?}", log.lines());
}
