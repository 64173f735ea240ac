//! The end of a registry: reverse order of the plan, everyone, whatever panics.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use mainstay_registry::{Dep, Dependencies, Provider, Registry, priority};

use crate::support::Log;

/// Says when it is dropped; `N` makes it several types.
struct Falling<const N: usize> {
    name: &'static str,
    level: u8,
    log: Log,
    panics: bool,
}

impl<const N: usize> Falling<N> {
    fn new(name: &'static str, level: u8, log: &Log) -> Arc<Self> {
        Arc::new(Falling { name, level, log: log.clone(), panics: false })
    }

    fn panicking(name: &'static str, log: &Log) -> Arc<Self> {
        Arc::new(Falling { name, level: priority::NORMAL, log: log.clone(), panics: true })
    }
}

impl<const N: usize> Drop for Falling<N> {
    fn drop(&mut self) {
        self.log.say(self.name);
        assert!(!self.panics, "{}", self.name);
    }
}

impl<const N: usize> Provider<()> for Falling<N> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn boot_priority(&self) -> Option<u8> {
        Some(self.level)
    }
}

/// Holds what it requires.
struct Holding {
    held: Dep<Falling<0>>,
    log: Log,
}

impl Provider<()> for Holding {
    fn name(&self) -> &'static str {
        "holding"
    }
    fn boot_priority(&self) -> Option<u8> {
        Some(priority::FIRST)
    }
    fn dependencies(&self) -> Dependencies<()> {
        Dependencies::new().dep(&self.held)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.log.say("holding");
    }
}

fn registry(log: &Log) -> Registry<()> {
    let registry = Registry::new();
    registry
        .insert_value(Falling::<5>::new("first value", 0, log))
        .insert(Falling::<0>::new("held", priority::LAST, log))
        .insert(Falling::<1>::new("late", priority::LATE, log))
        .insert(Arc::new(Holding { held: Dep::new(), log: log.clone() }))
        .insert_value(Falling::<6>::new("second value", 0, log))
        .insert(Falling::<2>::new("early", priority::EARLY, log));
    registry
}

const EXPECTED: [&str; 6] = ["late", "early", "holding", "held", "second value", "first value"];

#[test]
fn providers_are_dropped_in_reverse_order_of_the_plan_then_values() {
    let log = Log::default();
    let sealed = registry(&log);
    sealed.seal().unwrap();
    drop(sealed);
    assert_eq!(log.said(), EXPECTED);
}

#[test]
fn a_registry_that_was_never_planned_drops_in_reverse_order_of_registration() {
    let log = Log::default();
    drop(registry(&log));
    assert_eq!(log.said(), ["early", "holding", "late", "held", "second value", "first value"]);
}

#[test]
fn what_came_after_the_seal_is_dropped_first() {
    let log = Log::default();
    let sealed = registry(&log);
    sealed.seal().unwrap();
    sealed.insert(Falling::<3>::new("after", 0, &log)).insert(Falling::<4>::new("after all", 0, &log));
    drop(sealed);
    assert_eq!(log.said()[..3], ["after all", "after", "late"]);
}

#[test]
fn taken_apart_it_holds_nothing_more() {
    let log = Log::default();
    let taken = registry(&log);
    // Planned or not: this plans.
    let held = taken.into_reverse_plan_order();
    assert!(log.said().is_empty(), "nothing is dropped by taking apart");
    let names: Vec<_> = held.iter().map(|it| it.name).collect();
    assert_eq!(names, ["late", "early", "holding", "held", "Falling<6>", "Falling<5>"]);
    for one in held {
        assert_eq!(Arc::strong_count(&one.value), 1, "{}", one.name);
    }
    assert_eq!(log.said(), EXPECTED);
}

#[test]
fn a_dependency_goes_with_its_owner() {
    let log = Log::default();
    let sealed = registry(&log);
    sealed.seal().unwrap();
    let kept = sealed.resolve::<Falling<2>>().unwrap();
    for one in sealed.into_reverse_plan_order() {
        // Each is dropped before the next is looked at, so `holding` has let go of `held` by then.
        let others = Arc::strong_count(&one.value) - 1;
        assert_eq!(others, usize::from(one.name == "early"), "{}", one.name);
    }
    assert_eq!(log.said(), ["late", "holding", "held", "second value", "first value"]);
    drop(kept);
    assert_eq!(log.said(), ["early"], "dropped by its last holder");
}

#[test]
fn a_drop_that_panics_keeps_nobody_else_from_being_dropped() {
    let log = Log::default();
    let registry = Registry::<()>::new();
    registry
        .insert(Falling::<0>::new("a", priority::NORMAL, &log))
        .insert(Falling::<1>::panicking("b", &log))
        .insert(Falling::<2>::panicking("c", &log))
        .insert(Falling::<3>::new("d", priority::NORMAL, &log));
    registry.seal().unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| drop(registry))).unwrap_err();
    assert_eq!(payload.downcast_ref::<String>().unwrap(), "c", "the first panic goes on");
    assert_eq!(log.said(), ["d", "c", "b", "a"]);
}

#[test]
fn a_registry_may_be_dropped_while_its_thread_panics() {
    let log = Log::default();
    let inner = log.clone();
    let payload = catch_unwind(AssertUnwindSafe(move || {
        let registry = Registry::<()>::new();
        registry.insert(Falling::<0>::panicking("a", &inner)).insert(Falling::<1>::new("b", 0, &inner));
        panic!("the cause");
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"the cause"));
    assert_eq!(log.said(), ["b", "a"]);
}
