//! The registry's own walk where it goes beyond the contract's test: edges, impossible plans, re-entrance.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use mainstay_registry::{
    Error, PlanError, Provider, Registry, Result, StdError, async_trait, codes, priority,
};
use tokio::task::JoinSet;

use crate::support::{Log, Node, Spec, insert, nodes};

fn plan_error(error: &Error) -> &PlanError {
    match error {
        Error::Other(source) => source.downcast_ref().unwrap(),
        other => panic!("not `Other`: {other:?}"),
    }
}

#[tokio::test]
async fn declared_edges_refine_every_order_alike() {
    let registry = nodes([Spec::new("a").requires(2), Spec::new("b"), Spec::new("c").at(priority::LAST)]);
    let log = Log::default();
    registry.boot_all(&log).await.unwrap();
    assert_eq!(log.said(), ["boot b", "boot c", "boot a"]);
    registry.validate_all(&log).unwrap();
    assert_eq!(log.said(), ["validate b", "validate c", "validate a"]);
    registry.run_all(log.clone(), &mut JoinSet::new());
    assert_eq!(log.said(), ["run b", "run c", "run a"]);
    registry.reload_all(&log).await.unwrap();
    assert_eq!(log.said(), ["reload state", "reload b", "reload c", "reload a"]);
    registry.shutdown_all(&log).await.unwrap();
    assert_eq!(log.said(), ["shutdown a", "shutdown c", "shutdown b"]);
}

#[tokio::test]
async fn where_no_plan_is_possible_no_hook_of_boot_validate_or_reload_is_called() {
    let registry = nodes([Spec::new("a").requires(1), Spec::new("b").requires(0), Spec::new("c")]);
    let log = Log::default();
    let errors = [
        registry.boot_all(&log).await.unwrap_err(),
        registry.validate_all(&log).unwrap_err(),
        registry.reload_one("c", &log).await.unwrap_err(),
        registry.reload_all(&log).await.unwrap_err(),
    ];
    for error in &errors {
        assert_eq!(plan_error(error).code(), codes::CYCLE);
    }
    assert!(log.said().is_empty());
}

#[tokio::test]
async fn where_no_plan_is_possible_run_and_shutdown_go_by_priority_and_name() {
    let mut first = Spec::new("z").requires(1).at(priority::FIRST);
    first.run = Some(priority::LAST);
    let registry = nodes([first, Spec::new("b").requires(0), Spec::new("c").requires(9), Spec::new("a")]);
    let log = Log::default();
    assert_eq!(registry.run_all(log.clone(), &mut JoinSet::new()), 4);
    assert_eq!(log.said(), ["run a", "run b", "run c", "run z"]);
    registry.shutdown_all(&log).await.unwrap();
    assert_eq!(log.said(), ["shutdown c", "shutdown b", "shutdown a", "shutdown z"]);
}

#[tokio::test]
async fn boot_does_not_roll_back_and_shutdown_visits_everyone() {
    let registry = nodes([Spec::new("a"), Spec::new("b").failing("boot"), Spec::new("c")]);
    let log = Log::default();
    registry.boot_all(&log).await.unwrap_err();
    assert_eq!(log.said(), ["boot a", "boot b"]);
    registry.shutdown_all(&log).await.unwrap();
    assert_eq!(log.said(), ["shutdown c", "shutdown b", "shutdown a"]);
}

#[tokio::test]
async fn one_failing_reload_does_not_keep_its_dependents_from_reloading() {
    let registry = nodes([Spec::new("a").failing("reload"), Spec::new("b").requires(0)]);
    let log = Log::default();
    registry.reload_all(&log).await.unwrap();
    assert_eq!(log.said(), ["reload state", "reload a", "reload b"]);
}

#[derive(Clone)]
struct App {
    registry: Arc<Registry<App>>,
    booted: Arc<AtomicUsize>,
}

struct Outer;
struct Inner;

#[async_trait]
impl Provider<App> for Outer {
    async fn boot(&self, app: &App) -> Result<()> {
        app.booted.fetch_add(1, Ordering::Relaxed);
        app.registry.insert(Arc::new(Inner));
        assert!(app.registry.get::<Inner>().is_some(), "found at once");
        assert_eq!(app.registry.providers().len(), 2);
        Ok(())
    }
}

#[async_trait]
impl Provider<App> for Inner {
    async fn boot(&self, app: &App) -> Result<()> {
        app.booted.fetch_add(10, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test]
async fn an_insert_from_within_a_hook_is_stored_and_takes_part_in_the_next_walk() {
    let app = App { registry: Arc::new(Registry::new()), booted: Arc::default() };
    app.registry.insert(Arc::new(Outer));
    app.registry.boot_all(&app).await.unwrap();
    assert_eq!(app.booted.swap(0, Ordering::Relaxed), 1);
    app.registry.boot_all(&app).await.unwrap();
    assert_eq!(app.booted.load(Ordering::Relaxed), 11);
}

#[tokio::test]
async fn what_comes_after_the_seal_takes_no_part_and_can_be_resolved() {
    let registry = nodes([Spec::new("a"), Spec::new("b")]);
    let plan = registry.seal().unwrap();
    assert_eq!(plan.providers().len(), 2);
    insert(&registry, 2, Spec::new("late"));
    assert!(registry.get::<Node<2>>().is_some());
    assert_eq!(registry.list_names(), ["a", "b", "late"]);
    assert_eq!(registry.plan().unwrap().providers().len(), 2);
    let log = Log::default();
    registry.boot_all(&log).await.unwrap();
    assert_eq!(log.said(), ["boot a", "boot b"]);
    assert_eq!(registry.seal().unwrap(), plan, "sealing again changes nothing");
}

#[test]
fn a_registry_without_a_plan_stays_open() {
    let registry = nodes([Spec::new("a").requires(1)]);
    registry.seal().unwrap_err();
    registry.try_insert(Arc::new(Node::<1> { spec: Spec::new("b") })).unwrap();
    assert_eq!(registry.seal().unwrap().providers().len(), 2);
}

#[tokio::test]
async fn an_error_keeps_its_cause_on_the_way_out() {
    let registry = nodes([Spec::new("a").failing("boot")]);
    let error: StdError = registry.boot_all(&Log::default()).await.unwrap_err().into_std();
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "no boot");
}
