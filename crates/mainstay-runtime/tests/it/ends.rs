//! How tasks end: what is completed, what is given up, what a panic leaves, what is freed, what is never run again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mainstay_registry::{
    Deadlines, Error, NamedRunnable, Provider, Registry, RestartPolicy, Result, Runnable, TaskFuture,
};
use mainstay_runtime::{
    ControlError, Cut, EventKind, Problem, RunContext, RunnableState, Runtime, Signals, runnable, task,
};
use mainstay_test::{Fault, Log};

use crate::registry;
use crate::support::{A, B, C, events, fake, paused, run};

const NO_JITTER: RestartPolicy = RestartPolicy::on_failure().jitter(0.0);

fn of(lines: &[String], task: &str) -> Vec<String> {
    lines.iter().filter(|line| line.split(' ').any(|word| word == task)).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_with_ok_is_completed_and_listed_and_nothing_else_happens() {
    for policy in [RestartPolicy::never(), NO_JITTER] {
        let (log, seen) = (Log::new(), Log::new());
        let registry = registry![
            fake::<A>("job", &log).runs_at_once(Fault::None).restart(policy),
            fake::<B>("api", &log).requires::<A>().runs(Fault::None),
        ];
        let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let status = running.control().status();
        let job = status.runnable("job").unwrap();
        assert_eq!((job.state.clone(), job.generation, job.restarts), (RunnableState::Completed, 1, 0));
        assert_eq!(job.uptime, Duration::ZERO, "it does not run");
        assert_eq!(status.ready.to_string(), "ready", "{status}");
        let booted = ["booting job", "booted job"];
        let lines = of(&seen.lines(), "job");
        assert_eq!(lines[..2], booted);
        assert_eq!(lines[2..], ["started job", "ended job"]);
        running.control().shutdown("done");
        assert_eq!(running.wait().await.exit_code(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recoverable_failure_of_what_never_restarts_is_kept_in_the_status_and_charges_nothing() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        fake::<A>("peer", &log).runs_at_once(Fault::Recoverable("no route")),
        fake::<B>("api", &log).runs(Fault::None),
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let status = running.control().status();
    let peer = status.runnable("peer").unwrap();
    assert_eq!((peer.state.clone(), peer.generation, peer.restarts), (RunnableState::Failed, 1, 0));
    let failure = peer.last_failure.clone().unwrap();
    assert_eq!((failure.provider(), failure.generation()), ("peer", Some(1)));
    assert!(failure.to_string().contains("runnable 'peer' failed (recoverable): no route"), "{failure}");
    assert_eq!(status.runnable("api").unwrap().state, RunnableState::Ready, "{status}");
    assert_eq!((seen.count("recoverable peer"), log.count("run peer")), (1, 1));
    running.control().shutdown("done");
    let outcome = running.wait().await;
    assert_eq!((outcome.exit_code(), outcome.failures().len()), (0, 0), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_task_past_its_limit_may_be_failed_while_the_process_serves_and_begins_anew_by_hand() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        fake::<A>("peer", &log)
            .run(|cx: RunContext| async move {
                tokio::task::yield_now().await;
                if cx.generation() < 5 {
                    return Err(Error::msg("refused"));
                }
                cx.shutdown_token().cancelled().await;
                Ok(())
            })
            .restart(NO_JITTER.limit(2).degrade()),
        fake::<B>("api", &log).wants::<A>().runs(Fault::None),
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    let control = running.control();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let status = control.status();
    let peer = status.runnable("peer").unwrap();
    assert_eq!((peer.state.clone(), peer.generation, peer.restarts), (RunnableState::Failed, 3, 2));
    assert_eq!(status.ready.to_string(), "degraded", "{status}");
    assert_eq!(status.ready.causes()[0].root, "peer", "{status}");
    assert_eq!((log.count("run api"), seen.count("degraded peer")), (1, 1));

    // Generation 4 fails too: with a row that had stayed where it was, it would be given up at once.
    let failed = control.restart("peer").await;
    assert!(matches!(failed, Ok(_) | Err(ControlError::Failed { .. })), "{failed:?}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let status = control.status();
    assert_eq!(status.runnable("peer").unwrap().state, RunnableState::Ready, "{status}");
    assert_eq!(status.ready.to_string(), "ready", "{status}");
    assert_eq!(seen.count("restarting peer 1 after 100ms"), 2, "{:?}", seen.lines());
    control.shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
}

/// Counts how many of its kind are there.
struct Held(Arc<AtomicUsize>);

impl Held {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(alive))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("held")
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("held")
    }
}

impl std::error::Error for Held {}

/// Whatever a generation holds is freed with it: its future, its error, its clone of the state. Shown to fail with
/// errors that are forgotten when their text is read.
#[tokio::test(start_paused = true)]
async fn a_thousand_restarts_keep_nothing_of_the_generations_that_ended() {
    let (held, wait) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (alive, most) = (Arc::clone(&held), Arc::clone(&wait));
    let state = Arc::new(());
    let registry: Registry<Arc<()>> = Registry::new();
    let looks = Arc::clone(&state);
    registry.insert(Arc::new(
        runnable("loop", move |state: Arc<()>, cx: RunContext| {
            let (alive, most, looks) = (Arc::clone(&alive), Arc::clone(&most), Arc::clone(&looks));
            async move {
                let _own = (Held::new(&alive), state);
                most.fetch_max(alive.load(Ordering::SeqCst), Ordering::SeqCst);
                most.fetch_max(Arc::strong_count(&looks), Ordering::SeqCst);
                cx.note(format!("try {}", cx.generation()));
                if cx.generation() > 1000 {
                    cx.shutdown_token().cancelled().await;
                    return Ok(());
                }
                Err(Error::from(Held::new(&alive)))
            }
        })
        .restart(NO_JITTER.initial_delay(Duration::ZERO).unlimited()),
    ));
    let runtime = Runtime::new(registry, Arc::clone(&state)).signals(Signals::none()).inline();
    let running = runtime.start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let status = running.control().status();
    assert_eq!(status.runnable("loop").unwrap().generation, 1001, "{status}");
    assert_eq!(held.load(Ordering::SeqCst), 1, "the generation that lives");
    let most = wait.load(Ordering::SeqCst);
    assert!(most <= 8, "at some moment {most} were there");
    running.control().shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
    assert_eq!(held.load(Ordering::SeqCst), 0);
}

/// As many runnables as it is told, each with that body.
struct Many<F> {
    tasks: Vec<(&'static str, One<F>)>,
}

struct One<F> {
    body: F,
    policy: RestartPolicy,
}

impl<F: Clone> Many<F> {
    fn new(count: usize, policy: RestartPolicy, body: F) -> Self {
        let name = |n: usize| -> &'static str { Box::leak(format!("t{n}").into_boxed_str()) };
        Self { tasks: (0..count).map(|n| (name(n), One { body: body.clone(), policy })).collect() }
    }
}

impl<F, Fut> Provider<()> for Many<F>
where
    F: Fn(RunContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    fn name(&self) -> &'static str {
        "many"
    }
    fn deadlines(&self) -> Deadlines {
        Deadlines::new().stop(Duration::ZERO)
    }
    fn runnables(&self) -> Vec<NamedRunnable<'_, ()>> {
        self.tasks.iter().map(|(name, one)| NamedRunnable::new(name, one)).collect()
    }
}

impl<F, Fut> Runnable<()> for One<F>
where
    F: Fn(RunContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    fn run(&self, (): ()) -> TaskFuture {
        let body = self.body.clone();
        task(body)
    }
    fn restart_policy(&self) -> RestartPolicy {
        self.policy
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_that_fail_together_come_back_spread_over_their_jitter() {
    let delays: Arc<std::sync::Mutex<Vec<Duration>>> = Arc::default();
    let into = Arc::clone(&delays);
    let many = Many::new(100, RestartPolicy::on_failure(), |cx: RunContext| async move {
        if cx.generation() == 1 {
            return Err(Error::msg("the broker is gone"));
        }
        cx.shutdown_token().cancelled().await;
        Ok(())
    });
    let runtime = paused(registry![many]).on_event(move |event| {
        if let EventKind::Restarting { delay, .. } = event.kind {
            into.lock().unwrap().push(delay);
        }
    });
    let running = runtime.start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let delays = delays.lock().unwrap().clone();
    assert_eq!(delays.len(), 100, "each is charged to its own counter");
    let ms = Duration::from_millis;
    assert!(delays.iter().all(|delay| (ms(80)..=ms(100)).contains(delay)), "{delays:?}");
    // In each fifth of the jitter some, and in none of them half of all.
    for fifth in 0..5u64 {
        let part = ms(80 + 4 * fifth)..ms(84 + 4 * fifth);
        let count = delays.iter().filter(|delay| part.contains(delay)).count();
        assert!((5..50).contains(&count), "{count} in {part:?}: {delays:?}");
    }
    let status = running.control().status();
    assert!(status.provider("many").unwrap().runnables.iter().all(|one| one.restarts == 1), "{status}");
    running.control().shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
}

/// Shown to fail without the abort after the grace: ten are alive when the stop is answered.
#[tokio::test(start_paused = true)]
async fn ten_that_are_not_waited_for_are_all_gone_when_the_stop_is_answered() {
    for by_hand in [true, false] {
        let alive = Arc::new(AtomicUsize::new(0));
        let held = Arc::clone(&alive);
        let many = Many::new(10, RestartPolicy::never(), move |_: RunContext| {
            let held = Held::new(&held);
            async move {
                let _held = held;
                std::future::pending().await
            }
        });
        let log = Log::new();
        let registry = registry![many, fake::<A>("other", &log).runs(Fault::None)];
        let running = paused(registry).start().await.unwrap();
        assert_eq!(alive.load(Ordering::SeqCst), 10);
        let began = tokio::time::Instant::now();
        if by_hand {
            running.control().stop("many").await.unwrap();
            assert_eq!(alive.load(Ordering::SeqCst), 0, "dropped before the answer");
            running.control().stop("many").await.unwrap();
        }
        running.control().shutdown("done");
        let outcome = running.wait().await;
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        assert!(
            began.elapsed() <= Duration::from_millis(300),
            "no grace but the short one: {:?}",
            began.elapsed()
        );
        assert_eq!((outcome.exit_code(), outcome.forced().len()), (0, 10), "{outcome}");
        assert!(outcome.forced().iter().all(|cut| cut.what == Cut::Task), "{outcome}");
        assert!(outcome.failures().is_empty(), "what was aborted has not failed: {outcome}");
    }
}

/// Its values are dropped, its state is Stopped, and it is named. Shown to fail without the abort.
#[tokio::test(start_paused = true)]
async fn a_task_that_ignores_its_stop_is_aborted_at_its_deadline_and_its_values_are_dropped_before_the_answer()
 {
    let (alive, seen, log) = (Arc::new(AtomicUsize::new(0)), Log::new(), Log::new());
    let held = Arc::clone(&alive);
    let registry = registry![
        runnable("deaf", move |(), cx: RunContext| {
            let held = Held::new(&held);
            async move {
                let own = Held::new(&held.0);
                cx.spawn("child", async move {
                    let _held = held;
                    std::future::pending().await
                });
                let _own = own;
                std::future::pending().await
            }
        })
        .deadlines(Deadlines::new().stop(Duration::from_secs(2))),
        fake::<A>("other", &log).runs(Fault::None),
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    let control = running.control();
    tokio::task::yield_now().await;
    assert_eq!(alive.load(Ordering::SeqCst), 2);
    let done = control.stop("deaf").await.unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    let (two, most) = (Duration::from_secs(2), Duration::from_millis(2_200));
    assert!((two..=most).contains(&done.took), "{done:?}");
    assert_eq!(control.status().runnable("deaf").unwrap().state, RunnableState::Stopped);
    assert_eq!(control.status().runnable("other").unwrap().state, RunnableState::Ready);
    control.shutdown("done");
    let outcome = running.wait().await;
    assert_eq!((outcome.exit_code(), outcome.forced()[0].provider), (0, "deaf"), "{outcome}");
    assert!(outcome.failures().is_empty(), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_aborted_twice_or_after_it_was_asked_is_gone_and_no_failure() {
    let alive = Arc::new(AtomicUsize::new(0));
    let held = Arc::clone(&alive);
    let registry = registry![runnable("a", move |(), cx: RunContext| {
        let alive = Arc::clone(&held);
        async move {
            let deaf = |cx: &RunContext| {
                let held = Held::new(&alive);
                cx.spawn("deaf", async move {
                    let _held = held;
                    std::future::pending().await
                })
            };
            let first = deaf(&cx);
            tokio::task::yield_now().await;
            first.abort();
            first.abort();
            first.join().await;
            assert_eq!(alive.load(Ordering::SeqCst), 0);
            let second = deaf(&cx);
            cx.shutdown_token().cancelled().await;
            second.abort();
            second.abort();
            second.join().await;
            assert_eq!(alive.load(Ordering::SeqCst), 0);
            Ok(())
        }
    })];
    let running = paused(registry).start().await.unwrap();
    running.control().shutdown("done");
    let outcome = running.wait().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert!(outcome.failures().is_empty() && outcome.forced().is_empty(), "{outcome}");
    assert_eq!(outcome.stop_took(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_named_with_its_text_its_task_and_its_generation_whatever_its_payload() {
    let not_text = "a panic with a payload that is not text";
    let text: fn() = || panic!("a str");
    let string: fn() = || std::panic::panic_any(format!("a {}", "string"));
    let number: fn() = || std::panic::panic_any(7_u64);
    for (panics, said) in [(text, "a str"), (string, "a string"), (number, not_text)] {
        let registry = registry![
            runnable("a", move |(), cx: RunContext| async move {
                tokio::task::yield_now().await;
                if cx.generation() == 3 {
                    panics();
                }
                Err(Error::msg("refused"))
            })
            .restart(NO_JITTER.limit(2))
        ];
        let outcome = run(registry).await;
        let failure = &outcome.failures()[0];
        assert_eq!(failure.problem(), &Problem::Panic(said.to_owned()));
        assert_eq!((failure.provider(), failure.generation()), ("a", Some(3)));
        assert_eq!((failure.code().id, outcome.exit_code()), ("MS0210", 1));
        assert!(outcome.to_string().contains(&format!("runnable 'a' panicked: {said}")), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_and_its_child_that_both_panic_cost_a_third_nothing_of_its_stop() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).run(|cx: RunContext| async move {
            cx.spawn("child", async { panic!("the child") });
            cx.shutdown_token().cancelled().await;
            panic!("its parent");
        }),
        fake::<B>("b", &log).requires::<A>().runs(Fault::Slow(Duration::from_secs(2))),
        fake::<C>("c", &log).runs(Fault::PanicLater("c, on its way out")),
    ];
    let outcome = run(registry).await;
    let said: Vec<_> = outcome
        .failures()
        .iter()
        .map(|failure| failure.to_string().lines().next().unwrap().to_owned())
        .collect();
    assert!(said[0].contains("runnable 'a/child' panicked: the child"), "{outcome}");
    for panicked in ["runnable 'a' panicked: its parent", "runnable 'c' panicked: c, on its way out"] {
        assert_eq!(said.iter().filter(|line| line.contains(panicked)).count(), 1, "{panicked}: {outcome}");
    }
    assert_eq!((outcome.exit_code(), outcome.hooks()), (1, (3, 3)), "{outcome}");
    assert_eq!((log.count("end b"), outcome.forced().len()), (1, 0), "{outcome}");
}

/// The entry stays, stopped or failed by its policy, and can be started when its reason is gone.
#[tokio::test(start_paused = true)]
async fn a_restart_by_hand_whose_factory_panics_says_so_and_the_entry_stays() {
    struct Factory(AtomicUsize);
    impl Provider<()> for Factory {
        fn name(&self) -> &'static str {
            "factory"
        }
        fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
            Some(self)
        }
    }
    impl Runnable<()> for Factory {
        fn run(&self, (): ()) -> TaskFuture {
            assert!(self.0.fetch_add(1, Ordering::SeqCst) != 1, "no socket");
            task(|cx| async move {
                cx.shutdown_token().cancelled().await;
                Ok(())
            })
        }
        fn restart_policy(&self) -> RestartPolicy {
            NO_JITTER.limit(0).degrade()
        }
    }
    let log = Log::new();
    let registry = registry![Factory(AtomicUsize::new(0)), fake::<A>("other", &log).runs(Fault::None)];
    let running = paused(registry).start().await.unwrap();
    let control = running.control();
    let failed = control.restart("factory").await.unwrap_err();
    let cause = "panicked: no socket".to_owned();
    assert_eq!(failed, ControlError::Failed { provider: "factory", cause });
    let status = control.status();
    let factory = status.runnable("factory").unwrap();
    assert_eq!((factory.state.clone(), factory.generation), (RunnableState::Failed, 2), "{status}");
    control.start("factory").await.unwrap();
    assert_eq!(control.status().runnable("factory").unwrap().state, RunnableState::Ready);
    control.shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_hears_of_its_stop_and_gives_its_work_up_has_not_failed() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).run(|cx: RunContext| async move {
            let work = tokio::sync::oneshot::channel::<()>().1;
            let child = cx.clone();
            cx.spawn("child", async move {
                child.until_shutdown(std::future::pending::<()>()).await;
                Ok(())
            });
            assert_eq!(cx.until_shutdown(std::future::pending::<()>()).await, None);
            drop(work);
            Ok(())
        }),
        fake::<B>("deaf", &log).runs(Fault::Hang),
    ];
    let running = paused(registry).start().await.unwrap();
    running.control().shutdown("done");
    let outcome = running.wait().await;
    assert!(outcome.failures().is_empty(), "neither who ends nor who is aborted: {outcome}");
    assert_eq!((outcome.exit_code(), outcome.forced().len()), (0, 1), "{outcome}");
}
