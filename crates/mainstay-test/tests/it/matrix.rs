//! The matrix: it passes on a daemon of ten providers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mainstay_registry::{Error, Phase, Provider, Registry, Result, Runnable, TaskFuture, async_trait};
use mainstay_runtime::{Runtime, task};
use mainstay_test::{LifecycleMatrix, MatrixReport, Program};

use crate::sample::{Bug, sample};

#[test]
fn a_daemon_of_ten_providers_passes_within_thirty_seconds() {
    #[allow(clippy::disallowed_methods, reason = "the promise is of the machine's clock")]
    let since = Instant::now();
    let report = LifecycleMatrix::new(|| sample(Bug::None)).find();
    let took = since.elapsed();
    assert!(report.violations.is_empty(), "{report}");
    assert!(report.scenarios > 300, "{}", report.scenarios);
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[test]
fn the_real_clock_has_the_same_scenarios() {
    let matrix = LifecycleMatrix::new(|| sample(Bug::None)).real_clock(Duration::from_millis(150));
    let report = matrix.skip(Phase::Stop).without_blocked_threads().find();
    assert!(report.violations.is_empty(), "{report}");
    assert!(report.scenarios > 150, "{}", report.scenarios);
}

#[allow(clippy::print_stdout, reason = "the next test reads it")]
/// Started by the next test, with `MAINSTAY_MATRIX`.
#[test]
fn some_of_it() {
    if std::env::var_os("MAINSTAY_MATRIX").is_some() {
        let MatrixReport { scenarios, violations, .. } =
            LifecycleMatrix::new(|| sample(Bug::LockLeft)).find();
        let names: Vec<&str> = violations.iter().map(|violation| violation.scenario.as_str()).collect();
        println!("{scenarios} scenarios: {names:?}");
    }
}

#[test]
fn one_scenario_can_be_run_alone() {
    let run = |filter: &str| {
        let program = Program::this().args(["matrix::some_of_it", "--exact", "--nocapture"]);
        program.env("MAINSTAY_MATRIX", filter).start().end().exits(0)
    };
    run("golden").prints(&["1 scenarios: [\"golden+only=lock\"]"]);
    run("boot/pool/panic").prints(&["1 scenarios: [\"boot/pool/panic+only=lock,settings,dns,pool\"]"]);
    run("boot/pool").prints(&["8 scenarios: "]);
    run("golden+only=dns").prints(&["1 scenarios: []"]);
    run("stop@3").prints(&["1 scenarios: "]);
    run("boot/nobody/panic").prints(&["0 scenarios: []"]);
}

/// A provider that fails by itself in every run but the fault-free one.
struct Fails {
    run: u32,
    phase: Phase,
    panics: bool,
}

impl Fails {
    fn now(&self, phase: Phase) -> Result<()> {
        if self.run == 0 || self.phase != phase {
            return Ok(());
        }
        assert!(!self.panics, "by itself");
        Err(Error::msg("by itself"))
    }
}

#[async_trait]
impl Provider<()> for Fails {
    fn validate(&self, (): &()) -> Result<()> {
        self.now(Phase::Validate)
    }
    async fn boot(&self, (): &()) -> Result<()> {
        self.now(Phase::Boot)
    }
    fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
        Some(self)
    }
}

impl Runnable<()> for Fails {
    fn run(&self, (): ()) -> TaskFuture {
        let fails = self.now(Phase::Run);
        task(move |cx| async move {
            fails?;
            cx.shutdown_token().cancelled().await;
            Ok(())
        })
    }
}

/// Of a failure that meets the stop in one step the engine hears second: the stop is asked for in the poll that fails.
#[test]
fn a_failure_of_the_daemons_own_that_meets_the_stop_is_judged_as_the_engine_heard_it() {
    for (phase, panics) in
        [Phase::Boot, Phase::Validate, Phase::Run].map(|phase| [(phase, false), (phase, true)]).concat()
    {
        let runs = AtomicU32::new(0);
        let daemon = || {
            let registry = Registry::new();
            registry.insert(Arc::new(Fails { run: runs.fetch_add(1, Ordering::Relaxed), phase, panics }));
            Runtime::new(registry, ())
        };
        // Only the stops: every one of their runs fails where it would have gone on.
        let skipped = [Phase::Boot, Phase::Validate, Phase::Run, Phase::Reload, Phase::Shutdown];
        let matrix = skipped.into_iter().fold(LifecycleMatrix::new(daemon), LifecycleMatrix::skip);
        let mut report = matrix.find();
        report.violations.retain(|violation| violation.scenario.starts_with("stop@"));
        assert!(report.violations.is_empty(), "{phase} {report}");
        assert!(report.scenarios > 5, "{}", report.scenarios);
    }
}
