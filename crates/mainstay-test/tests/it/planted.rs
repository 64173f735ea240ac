//! Bugs that are planted one at a time, each of which the matrix finds and names: in the engine (between it and the
//! hooks, where it looks like the engine's), in what it says of itself, and in the daemon.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use mainstay_registry::{Phase, TaskFuture};
use mainstay_runtime::{Hook, HookCall, Intercept};
use mainstay_test::{LifecycleMatrix, MatrixReport, MatrixViolation};

use crate::sample::{Bug, sample};

/// The violation, and nobody else is accused.
#[track_caller]
fn names<'a>(report: &'a MatrixReport, invariant: &str, provider: &str, phase: &str) -> &'a MatrixViolation {
    let found = report.violations.iter().find(|violation| {
        violation.invariant == invariant
            && violation.provider.as_deref() == Some(provider)
            && violation.phase.as_deref() == Some(phase)
    });
    let found = found.unwrap_or_else(|| panic!("no {invariant} of '{provider}' in {phase}: {report}"));
    let alone = format!("MAINSTAY_MATRIX='{}' cargo test planted::", found.scenario);
    assert!(found.text.contains(&alone), "{}", found.text);
    found
}

/// An engine with a bug.
#[derive(Default)]
struct Engine {
    bug: EngineBug,
    failed: Arc<Mutex<BTreeSet<&'static str>>>,
    held: Arc<Mutex<Option<Hook>>>,
}

#[derive(Clone, Copy, Default)]
enum EngineBug {
    #[default]
    NoRollback,
    SkipsTheFailed,
    WrongOrder,
    Twice,
}

impl Intercept for Engine {
    fn hook(&self, call: &HookCall, hook: Hook) -> TaskFuture {
        let (failed, provider) = (Arc::clone(&self.failed), call.provider);
        match (call.phase, self.bug) {
            (Phase::Boot, _) => Box::pin(async move {
                let result = hook.call().await;
                if result.is_err() {
                    failed.lock().unwrap().insert(provider);
                }
                result
            }),
            (Phase::Shutdown, EngineBug::NoRollback) if !failed.lock().unwrap().is_empty() => {
                Box::pin(async { Ok(()) })
            }
            (Phase::Shutdown, EngineBug::SkipsTheFailed) if failed.lock().unwrap().contains(provider) => {
                Box::pin(async { Ok(()) })
            }
            // `cache` requires `pool`: its shutdown is put off until that of `pool` is over.
            (Phase::Shutdown, EngineBug::WrongOrder) if provider == "cache" => {
                *self.held.lock().unwrap() = Some(hook);
                Box::pin(async { Ok(()) })
            }
            (Phase::Shutdown, EngineBug::WrongOrder) if provider == "pool" => {
                let held = self.held.lock().unwrap().take();
                Box::pin(async move {
                    hook.call().await?;
                    match held {
                        Some(held) => held.call().await,
                        None => Ok(()),
                    }
                })
            }
            (Phase::Shutdown, EngineBug::Twice) if provider == "pool" => Box::pin(async move {
                hook.call().await?;
                hook.call().await
            }),
            _ => hook.call(),
        }
    }
}

/// Whoever is given a call of the matrix by name has to be on one line with it: the process that does the work finds it
/// by its place in the source.
fn engine(bug: EngineBug) -> impl Fn() -> Arc<dyn Intercept> + 'static {
    move || Arc::new(Engine { bug, ..Engine::default() })
}

#[test]
fn no_rollback() {
    let matrix = LifecycleMatrix::new(|| sample(Bug::None)).intercept(engine(EngineBug::NoRollback));
    let report = matrix.without_blocked_threads().find();
    let found = names(&report, "shutdown-missing", "lock", "shutdown");
    assert!(found.scenario.starts_with("boot/"), "{}", found.scenario);
}

#[test]
fn the_shutdown_of_the_failed_one_is_skipped() {
    let matrix = LifecycleMatrix::new(|| sample(Bug::None)).intercept(engine(EngineBug::SkipsTheFailed));
    let report = matrix.without_blocked_threads().find();
    let found = names(&report, "shutdown-missing", "pool", "shutdown");
    assert!(found.scenario.starts_with("boot/pool/error"), "{}", found.scenario);
    assert!(found.scenario.contains("+only="), "with what it requires and no more: {}", found.scenario);
}

#[test]
fn a_wrong_stop_order() {
    let matrix = LifecycleMatrix::new(|| sample(Bug::None)).intercept(engine(EngineBug::WrongOrder));
    let report = matrix.without_blocked_threads().find();
    let found = names(&report, "stop-order", "pool", "shutdown");
    assert!(found.text.contains("'cache' is gone before 'pool'"), "{}", found.text);
}

#[test]
fn a_double_shutdown() {
    let matrix = LifecycleMatrix::new(|| sample(Bug::None)).intercept(engine(EngineBug::Twice));
    let report = matrix.without_blocked_threads().find();
    let found = names(&report, "shutdown-twice", "pool", "shutdown");
    assert_eq!(found.scenario, "golden+only=settings,dns,pool");
}

#[test]
fn exit_code_0_after_a_failure() {
    let matrix = LifecycleMatrix::new(|| sample(Bug::None)).tamper(|seen| seen.code = 0);
    let report = matrix.without_blocked_threads().find();
    let found = names(&report, "exit-code", "lock", "boot");
    assert!(found.text.contains("exit code 75: boot lock ended it"), "{}", found.text);
}

#[test]
fn a_consequence_that_is_listed_before_its_cause() {
    let matrix = LifecycleMatrix::new(|| sample(Bug::None)).tamper(|seen| seen.failures.reverse());
    let report = matrix.without_blocked_threads().find();
    let found = names(&report, "cause-first", "pool", "boot");
    assert!(found.scenario.contains("error-and-panic"), "{}", found.scenario);
}

#[test]
fn a_consequence_that_is_printed_before_its_cause() {
    let matrix = LifecycleMatrix::new(|| sample(Bug::None)).tamper(|seen| {
        let mut lines: Vec<&str> = seen.report.lines().collect();
        lines.sort_by_key(|line| !line.contains("not booted"));
        seen.report = lines.join("\n");
    });
    let report = matrix.without_blocked_threads().find();
    let found = names(&report, "cause-first", "pool", "boot");
    assert!(found.text.contains("the report begins with:   not booted"), "{}", found.text);
}

#[test]
fn a_task_detached_in_boot() {
    let report = LifecycleMatrix::new(|| sample(Bug::DetachedTask)).without_blocked_threads().find();
    let found = names(&report, "lint", "dns", "boot");
    assert!(found.text.contains("MS0603"), "{}", found.text);
    assert_eq!(found.scenario, "golden+only=dns");
    names(&report, "task-left", "dns", "boot");
}

#[test]
fn a_task_that_outlives_the_task_that_made_it() {
    let report = LifecycleMatrix::new(|| sample(Bug::TaskOfATask)).without_blocked_threads().find();
    let found = names(&report, "task-left", "ticker", "run");
    assert_eq!(found.scenario, "golden+only=ticker");
}

#[test]
#[cfg(target_os = "linux")]
fn a_descriptor_kept() {
    let report = LifecycleMatrix::new(|| sample(Bug::KeptDescriptor)).without_blocked_threads().find();
    let found = names(&report, "fd-left", "pool", "boot");
    assert!(found.text.contains("-> /dev/zero"), "{}", found.text);
}

#[test]
fn a_lock_file_left() {
    let report = LifecycleMatrix::new(|| sample(Bug::LockLeft)).without_blocked_threads().find();
    let found = names(&report, "name-left", "lock", "boot");
    assert!(found.text.contains("sample.lock"), "{}", found.text);
    assert_eq!(found.scenario, "golden+only=lock");
}

#[test]
fn a_blocking_sleep_in_reload() {
    let matrix = LifecycleMatrix::new(|| sample(Bug::BlockingReload)).skip(Phase::Stop);
    let report = matrix.without_blocked_threads().find();
    let found = names(&report, "lint", "cache", "reload");
    assert!(found.text.contains("MS0604"), "{}", found.text);
}

#[test]
fn a_poll_that_a_busy_machine_has_held_up_is_none() {
    let matrix = LifecycleMatrix::new(|| sample(Bug::BusyMachine)).skip(Phase::Stop);
    let report = matrix.without_blocked_threads().find();
    assert!(report.violations.is_empty(), "{report}");
}

#[test]
fn a_publish_outside_of_the_transaction() {
    let report = LifecycleMatrix::new(|| sample(Bug::PublishOutside)).without_blocked_threads().find();
    let found = names(&report, "transaction", "settings", "reload");
    assert!(found.text.contains("MS0404"), "{}", found.text);
}

#[test]
fn a_readiness_that_never_comes() {
    let report = LifecycleMatrix::new(|| sample(Bug::NeverReady)).without_blocked_threads().find();
    let found = names(&report, "ready", "worker", "run");
    assert!(found.text.contains("did not say that it is ready"), "{}", found.text);
}

#[test]
fn a_shutdown_that_fails_the_second_time() {
    let report = LifecycleMatrix::new(|| sample(Bug::ShutdownOnce)).without_blocked_threads().find();
    let found = names(&report, "lint", "listener", "shutdown");
    assert!(found.text.contains("MS0606"), "{}", found.text);
}
