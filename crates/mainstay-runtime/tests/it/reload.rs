//! Reload: in order, each hook isolated; who refuses is named, who requires it is skipped, the old values serve on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mainstay_registry::{Deadlines, Registry, ReloadState, Result, priority};
use mainstay_runtime::{EventKind, ReloadReport, ReloadResult, Runtime, Signals, runnable};
use mainstay_test::{Fault, Log};
use tokio::sync::mpsc;

use crate::registry;
use crate::support::{A, B, C, D, events, fake, paused};

/// The reports of the reloads, as they come.
fn reports(runtime: Runtime<()>) -> (Runtime<()>, mpsc::UnboundedReceiver<Arc<ReloadReport>>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let runtime = runtime.on_event(move |event| {
        if let EventKind::Reloaded(report) = &event.kind {
            sender.send(Arc::clone(report)).unwrap();
        }
    });
    (runtime, receiver)
}

fn lines(report: &ReloadReport) -> Vec<String> {
    let entries = report.entries.iter();
    entries
        .map(|(name, result)| match result {
            ReloadResult::Reloaded { .. } => format!("{name} reloaded"),
            ReloadResult::Refused(failure) => format!("{name} refused {}", failure.code().id),
            ReloadResult::Skipped { because } => format!("{name} skipped because of {because}"),
            _ => unreachable!(),
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn it_goes_by_reload_priority_and_the_plan() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).reload(Fault::None).runs(Fault::None),
        fake::<B>("b", &log).reload(Fault::None).reload_priority(priority::FIRST),
        fake::<C>("c", &log).reload(Fault::None).requires::<D>(),
        fake::<D>("d", &log).reload(Fault::Slow(Duration::from_secs(1))),
    ];
    let (runtime, mut reports) = reports(paused(registry));
    let running = runtime.start().await.unwrap();
    running.control().reload();
    let report = reports.recv().await.unwrap();
    assert!(report.is_committed());
    assert_eq!(lines(&report), ["b reloaded", "a reloaded", "d reloaded", "c reloaded"]);
    assert_eq!(report.took.as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_refusal_is_named_and_who_requires_a_refuser_is_skipped() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("settings", &log).reload(Fault::Error("http.yaml:7:13 unknown field")).runs(Fault::None),
        // Not reloadable itself: it passes the refusal on.
        fake::<B>("routes", &log).requires::<A>(),
        fake::<C>("http", &log).requires::<B>().reload(Fault::None),
        fake::<D>("stats", &log).reload(Fault::Panic("boom")),
    ];
    let (runtime, mut reports) = reports(paused(registry));
    let running = runtime.start().await.unwrap();
    running.control().reload();
    let report = reports.recv().await.unwrap();
    assert!(!report.is_committed());
    let mut said = lines(&report);
    said.sort();
    assert_eq!(said, ["http skipped because of settings", "settings refused MS0211", "stats refused MS0212"]);
    assert_eq!(log.count("reload http"), 0);
    running.control().shutdown("enough");
    assert_eq!(running.wait().await.exit_code(), 0, "a refused reload is no failure of the run");
}

#[tokio::test(start_paused = true)]
async fn a_reload_hook_past_its_deadline_is_a_refusal_and_the_next_one_is_asked() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log)
            .reload(Fault::Hang)
            .deadlines(Deadlines::new().reload(Duration::from_secs(2)))
            .runs(Fault::None),
        fake::<B>("b", &log).reload(Fault::None),
    ];
    let (runtime, mut reports) = reports(paused(registry));
    let running = runtime.start().await.unwrap();
    running.control().reload();
    let report = reports.recv().await.unwrap();
    assert_eq!(lines(&report), ["a refused MS0213", "b reloaded"]);
    // And the next reload works as if nothing had been.
    running.control().reload();
    assert_eq!(lines(&reports.recv().await.unwrap()).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn requests_during_a_reload_are_one_more_afterwards() {
    let log = Log::new();
    let registry =
        registry![fake::<A>("a", &log).reload(Fault::Slow(Duration::from_secs(1))).runs(Fault::None)];
    let (runtime, mut reports) = reports(paused(registry));
    let running = runtime.start().await.unwrap();
    let control = running.control();
    control.reload();
    log.wait_for("reload a").await;
    for _ in 0..10 {
        control.reload();
    }
    reports.recv().await.unwrap();
    reports.recv().await.unwrap();
    control.shutdown("enough");
    assert_eq!(running.wait().await.exit_code(), 0);
    assert_eq!(log.count("reload a"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_a_reload_gives_it_up() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        fake::<A>("a", &log).reload(Fault::Hang).runs(Fault::None),
        fake::<B>("b", &log).requires::<A>().reload(Fault::None),
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    let control = running.control();
    control.reload();
    log.wait_for("reload a").await;
    control.shutdown("enough");
    assert_eq!(running.wait().await.exit_code(), 0);
    assert_eq!(seen.count("reload aborted"), 1);
    assert_eq!(log.count("reload b"), 0);
    control.reload();
    assert_eq!(seen.count("reloading"), 1, "a reload after the end does nothing");
}

#[derive(Clone)]
struct State(Arc<AtomicBool>);

#[async_trait::async_trait]
impl ReloadState for State {
    async fn reload(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Ok(()) } else { Err(mainstay_registry::Error::msg("no file")) }
    }
}

#[tokio::test(start_paused = true)]
async fn the_states_own_reload_is_step_0_and_its_error_asks_nobody() {
    let log = Log::new();
    let registry: Registry<State> = Registry::new();
    registry.insert(Arc::new(mainstay_test::Fake::<A, State>::new("a", &log).reload(Fault::None)));
    registry.insert(Arc::new(runnable("job", async |_: State, cx: mainstay_runtime::RunContext| {
        cx.shutdown_token().cancelled().await;
        Ok(())
    })));
    let (sender, mut reports) = mpsc::unbounded_channel();
    let good = Arc::new(AtomicBool::new(false));
    let runtime = Runtime::new(registry, State(Arc::clone(&good)))
        .signals(Signals::none())
        .inline()
        .reload_state()
        .on_event(move |event| {
            if let EventKind::Reloaded(report) = &event.kind {
                sender.send(lines(report)).unwrap();
            }
        });
    let running = runtime.start().await.unwrap();
    running.control().reload();
    assert_eq!(reports.recv().await.unwrap(), ["state refused MS0211"]);
    assert_eq!(log.count("reload a"), 0);
    good.store(true, Ordering::Relaxed);
    running.control().reload();
    assert_eq!(reports.recv().await.unwrap(), ["state reloaded", "a reloaded"]);
}
