//! A task knows until when it is waited for, and the runtime keeps to what it said.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainstay_registry::{Deadlines, RestartPolicy, Runnable as _};
use mainstay_runtime::{RunContext, task};
use mainstay_test::{Fault, Log};
use tokio::time::Instant;

use crate::registry;
use crate::support::{A, B, fake, paused};

const SECOND: Duration = Duration::from_secs(1);

/// What was told, by name, as the time from an instant.
#[derive(Clone)]
struct Told(Arc<Mutex<Vec<Line>>>, Instant);

type Line = (&'static str, Option<Duration>);

impl Told {
    fn new() -> Self {
        Self(Arc::default(), Instant::now())
    }

    fn says(&self, who: &'static str, cx: &RunContext) {
        let left = cx.stop_deadline().map(|at| at.saturating_duration_since(self.1));
        self.0.lock().unwrap().push((who, left));
    }

    fn all(&self) -> Vec<Line> {
        self.0.lock().unwrap().clone()
    }

    /// A task that says it before it is asked and when it is, and never ends.
    fn hangs(&self, name: &'static str) -> impl Fn(RunContext) -> BoxFuture + Send + Sync + 'static {
        let told = self.clone();
        move |cx| {
            let told = told.clone();
            Box::pin(async move {
                told.says(name, &cx);
                cx.shutdown_token().cancelled().await;
                told.says(name, &cx);
                pending().await
            })
        }
    }
}

type BoxFuture = std::pin::Pin<Box<dyn Future<Output = mainstay_registry::Result<()>> + Send>>;

#[tokio::test(start_paused = true)]
async fn it_is_none_until_the_stop_is_asked_and_then_the_stop_deadline() {
    let (log, told) = (Log::new(), Told::new());
    let a = fake::<A>("a", &log).deadlines(Deadlines::new().stop(3 * SECOND)).run(told.hangs("a"));
    let running = paused(registry![a]).start().await.unwrap();
    running.control().shutdown("enough");
    let outcome = running.wait().await;
    assert_eq!(told.all(), [("a", None), ("a", Some(3 * SECOND))]);
    // And then it is cut: that is the grace.
    assert_eq!(outcome.stop_took(), 3 * SECOND + Duration::from_millis(100), "{outcome}");
}

/// Of 4 s the hooks keep 2: the first has 4 - 2, the second 4 - 1, although each may take 10 s.
#[tokio::test(start_paused = true)]
async fn it_is_no_later_than_the_share_of_the_budget() {
    let (log, told) = (Log::new(), Told::new());
    let deadlines = Deadlines::new().stop(10 * SECOND);
    let registry = registry![
        fake::<A>("below", &log).deadlines(deadlines).run(told.hangs("below")),
        fake::<B>("above", &log).requires::<A>().deadlines(deadlines).run(told.hangs("above")),
    ];
    let runtime = paused(registry).stop_budget(4 * SECOND).stop_reserve(2 * SECOND);
    let running = runtime.start().await.unwrap();
    running.control().shutdown("enough");
    let outcome = running.wait().await;
    let asked: Vec<_> = told.all().into_iter().filter(|(_, at)| at.is_some()).collect();
    assert_eq!(asked, [("above", Some(2 * SECOND)), ("below", Some(3 * SECOND))]);
    assert_eq!(outcome.exit_code(), 124, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_child_has_that_of_what_it_ends_with_and_one_that_is_stopped_alone_its_own() {
    let (log, told) = (Log::new(), Told::new());
    let theirs = told.clone();
    let registry = registry![fake::<A>("a", &log).run(move |cx: RunContext| {
        let told = theirs.clone();
        async move {
            cx.spawn("child", told.hangs("child")(cx.clone()));
            let policy = RestartPolicy::never();
            let alone = cx.supervise("alone", policy, told.hangs("alone")).unwrap();
            let inner = told.clone();
            cx.supervise("outer", policy, move |cx| {
                cx.supervise("inner", policy, inner.hangs("inner")).unwrap();
                inner.hangs("outer")(cx)
            })
            .unwrap();
            tokio::time::sleep(SECOND).await;
            alone.stop().await.unwrap();
            tokio::time::sleep(SECOND).await;
            cx.shutdown_token().cancelled().await;
            Ok(())
        }
    })];
    let running = paused(registry).start().await.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    running.control().shutdown("enough");
    let _ = running.wait().await;
    let mut asked: Vec<_> = told.all().into_iter().filter_map(|(who, at)| Some((who, at?))).collect();
    asked.sort_unstable();
    let end = 15 * SECOND;
    assert_eq!(asked, [("alone", 6 * SECOND), ("child", end), ("inner", end), ("outer", end)]);
}

#[tokio::test(start_paused = true)]
async fn who_is_stopped_by_hand_has_the_time_of_that_order_and_children_of_an_end_the_stop_deadline() {
    let (log, told) = (Log::new(), Told::new());
    let theirs = told.clone();
    let registry = registry![
        fake::<A>("a", &log).run(told.hangs("a")),
        fake::<B>("b", &log).run(move |cx: RunContext| {
            cx.spawn("left", theirs.hangs("left")(cx.clone()));
            async { Ok(()) }
        }),
    ];
    let running = paused(registry).start().await.unwrap();
    tokio::time::sleep(2 * SECOND).await;
    running.control().stop("a").await.unwrap();
    running.control().shutdown("enough");
    let _ = running.wait().await;
    let asked: Vec<_> = told.all().into_iter().filter_map(|(who, at)| Some((who, at?))).collect();
    // The child was asked before its first poll.
    assert_eq!(asked, [("left", 5 * SECOND), ("left", 5 * SECOND), ("a", 7 * SECOND)]);
}

#[tokio::test(start_paused = true)]
async fn it_has_passed_when_the_generation_is_over_and_there_is_none_outside_of_a_runtime() {
    let (log, kept) = (Log::new(), Arc::new(Mutex::new(None)));
    let keep = Arc::clone(&kept);
    let a = fake::<A>("a", &log).run(move |cx: RunContext| {
        *keep.lock().unwrap() = Some(cx);
        async { Ok(()) }
    });
    let _ = paused(registry![a, fake::<B>("b", &log).runs_at_once(Fault::Slow(SECOND))]).run().await;
    let cx: RunContext = kept.lock().unwrap().take().unwrap();
    assert!(cx.stop_deadline().is_some_and(|at| at <= Instant::now()));

    struct Bare;
    impl mainstay_registry::Runnable<()> for Bare {
        fn run(&self, (): ()) -> mainstay_registry::TaskFuture {
            task(|cx: RunContext| async move {
                assert_eq!(cx.stop_deadline(), None);
                Ok(())
            })
        }
    }
    Bare.run(()).await.unwrap();
}
