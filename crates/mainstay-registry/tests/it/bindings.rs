//! Bindings: traits, their casts, and the order of `resolve_all`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use mainstay_registry::{
    Dependencies, EdgeKind, PlanProblem, PlanWarning, Provider, Registry, codes, priority,
};

use crate::support::boot_order;

trait Store: Send + Sync {
    fn kind(&self) -> &'static str;
}

/// A store; `N` makes it several types.
struct Kept<const N: usize>(&'static str, u8);

impl<const N: usize> Store for Kept<N> {
    fn kind(&self) -> &'static str {
        self.0
    }
}

impl<const N: usize> Provider<()> for Kept<N> {
    fn name(&self) -> &'static str {
        self.0
    }
    fn boot_priority(&self) -> Option<u8> {
        Some(self.1)
    }
}

fn three() -> Registry<()> {
    let registry = Registry::new();
    registry
        .insert_value(Arc::new(Kept::<0>("value", 0)))
        .insert(Arc::new(Kept::<1>("late", priority::LATE)))
        .insert(Arc::new(Kept::<2>("early", priority::EARLY)))
        .bind::<dyn Store, Kept<1>>(|it| it)
        .bind::<dyn Store, Kept<0>>(|it| it)
        .bind::<dyn Store, Kept<2>>(|it| it);
    registry
}

fn kinds(registry: &Registry<()>) -> Vec<&'static str> {
    registry.resolve_all::<dyn Store>().iter().map(|it| it.kind()).collect()
}

#[test]
fn the_first_bound_is_resolved_and_is_the_same_allocation() {
    let registry = three();
    let store = registry.resolve_dyn::<dyn Store>().unwrap();
    assert_eq!(store.kind(), "late");
    assert!(std::ptr::addr_eq(&raw const *store, &raw const *registry.get::<Kept<1>>().unwrap()));
    assert!(registry.resolve_dyn::<dyn Send + Sync>().is_none());
}

#[test]
fn all_come_in_the_order_of_the_plan_then_values() {
    let registry = three();
    assert_eq!(kinds(&registry), ["early", "late", "value"], "before anything was planned");
    registry.insert(Arc::new(Kept::<3>("first", 0))).bind::<dyn Store, Kept<3>>(|it| it);
    assert_eq!(kinds(&registry), ["first", "early", "late", "value"], "planned again");
    registry.seal().unwrap();
    registry.insert(Arc::new(Kept::<4>("after", 0))).bind::<dyn Store, Kept<4>>(|it| it);
    assert_eq!(
        kinds(&registry),
        ["first", "early", "late", "after", "value"],
        "late ones come after the planned"
    );
}

#[test]
fn a_binding_may_come_before_its_type_and_registers_nothing() {
    let registry = Registry::<()>::new();
    registry.bind::<dyn Store, Kept<0>>(|it| it);
    assert!(registry.resolve_dyn::<dyn Store>().is_none());
    let plan = registry.plan().unwrap();
    assert!(matches!(plan.warnings(), [PlanWarning::Unregistered { .. }]));
    assert_eq!(plan.warnings()[0].code(), codes::UNREGISTERED_BINDING);
    registry.insert(Arc::new(Kept::<0>("disk", 0)));
    assert_eq!(kinds(&registry), ["disk"]);
    assert!(registry.plan().unwrap().warnings().is_empty());
}

#[test]
fn a_second_binding_of_one_type_is_skipped() {
    let registry = three();
    registry.bind::<dyn Store, Kept<1>>(|_| unreachable!("skipped"));
    assert_eq!(kinds(&registry).len(), 3);
}

#[test]
fn a_cast_that_panics_fails_its_own_look_up_and_nothing_else() {
    let registry = three();
    let armed = Arc::new(AtomicBool::new(true));
    let trigger = Arc::clone(&armed);
    registry.insert(Arc::new(Kept::<5>("bomb", 0))).bind::<dyn Store, Kept<5>>(move |it| {
        assert!(!trigger.load(Ordering::Relaxed), "cast");
        it
    });
    for _ in 0..2 {
        catch_unwind(AssertUnwindSafe(|| kinds(&registry))).unwrap_err();
    }
    assert_eq!(registry.resolve_dyn::<dyn Store>().unwrap().kind(), "late");
    registry.insert(Arc::new(Kept::<6>("next", 0))).bind::<dyn Store, Kept<6>>(|it| it);
    armed.store(false, Ordering::Relaxed);
    assert_eq!(kinds(&registry).len(), 5);
}

trait Cache: Send + Sync {
    fn behind(&self) -> &'static str;
}

struct Through(Arc<dyn Store>);
impl Cache for Through {
    fn behind(&self) -> &'static str {
        self.0.kind()
    }
}

#[test]
fn a_cast_may_resolve_another_capability_and_insert() {
    let registry = Arc::new(three());
    let inner = Arc::downgrade(&registry);
    registry.bind::<dyn Cache, Kept<1>>(move |_| {
        let registry = inner.upgrade().unwrap();
        registry.insert_value(Arc::new(3_u8));
        Arc::new(Through(registry.resolve_dyn::<dyn Store>().unwrap()))
    });
    assert_eq!(registry.resolve_dyn::<dyn Cache>().unwrap().behind(), "late");
    assert_eq!(registry.get::<u8>(), Some(&3));
}

/// Looks a trait up while it is asked what it declares.
struct Asking(std::sync::Weak<Registry<()>>);
impl Provider<()> for Asking {
    fn dependencies(&self) -> Dependencies<()> {
        let registry = self.0.upgrade().unwrap();
        let _ = registry.resolve_all::<dyn Store>();
        Dependencies::new()
    }
}

#[test]
fn a_look_up_from_within_a_plan_does_not_plan_again() {
    let registry = Arc::new(three());
    registry.insert(Arc::new(Asking(Arc::downgrade(&registry))));
    assert_eq!(registry.plan().unwrap().providers().len(), 3);
    assert_eq!(kinds(&registry).len(), 3);
}

/// Declares what it needs by trait.
struct Api(fn() -> Dependencies<()>, u8);
impl Provider<()> for Api {
    fn name(&self) -> &'static str {
        "api"
    }
    fn boot_priority(&self) -> Option<u8> {
        Some(self.1)
    }
    fn dependencies(&self) -> Dependencies<()> {
        (self.0)()
    }
}

impl Store for Api {
    fn kind(&self) -> &'static str {
        "api"
    }
}

#[test]
fn a_required_trait_orders_after_the_one_that_is_resolved() {
    let registry = three();
    registry.insert(Arc::new(Api(|| Dependencies::new().requires_dyn::<dyn Store>(), priority::FIRST)));
    assert_eq!(boot_order(&registry), ["late", "api", "early"]);
    let plan = registry.plan().unwrap();
    let edge = plan.providers()[1].edges()[0];
    assert_eq!((edge.to, edge.kind), (0, EdgeKind::Requires));
    assert_eq!(edge.through, Some("dyn it::bindings::Store"));
}

#[test]
fn a_plain_value_satisfies_a_required_trait_and_orders_nothing() {
    let registry = Registry::new();
    registry
        .insert_value(Arc::new(Kept::<0>("value", 0)))
        .bind::<dyn Store, Kept<0>>(|it| it)
        .insert(Arc::new(Api(|| Dependencies::new().requires_dyn::<dyn Store>(), 0)));
    assert!(registry.plan().unwrap().providers()[0].edges().is_empty());
}

#[test]
fn wanting_all_orders_after_all_others() {
    let registry = three();
    registry
        .insert(Arc::new(Api(|| Dependencies::new().wants_all::<dyn Store>(), priority::FIRST)))
        .bind::<dyn Store, Api>(|it| it);
    assert_eq!(boot_order(&registry), ["early", "late", "api"], "itself excepted");
    let alone = Registry::<()>::new();
    alone.insert(Arc::new(Api(|| Dependencies::new().wants_all::<dyn Store>(), 0)));
    let plan = alone.plan().unwrap();
    assert_eq!(plan.providers()[0].absent()[0].kind, EdgeKind::Wants);
}

#[test]
fn a_trait_that_nothing_is_bound_to_is_a_problem() {
    let registry = Registry::<()>::new();
    registry.insert(Arc::new(Api(|| Dependencies::new().requires_dyn::<dyn Store>(), 0)));
    let error = registry.plan().unwrap_err();
    assert_eq!(error.code(), codes::MISSING_BINDING);
    assert!(matches!(error.problems(), [PlanProblem::MissingBinding(_)]));
    registry.bind::<dyn Store, Kept<0>>(|it| it);
    let error = registry.plan().unwrap_err();
    assert!(error.to_string().contains("a binding does not register"), "{error}");
}

struct Below;
impl Provider<()> for Below {
    fn dependencies(&self) -> Dependencies<()> {
        Dependencies::new().requires::<Api>()
    }
}
impl Store for Below {
    fn kind(&self) -> &'static str {
        "below"
    }
}

#[test]
fn a_circle_through_a_binding_is_found() {
    for declared in [(|| Dependencies::new().requires_dyn::<dyn Store>()) as fn() -> Dependencies<()>, || {
        Dependencies::new().wants_all::<dyn Store>()
    }] {
        let registry = Registry::<()>::new();
        registry.insert(Arc::new(Api(declared, 0))).insert(Arc::new(Below)).bind::<dyn Store, Below>(|it| it);
        let error = registry.plan().unwrap_err();
        assert!(matches!(error.problems(), [PlanProblem::Cycle(_)]), "{error}");
        assert!(error.to_string().contains("as dyn Store"), "{error}");
    }
}
