//! What the supervision thread must survive, and what must not be left behind it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use mainstay_registry::{Deadlines, Provider, Registry};
use mainstay_runtime::{Outcome, RunContext, Runtime, Signal, Signals, StopCause, runnable};
use mainstay_test::{Blocker, Fault, Log};
use tokio_util::sync::CancellationToken;

use crate::registry;
use crate::support::{A, B, app, fake, within};

#[test]
fn limits_that_mean_for_ever_are_limits_like_others() {
    let ever = Duration::MAX;
    let deadlines =
        Deadlines::new().boot(ever).validate(ever).ready(ever).reload(ever).stop(ever).shutdown(ever);
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).runs_at_once(Fault::None)];
    let app = app(1);
    let runtime = Runtime::new(registry, ()).signals(Signals::none()).deadlines(deadlines);
    let runtime = runtime.boot_budget(ever).stop_budget(ever).stop_reserve(ever).rollback_budget(ever);
    let outcome = app.block_on(runtime.lame_duck(ever).late_after(ever).run());
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert_eq!(outcome.hooks(), (1, 1));
}

/// A waker of a foreign executor, which panics.
struct Bomb(AtomicUsize);

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("a waker panics");
    }
}

#[test]
fn a_foreign_waker_that_panics_does_not_reach_the_supervisor() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).runs(Fault::None), fake::<B>("b", &log)];
    let token = CancellationToken::new();
    let bomb = Arc::new(Bomb(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&bomb));
    let mut cancelled = Box::pin(token.clone().cancelled_owned());
    assert!(cancelled.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let app = app(1);
    let (sender, signals) = Signals::channel();
    let running =
        Runtime::new(registry, ()).signals(signals).shutdown_token(token).run_on(app.handle().clone());
    app.block_on(log.wait_for("run a"));
    sender.send(Signal::Terminate);
    let outcome = running.wait();
    assert_eq!(outcome.cause(), &StopCause::Signal(Signal::Terminate), "{outcome}");
    assert_eq!((outcome.exit_code(), outcome.hooks()), (0, (2, 2)), "{outcome}");
    assert!(within(Duration::from_secs(5), || bomb.0.load(Ordering::Relaxed) == 1));
}

#[test]
fn a_stop_that_is_asked_while_a_name_hangs_is_not_kept_waiting() {
    struct Hangs(Blocker);
    impl Provider<()> for Hangs {
        fn name(&self) -> &'static str {
            self.0.block();
            "hangs"
        }
    }
    let blocker = Blocker::new();
    let registry: Registry<()> = Registry::new();
    registry.insert(Arc::new(Hangs(blocker.clone())));
    let app = app(1);
    let running = Runtime::new(registry, ()).signals(Signals::none()).run_on(app.handle().clone());
    running.control().shutdown("enough");
    let began = Instant::now();
    let outcome = running.wait();
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    blocker.release();
    app.shutdown_background();
}

#[tokio::test(start_paused = true)]
async fn a_refused_plan_is_the_end_and_what_is_asked_later_changes_nothing() {
    let log = Log::new();
    let token = CancellationToken::new();
    let runtime = Runtime::new(registry![fake::<A>("a", &log).requires::<B>()], ()).signals(Signals::none());
    let running = runtime.inline().shutdown_token(token.clone()).start().await;
    let outcome: Outcome = running.expect_err("it is refused");
    assert_eq!(outcome.exit_code(), 78);
    assert!(!token.is_cancelled(), "nothing was begun that could be stopped");
}

#[test]
fn a_child_that_a_lost_runtime_never_polled_does_not_delay_the_stop() {
    let (log, blocker) = (Log::new(), Blocker::new());
    let (gate, began) = (blocker.clone(), Arc::new(AtomicBool::new(false)));
    let seen = Arc::clone(&began);
    let registry = registry![fake::<A>("a", &log)];
    registry.insert(Arc::new(runnable("job", move |(), cx: RunContext| {
        let (gate, began) = (gate.clone(), Arc::clone(&began));
        async move {
            cx.spawn("child", std::future::pending());
            began.store(true, Ordering::Release);
            gate.block();
            std::future::pending().await
        }
    })));
    let app = app(1);
    let running = Runtime::new(registry, ()).signals(Signals::none()).run_on(app.handle().clone());
    assert!(within(Duration::from_secs(10), || seen.load(Ordering::Acquire)));
    app.shutdown_background();
    blocker.release();
    let outcome = running.wait();
    assert_eq!(outcome.failures()[0].code().id, "MS0218", "{outcome}");
    assert!(outcome.stop_took() < Duration::from_secs(4), "it was waited for: {outcome}");
    assert!(outcome.forced().is_empty(), "{outcome}");
}

/// A reader of events lives exactly as long as what emits them: the engine, with all that it holds.
#[test]
fn a_run_frees_its_engine_also_when_its_tasks_had_children_and_were_forced() {
    for (inline, forced) in [(true, false), (true, true), (false, false), (false, true)] {
        let log = Log::new();
        let registry = registry![fake::<A>("a", &log).run(|_| Box::pin(std::future::pending()))];
        registry.insert(Arc::new(runnable("job", async |(), cx: RunContext| {
            cx.spawn("child", std::future::pending());
            cx.shutdown_token().cancelled().await;
            Ok(())
        })));
        let held = Arc::new(());
        let weak: Weak<()> = Arc::downgrade(&held);
        let app = app(2);
        let (sender, signals) = Signals::channel();
        let deadlines = Deadlines::new().stop(Duration::from_millis(20));
        let runtime = Runtime::new(registry, ()).signals(signals).deadlines(deadlines);
        let runtime = runtime.on_event(move |_| {
            let _ = &held;
        });
        let runtime = if inline { runtime.inline() } else { runtime };
        let running = app.spawn(runtime.run());
        app.block_on(log.wait_for("run a"));
        sender.send(Signal::Terminate);
        if forced {
            sender.send(Signal::Terminate);
        }
        let outcome = app.block_on(running).unwrap();
        assert_eq!(outcome.exit_code(), if forced { 143 } else { 0 }, "{outcome}");
        let freed = within(Duration::from_secs(10), || weak.strong_count() == 0);
        assert!(freed, "inline {inline}, forced {forced}: something still holds the engine");
    }
}
