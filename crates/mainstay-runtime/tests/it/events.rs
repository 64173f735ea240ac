//! Events: who is late and who waits for whom, readers that misbehave, what is printed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainstay_registry::{Phase, ReadyWhen};
use mainstay_runtime::{Event, EventKind, Runtime, Signals};
use mainstay_test::{Blocker, Fault, Log};

use crate::registry;
use crate::support::{A, B, C, D, events, fake, paused};

type Late = (Phase, Duration, Vec<String>, Vec<(&'static str, Vec<&'static str>)>);

/// The lines about late phases, as they come.
fn lates(runtime: Runtime<()>) -> (Runtime<()>, Arc<Mutex<Vec<Late>>>) {
    let lates: Arc<Mutex<Vec<Late>>> = Arc::default();
    let into = Arc::clone(&lates);
    let runtime = runtime.on_event(move |event| {
        if let EventKind::Late { phase, elapsed, running, waiting } = &event.kind {
            let running = running.iter().map(|busy| {
                format!(
                    "{} in {} since {:?} {}",
                    busy.name,
                    busy.phase,
                    busy.since,
                    busy.seen.as_deref().unwrap_or("-")
                )
            });
            into.lock().unwrap().push((*phase, *elapsed, running.collect(), waiting.clone()));
        }
    });
    (runtime, lates)
}

#[tokio::test(start_paused = true)]
async fn a_boot_that_is_late_says_who_runs_since_when_and_who_waits_for_whom() {
    struct Db;
    #[async_trait::async_trait]
    impl mainstay_registry::Provider<()> for Db {
        fn name(&self) -> &'static str {
            "db"
        }
        async fn boot(&self, (): &()) -> mainstay_registry::Result<()> {
            mainstay_runtime::note("connecting 10.0.0.5");
            tokio::time::sleep(Duration::from_secs(12)).await;
            Ok(())
        }
    }
    struct Api;
    impl mainstay_registry::Provider<()> for Api {
        fn name(&self) -> &'static str {
            "api"
        }
        fn dependencies(&self) -> mainstay_registry::Dependencies<()> {
            mainstay_registry::Dependencies::new().requires::<Db>()
        }
    }
    let (runtime, lates) = lates(paused(registry![Db, Api]));
    assert_eq!(runtime.run().await.exit_code(), 0);
    let lates = lates.lock().unwrap();
    assert_eq!(lates.len(), 2, "after 5 s and after 10 s: {lates:?}");
    assert_eq!(
        lates[0],
        (
            Phase::Boot,
            Duration::from_secs(5),
            vec!["db in boot since 5s last note: \"connecting 10.0.0.5\"".to_owned()],
            vec![("api", vec!["db"])],
        )
    );
    assert_eq!(lates[1].1, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_start_and_a_stop_that_are_late_say_so_as_well() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).ready_when(ReadyWhen::Signalled).run(
            |cx: mainstay_runtime::RunContext| async move {
                cx.note("warming up");
                tokio::time::sleep(Duration::from_secs(7)).await;
                cx.ready();
                cx.shutdown_token().cancelled().await;
                cx.note("flushing");
                tokio::time::sleep(Duration::from_secs(3)).await;
                Ok(())
            }
        ),
        fake::<B>("b", &log).requires::<A>().runs(Fault::None),
        fake::<C>("c", &log).requires::<B>().shutdown(Fault::Slow(Duration::from_secs(4))),
    ];
    let (runtime, lates) = lates(paused(registry));
    let running = runtime.start().await.unwrap();
    running.control().shutdown("enough");
    assert_eq!(running.wait().await.exit_code(), 0);
    let lates = lates.lock().unwrap();
    assert_eq!(lates.len(), 3, "{lates:?}");
    assert_eq!(lates[0].0, Phase::Run);
    assert_eq!(lates[0].2, ["a in run since 5s last note: \"warming up\""]);
    assert_eq!(lates[0].3, [("b", vec!["a"])]);
    // Of a stop after half of the interval, before a task is at its own deadline of 5 s.
    assert_eq!((lates[1].0, lates[1].1), (Phase::Stop, Duration::from_millis(2_500)));
    assert_eq!(lates[1].2, ["c in shutdown since 2.5s -"]);
    assert_eq!(lates[1].3, [("a", vec!["b"]), ("b", vec!["c"])]);
    assert_eq!(lates[2].2, ["a in run since 1s last note: \"flushing\""]);
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_good_life_are_exactly_these() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        fake::<A>("db", &log),
        fake::<B>("http", &log).requires::<A>().runs(Fault::None).reload(Fault::None),
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    running.control().reload();
    seen.wait_for("reloaded true").await;
    running.control().shutdown("enough");
    assert_eq!(running.wait().await.exit_code(), 0);
    assert_eq!(
        seen.lines(),
        [
            "planned",
            "booting db",
            "booted db",
            "booting http",
            "booted http",
            "boot finished",
            "started http",
            "ready http",
            "ready",
            "reloading",
            "reloaded true",
            "stop requested by request (enough)",
            "stopping http",
            "ended http",
            "stopped http",
            "stopping db",
            "stopped db",
            "finished 0",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_critical_path_is_the_chain_that_decided_how_long_the_boot_took() {
    let log = Log::new();
    let slow = |ms| Fault::Slow(Duration::from_millis(ms));
    let registry = registry![
        fake::<A>("dns", &log).boot(slow(20)),
        fake::<B>("db", &log).boot(slow(100)).requires::<A>(),
        fake::<C>("cache", &log).boot(slow(90)),
        fake::<D>("api", &log).boot(slow(30)).requires::<B>().requires::<C>(),
    ];
    let paths: Arc<Mutex<Vec<(&'static str, u128)>>> = Arc::default();
    let into = Arc::clone(&paths);
    let runtime = paused(registry).on_event(move |event| {
        if let EventKind::BootFinished { critical_path, took, providers } = &event.kind {
            assert_eq!((took.as_millis(), *providers), (150, 4));
            let path = critical_path.iter().map(|(name, took)| (*name, took.as_millis()));
            into.lock().unwrap().extend(path);
        }
    });
    assert_eq!(runtime.run().await.exit_code(), 0);
    assert_eq!(*paths.lock().unwrap(), [("dns", 20), ("db", 100), ("api", 30)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_panics_or_blocks_delays_nobody() {
    let (log, blocker) = (Log::new(), Blocker::new());
    let blocked = blocker.clone();
    let registry = registry![fake::<A>("a", &log).runs_at_once(Fault::None)];
    let outcome = Runtime::new(registry, ())
        .signals(Signals::none())
        .on_event(|_| panic!("a reader"))
        .on_event(move |_| blocked.block())
        .run()
        .await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(log.count("shutdown a"), 1);
    blocker.release();
}

#[tokio::test(start_paused = true)]
async fn a_reader_may_use_control_from_inside() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![fake::<A>("a", &log).runs(Fault::None)];
    let control: Arc<Mutex<Option<mainstay_runtime::Control>>> = Arc::default();
    let own = Arc::clone(&control);
    let running = paused(registry)
        .on_event(events(&seen))
        .on_event(move |event| {
            if let EventKind::Reloading = event.kind {
                own.lock().unwrap().as_ref().unwrap().shutdown("seen a reload");
            }
        })
        .start()
        .await
        .unwrap();
    *control.lock().unwrap() = Some(running.control());
    running.control().reload();
    assert_eq!(running.wait().await.exit_code(), 0);
    assert_eq!(seen.count("stop requested by request (seen a reload)"), 1);
}

fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.number).collect()
}

#[tokio::test(start_paused = true)]
async fn subscribers_and_the_flight_recorder_see_what_the_readers_see() {
    let (log, seen, subscribed) = (Log::new(), Log::new(), Log::new());
    let registry =
        registry![fake::<A>("db", &log), fake::<B>("http", &log).requires::<A>().runs(Fault::None)];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    let before = seen.lines().len();
    let mut late = running.control().subscribe();
    assert!(late.try_next().is_none(), "it sees what comes after it");
    let mut write = events(&subscribed);
    let reads = tokio::spawn(async move {
        while let Some(event) = late.next().await {
            write(&event);
        }
    });
    running.control().shutdown("enough");
    let outcome = running.wait().await;
    reads.await.unwrap();
    assert_eq!(subscribed.lines(), seen.lines()[before..]);
    assert_eq!(subscribed.lines().last().unwrap(), "finished 0");

    let recorded = Log::new();
    outcome.events().iter().for_each(events(&recorded));
    assert_eq!(recorded.lines(), seen.lines(), "details included");
    assert_eq!(numbers(outcome.events()), (1..=seen.lines().len() as u64).collect::<Vec<_>>());
    assert_eq!(numbers(&running.control().flight_record()), numbers(outcome.events()));
    assert!(running.control().subscribe().next().await.is_none(), "after the end there is nothing");
}

/// On the real clock and real threads: subscribed before the boot, from inside of a hook.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_from_before_the_boot_sees_every_event_once() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("db", &log).boot(Fault::Slow(Duration::from_millis(1))),
        fake::<B>("http", &log).requires::<A>().runs_at_once(Fault::None),
    ];
    let runs = Runtime::new(registry, ()).signals(Signals::none()).run_on(tokio::runtime::Handle::current());
    let (control, mut events) = (runs.control().clone(), runs.control().subscribe());
    let outcome = tokio::task::spawn_blocking(|| runs.wait()).await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(event.number);
    }
    let all = numbers(outcome.events());
    assert_eq!(seen, all[all.len() - seen.len()..], "from the moment of the subscription on");
    assert_eq!(numbers(&control.flight_record()), all);
    assert!(matches!(outcome.events().last().unwrap().kind, EventKind::Finished { exit_code: 0, .. }));
}

/// Hangs when subscribers are woken in the task, or on the thread, that emits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_never_reads_or_whose_waker_blocks_does_not_delay_a_stop() {
    struct Blocks(Blocker);
    impl std::task::Wake for Blocks {
        fn wake(self: Arc<Self>) {
            self.0.block();
        }
    }
    let (log, blocker) = (Log::new(), Blocker::new());
    let registry = registry![fake::<A>("a", &log).runs(Fault::None)];
    let running = Runtime::new(registry, ()).signals(Signals::none()).start().await.unwrap();
    let unread = running.control().subscribe();
    let mut waits = running.control().subscribe();
    let waker = std::task::Waker::from(Arc::new(Blocks(blocker.clone())));
    {
        let mut next = std::pin::pin!(waits.next());
        assert!(next.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    }
    running.control().shutdown("enough");
    assert_eq!(running.wait().await.exit_code(), 0);
    assert_eq!(log.count("shutdown a"), 1);
    blocker.release();
    drop(unread);
}

#[tokio::test(start_paused = true)]
async fn every_event_says_what_happened_in_one_line() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("db", &log).boot(Fault::Slow(Duration::from_millis(20))),
        fake::<B>("http", &log).requires::<A>().runs_at_once(Fault::Error("two\nlines")),
    ];
    let outcome = paused(registry).run().await;
    let lines: Vec<String> = outcome.events().iter().map(|event| event.kind.to_string()).collect();
    assert_eq!(
        lines,
        [
            "planned 2 providers",
            "booting 'db'",
            "booted 'db' in 20 ms",
            "booting 'http'",
            "booted 'http' in 0 us",
            "boot of 2 providers finished in 20 ms",
            "started 'http', generation 1",
            "runnable 'http' failed: two lines",
            "stop by failure",
            "stopping 'http'",
            "stopped 'http' in 0 us",
            "stopping 'db'",
            "stopped 'db' in 0 us",
            "stop finished in 0 us, exit 1",
        ]
    );
    assert!(!outcome.to_string().contains("booted"), "the report itself is as short as ever");
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_task_that_is_restarted_given_up_and_forced_come_in_this_order() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        fake::<A>("peer", &log)
            .run(|_: mainstay_runtime::RunContext| async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(mainstay_registry::Error::msg("refused"))
            })
            .restart(mainstay_registry::RestartPolicy::on_failure().jitter(0.0).limit(2).degrade()),
        fake::<B>("deaf", &log).runs(Fault::Hang),
    ];
    let running = paused(registry).start().await.unwrap();
    let mut subscribed = running.control().subscribe();
    let mut write = events(&seen);
    let reads = tokio::spawn(async move {
        while let Some(event) = subscribed.next().await {
            write(&event);
        }
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    let status = running.control().status();
    assert_eq!(status.runnable("peer").unwrap().restarts, 2, "{status}");
    running.control().shutdown("enough");
    let outcome = running.wait().await;
    reads.await.unwrap();
    let told = Log::new();
    outcome.events().iter().for_each(events(&told));
    for log in [told, seen] {
        let of_peer = |line: &String| line.contains(" peer") && !line.contains("boot");
        let lines: Vec<_> = log.lines().into_iter().filter(of_peer).collect();
        let from = lines.iter().position(|line| line.starts_with("restarting peer 1")).unwrap();
        assert_eq!(
            lines[from..],
            [
                "restarting peer 1 after 100ms",
                "started peer",
                "ready peer",
                "restarting peer 2 after 200ms",
                "started peer",
                "ready peer",
                "degraded peer",
                "stopping peer",
                "stopped peer",
            ]
        );
        let lines = log.lines();
        let at = |line: &str| {
            lines.iter().position(|seen| seen == line).unwrap_or_else(|| panic!("{line}: {lines:?}"))
        };
        assert!(at("stopping deaf") < at("forced deaf runnable"), "{lines:?}");
        assert!(at("forced deaf runnable") < at("stopped deaf"), "{lines:?}");
    }
}
