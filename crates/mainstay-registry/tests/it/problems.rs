//! Plans that are not possible: all problems at once, in words that a stranger can act on.

use std::sync::Arc;

use expect_test::{Expect, expect};
use mainstay_registry::{
    Dependencies, EdgeKind, NearKind, PlanError, PlanProblem, Provider, Registry, codes, priority,
};

use crate::support::{Log, Node, Spec, insert, nodes, without_lines};

fn error(registry: &Registry<Log>) -> PlanError {
    registry.plan().unwrap_err()
}

#[allow(clippy::needless_pass_by_value, reason = "as `expect!` makes it")]
fn check(registry: &Registry<Log>, expected: Expect) {
    let mut text = without_lines(&error(registry).to_string());
    text.push('\n');
    expected.assert_eq(&text);
}

mod here {
    pub(crate) struct Pool;
    pub(crate) struct Pools;
}

mod there {
    pub(crate) struct Pool;
}

impl Provider<Log> for here::Pool {}
impl Provider<Log> for here::Pools {}
impl Provider<Log> for there::Pool {}

/// Requires the pool.
struct Http;
impl Provider<Log> for Http {
    fn name(&self) -> &'static str {
        "http"
    }
    fn dependencies(&self) -> Dependencies<Log> {
        Dependencies::new().requires::<here::Pool>()
    }
}

/// Requires what requires the pool.
struct Web;
impl Provider<Log> for Web {
    fn name(&self) -> &'static str {
        "web"
    }
    fn dependencies(&self) -> Dependencies<Log> {
        Dependencies::new().requires::<Http>()
    }
}

fn kinds(problem: &PlanProblem) -> Vec<NearKind> {
    match problem {
        PlanProblem::Missing(missing) | PlanProblem::MissingBinding(missing) => {
            missing.near.iter().map(|it| it.kind).collect()
        }
        other => panic!("nothing is missing: {other:?}"),
    }
}

#[test]
fn a_missing_requirement_names_who_needs_it_where_and_the_line_to_add() {
    let registry = Registry::<Log>::new();
    registry.insert(Arc::new(Http));
    check(
        &registry,
        expect![[r#"
            MS0101: 'http' requires `Pool`, which is not registered
              missing       it::problems::here::Pool
              required by   'http', registered at problems.rs:#, declared at problems.rs:#
              add           registry.insert(Arc::new(/* it::problems::here::Pool */));
              or            declare it with `wants` instead, if it can be done without

            1 problem; read more in docs/errors: MS0101
            nothing was started
        "#]],
    );
}

#[test]
fn the_chain_from_a_root_is_named_and_what_comes_near() {
    let registry = Registry::<Log>::new();
    registry
        .insert(Arc::new(Http))
        .insert(Arc::new(Web))
        .insert(Arc::new(there::Pool))
        .insert(Arc::new(here::Pools))
        .insert_value(Arc::new(std::sync::Mutex::new(Vec::<here::Pool>::new())));
    check(
        &registry,
        expect![[r#"
            MS0101: 'http' requires `Pool`, which is not registered
              missing       it::problems::here::Pool
              required by   'http', registered at problems.rs:#, declared at problems.rs:#
                            pulled in by 'web' (problems.rs:#) > 'http'
              near          `it::problems::there::Pool`, of the same short name, is registered at problems.rs:#
                            `std::sync::poison::mutex::Mutex<alloc::vec::Vec<it::problems::here::Pool>>` is registered at problems.rs:#: register what it wraps, not the wrapper
                            `it::problems::here::Pools`, of a similar name, is registered at problems.rs:#
              add           registry.insert(Arc::new(/* it::problems::here::Pool */));
              or            declare it with `wants` instead, if it can be done without

            1 problem; read more in docs/errors: MS0101
            nothing was started
        "#]],
    );
}

#[test]
fn a_type_that_is_a_plain_value_is_not_a_provider() {
    let registry = Registry::<Log>::new();
    registry.insert(Arc::new(Http)).insert_value(Arc::new(here::Pool));
    assert_eq!(kinds(&error(&registry).problems()[0]), [NearKind::PlainValue]);
    check(
        &registry,
        expect![[r#"
            MS0101: 'http' requires `Pool`, which is not registered
              missing       it::problems::here::Pool
              required by   'http', registered at problems.rs:#, declared at problems.rs:#
              near          `it::problems::here::Pool` is registered at problems.rs:#, but as a plain value: use `insert`, so that it is booted
              change        `insert_value` into `insert`, at problems.rs:#
              or            declare it with `wants` instead, if it can be done without

            1 problem; read more in docs/errors: MS0101
            nothing was started
        "#]],
    );
}

#[test]
fn a_type_that_is_bound_is_not_registered_by_that() {
    let registry = Registry::<Log>::new();
    registry.insert(Arc::new(Http)).bind::<dyn Send + Sync, here::Pool>(|it| it);
    let kinds = kinds(&error(&registry).problems()[0]);
    assert!(matches!(kinds[..], [NearKind::BoundOnly(_)]), "{kinds:?}");
}

trait Pool: Send + Sync {}
impl Pool for here::Pools {}

#[test]
fn a_trait_of_that_name_comes_near() {
    let registry = Registry::<Log>::new();
    registry.insert(Arc::new(Http)).insert(Arc::new(here::Pools)).bind::<dyn Pool, here::Pools>(|it| it);
    let kinds = kinds(&error(&registry).problems()[0]);
    assert!(matches!(kinds[..], [NearKind::Bound(_), NearKind::Similar]), "{kinds:?}");
}

#[test]
fn a_missing_binding_names_the_trait_and_the_line_to_add() {
    struct Api;
    impl Provider<Log> for Api {
        fn dependencies(&self) -> Dependencies<Log> {
            Dependencies::new().requires_dyn::<dyn Pool>()
        }
    }
    let registry = Registry::<Log>::new();
    registry.insert(Arc::new(Api)).insert(Arc::new(here::Pool));
    check(
        &registry,
        expect![[r#"
            MS0103: 'Api' requires `dyn Pool`, to which nothing registered is bound
              missing       dyn it::problems::Pool
              required by   'Api', registered at problems.rs:#, declared at problems.rs:#
              near          `it::problems::here::Pool`, of the same short name, is registered at problems.rs:#
              add           registry.bind::<dyn it::problems::Pool, /* a registered type */>(|it| it);
              or            declare it with `wants_all` instead, if it can be done without

            1 problem; read more in docs/errors: MS0103
            nothing was started
        "#]],
    );
}

#[test]
fn several_who_require_one_thing_are_one_problem() {
    let registry =
        nodes([Spec::new("a").requires(9), Spec::new("b").requires(9), Spec::new("c").requires(0)]);
    let error = error(&registry);
    let [PlanProblem::Missing(missing)] = error.problems() else { panic!("{error}") };
    let by: Vec<_> = missing.required_by.iter().map(|it| (it.name, it.pulled_in_by.len())).collect();
    assert_eq!(by, [("a", 1), ("b", 0)]);
}

#[test]
fn a_circle_names_its_members_in_order_and_nobody_else() {
    let registry = nodes([
        Spec::new("needs the circle").requires(1),
        Spec::new("a").requires(2),
        Spec::new("b").wants(3),
        Spec::new("c").requires(1).requires(4),
        Spec::new("needed by the circle"),
    ]);
    let found = error(&registry);
    let [PlanProblem::Cycle(cycle)] = found.problems() else { panic!("{found}") };
    let steps: Vec<_> = cycle.steps.iter().map(|it| (it.from, it.kind, it.to)).collect();
    assert_eq!(
        steps,
        [("a", EdgeKind::Requires, "b"), ("b", EdgeKind::Wants, "c"), ("c", EdgeKind::Requires, "a")]
    );
    assert_eq!(cycle.cut, 1, "the wish is the cheapest");
    check(
        &registry,
        expect![[r#"
            MS0102: 3 providers need each other in a circle
              'a'  requires 'b'  support.rs:#
              'b'  wants    'c'  support.rs:#
              'c'  requires 'a'  support.rs:#
              cut           'b' wants 'c' (support.rs:#): a wish is the cheapest edge to do without

            1 problem; read more in docs/errors: MS0102
            nothing was started
        "#]],
    );
}

#[test]
fn of_requirements_alone_the_one_against_the_numbers_is_cut() {
    let registry = nodes([
        Spec::new("a").requires(1).at(priority::EARLY),
        Spec::new("b").requires(0).at(priority::LATE),
    ]);
    check(
        &registry,
        expect![[r#"
            MS0102: 2 providers need each other in a circle
              'a'  requires 'b'  support.rs:#
              'b'  requires 'a'  support.rs:#
              cut           'a' requires 'b' (support.rs:#): look `Node<1>` up when it is used, with `require`, instead of declaring it

            1 problem; read more in docs/errors: MS0102
            nothing was started
        "#]],
    );
}

#[test]
fn one_that_needs_itself_is_a_circle() {
    check(
        &nodes([Spec::new("a").requires(0)]),
        expect![[r#"
            MS0102: 'a' needs itself
              'a'  requires 'a'  support.rs:#
              cut           'a' requires 'a' (support.rs:#): a provider has itself without declaring it

            1 problem; read more in docs/errors: MS0102
            nothing was started
        "#]],
    );
}

/// Panics in one of its methods.
struct Faulty(&'static str);
impl Provider<Log> for Faulty {
    fn boot_priority(&self) -> Option<u8> {
        assert_ne!(self.0, "boot_priority", "boom");
        None
    }
    fn dependencies(&self) -> Dependencies<Log> {
        assert!(self.0 != "dependencies", "boom {}", 1);
        Dependencies::new()
    }
}

#[test]
fn a_provider_that_panics_while_it_is_planned_is_named() {
    let registry = nodes([Spec::new("a")]);
    registry.insert(Arc::new(Faulty("dependencies")));
    check(
        &registry,
        expect![[r#"
            MS0108: `Faulty` panicked in `dependencies` while it was planned: boom 1
              provider      it::problems::Faulty, registered at problems.rs:#
              change        what a provider declares must not fail: move the work to `boot`

            1 problem; read more in docs/errors: MS0108
            nothing was started
        "#]],
    );
    let registry = nodes([]);
    registry.insert(Arc::new(Faulty("boot_priority")));
    assert!(error(&registry).to_string().contains("`Faulty` panicked in `boot_priority`"));
}

#[test]
fn all_problems_are_reported_at_once_and_nothing_was_started() {
    let registry = nodes([
        Spec::new("a").requires(1),
        Spec::new("b").requires(0),
        Spec::new("c").wants(3),
        Spec::new("d").wants(2),
        Spec::new("e").requires(10).requires(11),
    ]);
    registry.insert(Arc::new(Faulty("dependencies"))).insert(Arc::new(Http));
    let error = error(&registry);
    let found: Vec<_> = error.problems().iter().map(|it| it.code().id).collect();
    assert_eq!(found, ["MS0101", "MS0101", "MS0101", "MS0102", "MS0102", "MS0108"]);
    let text = error.to_string();
    assert!(
        text.ends_with("6 problems; read more in docs/errors: MS0101 MS0102 MS0108\nnothing was started"),
        "{text}"
    );
    assert!(text.lines().all(|line| line == line.trim_end()));
}

#[test]
fn cutting_what_is_named_leaves_no_circle() {
    // Two circles that share `a`, one of them twice over.
    let specs = [
        Spec::new("a").requires(1).wants(2),
        Spec::new("b").wants(0).requires(3),
        Spec::new("c").requires(0),
        Spec::new("d").requires(0),
    ];
    let error = error(&nodes(specs.clone()));
    let mut mended = specs;
    for problem in error.problems() {
        let PlanProblem::Cycle(cycle) = problem else { panic!("{problem}") };
        let cut = &cycle.steps[cycle.cut];
        let from = mended.iter().position(|it| it.name == cut.from).unwrap();
        let to = mended.iter().position(|it| it.name == cut.to).unwrap();
        mended[from].needs.retain(|need| {
            !matches!(need, crate::support::Need::Requires(n)
            | crate::support::Need::Wants(n) if *n == to)
        });
    }
    assert!(nodes(mended).plan().is_ok());
}

#[test]
fn the_error_is_one_for_others_too() {
    let registry = nodes([Spec::new("a").requires(1)]);
    let error: Box<dyn std::error::Error + Send + Sync> = Box::new(error(&registry));
    assert!(error.downcast_ref::<PlanError>().unwrap().code() == codes::MISSING);
    insert(&registry, 1, Spec::new("b"));
    assert!(registry.plan().is_ok(), "mended");
    assert!(registry.get::<Node<1>>().is_some());
}
