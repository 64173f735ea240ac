//! Boot: the order of the plan, as much at once as it allows, each hook isolated.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use mainstay_registry::{Deadlines, Error, Provider, ReadyWhen, Registry, priority};
use mainstay_runtime::{Failure, Problem, RunContext, Runtime, Signal, Signals, StopCause, runnable};
use mainstay_test::{Fake, Fault, Log};
use tokio::time::Instant;

use crate::registry;
use crate::support::{A, B, C, D, E, fake, hooks, paused, run};

#[tokio::test(start_paused = true)]
async fn hooks_boot_in_dependency_order_and_in_the_same_order_on_every_run() {
    let mut runs = Vec::new();
    for _ in 0..10 {
        let log = Log::new();
        let registry = registry![
            fake::<D>("d", &log),
            fake::<A>("a", &log).requires::<C>(),
            fake::<B>("b", &log).requires::<A>(),
            fake::<C>("c", &log),
        ];
        assert_eq!(run(registry).await.exit_code(), 0);
        runs.push(log.lines());
    }
    assert_eq!(runs[0][..4], ["boot c", "boot d", "boot a", "boot b"]);
    assert!(runs.iter().all(|lines| *lines == runs[0]), "{runs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_diamond_boots_its_shared_node_once_and_no_dependent_before_it() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("top", &log).requires::<B>().requires::<C>(),
        fake::<B>("left", &log).requires::<D>(),
        fake::<C>("right", &log).requires::<D>(),
        fake::<D>("shared", &log).boot(Fault::Slow(Duration::from_millis(50))),
    ];
    assert_eq!(run(registry).await.exit_code(), 0);
    assert_eq!(log.count("boot shared"), 1);
    assert_eq!(log.lines()[..4], ["boot shared", "boot left", "boot right", "boot top"]);
}

struct P<const N: usize>;

impl<const N: usize> P<N> {
    const NAMES: [&'static str; 20] = [
        "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", "p15",
        "p16", "p17", "p18", "p19",
    ];
}

macro_rules! twenty {
    ($registry:ident, $log:ident, $fault:expr, [$($n:literal),*]) => {
        $( $registry.insert(Arc::new(Fake::<P<$n>>::new(P::<$n>::NAMES[$n], &$log).boot($fault))); )*
    };
}

fn twenty(log: &Log, fault: &Fault) -> Registry<()> {
    let registry = Registry::new();
    twenty!(
        registry,
        log,
        fault.clone(),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    );
    registry
}

#[tokio::test(start_paused = true)]
async fn twenty_independent_providers_of_50_ms_boot_in_under_60_ms() {
    let log = Log::new();
    let began = Instant::now();
    let outcome = run(twenty(&log, &Fault::Slow(Duration::from_millis(50)))).await;
    assert_eq!(outcome.exit_code(), 0);
    assert!(outcome.boot_took() < Some(Duration::from_millis(60)), "{:?}", outcome.boot_took());
    assert!(began.elapsed() < Duration::from_millis(60), "{:?}", began.elapsed());
}

/// The same on the real clock and real threads: the best of five, because the machine may be busy with others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_independent_providers_boot_at_once_on_the_real_clock() {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let registry = twenty(&Log::new(), &Fault::Slow(Duration::from_millis(50)));
        let outcome = Runtime::new(registry, ()).signals(Signals::none()).run().await;
        assert_eq!(outcome.exit_code(), 0);
        best = best.min(outcome.boot_took().unwrap());
    }
    assert!(best < Duration::from_millis(60), "{best:?}");
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_they_boot_as_the_walk_does_also_when_hooks_suspend() {
    let names =
        |log: &Log| log.lines().into_iter().filter(|line| line.starts_with("boot")).collect::<Vec<_>>();
    let (walk, ours) = (Log::new(), Log::new());
    twenty(&walk, &Fault::Yield(3)).boot_all(&()).await.unwrap();

    let began = Instant::now();
    let registry = twenty(&ours, &Fault::Slow(Duration::from_millis(50)));
    let outcome = paused(registry).boot_concurrency(1).run().await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(names(&ours), names(&walk));
    assert!(began.elapsed() >= Duration::from_secs(1), "20 times 50 ms, one after the other");
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_the_second_hook_is_not_entered_while_the_first_is_pending() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).boot(Fault::Hang).deadlines(Deadlines::new().boot(Duration::from_millis(10))),
        fake::<B>("b", &log),
    ];
    assert_eq!(paused(registry).boot_concurrency(1).run().await.exit_code(), 75);
    assert_eq!(hooks(&log), ["boot a", "shutdown a"]);
}

#[tokio::test(start_paused = true)]
async fn independent_hooks_are_both_entered_before_either_finishes() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).boot(Fault::Slow(Duration::from_millis(10))),
        fake::<B>("b", &log).boot(Fault::Slow(Duration::from_millis(10))),
    ];
    let began = Instant::now();
    assert_eq!(run(registry).await.exit_code(), 0);
    assert!(
        began.elapsed() < Duration::from_millis(20),
        "they took their time at once: {:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn levels_are_barriers_and_the_lowest_and_the_highest_are_legal() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("last", &log).boot_priority(priority::LAST),
        fake::<B>("normal", &log),
        fake::<C>("first", &log).boot_priority(priority::FIRST).boot(Fault::Slow(Duration::from_millis(30))),
    ];
    assert_eq!(run(registry).await.exit_code(), 0);
    assert_eq!(log.lines()[..3], ["boot first", "boot normal", "boot last"]);
}

#[tokio::test(start_paused = true)]
async fn a_dependency_boots_first_even_if_its_priority_says_later() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("early", &log).boot_priority(priority::FIRST).requires::<B>(),
        fake::<B>("late", &log).boot_priority(priority::LAST),
        fake::<C>("normal", &log),
    ];
    assert_eq!(run(registry).await.exit_code(), 0);
    assert_eq!(log.lines()[..3], ["boot late", "boot early", "boot normal"]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_registered_twice_boots_once() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log), fake::<A>("a", &log)];
    assert_eq!(run(registry).await.exit_code(), 0);
    assert_eq!(log.count("boot a"), 1);
    assert_eq!(log.count("shutdown a"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_impossible_plan_has_no_side_effects_at_all() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).requires::<E>(), fake::<B>("b", &log)];
    let outcome = run(registry).await;
    assert_eq!(outcome.exit_code(), 78);
    assert!(outcome.to_string().contains("MS0101"), "{outcome}");
    assert!(outcome.to_string().contains("nothing was started"), "{outcome}");
    assert_eq!(hooks(&log), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn two_providers_of_one_name_are_refused_before_anything_boots() {
    let log = Log::new();
    let registry = registry![fake::<A>("same", &log), fake::<B>("same", &log)];
    let outcome = run(registry).await;
    assert_eq!(outcome.exit_code(), 78);
    assert!(outcome.to_string().contains("MS0219"), "{outcome}");
    assert!(outcome.to_string().contains("'same'"), "{outcome}");
    assert_eq!(hooks(&log), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_boot_names_provider_and_phase_and_rolls_back() {
    for fault in [Fault::Panic("boom"), Fault::PanicLater("boom")] {
        let log = Log::new();
        let registry = registry![fake::<A>("a", &log), fake::<B>("b", &log).requires::<A>().boot(fault)];
        let outcome = run(registry).await;
        assert_eq!(outcome.exit_code(), 1);
        assert_eq!(outcome.failures().len(), 1);
        assert_eq!(outcome.failures()[0].provider(), "b");
        assert_eq!(outcome.failures()[0].problem(), &Problem::Panic("boom".to_owned()));
        assert!(outcome.to_string().contains("provider 'b' panicked during boot: boom"), "{outcome}");
        assert_eq!(hooks(&log), ["boot a", "boot b", "shutdown b", "shutdown a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_destructor_of_a_cancelled_hook_is_named() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).boot(Fault::Slow(Duration::from_millis(10))),
        fake::<B>("b", &log)
            .boot(Fault::HangPanicDrop)
            .deadlines(Deadlines::new().boot(Duration::from_millis(50))),
    ];
    let outcome = run(registry).await;
    // Its deadline is the cause, and the panic is only its end.
    assert_eq!(outcome.exit_code(), 75);
    assert_eq!(hooks(&log), ["boot a", "boot b", "shutdown b", "shutdown a"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_panics_is_a_problem_of_the_plan_that_names_its_type() {
    struct Nameless;
    impl Provider<()> for Nameless {
        fn name(&self) -> &'static str {
            panic!("no name")
        }
    }
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log)];
    registry.insert(Arc::new(Nameless));
    let outcome = run(registry).await;
    assert_eq!(outcome.exit_code(), 78);
    assert!(outcome.to_string().contains("Nameless"), "{outcome}");
    assert!(outcome.to_string().contains("no name"), "{outcome}");
    assert_eq!(hooks(&log), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_hook_past_its_deadline_is_a_failure_that_says_what_it_was_doing() {
    struct Connecting;
    #[async_trait::async_trait]
    impl Provider<()> for Connecting {
        fn name(&self) -> &'static str {
            "db"
        }
        fn deadlines(&self) -> Deadlines {
            Deadlines::new().boot(Duration::from_secs(2))
        }
        async fn boot(&self, (): &()) -> mainstay_registry::Result<()> {
            mainstay_runtime::note("connecting 10.0.0.5");
            std::future::pending().await
        }
    }
    let registry = Registry::new();
    registry.insert(Arc::new(Connecting));
    let began = Instant::now();
    let outcome = run(registry).await;
    assert_eq!(outcome.exit_code(), 75);
    assert_eq!(outcome.failures()[0].problem(), &Problem::Deadline(Duration::from_secs(2)));
    assert_eq!(outcome.failures()[0].seen(), Some("last note: \"connecting 10.0.0.5\""));
    assert!(began.elapsed() < Duration::from_millis(2_300), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_boot_as_a_whole_has_a_budget_and_names_who_used_it() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).boot(Fault::Slow(Duration::from_millis(600))),
        fake::<B>("b", &log).boot(Fault::Slow(Duration::from_millis(600))).requires::<A>(),
        fake::<C>("c", &log).requires::<B>(),
    ];
    let outcome = paused(registry).boot_budget(Duration::from_secs(1)).run().await;
    assert_eq!(outcome.exit_code(), 75);
    assert_eq!(outcome.failures().len(), 1);
    assert_eq!(outcome.failures()[0].provider(), "b");
    assert_eq!(outcome.failures()[0].problem(), &Problem::Budget(Duration::from_secs(1)));
    assert_eq!(hooks(&log), ["boot a", "boot b", "shutdown b", "shutdown a"]);
}

/// Meets the others inside of its poll, then fails: so all of them have begun when the first one fails.
struct Meets<const N: usize> {
    barrier: Arc<Barrier>,
    name: &'static str,
}

#[async_trait::async_trait]
impl<const N: usize> Provider<()> for Meets<N> {
    fn name(&self) -> &'static str {
        self.name
    }
    async fn boot(&self, (): &()) -> mainstay_registry::Result<()> {
        self.barrier.wait();
        Err(Error::msg(format!("{} is down", self.name)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failing_root_is_reported_with_those_that_require_it() {
    let log = Log::new();
    let barrier = Arc::new(Barrier::new(2));
    let registry = registry![
        Meets::<0> { barrier: Arc::clone(&barrier), name: "db" },
        Meets::<1> { barrier, name: "cache" },
        runnable("api", idle).requires::<Meets<0>>(),
        fake::<D>("worker", &log),
        runnable("pages", async |(), _| Ok(())).requires::<Meets<1>>().requires::<Fake<D>>(),
    ];
    let outcome = Runtime::new(registry, ()).signals(Signals::none()).run().await;
    let mut failed: Vec<_> = outcome.failures().iter().map(Failure::provider).collect();
    failed.sort_unstable();
    assert_eq!(failed, ["cache", "db"], "{outcome}");
    assert_eq!(outcome.exit_code(), 75);
    let text = outcome.to_string();
    assert!(text.contains("db is down") && text.contains("cache is down"), "{text}");
    let mut never = outcome.never_booted().to_vec();
    never.retain(|(name, _)| *name != "worker");
    never.sort_unstable();
    assert_eq!(never, [("api", Some("db")), ("pages", Some("cache"))]);
    assert!(text.contains("not booted  'api' because 'db' failed"), "{text}");
}

async fn idle((): (), cx: RunContext) -> mainstay_registry::Result<()> {
    cx.shutdown_token().cancelled().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_because_of_another_is_no_failure() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("hangs", &log).boot(Fault::Hang),
        fake::<B>("fails", &log).boot(Fault::Error("no")),
    ];
    let outcome = run(registry).await;
    let failed: Vec<_> = outcome.failures().iter().map(Failure::provider).collect();
    assert_eq!(failed, ["fails"]);
    assert_eq!(log.count("shutdown hangs") + log.count("shutdown fails"), log.count("boot hangs") + 1);
}

#[tokio::test(start_paused = true)]
async fn the_variant_of_the_error_decides_the_exit_code_not_the_phase() {
    struct Fails(fn() -> Error);
    #[async_trait::async_trait]
    impl Provider<()> for Fails {
        async fn boot(&self, (): &()) -> mainstay_registry::Result<()> {
            Err((self.0)())
        }
    }
    let cases: [(fn() -> Error, u8); 5] = [
        (|| Error::msg("plain"), 75),
        (|| Error::Boot { name: "", source: "typed".into() }, 75),
        (|| Error::Validate { name: "", source: "typed".into() }, 78),
        (|| Error::Run { name: "", source: "typed".into() }, 1),
        (|| Error::recoverable("typed"), 1),
    ];
    for (error, code) in cases {
        let registry = Registry::new();
        registry.insert(Arc::new(Fails(error)));
        let outcome = run(registry).await;
        assert_eq!(outcome.exit_code(), code, "{outcome}");
        assert_eq!(outcome.failures()[0].provider(), "Fails", "an empty name is filled");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_was_asked_before_the_boot_boots_nothing() {
    let log = Log::new();
    let (sender, signals) = Signals::channel();
    sender.send(Signal::Terminate);
    let registry = registry![fake::<A>("a", &log).runs(Fault::None)];
    let outcome = Runtime::new(registry, ()).signals(signals).inline().run().await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(outcome.cause(), &StopCause::Signal(Signal::Terminate));
    assert!(hooks(&log).is_empty() || hooks(&log) == ["boot a", "shutdown a"], "{:?}", log.lines());
}

#[tokio::test(start_paused = true)]
async fn a_dependent_starts_only_when_what_it_requires_is_ready() {
    let log = Log::new();
    let ready = log.clone();
    let registry = registry![
        fake::<A>("db", &log).ready_when(ReadyWhen::Signalled).run(move |cx| {
            let log = ready.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                log.push("db is ready");
                cx.ready();
                cx.shutdown_token().cancelled().await;
                Ok(())
            }
        }),
        // It has no task of its own: it passes the readiness on.
        fake::<B>("pool", &log).requires::<A>(),
        fake::<C>("api", &log).requires::<B>().runs_at_once(Fault::Error("seen enough")),
    ];
    let outcome = run(registry).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(log.position("db is ready").unwrap() < log.position("run api").unwrap(), "{:?}", log.lines());
}
