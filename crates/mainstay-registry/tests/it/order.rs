//! Orders: priorities, edges, levels and who is pulled where.

use std::sync::Arc;

use mainstay_registry::{
    Dependencies, EdgeKind, NamedRunnable, OrderKind, PlanWarning, Planned, Provider, ReadyWhen, Registry,
    Runnable, TaskFuture, codes, priority,
};

use crate::support::{Log, Spec, boot_order, nodes};

#[test]
fn without_edges_the_order_is_by_priority_then_name_then_registration() {
    let registry = nodes([
        Spec::new("z"),
        Spec::new("b").at(priority::LAST),
        Spec::new("a").at(priority::LAST),
        Spec::new("same"),
        Spec::new("same"),
        Spec::new("y").at(priority::FIRST),
        Spec::new("x").at(7),
    ]);
    assert_eq!(boot_order(&registry), ["y", "x", "same", "same", "z", "a", "b"]);
    let plan = registry.plan().unwrap();
    let same: Vec<_> =
        plan.providers().iter().filter(|it| it.name() == "same").map(Planned::registration).collect();
    assert_eq!(same, [3, 4]);
}

#[test]
fn what_is_required_comes_first_inside_a_level() {
    let registry =
        nodes([Spec::new("a").requires(1), Spec::new("b").requires(2), Spec::new("c"), Spec::new("bb")]);
    assert_eq!(boot_order(&registry), ["bb", "c", "b", "a"]);
}

#[test]
fn a_wish_orders_like_a_requirement_when_it_is_registered_and_not_at_all_when_it_is_not() {
    let registry = nodes([Spec::new("a").wants(1).wants(9), Spec::new("b")]);
    assert_eq!(boot_order(&registry), ["b", "a"]);
    let plan = registry.plan().unwrap();
    assert_eq!(plan.providers()[1].edges()[0].kind, EdgeKind::Wants);
    assert_eq!(plan.providers()[1].absent().len(), 1);
}

#[test]
fn a_diamond_is_legal_and_the_shared_node_is_there_once() {
    let registry = nodes([
        Spec::new("top").requires(1).requires(2),
        Spec::new("left").requires(3),
        Spec::new("right").requires(3),
        Spec::new("shared"),
    ]);
    assert_eq!(boot_order(&registry), ["shared", "left", "right", "top"]);
}

#[test]
fn what_is_required_is_pulled_into_the_level_of_what_requires_it() {
    let registry = nodes([
        Spec::new("early").at(priority::EARLY).requires(1),
        Spec::new("middle").at(priority::LATE).requires(2),
        Spec::new("deep").at(priority::LAST),
        Spec::new("normal"),
        Spec::new("zero").at(priority::FIRST),
    ]);
    assert_eq!(boot_order(&registry), ["zero", "deep", "middle", "early", "normal"]);
    let plan = registry.plan().unwrap();
    let levels: Vec<_> = plan.providers().iter().map(Planned::boot_level).collect();
    assert_eq!(levels, [0, 50, 50, 50, 100]);
    let pulled: Vec<_> = plan
        .warnings()
        .iter()
        .filter_map(|it| match it {
            PlanWarning::Pulled { name, order: OrderKind::Boot, from, to, by, .. } => {
                Some((*name, *from, *to, *by))
            }
            _ => None,
        })
        .collect();
    assert_eq!(pulled, [("deep", 255, 50, "middle"), ("middle", 150, 50, "early")]);
}

#[test]
fn a_wish_pulls_too() {
    let registry = nodes([Spec::new("a").at(priority::FIRST).wants(1), Spec::new("b").at(priority::LAST)]);
    assert_eq!(boot_order(&registry), ["b", "a"]);
    assert_eq!(registry.plan().unwrap().providers()[0].boot_level(), 0);
}

#[test]
fn the_first_and_the_last_level_are_legal() {
    let registry = nodes([Spec::new("a").at(255), Spec::new("b").at(0)]);
    assert_eq!(boot_order(&registry), ["b", "a"]);
}

#[test]
fn starts_and_reloads_have_their_own_priorities_and_the_same_edges() {
    let mut last = Spec::new("a").requires(1);
    (last.run, last.reload) = (Some(priority::FIRST), Some(priority::LAST));
    let mut dependency = Spec::new("z");
    (dependency.run, dependency.reload) = (Some(priority::LAST), None);
    let mut lone = Spec::new("m");
    (lone.run, lone.reload) = (Some(priority::EARLY), Some(priority::FIRST));
    let plan = nodes([last, dependency, lone]).plan().unwrap();
    let names = |order: &[usize]| order.iter().map(|&at| plan.providers()[at].name()).collect::<Vec<_>>();
    assert_eq!(names(plan.start_order()), ["z", "a", "m"], "z is pulled to the front by a");
    assert_eq!(names(plan.reload_order()), ["m", "z", "a"]);
    let z = &plan.providers()[plan.start_order()[0]];
    assert_eq!((z.start_level(), z.reload_level(), z.boot_level()), (0, 100, 100));
}

#[test]
fn edges_lead_through_those_that_take_no_part_without_their_priorities() {
    // `middle` runs nothing: its run priority is no wish, and what it needs is still before what needs it.
    let mut top = Spec::new("a").requires(1);
    top.run = Some(priority::LATE);
    let mut middle = Spec::new("middle").requires(2);
    (middle.runs, middle.run) = (false, Some(priority::FIRST));
    let mut bottom = Spec::new("z");
    bottom.run = Some(priority::LAST);
    let plan = nodes([top, middle, bottom]).plan().unwrap();
    let names: Vec<_> = plan.start_order().iter().map(|&at| plan.providers()[at].name()).collect();
    assert_eq!(names, ["z", "a"]);
    let z = plan.providers().iter().find(|it| it.name() == "z").unwrap();
    assert_eq!(z.start_level(), priority::LATE);
}

#[test]
fn two_declarations_of_one_thing_are_one_edge_and_the_stronger_stays() {
    let registry = nodes([Spec::new("a").wants(1).requires(1).wants(1), Spec::new("b")]);
    let plan = registry.plan().unwrap();
    let edges = plan.providers()[1].edges();
    assert_eq!(edges.len(), 1);
    assert_eq!((edges[0].to, edges[0].kind, edges[0].through), (0, EdgeKind::Requires, None));
    assert!(edges[0].site.file().ends_with("support.rs"));
}

#[test]
fn one_with_the_default_name_is_shown_by_its_type_and_ordered_by_its_name() {
    struct Zebra;
    impl Provider<Log> for Zebra {}
    let registry = nodes([Spec::new("q"), Spec::new("a")]);
    registry.insert(Arc::new(Zebra));
    assert_eq!(boot_order(&registry), ["a", "Zebra", "q"]);
    assert_eq!(registry.list_names(), ["q", "a", "provider"]);
}

#[test]
fn two_of_one_name_are_a_warning() {
    let plan = nodes([Spec::new("same"), Spec::new("other"), Spec::new("same")]).plan().unwrap();
    let [warning] = plan.warnings() else { panic!("{:?}", plan.warnings()) };
    assert_eq!(warning.code(), codes::DUPLICATE_NAME);
    let text = warning.to_string();
    assert!(text.starts_with("MS0107: 'same' is the name of `"), "{text}");
    assert!(text.contains("Node<0>") && text.contains("Node<2>") && text.contains("support.rs:"), "{text}");
}

struct Quiet;
impl Runnable<()> for Quiet {
    fn run(&self, _state: ()) -> TaskFuture {
        Box::pin(async { Ok(()) })
    }
    fn ready_when(&self) -> ReadyWhen {
        ReadyWhen::Signalled
    }
}

struct Several(&'static str, &'static str);
impl Provider<()> for Several {
    fn name(&self) -> &'static str {
        "http"
    }
    fn runnables(&self) -> Vec<NamedRunnable<'_, ()>> {
        vec![NamedRunnable::new(self.0, &Quiet), NamedRunnable::new(self.1, &Quiet)]
    }
}

#[test]
fn a_provider_may_have_several_runnables() {
    let registry = Registry::<()>::new();
    registry.insert(Arc::new(Several("public", "admin")));
    let plan = registry.plan().unwrap();
    let runnables = plan.providers()[0].runnables();
    assert_eq!(runnables.iter().map(|it| it.name).collect::<Vec<_>>(), [Some("public"), Some("admin")]);
    assert!(runnables.iter().all(|it| it.ready_when == ReadyWhen::Signalled));
    assert_eq!(plan.start_order(), [0]);
    assert!(plan.warnings().is_empty());
}

#[test]
fn two_runnables_of_one_name_are_a_warning() {
    let registry = Registry::<()>::new();
    registry.insert(Arc::new(Several("public", "public")));
    let plan = registry.plan().unwrap();
    assert!(
        matches!(plan.warnings(), [PlanWarning::DuplicateName { name, .. }] if name == "http/public"),
        "{:?}",
        plan.warnings()
    );
}

#[test]
fn the_plan_is_the_same_every_time() {
    let specs =
        || [Spec::new("a").wants(2), Spec::new("b").requires(2), Spec::new("c").at(200), Spec::new("c")];
    let (one, other) = (nodes(specs()), nodes(specs()));
    assert_eq!(one.plan().unwrap(), one.plan().unwrap());
    assert_eq!(one.plan().unwrap().to_text(), other.plan().unwrap().to_text());
    assert_eq!(one.plan().unwrap().to_json(), other.plan().unwrap().to_json());
}

#[test]
fn a_plan_starts_nothing_and_fills_nothing() {
    struct Counting;
    impl Provider<Log> for Counting {
        fn dependencies(&self) -> Dependencies<Log> {
            Dependencies::new()
        }
        fn validate(&self, _: &Log) -> mainstay_registry::Result<()> {
            panic!("called")
        }
    }
    let registry = Registry::<Log>::new();
    registry.insert(Arc::new(Counting));
    registry.plan().unwrap();
    registry.insert(Arc::new(crate::support::Node::<0>::default()));
    assert_eq!(registry.plan().unwrap().providers().len(), 2, "a plan does not seal");
}
