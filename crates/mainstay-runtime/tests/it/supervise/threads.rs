//! Real threads and a real clock: races, blocked workers, a runtime that goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mainstay_registry::{Deadlines, Registry, RestartPolicy};
use mainstay_runtime::{ChildError, ChildState, RunContext, Runtime, Signals, Supervised, runnable};
use mainstay_test::Blocker;

use super::{AT_ONCE, fails, fine, state, waits};
use crate::support::{app, within};

/// A task whose body gives its context away, and waits.
fn gives(sender: std::sync::mpsc::Sender<RunContext>) -> Registry<()> {
    let registry: Registry<()> = Registry::new();
    registry.insert(Arc::new(runnable("a", move |(), cx: RunContext| {
        let sender = sender.clone();
        async move {
            sender.send(cx.clone()).unwrap();
            waits(cx).await
        }
    })));
    registry
}

#[test]
fn twenty_five_threads_that_stop_restart_abort_and_remove_end_in_one_state() {
    let app = app(2);
    let (sender, receiver) = std::sync::mpsc::channel();
    let runtime = Runtime::new(gives(sender), ()).signals(Signals::none());
    let running = runtime.run_on(app.handle().clone());
    let cx = receiver.recv().unwrap();
    let (alive, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    struct Alive(Arc<AtomicUsize>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::AcqRel);
        }
    }
    let (counted, highest) = (Arc::clone(&alive), Arc::clone(&most));
    let body = move |cx: RunContext| {
        highest.fetch_max(counted.fetch_add(1, Ordering::AcqRel) + 1, Ordering::AcqRel);
        let alive = Alive(Arc::clone(&counted));
        async move {
            let _alive = alive;
            // Some generations end by themselves, in the middle of everything.
            if cx.generation().is_multiple_of(7) {
                return fails();
            }
            waits(cx).await
        }
    };
    let child = cx.supervise("peer", AT_ONCE, body).unwrap();
    let threads: Vec<_> = (0..25)
        .map(|thread| {
            let child = child.clone();
            std::thread::spawn(move || {
                let waiter = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for round in 0..200 {
                    match (thread + round) % 5 {
                        0 => assert_eq!(waiter.block_on(child.stop()), Ok(())),
                        1 | 2 => {
                            let answer = waiter.block_on(child.restart());
                            assert!(matches!(answer, Ok(()) | Err(ChildError::Stopped { .. })), "{answer:?}");
                        }
                        3 => child.abort(),
                        _ => {
                            let _ = child.status();
                        }
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(most.load(Ordering::Acquire), 1, "two generations were alive at once");
    app.block_on(child.stop()).unwrap();
    assert_eq!((state(&child), alive.load(Ordering::Acquire)), (Some(ChildState::Stopped), 0));
    app.block_on(child.restart()).unwrap();
    assert_eq!((state(&child), cx.children().count()), (Some(ChildState::Running), 1));
    running.control().shutdown("enough");
    assert_eq!(running.wait().exit_code(), 0);
    assert_eq!(alive.load(Ordering::Acquire), 0);
}

#[test]
fn adds_and_removes_from_many_threads_race_cleanly_with_the_stop() {
    for _ in 0..20 {
        let app = app(2);
        let (sender, receiver) = std::sync::mpsc::channel();
        let runtime = Runtime::new(gives(sender), ()).signals(Signals::none());
        let running = runtime.run_on(app.handle().clone());
        let cx = receiver.recv().unwrap();
        let held = Arc::new(());
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let (cx, held) = (cx.clone(), Arc::clone(&held));
                std::thread::spawn(move || {
                    for round in 0.. {
                        let holds = Arc::clone(&held);
                        let body = move |cx| {
                            let _holds = &holds;
                            waits(cx)
                        };
                        let added = cx.supervise(format!("{thread}-{round}"), AT_ONCE, body);
                        let Ok(child) = added else { return };
                        if round % 3 == 0 {
                            child.abort();
                        }
                        let _ = child.remove();
                    }
                })
            })
            .collect();
        assert!(within(Duration::from_secs(10), || cx.children().len() > 20));
        running.control().shutdown("enough");
        let outcome = running.wait();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((outcome.exit_code(), outcome.forced().len()), (0, 0), "{outcome}");
        assert_eq!((Arc::strong_count(&held), cx.children().len()), (1, 0), "somebody is left");
    }
}

fn stuck(workers: usize) -> (Supervised, Blocker, tokio::runtime::Runtime, mainstay_runtime::RunOn) {
    let app = app(workers);
    let (sender, receiver) = std::sync::mpsc::channel();
    let deadlines = Deadlines::new().stop(Duration::from_millis(100)).shutdown(Duration::from_millis(300));
    let runtime = Runtime::new(gives(sender), ()).signals(Signals::none()).deadlines(deadlines);
    let running = runtime.run_on(app.handle().clone());
    let cx = receiver.recv().unwrap();
    let blocker = Blocker::new();
    let blocked = Arc::new(AtomicUsize::new(0));
    let mut children = Vec::new();
    for number in 0..workers {
        let (blocker, blocked) = (blocker.clone(), Arc::clone(&blocked));
        let body = move |cx: RunContext| {
            let (blocker, blocked) = (blocker.clone(), Arc::clone(&blocked));
            async move {
                cx.note("in a system call");
                tokio::task::yield_now().await;
                blocked.fetch_add(1, Ordering::AcqRel);
                blocker.block();
                waits(cx).await
            }
        };
        children.push(cx.supervise(format!("peer {number}"), AT_ONCE, body).unwrap());
    }
    assert!(within(Duration::from_secs(10), || blocked.load(Ordering::Acquire) == workers));
    (children.swap_remove(0), blocker, app, running)
}

/// With the alarm kept by a timer of the application's runtime this waits for ever.
#[test]
fn with_every_worker_blocked_the_deadline_of_a_child_fires_and_names_it() {
    for workers in [1, 2] {
        let (child, blocker, app, running) = stuck(workers);
        let waiter = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let began = Instant::now();
        let answer = waiter.block_on(child.stop());
        assert_eq!(answer, Err(ChildError::Stuck { name: "peer 0".to_owned() }));
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert_eq!(state(&child), Some(ChildState::Stopping), "it is still there");
        // Once its thread is free the abort takes effect.
        blocker.release();
        assert!(within(Duration::from_secs(10), || state(&child) == Some(ChildState::Stopped)));
        running.control().shutdown("enough");
        let outcome = running.wait();
        let named = outcome.forced().iter().find(|cut| cut.task.as_deref() == Some("peer 0"));
        let seen = named.and_then(|cut| cut.seen.as_deref()).expect("it is named");
        assert!(seen.starts_with("blocks a thread since") && seen.contains("in a system call"), "{seen}");
        assert_eq!(outcome.exit_code(), 0, "{outcome}");
        app.shutdown_background();
    }
}

#[test]
fn a_task_whose_children_block_every_worker_is_stopped_all_the_same_and_the_child_named() {
    let (_child, blocker, app, running) = stuck(2);
    let began = Instant::now();
    running.control().shutdown("enough");
    let outcome = running.wait();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(outcome.hooks(), (1, 1), "{outcome}");
    let text = outcome.to_string();
    assert!(text.contains("child 'peer ") && text.contains("blocks a thread since"), "{text}");
    blocker.release();
    app.shutdown_background();
}

/// Without the look after the asking, all but the first few hear of the stop when the worker is free, and it fails.
#[test]
fn every_child_of_a_large_set_is_asked_while_every_worker_is_blocked() {
    let app = app(1);
    let (sender, receiver) = std::sync::mpsc::channel();
    let running = Runtime::new(gives(sender), ()).signals(Signals::none()).run_on(app.handle().clone());
    let cx = receiver.recv().unwrap();
    let (give, given) = std::sync::mpsc::channel();
    for number in 0..2_000 {
        let give = give.clone();
        let body = move |cx: RunContext| {
            give.send(cx.shutdown_token().clone()).unwrap();
            waits(cx)
        };
        cx.supervise(number.to_string(), AT_ONCE, body).unwrap();
    }
    let tokens: Vec<_> = given.into_iter().take(2_000).collect();
    let (blocker, blocked) = (Blocker::new(), Arc::new(AtomicBool::new(false)));
    let (blocks, is_blocked) = (blocker.clone(), Arc::clone(&blocked));
    let body = move |cx: RunContext| {
        is_blocked.store(true, Ordering::Release);
        blocks.block();
        waits(cx)
    };
    cx.supervise("blocks", AT_ONCE, body).unwrap();
    assert!(within(Duration::from_secs(10), || blocked.load(Ordering::Acquire)));
    running.control().shutdown("enough");
    let asked = within(Duration::from_secs(3), || {
        tokens.iter().all(tokio_util::sync::CancellationToken::is_cancelled)
    });
    blocker.release();
    assert!(asked, "a token is for everybody who waits for it, whatever the workers do");
    let outcome = running.wait();
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    app.shutdown_background();
}

#[test]
fn a_runtime_that_is_shut_down_under_them_is_a_failure_with_a_name() {
    let app = app(1);
    let (sender, receiver) = std::sync::mpsc::channel();
    let running = Runtime::new(gives(sender), ()).signals(Signals::none()).run_on(app.handle().clone());
    let cx = receiver.recv().unwrap();
    let held = Arc::new(());
    let began = Arc::new(AtomicBool::new(false));
    let (holds, begins) = (Arc::clone(&held), Arc::clone(&began));
    let body = move |cx: RunContext| {
        begins.store(true, Ordering::Release);
        let holds = Arc::clone(&holds);
        async move {
            let _holds = holds;
            waits(cx).await
        }
    };
    let child = cx.supervise("peer", AT_ONCE, body).unwrap();
    assert!(within(Duration::from_secs(10), || began.load(Ordering::Acquire)));
    app.shutdown_background();
    let outcome = running.wait();
    assert!(outcome.failures().iter().all(|failure| failure.code().id == "MS0218"), "{outcome}");
    assert!(outcome.stop_took() < Duration::from_secs(4) && outcome.forced().is_empty(), "{outcome}");
    assert!(within(Duration::from_secs(10), || Arc::strong_count(&held) == 1), "it holds what it held");
    let waiter = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(waiter.block_on(child.restart()).is_err());
    assert_eq!(waiter.block_on(child.stop()), Ok(()));
    drop(cx);
}

#[test]
fn ten_thousand_that_come_and_go_leave_nobody() {
    let app = app(2);
    let (sender, receiver) = std::sync::mpsc::channel();
    let running = Runtime::new(gives(sender), ()).signals(Signals::none()).run_on(app.handle().clone());
    let cx = receiver.recv().unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    for number in 0..10_000 {
        let runs = Arc::clone(&runs);
        let body = move |cx: RunContext| {
            let first = runs.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
            async move { if first && cx.generation() == 1 { fails() } else { fine() } }
        };
        let policy = if number % 3 == 0 {
            RestartPolicy::on_failure().initial_delay(Duration::from_millis(1))
        } else {
            AT_ONCE
        };
        cx.supervise(number.to_string(), policy, body).unwrap();
    }
    assert!(within(Duration::from_secs(30), || cx.children().is_empty()), "{:?}", cx.children());
    assert_eq!(cx.children().count(), 0);
    running.control().shutdown("enough");
    let outcome = running.wait();
    assert_eq!((outcome.exit_code(), outcome.failures().len()), (0, 0), "{outcome}");
}
