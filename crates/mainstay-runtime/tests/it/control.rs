//! Control of single providers: who is stopped, started and restarted, in which order, and what the answer says.

use std::sync::Arc;
use std::time::Duration;

use mainstay_registry::{
    Deadlines, Error, NamedRunnable, Provider, ReadyWhen, RestartPolicy, Runnable, TaskFuture,
};
use mainstay_runtime::{
    Control, ControlError, RunContext, RunnableState, Running, Runtime, Signals, StopCause, runnable, task,
};
use mainstay_test::{Blocker, Fault, Log};

use crate::registry;
use crate::support::{A, B, C, D, events, fake, hooks, paused};

fn state(control: &Control, name: &str) -> (RunnableState, u64) {
    let status = control.status();
    let runnable = status.runnable(name).unwrap_or_else(|| panic!("no {name} in {status}"));
    (runnable.state.clone(), runnable.generation)
}

/// `db` <- `cache` (no task) <- `api`; `other` beside them.
async fn four(log: &Log) -> Running {
    let registry = registry![
        fake::<A>("db", log).runs(Fault::None),
        fake::<B>("cache", log).requires::<A>(),
        fake::<C>("api", log).requires::<B>().runs(Fault::Slow(Duration::from_millis(20))),
        fake::<D>("other", log).runs(Fault::None),
    ];
    let running = paused(registry).start().await.unwrap();
    log.take();
    running
}

async fn end(running: Running) {
    running.control().shutdown("done");
    let outcome = running.wait().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_takes_those_who_require_it_first_and_says_so() {
    let log = Log::new();
    let running = four(&log).await;
    let control = running.control();
    let done = control.stop("db").await.unwrap();
    assert_eq!((done.also, done.took), (vec!["api"], Duration::from_millis(20)));
    assert_eq!(log.take(), ["stop api", "end api", "stop db", "end db"]);
    assert_eq!(state(&control, "db"), (RunnableState::Stopped, 1));
    assert_eq!(state(&control, "api"), (RunnableState::Stopped, 1));
    assert_eq!(state(&control, "other").0, RunnableState::Ready);
    end(running).await;
    assert_eq!(log.count("shutdown db"), 1, "its hook comes at the end, once");
}

/// Ready by its word, and only once; a child of it fails when it is told to.
struct Failing {
    log: Log,
    fails: Arc<tokio::sync::Notify>,
}

impl Provider<()> for Failing {
    fn name(&self) -> &'static str {
        "db"
    }

    fn deadlines(&self) -> Deadlines {
        Deadlines::new().ready(Duration::from_secs(1))
    }

    fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
        Some(self)
    }
}

impl Runnable<()> for Failing {
    fn run(&self, (): ()) -> TaskFuture {
        let (log, fails) = (self.log.clone(), Arc::clone(&self.fails));
        task(|cx| async move {
            let of = cx.clone();
            cx.spawn("feed", async move {
                match of.until_shutdown(fails.notified()).await {
                    Some(()) => Err(Error::msg("the feed is gone")),
                    None => Ok(()),
                }
            });
            if cx.generation() == 1 {
                cx.ready();
            }
            cx.shutdown_token().cancelled().await;
            log.push("db is asked");
            Ok(())
        })
    }

    fn ready_when(&self) -> ReadyWhen {
        ReadyWhen::Signalled
    }

    fn restart_policy(&self) -> RestartPolicy {
        RestartPolicy::on_failure().initial_delay(Duration::ZERO)
    }
}

async fn failing(log: &Log) -> (Running, Arc<tokio::sync::Notify>) {
    let fails = Arc::new(tokio::sync::Notify::new());
    let said = log.clone();
    let drains = move |(), cx: RunContext| {
        let said = said.clone();
        async move {
            cx.shutdown_token().cancelled().await;
            said.push("api is asked");
            tokio::time::sleep(Duration::from_secs(3)).await;
            said.push("api ends");
            Ok(())
        }
    };
    let api = runnable("api", drains).requires::<Failing>();
    let registry = registry![Failing { log: log.clone(), fails: Arc::clone(&fails) }, api];
    let running = paused(registry).on_event(events(log)).start().await.unwrap();
    log.take();
    (running, fails)
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_one_that_is_to_stop_does_not_end_it_before_those_who_require_it() {
    let log = Log::new();
    let (running, fails) = failing(&log).await;
    let stop = running.control().stop("db");
    tokio::time::sleep(Duration::from_secs(1)).await;
    fails.notify_one();
    stop.await.unwrap();
    let order: Vec<String> = log.take().into_iter().filter(|line| !line.contains("ready")).collect();
    let ends = ["api is asked", "recoverable db", "api ends", "task stopped api", "db is asked"];
    assert_eq!(order, [&["stop db [api]"], &ends[..], &["task stopped db"]].concat());
    end(running).await;
}

/// What it missed is of no interest any more; it was said again and again, without a pause, until its turn came.
#[tokio::test(start_paused = true)]
async fn one_that_is_to_stop_and_does_not_get_ready_waits_for_its_turn() {
    let log = Log::new();
    let (running, fails) = failing(&log).await;
    fails.notify_one();
    while state(&running.control(), "db") != (RunnableState::Starting, 2) {
        tokio::task::yield_now().await;
    }
    log.take();
    // It has a second to get ready.
    let done = running.control().stop("db").await.unwrap();
    assert_eq!((done.also, done.took), (vec!["api"], Duration::from_secs(3)));
    assert_eq!(log.count("recoverable db"), 0);
    assert!(log.position("api ends") < log.position("db is asked"));
    end(running).await;
}

#[tokio::test(start_paused = true)]
async fn a_start_brings_what_it_requires_first() {
    let log = Log::new();
    let running = four(&log).await;
    let control = running.control();
    control.stop("db").await.unwrap();
    log.take();
    let done = control.start("api").await.unwrap();
    assert_eq!(done.also, ["db"]);
    assert_eq!(log.take(), ["run db", "run api"]);
    assert_eq!(
        (state(&control, "db"), state(&control, "api")),
        ((RunnableState::Ready, 2), (RunnableState::Ready, 2))
    );
    end(running).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_ends_dependents_first_and_starts_them_when_it_is_ready() {
    let log = Log::new();
    let running = four(&log).await;
    let control = running.control();
    let done = control.restart("db").await.unwrap();
    assert_eq!(done.also, ["api"]);
    tokio::task::yield_now().await;
    assert_eq!(log.take(), ["stop api", "end api", "stop db", "end db", "run db", "run api"]);
    assert_eq!((state(&control, "db").1, state(&control, "api").1, state(&control, "other").1), (2, 2, 1));
    end(running).await;
}

#[tokio::test(start_paused = true)]
async fn stopping_what_is_stopped_and_starting_what_runs_are_fine() {
    let log = Log::new();
    let running = four(&log).await;
    let control = running.control();
    assert_eq!(control.start("api").await.unwrap().also, Vec::<&str>::new());
    control.stop("api").await.unwrap();
    control.stop("api").await.unwrap();
    assert_eq!(log.count("stop api"), 1);
    assert_eq!(state(&control, "api").0, RunnableState::Stopped);
    end(running).await;
}

#[tokio::test(start_paused = true)]
async fn stop_then_restart_while_it_stops_ends_running() {
    let log = Log::new();
    let running = four(&log).await;
    let control = running.control();
    let stop = control.stop("api");
    let restart = control.restart("api");
    let (stop, restart) = tokio::join!(stop.into_future(), restart.into_future());
    assert!(stop.is_ok(), "the one that was asked about is gone");
    restart.unwrap();
    assert_eq!(state(&control, "api"), (RunnableState::Ready, 2));
    end(running).await;
}

#[tokio::test(start_paused = true)]
async fn restart_then_stop_ends_stopped_and_the_restart_learns_it() {
    let log = Log::new();
    let running = four(&log).await;
    let control = running.control();
    let restart = control.restart("api");
    let stop = control.stop("api");
    let (restart, stop) = tokio::join!(restart.into_future(), stop.into_future());
    stop.unwrap();
    assert_eq!(restart.unwrap_err(), ControlError::Overruled { provider: "api" });
    assert_eq!(state(&control, "api"), (RunnableState::Stopped, 1));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(state(&control, "api"), (RunnableState::Stopped, 1), "and stays so");
    end(running).await;
}

/// The two halves of a restart cannot be separated: whoever asks for a stop between them gets a stop.
#[tokio::test(start_paused = true)]
async fn a_stop_in_the_midst_of_a_restart_wins_at_every_moment() {
    for after in 0..40 {
        let log = Log::new();
        let running = four(&log).await;
        let control = running.control();
        let restart = control.restart("db");
        tokio::time::sleep(Duration::from_millis(after)).await;
        control.stop("db").await.unwrap();
        let _ = restart.await;
        assert_eq!(state(&control, "db").0, RunnableState::Stopped, "{after}");
        assert_eq!(state(&control, "api").0, RunnableState::Stopped, "{after}");
        end(running).await;
    }
}

#[tokio::test(start_paused = true)]
async fn equal_requests_are_one() {
    let log = Log::new();
    let running = four(&log).await;
    let control = running.control();
    let (one, two) = (control.restart("api"), control.restart("api"));
    let (one, two) = tokio::join!(one.into_future(), two.into_future());
    assert_eq!((one.is_ok(), two.is_ok()), (true, true));
    assert_eq!(state(&control, "api").1, 2, "one restart for both");
    end(running).await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_has_is_answered_with_those_that_come_near() {
    let log = Log::new();
    let running = four(&log).await;
    let control = running.control();
    let unknown = control.restart("othr").await.unwrap_err();
    assert_eq!(unknown, ControlError::Unknown { name: "othr".into(), near: vec!["other".into()] });
    assert_eq!(unknown.to_string(), "there is no provider 'othr'; did you mean 'other'?");
    assert_eq!(control.stop("cache").await.unwrap_err(), ControlError::NotRunnable { provider: "cache" });
    assert_eq!(control.reload_one("db").await.unwrap_err(), ControlError::NotReloadable { provider: "db" });
    end(running).await;
    assert_eq!(control.start("db").await.unwrap_err(), ControlError::Closed);
    assert_eq!(control.reload().await.unwrap_err(), ControlError::Closed);
    assert_eq!(control.status().phase, mainstay_registry::Phase::Stop);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_registered_too_late_takes_no_part_and_the_answer_says_so() {
    struct Late;
    impl Provider<()> for Late {
        fn name(&self) -> &'static str {
            "late"
        }
    }
    let log = Log::new();
    let registry = Arc::new(registry![fake::<A>("db", &log).runs(Fault::None)]);
    let running = paused(Arc::clone(&registry)).start().await.unwrap();
    registry.insert(Arc::new(Late));
    let error = running.control().start("late").await.unwrap_err();
    assert_eq!(error, ControlError::Sealed { name: "late".into() });
    end(running).await;
}

#[tokio::test(start_paused = true)]
async fn one_runnable_of_several_is_told_by_its_own_name() {
    struct Http(Log);
    struct Door(&'static str, Log);
    impl Runnable<()> for Door {
        fn run(&self, (): ()) -> TaskFuture {
            let (name, log) = (self.0, self.1.clone());
            task(move |cx| async move {
                log.push(format!("run {name} {}", cx.generation()));
                cx.shutdown_token().cancelled().await;
                Ok(())
            })
        }
    }
    struct Doors {
        public: Door,
        admin: Door,
    }
    impl Provider<()> for Doors {
        fn name(&self) -> &'static str {
            "http"
        }
        fn runnables(&self) -> Vec<NamedRunnable<'_, ()>> {
            vec![NamedRunnable::new("public", &self.public), NamedRunnable::new("admin", &self.admin)]
        }
    }
    let log = Http(Log::new()).0;
    let doors = Doors { public: Door("public", log.clone()), admin: Door("admin", log.clone()) };
    let running = paused(registry![doors]).start().await.unwrap();
    let control = running.control();
    control.restart("http/admin").await.unwrap();
    assert_eq!((state(&control, "http/public").1, state(&control, "http/admin").1), (1, 2));
    control.restart("http").await.unwrap();
    assert_eq!((state(&control, "http/public").1, state(&control, "http/admin").1), (2, 3));
    control.stop("http/public").await.unwrap();
    assert_eq!(state(&control, "http/public").0, RunnableState::Stopped);
    assert_eq!(state(&control, "http/admin").0, RunnableState::Ready);
    let unknown = control.stop("http/pubic").await.unwrap_err().to_string();
    assert_eq!(unknown, "there is no provider 'http/pubic'; did you mean one of 'http', 'http/public'?");
    end(running).await;
}

/// A restart goes on when the old generation ends with an error, even when it is aborted.
#[tokio::test(start_paused = true)]
async fn a_restart_succeeds_whatever_the_end_of_the_old_generation() {
    for fault in [Fault::Error("flush failed"), Fault::Panic("late"), Fault::Hang, Fault::HangPanicDrop] {
        let log = Log::new();
        let short = Deadlines::new().stop(Duration::from_millis(50));
        let registry = registry![fake::<A>("a", &log).runs(fault.clone()).deadlines(short)];
        let running = paused(registry).start().await.unwrap();
        let control = running.control();
        control.restart("a").await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(state(&control, "a"), (RunnableState::Ready, 2), "{fault:?}");
        control.shutdown("done");
        let _ = running.wait().await;
        assert_eq!(log.count("run a"), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_whose_new_generation_fails_says_so_and_leaves_the_rest_to_the_policy() {
    let seen = Log::new();
    let registry = registry![
        runnable("a", async |(), cx: RunContext| {
            if cx.generation() == 2 {
                return Err(Error::msg("port in use"));
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        })
        .restart(RestartPolicy::on_failure().jitter(0.0))
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    let control = running.control();
    let failed = control.restart("a").await.unwrap_err();
    assert_eq!(failed, ControlError::Failed { provider: "a", cause: "port in use".into() });
    seen.wait_for("ready again after 100ms").await;
    assert_eq!(state(&control, "a"), (RunnableState::Ready, 3));
    end(running).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_by_hand_charges_nothing_and_begins_the_row_anew() {
    let seen = Log::new();
    let registry = registry![
        runnable("a", async |(), cx: RunContext| {
            if cx.generation() < 3 || cx.generation() == 4 {
                tokio::task::yield_now().await;
                return Err(Error::msg("refused"));
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        })
        .restart(RestartPolicy::on_failure().jitter(0.0).limit(2))
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    seen.wait_for("restarting a 2 after 200ms").await;
    let control = running.control();
    // In backoff, at its limit: started at once.
    control.restart("a").await.unwrap();
    assert_eq!(state(&control, "a"), (RunnableState::Ready, 3));
    control.restart("a").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(seen.count("restarting a 1 after 100ms"), 2, "the row begins anew: {:?}", seen.lines());
    assert_eq!(state(&control, "a"), (RunnableState::Ready, 5));
    end(running).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_stopped_by_hand_keeps_the_process_alive() {
    let log = Log::new();
    let registry = registry![fake::<A>("fatal", &log).runs(Fault::None)];
    let running = paused(registry).start().await.unwrap();
    running.control().stop("fatal").await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let status = running.control().status();
    assert_eq!(status.phase, mainstay_registry::Phase::Run, "{status}");
    assert_eq!(status.ready.to_string(), "degraded", "{status}");
    end(running).await;
    assert_eq!(log.count("stop fatal"), 1, "who was stopped is not stopped again");
}

#[tokio::test(start_paused = true)]
async fn a_completed_task_is_started_again_when_somebody_asks() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("job", &log).runs_at_once(Fault::None),
        fake::<B>("other", &log).runs(Fault::None),
    ];
    let running = paused(registry).start().await.unwrap();
    running.control().start("job").await.unwrap();
    assert_eq!(log.count("run job"), 2);
    end(running).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_stop_when_everything_stops_gets_it_and_for_a_restart_learns_that_it_is_closed() {
    let log = Log::new();
    let running = four(&log).await;
    let control = running.control();
    let (stop, restart) = (control.stop("api"), control.restart("other"));
    let (stop, restart, ()) = tokio::join!(stop.into_future(), restart.into_future(), async {
        control.shutdown("enough");
    });
    assert!(stop.is_ok());
    assert_eq!(restart.unwrap_err(), ControlError::Closed);
    assert_eq!(running.wait().await.exit_code(), 0);
}

/// The first reason is kept, hooks run once, and both callers finish.
#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_asked_twice_runs_once_and_answers_both() {
    let log = Log::new();
    let running = four(&log).await;
    let control = running.control();
    let (one, two) = (control.shutdown("one"), control.shutdown("two"));
    let (one, two) = tokio::join!(one.into_future(), two.into_future());
    assert_eq!((one.is_ok(), two.is_ok()), (true, true));
    let outcome = running.wait().await;
    assert_eq!(outcome.cause(), &StopCause::Requested("one".into()));
    assert_eq!(log.count("shutdown db"), 1);
    assert!(control.shutdown("three").await.is_ok(), "it is over already");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_stops_itself_is_told_that_it_would_wait_for_itself_and_is_stopped() {
    let log = Log::new();
    let control: Arc<std::sync::OnceLock<Control>> = Arc::default();
    let own = Arc::clone(&control);
    let said = log.clone();
    let registry = registry![
        runnable("a", move |(), cx: RunContext| {
            let (own, said) = (Arc::clone(&own), said.clone());
            async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                if let Some(control) = own.get().filter(|_| cx.generation() == 1) {
                    said.push(format!("{:?}", control.restart("a").await));
                    said.push(format!("{:?}", control.shutdown("never mind").refused().is_some()));
                }
                cx.shutdown_token().cancelled().await;
                Ok(())
            }
        }),
        fake::<B>("b", &log).runs(Fault::None),
    ];
    let running = paused(registry).start().await.unwrap();
    let _ = control.set(running.control());
    let outcome = running.wait().await;
    assert_eq!(log.count("Err(Busy)"), 1, "{:?}", log.lines());
    assert_eq!(log.count("true"), 1);
    assert_eq!(outcome.cause(), &StopCause::Requested("never mind".into()));
}

/// Every hook may ask: in boot, validate, reload and shutdown. Nobody waits for itself, nothing deadlocks.
#[tokio::test(start_paused = true)]
async fn control_can_be_asked_from_every_hook_and_none_of_them_hangs() {
    struct Asks(Arc<std::sync::OnceLock<Control>>, Log);
    impl Asks {
        async fn ask(&self, phase: &str) {
            let Some(control) = self.0.get() else { return };
            // Once in each phase: a reload that asks for a reload each time would never come to rest.
            if self.1.lines().iter().any(|line| line.starts_with(phase)) {
                return;
            }
            let status = control.status();
            self.1.push(format!("{phase}: {} {}", status.phase, status.providers.len()));
            let answers = [
                format!("{:?}", control.start("other").await.map(|_| ())),
                format!("{:?}", control.stop("nobody").await.map(|_| ()).is_err()),
                format!("{:?}", control.reload().await.map(|_| ())),
            ];
            self.1.push(format!("{phase}: {}", answers.join(" ")));
        }
    }
    #[mainstay_registry::async_trait]
    impl Provider<()> for Asks {
        fn name(&self) -> &'static str {
            "asks"
        }
        async fn boot(&self, (): &()) -> mainstay_registry::Result<()> {
            self.ask("boot").await;
            Ok(())
        }
        async fn shutdown(&self, (): &()) -> mainstay_registry::Result<()> {
            self.ask("shutdown").await;
            Ok(())
        }
        fn validate(&self, (): &()) -> mainstay_registry::Result<()> {
            let control = self.0.get().unwrap();
            assert!(control.start("other").refused().is_some());
            Ok(())
        }
        fn as_reloadable(&self) -> Option<&dyn mainstay_registry::Reloadable<()>> {
            Some(self)
        }
    }
    #[mainstay_registry::async_trait]
    impl mainstay_registry::Reloadable<()> for Asks {
        async fn reload(&self, (): &()) -> mainstay_registry::Result<()> {
            self.ask("reload").await;
            Ok(())
        }
    }
    let (log, control) = (Log::new(), Arc::new(std::sync::OnceLock::new()));
    let registry =
        registry![Asks(Arc::clone(&control), log.clone()), fake::<B>("other", &log).runs(Fault::None)];
    let (sender, signals) = Signals::channel();
    let app = tokio::runtime::Handle::current();
    let running = Runtime::new(registry, ()).signals(signals).inline().run_on(app);
    let _ = control.set(running.control().clone());
    log.wait_for("run other").await;
    sender.send(mainstay_runtime::Signal::Hangup);
    log.wait_for("reload: Ok(()) true Err(Busy)").await;
    // The reload that it asked for comes after this one.
    tokio::time::sleep(Duration::from_secs(1)).await;
    sender.send(mainstay_runtime::Signal::Terminate);
    log.wait_for("shutdown: Err(Closed) true Err(Closed)").await;
    let lines = log.lines();
    assert!(lines.contains(&"boot: boot 2".to_owned()), "{lines:?}");
    assert!(lines.contains(&"boot: Err(Busy) true Err(NotRunning)".to_owned()), "{lines:?}");
    assert!(lines.contains(&"shutdown: stop 2".to_owned()), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn status_and_requests_are_answered_while_a_boot_hook_hangs() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("slow", &log).boot(Fault::Slow(Duration::from_secs(20))),
        fake::<B>("job", &log).runs(Fault::None),
        fake::<C>("other", &log).runs(Fault::None),
    ];
    let app = tokio::runtime::Handle::current();
    let running = paused(registry).run_on(app);
    let control = running.control().clone();
    log.wait_for("boot slow").await;
    let status = control.status();
    assert_eq!(status.phase, mainstay_registry::Phase::Boot);
    assert!(status.to_string().contains("slow  booting"), "{status}");
    // Stopped before it ever ran: it is not started.
    control.stop("job").await.unwrap();
    log.wait_for("run other").await;
    assert_eq!((log.count("run job"), state(&control, "job").0), (0, RunnableState::Stopped));
    control.start("job").await.unwrap();
    assert_eq!(log.count("run job"), 1);
    control.shutdown("done").await.unwrap();
}

/// Without the boot in its patience the request is given up after 36 s.
#[tokio::test(start_paused = true)]
async fn a_start_that_is_asked_during_a_long_boot_waits_for_the_run() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("slow", &log).boot(Fault::Slow(Duration::from_secs(29))),
        fake::<B>("slower", &log).requires::<A>().boot(Fault::Slow(Duration::from_secs(29))),
        fake::<C>("job", &log).runs(Fault::None),
    ];
    let running = paused(registry).run_on(tokio::runtime::Handle::current());
    let control = running.control().clone();
    log.wait_for("boot slow").await;
    control.start("job").await.unwrap();
    assert_eq!(state(&control, "job"), (RunnableState::Ready, 1));
    control.shutdown("done").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_hook_delays_neither_a_stop_nor_a_failure_nor_a_status() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("slow", &log).reload(Fault::Slow(Duration::from_secs(20))).runs(Fault::None),
        fake::<B>("fatal", &log)
            .runs_at_once(Fault::Slow(Duration::from_secs(2)))
            .restart(RestartPolicy::always().limit(0)),
    ];
    let began = tokio::time::Instant::now();
    let running = paused(registry).start().await.unwrap();
    let reload = running.control().reload();
    let (reload, outcome) = tokio::join!(reload.into_future(), running.wait());
    assert_eq!(reload.unwrap_err(), ControlError::Aborted);
    assert_eq!(outcome.exit_code(), 1, "{outcome}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_provider_is_reloaded_alone_and_in_a_transaction() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).reload(Fault::None).runs(Fault::None),
        fake::<B>("b", &log).reload(Fault::Error("bad")),
    ];
    let running = paused(registry).start().await.unwrap();
    let control = running.control();
    let report = control.reload_one("a").await.unwrap();
    assert!(report.is_committed());
    assert_eq!(report.entries.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["a"]);
    let (one, all) = (control.reload_one("b"), control.reload());
    let (one, all) = tokio::join!(one.into_future(), all.into_future());
    assert_eq!(one.unwrap().entries.len(), 1, "each is answered with its own report");
    assert_eq!(all.unwrap().entries.len(), 2);
    assert_eq!(log.count("reload b"), 2);
    end(running).await;
}

/// Twenty-five threads ask for anything at any moment on real threads: it answers each of them, and it stops.
#[test]
fn requests_from_many_threads_race_cleanly() {
    for workers in [0, 2] {
        let app = match workers {
            0 => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            n => tokio::runtime::Builder::new_multi_thread().worker_threads(n).enable_all().build().unwrap(),
        };
        let handle = app.handle().clone();
        let (parked, park) = std::sync::mpsc::channel::<()>();
        let driver = std::thread::spawn(move || {
            app.block_on(async move {
                tokio::task::spawn_blocking(move || park.recv()).await.unwrap().unwrap_err();
            });
        });
        let log = Log::new();
        let registry = registry![
            fake::<A>("db", &log).runs(Fault::None),
            fake::<B>("cache", &log).requires::<A>().runs(Fault::None),
            fake::<C>("api", &log).requires::<B>().runs(Fault::None).reload(Fault::None),
        ];
        let running = Runtime::new(registry, ()).signals(Signals::none()).run_on(handle.clone());
        handle.block_on(log.wait_for("run api"));
        let control = running.control().clone();
        let threads: Vec<_> = (0..25)
            .map(|n| {
                let (control, handle) = (control.clone(), handle.clone());
                std::thread::spawn(move || {
                    for round in 0..20 {
                        let name = ["db", "cache", "api"][(n + round) % 3];
                        let answer = match (n * 7 + round) % 4 {
                            0 => handle.block_on(control.stop(name).into_future()),
                            1 => handle.block_on(control.restart(name).into_future()),
                            2 => handle.block_on(control.start(name).into_future()),
                            _ => {
                                let _ = (control.status(), control.reload());
                                continue;
                            }
                        };
                        if let Err(error) = answer {
                            assert!(matches!(error, ControlError::Overruled { .. }), "{error}");
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        handle.block_on(control.start("api").into_future()).unwrap();
        assert!(control.status().ready.is_ready(), "{}", control.status());
        control.shutdown("done");
        let outcome = running.wait();
        assert_eq!((outcome.exit_code(), outcome.hooks()), (0, (3, 3)), "{outcome}");
        drop(parked);
        driver.join().unwrap();
    }
}

/// With every worker blocked by the task itself: the stop is answered at its deadlines, and the task is named.
#[test]
fn a_stop_of_a_task_that_blocks_its_thread_is_answered_and_names_it() {
    for workers in [1, 2] {
        let app =
            tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
        let (log, seen, blocker) = (Log::new(), Log::new(), Blocker::new());
        let held = blocker.clone();
        let registry = registry![
            fake::<A>("a", &log).deadlines(Deadlines::new().stop(Duration::from_millis(50))).run(move |cx| {
                let held = held.clone();
                async move {
                    cx.shutdown_token().cancelled().await;
                    held.block();
                    Ok(())
                }
            }),
            fake::<B>("b", &log).runs(Fault::None),
        ];
        let runtime = Runtime::new(registry, ()).signals(Signals::none()).on_event(events(&seen));
        let running = runtime.run_on(app.handle().clone());
        futures_block_on(log.wait_for("run a"));
        let control = running.control().clone();
        let began = std::time::Instant::now();
        futures_block_on(control.stop("a").into_future()).unwrap();
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        futures_block_on(seen.wait_for("left behind a"));
        assert_eq!(state(&control, "a").0, RunnableState::Stopped);
        blocker.release();
        control.shutdown("done");
        let outcome = running.wait();
        assert_eq!(outcome.forced()[0].provider, "a", "{outcome}");
        assert!(
            outcome.forced()[0].seen.as_deref().unwrap().starts_with("blocks a thread since"),
            "{outcome}"
        );
        assert_eq!(hooks(&log).iter().filter(|line| *line == "run a").count(), 1);
    }
}

/// Waits on this thread, without any runtime.
fn futures_block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
