//! Properties of the plan over random graphs.

use std::collections::HashSet;

use mainstay_registry::{PlanProblem, Registry};
use proptest::{collection::vec, prelude::*};

use crate::support::{Log, NODES, Need, Spec, insert};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "provider"];

/// A name for each node, where names must tell who is who.
const DISTINCT: [&str; NODES] = ["h", "c", "k", "a", "f", "l", "b", "j", "d", "i", "e", "g"];

/// One of a plan's orders, and the level of a provider in it.
type Leveled<'a> = (&'a [usize], fn(&mainstay_registry::Planned) -> u8);

/// What a node is: name, priorities (boot, run, reload), and whether it runs and reloads.
type Shape = (usize, [Option<u8>; 3], bool, bool);

fn shape() -> impl Strategy<Value = Shape> {
    let priority = || prop::option::of(prop::sample::select(vec![0_u8, 50, 99, 100, 150, 255]));
    (0..NAMES.len(), [priority(), priority(), priority()], any::<bool>(), any::<bool>())
}

/// An edge: from, to, and whether it is a wish. `legal` keeps the graph free of circles.
fn edges(legal: bool) -> impl Strategy<Value = Vec<(usize, usize, bool)>> {
    vec((0..NODES, 0..NODES, any::<bool>()), 0..20).prop_map(move |edges| {
        // A fixed permutation, so that names and numbers say nothing about the direction.
        let place = |node: usize| (node * 5 + 3) % NODES;
        edges.into_iter().filter(|(from, to, _)| !legal || place(*from) > place(*to)).collect()
    })
}

fn specs(shapes: &[Shape], edges: &[(usize, usize, bool)]) -> Vec<Spec> {
    let mut specs: Vec<Spec> = shapes
        .iter()
        .map(|&(name, [boot, run, reload], runs, reloads)| Spec {
            boot,
            run,
            reload,
            runs,
            reloads,
            ..Spec::new(NAMES[name])
        })
        .collect();
    for &(from, to, wish) in edges {
        specs[from].needs.push(if wish { Need::Wants(to) } else { Need::Requires(to) });
    }
    specs
}

/// Registers the nodes in an order of its own.
fn registry(specs: &[Spec], order: &[usize]) -> Registry<Log> {
    let registry = Registry::new();
    for &node in order {
        insert(&registry, node, specs[node].clone());
    }
    registry
}

fn all() -> Vec<usize> {
    (0..NODES).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_is_topological_and_its_levels_are_barriers(
        shapes in vec(shape(), NODES),
        edges in edges(true),
    ) {
        let plan = registry(&specs(&shapes, &edges), &all()).plan().unwrap();
        let providers = plan.providers();
        let indices: Vec<usize> = (0..providers.len()).collect();
        let orders: [Leveled<'_>; 3] = [
            (&indices, mainstay_registry::Planned::boot_level),
            (plan.start_order(), mainstay_registry::Planned::start_level),
            (plan.reload_order(), mainstay_registry::Planned::reload_level),
        ];
        for (order, level) in orders {
            let mut reached = HashSet::new();
            let mut last = 0;
            for &at in order {
                prop_assert!(level(&providers[at]) >= last, "a level is never entered twice");
                last = level(&providers[at]);
                // What it needs, through those that take no part.
                let mut needed: Vec<usize> = providers[at].edges().iter().map(|edge| edge.to).collect();
                while let Some(to) = needed.pop() {
                    prop_assert!(level(&providers[to]) <= last);
                    prop_assert!(reached.contains(&to) || !order.contains(&to));
                    needed.extend(providers[to].edges().iter().map(|edge| edge.to));
                }
                reached.insert(at);
            }
        }
    }

    #[test]
    fn each_place_goes_to_the_smallest_that_is_free(shapes in vec(shape(), NODES), edges in edges(true)) {
        let specs = specs(&shapes, &edges);
        let plan = registry(&specs, &all()).plan().unwrap();
        let mut done = HashSet::new();
        for (at, one) in plan.providers().iter().enumerate() {
            let free = plan.providers().iter().enumerate().filter(|(other, it)| {
                !done.contains(other) && it.edges().iter().all(|edge| done.contains(&edge.to))
            });
            let name = |registration: usize| specs[registration].name;
            let smallest = free.min_by_key(|(_, it)| (it.boot_level(), name(it.registration()), it.registration()));
            prop_assert_eq!(smallest.map(|(other, _)| other), Some(at), "{}", one.name());
            done.insert(at);
        }
    }

    #[test]
    fn without_edges_the_order_is_by_priority_and_name(shapes in vec(shape(), NODES)) {
        let specs = specs(&shapes, &[]);
        let registry = registry(&specs, &all());
        let plan = registry.plan().unwrap();
        let mut expected = all();
        expected.sort_by_key(|&node| (specs[node].boot.unwrap_or(100), specs[node].name));
        let found: Vec<usize> = plan.providers().iter().map(mainstay_registry::Planned::registration).collect();
        prop_assert_eq!(&found, &expected);
        let registrations = |order: &[usize]| -> Vec<usize> { order.iter().map(|&at| found[at]).collect() };
        let mut expected: Vec<usize> = all().into_iter().filter(|&node| specs[node].runs).collect();
        expected.sort_by_key(|&node| (specs[node].run.unwrap_or(100), specs[node].name));
        prop_assert_eq!(registrations(plan.start_order()), expected);
        let mut expected: Vec<usize> = all().into_iter().filter(|&node| specs[node].reloads).collect();
        expected.sort_by_key(|&node| (specs[node].reload.unwrap_or(100), specs[node].name));
        prop_assert_eq!(registrations(plan.reload_order()), expected);
    }

    #[test]
    fn where_names_differ_the_order_of_registration_says_nothing(
        shapes in vec(shape(), NODES),
        edges in edges(true),
        order in Just(all()).prop_shuffle(),
    ) {
        let mut specs = specs(&shapes, &edges);
        for (spec, name) in specs.iter_mut().zip(DISTINCT) {
            spec.name = name;
        }
        let (one, other) = (registry(&specs, &all()).plan().unwrap(), registry(&specs, &order).plan().unwrap());
        prop_assert_eq!(one.to_text(), other.to_text());
        prop_assert_eq!(one.to_mermaid(), other.to_mermaid());
    }

    #[test]
    fn a_graph_is_planned_or_told_what_to_cut(shapes in vec(shape(), NODES), edges in edges(false)) {
        let mut specs = specs(&shapes, &edges);
        for (spec, name) in specs.iter_mut().zip(DISTINCT) {
            spec.name = name;
        }
        let Err(error) = registry(&specs, &all()).plan() else { return Ok(()) };
        prop_assert_eq!(error.to_string(), registry(&specs, &all()).plan().unwrap_err().to_string());
        let node = |name: &str| DISTINCT.iter().position(|it| *it == name).unwrap();
        for problem in error.problems() {
            let PlanProblem::Cycle(cycle) = problem else { panic!("{problem}") };
            let mut seen = HashSet::new();
            for (at, step) in cycle.steps.iter().enumerate() {
                prop_assert!(seen.insert(step.from), "a member is named once");
                prop_assert_eq!(step.to, cycle.steps[(at + 1) % cycle.steps.len()].from);
            }
            let cut = &cycle.steps[cycle.cut];
            let to = node(cut.to);
            specs[node(cut.from)].needs.retain(|need| !matches!(need, Need::Requires(n) | Need::Wants(n) if *n == to));
        }
        prop_assert!(registry(&specs, &all()).plan().is_ok(), "cutting what is named mends it");
    }
}
