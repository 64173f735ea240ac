//! The matrix: it passes on a daemon of ten providers.

use std::time::{Duration, Instant};

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
    let report = matrix.skip(mainstay_registry::Phase::Stop).without_blocked_threads().find();
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
