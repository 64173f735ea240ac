//! What does a reload of a thousand providers that do nothing cost, with the runtime live?
//!
//! Measured: from `Control::reload` to its report, over 1,000 reloadable providers of distinct types, first with hooks
//! that do nothing, then with hooks that publish one snapshot each; beside it the registry's own `reload_all`, which
//! knows no deadlines, no isolation and no transaction.
//!
//! Run: `cargo bench --manifest-path benches/Cargo.toml --bench reload`

use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_registry::{Provider, Registry, ReloadState, Reloadable, Result, async_trait};
use mainstay_runtime::{RunContext, Runtime, Signals, runnable};
use mainstay_sync::Snapshot;

/// What a reload of 1,000 may take.
const AIM: Duration = Duration::from_millis(5);

#[derive(Clone)]
struct State;

#[async_trait]
impl ReloadState for State {
    async fn reload(&self) -> Result<()> {
        Ok(())
    }
}

/// Reloadable; publishes when it has something to publish.
struct Part<const N: usize> {
    name: &'static str,
    value: Option<Snapshot<usize>>,
}

impl<const N: usize> Part<N> {
    fn new(publish: bool) -> Self {
        // A leak of a few bytes, in a program that ends.
        let name = Box::leak(format!("part{N}").into_boxed_str());
        Self { name, value: publish.then(|| Snapshot::new(0)) }
    }
}

impl<const N: usize> Provider<State> for Part<N> {
    fn as_reloadable(&self) -> Option<&dyn Reloadable<State>> {
        Some(self)
    }

    fn name(&self) -> &'static str {
        self.name
    }
}

#[async_trait]
impl<const N: usize> Reloadable<State> for Part<N> {
    async fn reload(&self, _state: &State) -> Result<()> {
        if let Some(value) = &self.value {
            value.publish(N);
        }
        Ok(())
    }
}

macro_rules! ten {
    ($registry:ident, $publish:ident, $base:expr) => {
        ten!(@ $registry, $publish, $base, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    };
    (@ $registry:ident, $publish:ident, $base:expr, $($n:literal),*) => {
        $( $registry.insert(Arc::new(Part::<{ $base + $n }>::new($publish))); )*
    };
}

macro_rules! hundred {
    ($registry:ident, $publish:ident, $base:expr) => {
        hundred!(@ $registry, $publish, $base, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90)
    };
    (@ $registry:ident, $publish:ident, $base:expr, $($n:literal),*) => {
        $( ten!($registry, $publish, $base + $n); )*
    };
}

macro_rules! thousand {
    ($registry:ident, $publish:ident, $($n:literal),*) => { $( hundred!($registry, $publish, $n); )* };
}

fn thousand(publish: bool) -> Registry<State> {
    let registry = Registry::new();
    thousand!(registry, publish, 0, 100, 200, 300, 400, 500, 600, 700, 800, 900);
    registry
}

async fn idle(_state: State, cx: RunContext) -> Result<()> {
    cx.shutdown_token().cancelled().await;
    Ok(())
}

fn main() {
    println!("what does a reload of a thousand providers that do nothing cost, with the runtime live?\n");
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let tokio = tokio.expect("a runtime can be built");
    let walk = tokio.block_on(async {
        let (registry, mut walks) = (thousand(false), Vec::new());
        for _ in 0..15 {
            let start = Instant::now();
            registry.reload_all(&State).await.expect("nothing fails");
            walks.push(start.elapsed().as_secs_f64());
        }
        median(&walks)
    });
    println!("  {:<44} {:7.2} ms", "the bare walk, nothing published", walk * 1e3);
    for (publish, what) in [(false, "nothing published"), (true, "1,000 snapshots published, one commit")] {
        let live = tokio.block_on(live(publish));
        let verdict = if live <= AIM.as_secs_f64() { "met" } else { "MISSED" };
        let aim = if publish { String::new() } else { format!("   [{verdict}: at most 5 ms]") };
        println!("  {:<44} {:7.2} ms{aim}", format!("the runtime's reload, {what}"), live * 1e3);
    }
}

async fn live(publish: bool) -> f64 {
    let registry = thousand(publish);
    registry.insert(Arc::new(runnable("idle", idle)));
    let running = Runtime::new(registry, State).signals(Signals::none()).reload_state().start().await;
    let running = running.expect("it starts");
    let mut reloads = Vec::new();
    for _ in 0..15 {
        let start = Instant::now();
        let report = running.control().reload().await.expect("it runs");
        reloads.push(start.elapsed().as_secs_f64());
        assert!(report.is_committed(), "nobody refuses");
    }
    median(&reloads)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
