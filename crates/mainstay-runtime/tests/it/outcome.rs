//! The outcome: what it says, as a person reads it, and what leaves nothing behind.

use std::sync::{Arc, Weak};

use mainstay_registry::{Error, Provider, Registry, Result};
use mainstay_runtime::{Runtime, Signals, StopCause};
use mainstay_test::{Fault, Log};

use crate::registry;
use crate::support::{A, B, C, fake, paused, run};

#[derive(Debug)]
struct Refused;
impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot reach 10.0.0.5:5432")
    }
}
impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&Os)
    }
}
#[derive(Debug)]
struct Os;
impl std::fmt::Display for Os {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connection refused (os error 111)")
    }
}
impl std::error::Error for Os {}

#[tokio::test(start_paused = true)]
async fn the_report_of_a_failed_boot_is_one_that_a_stranger_can_act_on() {
    struct Db;
    #[async_trait::async_trait]
    impl Provider<()> for Db {
        fn name(&self) -> &'static str {
            "db"
        }
        async fn boot(&self, (): &()) -> Result<()> {
            Err(Refused)?;
            Ok(())
        }
    }
    let log = Log::new();
    let registry = registry![fake::<A>("log", &log).boot_priority(0), Db];
    struct Api;
    impl Provider<()> for Api {
        fn name(&self) -> &'static str {
            "api"
        }
        fn dependencies(&self) -> mainstay_registry::Dependencies<()> {
            mainstay_registry::Dependencies::new().requires::<Db>()
        }
    }
    registry.insert(Arc::new(Api));
    let outcome = run(registry).await;
    let report = outcome.to_string();
    let site = report.lines().find(|line| line.contains("registered")).unwrap().to_owned();
    assert!(site.contains("outcome.rs:"), "{site}");
    assert_eq!(
        report.replace(&site, "  registered  SITE"),
        "error[MS0201]: provider 'db' failed during boot: cannot reach 10.0.0.5:5432\n  \
         caused by   connection refused (os error 111)\n  \
         registered  SITE\n  \
         not booted  'api' because 'db' failed\n  \
         rolled back db, log in 0 us\n\
         rolled back · hooks 2/2 · 0 us of 10 s · exit 75"
    );
}

#[tokio::test(start_paused = true)]
async fn a_clean_stop_is_not_worth_a_report_and_its_last_line_says_all() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).runs(Fault::None), fake::<B>("b", &log)];
    let running = paused(registry).start().await.unwrap();
    running.control().shutdown("enough");
    let outcome = running.wait().await;
    assert!(!outcome.is_worth_a_report());
    assert_eq!(outcome.to_string(), "stopped by request (enough) · hooks 2/2 · 0 us of 25 s · exit 0");
    assert!(outcome.into_result().is_ok());
}

#[tokio::test(start_paused = true)]
async fn as_an_error_it_is_the_report() {
    let log = Log::new();
    let outcome = run(registry![fake::<A>("a", &log).boot(Fault::Error("no"))]).await;
    assert_eq!(outcome.cause(), &StopCause::Failed);
    let report = outcome.to_string();
    let error: Box<dyn std::error::Error + Send + Sync> = outcome.into_result().unwrap_err().into();
    assert_eq!(error.to_string(), report);
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_own_text_panics_is_still_a_failure_with_a_name() {
    #[derive(Debug)]
    struct Unprintable;
    impl std::fmt::Display for Unprintable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no words")
        }
    }
    impl std::error::Error for Unprintable {}
    struct Bad;
    #[async_trait::async_trait]
    impl Provider<()> for Bad {
        async fn boot(&self, (): &()) -> Result<()> {
            Err(Error::from(Unprintable))
        }
    }
    let outcome = run(registry![Bad]).await;
    assert_eq!(outcome.exit_code(), 75);
    assert!(
        outcome.to_string().contains("'Bad' failed during boot: an error whose own text panicked: no words")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_leaves_nothing_behind() {
    for inline in [true, false] {
        let log = Log::new();
        let state = Arc::new(());
        let registry: Registry<Arc<()>> = Registry::new();
        registry
            .insert(Arc::new(mainstay_test::Fake::<A, Arc<()>>::new("a", &log).runs_at_once(Fault::None)));
        registry.insert(Arc::new(
            mainstay_test::Fake::<B, Arc<()>>::new("b", &log)
                .requires::<A>()
                .runs_at_once(Fault::Error("no")),
        ));
        let registry = Arc::new(registry);
        let weak: Weak<Registry<Arc<()>>> = Arc::downgrade(&registry);
        let runtime = Runtime::new(registry, Arc::clone(&state)).signals(Signals::none());
        let runtime = if inline { runtime.inline() } else { runtime };
        let outcome = runtime.run().await;
        assert_eq!(outcome.exit_code(), 1);
        assert_eq!(weak.strong_count(), 0, "the registry is gone");
        assert_eq!(Arc::strong_count(&state), 1, "every clone of the state is gone");
        assert_eq!(log.lines()[log.lines().len() - 2..], ["drop b", "drop a"], "in reverse order");
        assert!(outcome.held().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_still_held_from_outside_is_named_and_dropped_by_its_last_holder() {
    let log = Log::new();
    let kept = Arc::new(fake::<A>("kept", &log));
    let registry: Registry<()> = Registry::new();
    registry.insert(Arc::clone(&kept)).insert(Arc::new(fake::<B>("other", &log)));
    let outcome = run(registry).await;
    assert_eq!(outcome.held(), ["kept"]);
    assert!(outcome.to_string().contains("held        'kept'"), "{outcome}");
    assert_eq!((log.count("drop kept"), log.count("drop other")), (0, 1));
    drop(kept);
    assert_eq!(log.count("drop kept"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_somebody_keeps_can_be_run_again() {
    let log = Log::new();
    let registry = Arc::new(registry![fake::<A>("a", &log).runs_at_once(Fault::None), fake::<C>("c", &log)]);
    for _ in 0..2 {
        assert_eq!(paused(Arc::clone(&registry)).run().await.exit_code(), 0);
        let lines = log.take();
        assert_eq!(
            lines,
            ["boot a", "boot c", "validate a", "validate c", "run a", "end a", "shutdown c", "shutdown a"]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_is_released_in_a_task_also_when_the_plan_is_refused() {
    struct Fragile(Log);
    impl Drop for Fragile {
        fn drop(&mut self) {
            self.0.push(std::thread::current().name().unwrap_or_default());
            panic!("a state that must not be dropped on the supervision thread");
        }
    }
    let (log, given) = (Log::new(), Log::new());
    let registry: Registry<Arc<Fragile>> = Registry::new();
    registry.insert(Arc::new(mainstay_test::Fake::<A, Arc<Fragile>>::new("a", &log).requires::<B>()));
    let later = Fragile(given.clone());
    let outcome = Runtime::new(registry, Arc::new(Fragile(given.clone())))
        .signals(Signals::none())
        .shutdown_on(async move {
            std::future::pending::<()>().await;
            drop(later);
        })
        .run()
        .await;
    assert_eq!(outcome.exit_code(), 78);
    // The one in the future goes in its own task, as soon as a worker gets there.
    while given.lines().len() < 2 {
        tokio::task::yield_now().await;
    }
    // On a busy machine the task may be starved, and rescued.
    let fine = |thread: &String| thread == "tokio-rt-worker" || thread == "mainstay-rescue";
    assert!(given.lines().iter().all(fine), "{:?}", given.lines());
}
