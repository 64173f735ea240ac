//! What supervisors are known to fail at, on one thread of a paused clock and on real threads, free and blocked.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mainstay_registry::{
    Deadlines, Dependencies, Error, Provider, ReadyWhen, Registry, ReloadState, Reloadable, RestartPolicy,
    Result, Runnable, TaskFuture, async_trait,
};
use mainstay_runtime::{
    Control, ControlError, Cut, Outcome, Problem, RunContext, RunOn, RunnableState, Runtime, Signals,
    StopCause, runnable, task,
};
use mainstay_test::{Blocker, Fault, Log};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use crate::registry;
use crate::support::{A, B, C, events, fake, paused};

const SHORT: Duration = Duration::from_millis(100);
const NO_JITTER: RestartPolicy = RestartPolicy::on_failure().jitter(0.0).initial_delay(Duration::ZERO);

/// An application's runtime with so many workers; with none it is a current-thread one that a thread drives.
struct App {
    handle: Handle,
    multi: Option<tokio::runtime::Runtime>,
}

impl App {
    fn with(workers: usize) -> Self {
        if workers == 0 {
            let app = Builder::new_current_thread().enable_all().build().unwrap();
            let handle = app.handle().clone();
            std::thread::spawn(move || app.block_on(std::future::pending::<()>()));
            return Self { handle, multi: None };
        }
        let app = Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
        Self { handle: app.handle().clone(), multi: Some(app) }
    }

    fn runs(&self, registry: Registry<()>, seen: &Log) -> RunOn {
        let deadlines = Deadlines::new().ready(SHORT * 50).stop(SHORT).shutdown(SHORT * 30);
        let runtime = Runtime::new(registry, ()).signals(Signals::none()).deadlines(deadlines);
        runtime.on_event(events(seen)).run_on(self.handle.clone())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(app) = self.multi.take() {
            app.shutdown_background();
        }
    }
}

/// Waits on this thread, whatever the application's runtime does, and not for ever.
fn wait<F: Future>(future: F) -> F::Output {
    let own = Builder::new_current_thread().enable_all().build().unwrap();
    own.block_on(async { tokio::time::timeout(Duration::from_secs(20), future).await }).expect("it hangs")
}

fn ended(running: RunOn, within: Duration) -> Outcome {
    let began = Instant::now();
    let outcome = running.wait();
    assert!(began.elapsed() < within, "{:?}: {outcome}", began.elapsed());
    outcome
}

/// Panics in its synchronous part, each time or from a number on.
struct Factory {
    starts: AtomicUsize,
    from: usize,
    policy: RestartPolicy,
}

impl Factory {
    fn new(from: usize, policy: RestartPolicy) -> Self {
        Self { starts: AtomicUsize::new(0), from, policy }
    }
}

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
        assert!(self.starts.fetch_add(1, Ordering::SeqCst) < self.from, "no socket");
        task(|cx| async move {
            cx.shutdown_token().cancelled().await;
            Ok(())
        })
    }
    fn restart_policy(&self) -> RestartPolicy {
        self.policy
    }
}

#[test]
fn a_panic_in_the_synchronous_part_of_run_costs_no_sibling_anything_on_real_threads() {
    for workers in [0, 1, 2] {
        let (app, log, seen) = (App::with(workers), Log::new(), Log::new());
        // Given up, while the sibling serves on.
        let policy = NO_JITTER.limit(2).degrade();
        let running =
            app.runs(registry![Factory::new(0, policy), fake::<A>("sibling", &log).runs(Fault::None)], &seen);
        wait(seen.wait_for("degraded factory"));
        wait(seen.wait_for("ready sibling"));
        assert_eq!(running.control().status().runnable("sibling").unwrap().state, RunnableState::Ready);
        let failed = wait(running.control().restart("factory").into_future()).unwrap_err();
        assert!(matches!(failed, ControlError::Failed { .. }), "{failed}");
        running.control().shutdown("done");
        let outcome = ended(running, Duration::from_secs(5));
        assert_eq!((outcome.exit_code(), outcome.hooks()), (0, (2, 2)), "{workers}: {outcome}");

        // Fatal: the sibling is stopped in good order.
        let (log, seen) = (Log::new(), Log::new());
        let never = Factory::new(0, RestartPolicy::never());
        let running = app.runs(registry![never, fake::<A>("sibling", &log).runs(Fault::None)], &seen);
        let outcome = ended(running, Duration::from_secs(5));
        assert_eq!((outcome.exit_code(), outcome.hooks()), (1, (2, 2)), "{workers}: {outcome}");
        assert_eq!(outcome.failures()[0].problem(), &Problem::Panic("no socket".to_owned()));
        assert!(outcome.forced().is_empty(), "{workers}: {outcome}");
    }
}

/// The clone of the state is made for each generation; the supervisor and the siblings survive that it panics.
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_clone_of_the_state_at_a_restart_is_charged_and_costs_no_sibling_anything() {
    struct Fragile(Arc<AtomicU32>);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            assert!(self.0.load(Ordering::SeqCst) == 0, "cannot be cloned any more");
            Self(Arc::clone(&self.0))
        }
    }
    let breaks = Arc::new(AtomicU32::new(0));
    let (log, seen) = (Log::new(), Log::new());
    let registry: Registry<Fragile> = Registry::new();
    registry.insert(Arc::new(
        runnable("a", async |state: Fragile, _: RunContext| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            state.0.store(1, Ordering::SeqCst);
            Err(Error::msg("refused"))
        })
        .restart(NO_JITTER.limit(3).degrade()),
    ));
    registry.insert(Arc::new(mainstay_test::Fake::<B, Fragile>::new("sibling", &log).runs(Fault::None)));
    let runtime = Runtime::new(registry, Fragile(breaks)).signals(Signals::none()).inline();
    let running = runtime.on_event(events(&seen)).start().await.unwrap();
    seen.wait_for("degraded a").await;
    let status = running.control().status();
    let failure = status.runnable("a").unwrap().last_failure.clone().unwrap();
    assert_eq!(failure.problem(), &Problem::Panic("cannot be cloned any more".to_owned()));
    assert_eq!(status.runnable("a").unwrap().generation, 4, "{status}");
    assert_eq!(status.runnable("sibling").unwrap().state, RunnableState::Ready, "{status}");
    running.control().shutdown("done");
    let outcome = running.wait().await;
    assert_eq!((outcome.hooks(), log.count("end sibling")), ((2, 2), 1), "{outcome}");
}

#[test]
fn a_panic_in_the_drop_of_a_future_that_is_aborted_is_named_and_its_stop_is_answered_on_real_threads() {
    for workers in [0, 1, 2] {
        for by_hand in [true, false] {
            let (app, log, seen) = (App::with(workers), Log::new(), Log::new());
            let registry = registry![
                fake::<A>("db", &log).runs(Fault::None),
                fake::<B>("bomb", &log).requires::<A>().runs(Fault::HangPanicDrop),
            ];
            let running = app.runs(registry, &seen);
            wait(seen.wait_for("ready"));
            let control = running.control().clone();
            if by_hand {
                wait(control.stop("bomb").into_future()).unwrap();
                let status = control.status();
                assert_eq!(status.runnable("bomb").unwrap().state, RunnableState::Stopped, "{status}");
                assert_eq!(status.runnable("db").unwrap().state, RunnableState::Ready, "{status}");
                wait(control.restart("bomb").into_future()).unwrap();
            }
            control.shutdown("done");
            let outcome = ended(running, Duration::from_secs(5));
            assert_eq!((outcome.exit_code(), outcome.hooks()), (1, (2, 2)), "{workers}: {outcome}");
            assert!(outcome.to_string().contains("a destructor panics"), "{workers}: {outcome}");
            assert_eq!(log.count("end db"), 1);
        }
    }
}

/// As many tasks as there are workers, each of which blocks its thread as soon as it is asked to stop.
fn blocks_when_asked(blocker: &Blocker) -> impl Fn(RunContext) -> TaskFuture + Send + Sync + 'static {
    let blocker = blocker.clone();
    move |cx| {
        let blocker = blocker.clone();
        Box::pin(async move {
            cx.shutdown_token().cancelled().await;
            blocker.block();
            Ok(())
        })
    }
}

/// Shown to fail where the deadlines of a task live in the runtime that it blocks: see the process test of `inline`.
#[test]
fn tasks_that_block_every_worker_while_stopping_are_answered_at_their_deadlines_and_named() {
    for workers in [0, 1, 2] {
        for by_hand in [true, false] {
            let (app, log, seen, blocker) = (App::with(workers), Log::new(), Log::new(), Blocker::new());
            let registry = registry![
                fake::<A>("db", &log).runs(Fault::None),
                fake::<B>("one", &log).requires::<A>().run(blocks_when_asked(&blocker)),
                fake::<C>("two", &log).requires::<A>().run(blocks_when_asked(&blocker)),
            ];
            let running = app.runs(registry, &seen);
            wait(seen.wait_for("ready"));
            let control = running.control().clone();
            let began = Instant::now();
            if by_hand {
                // Their dependents first: `db` is asked only when both are given up.
                let done = wait(control.stop("db").into_future()).unwrap();
                assert_eq!(done.also, ["one", "two"]);
                assert!(began.elapsed() < Duration::from_secs(3), "{workers}: {:?}", began.elapsed());
                for name in ["one", "two"] {
                    assert_eq!(control.status().runnable(name).unwrap().state, RunnableState::Stopped);
                }
            }
            control.shutdown("done");
            let outcome = ended(running, Duration::from_secs(5));
            assert_eq!(outcome.hooks(), (3, 3), "{workers}: {outcome}");
            let blocks = |cut: &&mainstay_runtime::Forced| {
                cut.what == Cut::Task
                    && cut.seen.as_deref().is_some_and(|seen| seen.starts_with("blocks a thread"))
            };
            let named = outcome.forced().iter().filter(blocks).count();
            assert_eq!(named, workers.clamp(1, 2), "{workers}: {outcome}");
            blocker.release();
        }
    }
}

/// Asks control for everything from inside of its reload hook.
struct Asks {
    control: Arc<OnceLock<Control>>,
    said: Log,
    slow: Duration,
}

impl Provider<()> for Asks {
    fn name(&self) -> &'static str {
        "asks"
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<()> for Asks {
    async fn reload(&self, (): &()) -> Result<()> {
        let control = self.control.get().unwrap();
        let asked = [
            format!("status {}", control.status().phase),
            format!("stop {:?}", control.stop("other").await.map(|done| done.also)),
            format!("start {:?}", control.start("other").await.map(|done| done.also)),
            format!("reload {:?}", control.reload().await.map(|_| ())),
            format!("one {:?}", control.reload_one("asks").await.map(|_| ())),
        ];
        self.said.push(asked.join(", "));
        tokio::time::sleep(self.slow).await;
        self.said.push(format!("shutdown {:?}", control.shutdown("from a hook").await.map(|_| ())));
        Ok(())
    }
}

/// None of its requests hangs the reload, the loop of the supervisor or the stop.
fn a_reload_hook_asks(control: &Control, said: &Log) {
    let reload = control.reload();
    wait(said.wait_for("shutdown Err(Busy)"));
    assert_eq!(
        said.lines()[0],
        "status run, stop Ok([]), start Ok([]), reload Err(Busy), one Err(Busy)",
        "{:?}",
        said.lines()
    );
    assert!(wait(reload.into_future()).is_err(), "the stop that it asked for came before its commit");
}

#[test]
fn a_reload_hook_that_calls_control_hangs_nothing_on_real_threads() {
    for workers in [0, 1, 2] {
        let (app, log, seen, said) = (App::with(workers), Log::new(), Log::new(), Log::new());
        let own: Arc<OnceLock<Control>> = Arc::default();
        let asks = Asks { control: Arc::clone(&own), said: said.clone(), slow: Duration::ZERO };
        let running = app.runs(registry![asks, fake::<A>("other", &log).runs(Fault::None)], &seen);
        let control = running.control().clone();
        let _ = own.set(control.clone());
        wait(seen.wait_for("ready"));
        a_reload_hook_asks(&control, &said);
        let outcome = ended(running, Duration::from_secs(5));
        assert_eq!(outcome.cause(), &StopCause::Requested("from a hook".to_owned()), "{outcome}");
        assert_eq!((outcome.exit_code(), outcome.hooks()), (0, (2, 2)), "{workers}: {outcome}");
    }
}

/// With every worker blocked by tasks: the hook is polled on a thread of its own, and its requests are answered there.
#[test]
fn a_reload_hook_that_calls_control_hangs_nothing_with_every_worker_blocked() {
    struct Looks(Arc<OnceLock<Control>>, Log);
    impl Provider<()> for Looks {
        fn name(&self) -> &'static str {
            "looks"
        }
        fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
            Some(self)
        }
    }
    #[async_trait]
    impl Reloadable<()> for Looks {
        async fn reload(&self, (): &()) -> Result<()> {
            let control = self.0.get().unwrap();
            let stopped = control.stop("blocks").await.map(|done| done.also);
            self.1.push(format!("{stopped:?} {:?}", control.reload().await.map(|_| ())));
            Ok(())
        }
    }
    for workers in [0, 1] {
        let (app, log, seen, said, blocker) =
            (App::with(workers), Log::new(), Log::new(), Log::new(), Blocker::new());
        let own: Arc<OnceLock<Control>> = Arc::default();
        let held = blocker.clone();
        let registry = registry![
            Looks(Arc::clone(&own), said.clone()),
            fake::<A>("blocks", &log).run(move |_: RunContext| {
                let (held, mut ready) = (held.clone(), false);
                std::future::poll_fn(move |cx| {
                    if !std::mem::replace(&mut ready, true) {
                        cx.waker().wake_by_ref();
                        return std::task::Poll::Pending;
                    }
                    held.block();
                    std::task::Poll::Ready(Ok(()))
                })
            }),
        ];
        let running = app.runs(registry, &seen);
        let control = running.control().clone();
        let _ = own.set(control.clone());
        wait(log.wait_for("run blocks"));
        // Its only worker is in the block by now, or will be before it polls anything else.
        while control.status().runnable("blocks").unwrap().polling.is_none() {
            std::thread::yield_now();
        }
        drop(control.reload());
        wait(said.wait_for("Ok([]) Err(Busy)"));
        control.shutdown("done");
        let outcome = ended(running, Duration::from_secs(5));
        assert_eq!(outcome.hooks(), (2, 2), "{workers}: {outcome}");
        assert!(outcome.to_string().contains("blocks a thread since"), "{workers}: {outcome}");
        blocker.release();
    }
}

/// The hook does not come back, and yet: the failure stops the siblings at once, and the status answers.
#[tokio::test(start_paused = true)]
async fn a_slow_hook_during_a_fatal_failure_delays_neither_the_stop_nor_a_status() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        fake::<A>("slow", &log).reload(Fault::Hang).runs(Fault::None),
        fake::<B>("fatal", &log).run(|_: RunContext| async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Err(Error::msg("the disk is gone"))
        }),
        fake::<C>("sibling", &log).runs(Fault::None),
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    let control = running.control();
    let began = tokio::time::Instant::now();
    let reload = control.reload();
    log.wait_for("reload slow").await;
    assert_eq!(control.status().phase.as_str(), "run");
    log.wait_for("stop sibling").await;
    assert_eq!(began.elapsed().as_millis(), 2000, "at the failure, not at the hook's deadline");
    assert_eq!(reload.await.unwrap_err(), ControlError::Aborted);
    let outcome = running.wait().await;
    assert_eq!((outcome.exit_code(), outcome.failures()[0].provider()), (1, "fatal"), "{outcome}");
    assert!(outcome.stop_took() <= Duration::from_millis(200), "{outcome}");
}

/// The hook blocks a thread, or every thread there is: then the failure is one that the supervision thread sees.
#[test]
fn a_hook_that_blocks_its_thread_during_a_fatal_failure_delays_nobody() {
    for workers in [0, 1, 2] {
        let (app, log, seen, blocker) = (App::with(workers), Log::new(), Log::new(), Blocker::new());
        let all_blocked = workers < 2;
        let registry = registry![
            fake::<A>("slow", &log).reload(Fault::Block(blocker.clone())).runs(Fault::None),
            fake::<B>("fatal", &log)
                .deadlines(Deadlines::new().tick(if all_blocked { SHORT * 3 } else { SHORT * 1000 }))
                .restart(RestartPolicy::on_failure().limit(0))
                .run({
                    let log = log.clone();
                    move |cx: RunContext| {
                        let log = log.clone();
                        async move {
                            let mut every = cx.every(Duration::from_millis(20));
                            while every.next().await.is_some() {
                                cx.tick();
                                if !all_blocked && log.count("reload slow") > 0 {
                                    return Err(Error::msg("the disk is gone"));
                                }
                            }
                            Ok(())
                        }
                    }
                }),
            fake::<C>("sibling", &log).runs(Fault::None),
        ];
        let running = app.runs(registry, &seen);
        wait(seen.wait_for("ready"));
        let control = running.control().clone();
        drop(control.reload());
        wait(log.wait_for("reload slow"));
        let _ = control.status();
        let outcome = ended(running, Duration::from_secs(5));
        assert_eq!(
            (outcome.exit_code(), outcome.failures()[0].provider()),
            (1, "fatal"),
            "{workers}: {outcome}"
        );
        assert_eq!(outcome.hooks(), (3, 3), "{workers}: {outcome}");
        assert!(outcome.stop_took() < Duration::from_secs(3), "{workers}: {outcome}");
        blocker.release();
    }
}

/// A task that waits on the application's own token, instead of its context's, is stopped like the others.
#[tokio::test(start_paused = true)]
async fn a_task_that_waits_on_the_applications_own_token_hears_of_a_siblings_failure() {
    let (log, token) = (Log::new(), CancellationToken::new());
    let waits = token.clone();
    let registry = registry![
        fake::<A>("own", &log).run(move |_: RunContext| {
            let waits = waits.clone();
            async move {
                waits.cancelled().await;
                Ok(())
            }
        }),
        fake::<B>("fatal", &log).runs_at_once(Fault::Error("gone")),
    ];
    let outcome = paused(registry).shutdown_token(token).run().await;
    assert_eq!((outcome.exit_code(), outcome.forced().len()), (1, 0), "{outcome}");
    assert_eq!(outcome.stop_took(), Duration::ZERO, "{outcome}");
    assert_eq!(log.count("end own"), 1);
}

/// Whatever a provider is asked is asked before the boot: a status, an order or an event calls nothing of the user's.
#[tokio::test(start_paused = true)]
async fn a_status_and_an_order_call_no_code_of_the_users() {
    struct Counts(Arc<AtomicUsize>, Arc<AtomicUsize>);
    impl Counts {
        fn count(&self) {
            assert!(self.1.load(Ordering::SeqCst) == 0, "asked again");
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    impl Provider<()> for Counts {
        fn name(&self) -> &'static str {
            self.count();
            "counts"
        }
        fn dependencies(&self) -> Dependencies<()> {
            self.count();
            Dependencies::new()
        }
        fn deadlines(&self) -> Deadlines {
            self.count();
            Deadlines::new()
        }
        fn run_priority(&self) -> Option<u8> {
            self.count();
            None
        }
        fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
            Some(self)
        }
    }
    impl Runnable<()> for Counts {
        fn run(&self, (): ()) -> TaskFuture {
            task(|cx| async move {
                cx.shutdown_token().cancelled().await;
                Ok(())
            })
        }
        fn restart_policy(&self) -> RestartPolicy {
            self.count();
            RestartPolicy::always()
        }
        fn ready_when(&self) -> ReadyWhen {
            self.count();
            ReadyWhen::Started
        }
    }
    let (calls, closed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let running = paused(registry![Counts(Arc::clone(&calls), Arc::clone(&closed))]).start().await.unwrap();
    closed.store(1, Ordering::SeqCst);
    assert!(calls.load(Ordering::SeqCst) >= 5);
    let control = running.control();
    for _ in 0..3 {
        assert!(control.status().to_string().contains("counts"));
    }
    control.stop("counts").await.unwrap();
    control.start("counts").await.unwrap();
    control.restart("counts").await.unwrap();
    control.shutdown("done");
    let outcome = running.wait().await;
    assert_eq!((outcome.exit_code(), outcome.failures().len()), (0, 0), "{outcome}");
}

/// The registry's own walk, from inside of a hook that the runtime has called: nothing waits for the runtime.
#[tokio::test(start_paused = true)]
async fn the_registrys_own_reload_from_a_boot_hook_waits_for_nobody() {
    #[derive(Clone)]
    struct State(Arc<OnceLock<Arc<Registry<State>>>>);
    #[async_trait]
    impl ReloadState for State {
        async fn reload(&self) -> Result<()> {
            Ok(())
        }
    }
    struct Boots(Log);
    #[async_trait]
    impl Provider<State> for Boots {
        async fn boot(&self, state: &State) -> Result<()> {
            state.0.get().unwrap().reload_all(state).await?;
            self.0.push("booted");
            Ok(())
        }
    }
    let (log, state) = (Log::new(), State(Arc::default()));
    let registry: Registry<State> = Registry::new();
    registry.insert(Arc::new(Boots(log.clone())));
    registry.insert(Arc::new(mainstay_test::Fake::<A, State>::new("a", &log).reload(Fault::None)));
    let registry = Arc::new(registry);
    let _ = state.0.set(Arc::clone(&registry));
    let began = tokio::time::Instant::now();
    let outcome = Runtime::new(registry, state).signals(Signals::none()).inline().run().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert_eq!((log.count("reload a"), log.count("booted"), began.elapsed()), (1, 1, Duration::ZERO));
}
