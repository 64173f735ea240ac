//! Blocked threads: deadlines hold, hooks run, and what blocks is named. Real threads and a real clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_registry::{Deadlines, Registry};
use mainstay_runtime::{EventKind, Outcome, Problem, Runtime, Signals};
use mainstay_test::{Blocker, Fault, Log};

use crate::registry;
use crate::support::{A, B, C, fake};

const SHORT: Duration = Duration::from_millis(100);

/// Runs on an application runtime of its own, whose threads may be lost, and waits from this thread.
fn run_on(workers: usize, runtime: Runtime<()>, stop: impl FnOnce(&mainstay_runtime::Control)) -> Outcome {
    let app = match workers {
        0 => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        workers => {
            tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
        }
    };
    let handle = app.handle().clone();
    if workers == 0 {
        // A current-thread runtime runs only while somebody drives it.
        std::thread::spawn(move || app.block_on(std::future::pending::<()>()));
        let running = runtime.run_on(handle);
        stop(running.control());
        return running.wait();
    }
    let running = runtime.run_on(handle);
    stop(running.control());
    let outcome = running.wait();
    app.shutdown_background();
    outcome
}

fn threaded(registry: Registry<()>) -> Runtime<()> {
    let deadlines = Deadlines::new().boot(SHORT).ready(SHORT).stop(SHORT).shutdown(SHORT * 3);
    Runtime::new(registry, ()).signals(Signals::none()).deadlines(deadlines)
}

#[test]
fn a_boot_that_blocks_its_thread_ends_the_start_at_its_deadline_and_says_so() {
    for workers in [0, 1, 2] {
        let (log, blocker) = (Log::new(), Blocker::new());
        let registry = registry![
            fake::<A>("a", &log),
            fake::<B>("b", &log).requires::<A>().boot(Fault::Block(blocker.clone())),
        ];
        let began = Instant::now();
        let outcome = run_on(workers, threaded(registry), |_| {});
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert_eq!(outcome.exit_code(), 75);
        assert_eq!(outcome.failures()[0].problem(), &Problem::Deadline(SHORT));
        assert!(outcome.failures()[0].seen().unwrap().starts_with("blocks a thread since"), "{outcome}");
        // Its shutdown is called all the same, beside its boot, and so is that of its dependency.
        assert_eq!((log.count("shutdown b"), log.count("shutdown a")), (1, 1), "{workers}: {outcome}");
        blocker.release();
    }
}

#[test]
fn with_every_worker_blocked_by_tasks_each_provider_still_gets_its_shutdown() {
    for workers in [0, 1, 2] {
        let (log, blocker) = (Log::new(), Blocker::new());
        let block = || {
            let blocker = blocker.clone();
            move |cx: mainstay_runtime::RunContext| {
                let blocker = blocker.clone();
                async move {
                    cx.ready();
                    // Comes back from its first poll, so that everything starts, and blocks in its second.
                    tokio::task::yield_now().await;
                    cx.shutdown_token().cancelled().await;
                    blocker.block();
                    Ok(())
                }
            }
        };
        let registry = registry![
            fake::<A>("a", &log).runs(Fault::None),
            fake::<B>("b", &log).requires::<A>().run(block()),
            fake::<C>("c", &log).requires::<A>().run(block()),
        ];
        let rescued = Log::new();
        let names = rescued.clone();
        let ready = Log::new();
        let is_ready = ready.clone();
        let runtime = threaded(registry).on_event(move |event| match &event.kind {
            EventKind::Rescued { provider, .. } => names.push(*provider),
            EventKind::Ready { .. } => is_ready.push("ready"),
            _ => {}
        });
        let began = Instant::now();
        let outcome = run_on(workers, runtime, |control| {
            let waiter = tokio::runtime::Builder::new_current_thread().build().unwrap();
            waiter.block_on(ready.wait_for("ready"));
            control.shutdown("enough");
        });
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(outcome.hooks(), (3, 3), "{workers} workers: {outcome}");
        if workers == 2 {
            assert!(rescued.count("a") == 1, "both workers are blocked: {:?}", rescued.lines());
            assert!(outcome.to_string().contains("'b'") && outcome.to_string().contains("'c'"), "{outcome}");
            assert!(outcome.to_string().contains("blocks a thread since"), "{outcome}");
        }
        blocker.release();
    }
}

#[test]
fn a_hook_that_no_worker_polls_is_run_all_the_same() {
    let (log, blocker) = (Log::new(), Blocker::new());
    let app = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let block = blocker.clone();
    let (blocked, wait) = std::sync::mpsc::channel();
    app.spawn(async move {
        blocked.send(()).unwrap();
        block.block();
    });
    wait.recv().unwrap();
    // Its only worker is blocked before anything begins.
    let registry = registry![fake::<A>("a", &log), fake::<B>("b", &log).requires::<A>()];
    let outcome = threaded(registry).deadlines(Deadlines::new()).run_on(app.handle().clone()).wait();
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert_eq!(outcome.hooks(), (2, 2));
    blocker.release();
    app.shutdown_background();
}

#[test]
fn a_runtime_that_is_shut_down_under_it_is_a_failure_with_a_name_and_the_rollback_runs() {
    let log = Log::new();
    let app = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let registry = registry![fake::<A>("a", &log), fake::<B>("b", &log).requires::<A>().boot(Fault::Hang)];
    let runtime = threaded(registry).deadlines(Deadlines::new());
    let running = runtime.run_on(app.handle().clone());
    app.block_on(log.wait_for("boot b"));
    app.shutdown_background();
    let outcome = running.wait();
    assert_eq!(outcome.failures()[0].code().id, "MS0218", "{outcome}");
    assert_eq!(outcome.failures()[0].provider(), "b");
    assert_eq!((log.count("shutdown b"), log.count("shutdown a")), (1, 1));
}

#[test]
fn a_destructor_that_blocks_is_named_and_does_not_hold_the_end() {
    let (log, blocker) = (Log::new(), Blocker::new());
    let registry = registry![
        fake::<A>("a", &log).on_drop(Fault::Block(blocker.clone())),
        fake::<B>("b", &log).requires::<A>(),
    ];
    let runtime = threaded(registry).stop_budget(Duration::from_secs(1));
    let outcome = run_on(2, runtime, |_| {});
    assert_eq!(outcome.exit_code(), 0);
    assert!(outcome.to_string().contains("drop of 'a'"), "{outcome}");
    blocker.release();
}

#[test]
fn twenty_runs_at_once_do_not_disturb_each_other() {
    let threads: Vec<_> = (0..20)
        .map(|_| {
            std::thread::spawn(|| {
                let log = Log::new();
                let registry = Arc::new(registry![
                    fake::<A>("a", &log).boot(Fault::Yield(5)).runs_at_once(Fault::Yield(5)),
                    fake::<B>("b", &log).requires::<A>().runs_at_once(Fault::Yield(5)),
                ]);
                let app = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let outcome = app.block_on(Runtime::new(registry, ()).signals(Signals::none()).run());
                assert_eq!((outcome.exit_code(), outcome.hooks()), (0, (2, 2)), "{outcome}");
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_child_that_blocks_its_thread_is_named() {
    let (log, blocker) = (Log::new(), Blocker::new());
    let block = blocker.clone();
    let registry = registry![fake::<A>("a", &log).run(move |cx| {
        let blocker = block.clone();
        async move {
            cx.spawn("reader", async move {
                blocker.block();
                Ok(())
            });
            cx.shutdown_token().cancelled().await;
            Ok(())
        }
    })];
    let ready = Log::new();
    let is_ready = ready.clone();
    let runtime = threaded(registry).on_event(move |event| {
        if let EventKind::Ready { .. } = event.kind {
            is_ready.push("ready");
        }
    });
    let outcome = run_on(2, runtime, |control| {
        let waiter = tokio::runtime::Builder::new_current_thread().build().unwrap();
        waiter.block_on(ready.wait_for("ready"));
        control.shutdown("enough");
    });
    assert_eq!(outcome.exit_code(), 0);
    assert!(outcome.to_string().contains("child 'reader' blocks a thread since"), "{outcome}");
    blocker.release();
}
