//! From what is registered to a plan, or to all reasons why there is none.

use super::{
    Absent, Edge, Plan, PlanError, Planned,
    facts::{self, Facts},
    faults::Faults,
    graph::{self, Link},
    order::{self, Order, Shape},
    warning,
};
use crate::{
    dependencies::Fill,
    names::{Known, KnownAs},
    priority::LAST,
    registry::store::Store,
};

/// A plan, with what the registry's own walk needs and nobody else.
pub(crate) struct Computed {
    /// In the order of the plan, or, where none is possible, by (priority, name).
    pub(crate) plan: Plan,
    pub(crate) error: Option<PlanError>,
    /// Literal names, by index.
    pub(crate) names: Vec<&'static str>,
    /// All providers in the order of starts, those without runnables too.
    pub(crate) starts: Vec<usize>,
    /// The `Dep`s to fill, with the registration of their target.
    pub(crate) fills: Vec<(usize, Fill)>,
}

/// The three orders over the facts, by node, and the index of each node in the plan.
pub(crate) struct Orders {
    pub(crate) boot: Order,
    pub(crate) start: Order,
    pub(crate) reload: Order,
    pub(crate) index: Vec<usize>,
}

/// Plans the first `len` entries.
pub(crate) fn compute<S: 'static>(store: &Store<S>, len: usize) -> Computed {
    let groups = store.bindings.all();
    let mut facts = facts::collect(store, len);
    let graph = graph::resolve(store, &groups, &mut facts);
    let names: Vec<&'static str> = facts.iter().map(|one| one.declared.name).collect();
    let rank = order::ranks(&names);
    let shape = Shape::new(&graph.links);
    let faults = Faults::find(&graph, &shape, &facts, &rank);
    let orders = Orders::new(&shape, &facts, &rank, faults.is_none());
    let warnings = warning::all(store, &groups, &facts, &orders);
    let blame = faults.map(|faults| {
        let culprits = faults.culprits(&graph, &facts, &orders.index);
        (faults.problems(&graph, &shape, &facts, &known(store, len)), culprits)
    });

    let fills = graph.fills.into_iter().map(|(node, fill)| (facts[node].registration, fill)).collect();
    let names = orders.boot.nodes.iter().map(|&node| names[node]).collect();
    let starts = orders.indices(&orders.start, &facts, |_| true);
    let plan = Plan {
        start: orders.indices(&orders.start, &facts, |one| !one.declared.runnables.is_empty()),
        reload: orders.indices(&orders.reload, &facts, |one| one.declared.reload.is_some()),
        providers: assemble(facts, graph.links, graph.absent, &orders),
        warnings,
    };
    let error = blame.map(|(problems, culprits)| PlanError::new(problems, plan.clone(), culprits));
    Computed { plan, error, names, starts, fills }
}

impl Orders {
    fn new(shape: &Shape<'_>, facts: &[Facts], rank: &[usize], possible: bool) -> Self {
        let arrange =
            |own: Vec<u8>| if possible { shape.order(own, rank) } else { order::by_rank(own, rank) };
        let boot = arrange(facts.iter().map(|one| one.declared.boot).collect());
        // Who does not take part in an order has no wish in it, and hands on those of its dependents.
        let start = arrange(facts.iter().map(|one| one.declared.start().unwrap_or(LAST)).collect());
        let reload = arrange(facts.iter().map(|one| one.declared.reload.unwrap_or(LAST)).collect());
        let mut index = vec![0; facts.len()];
        for (at, &node) in boot.nodes.iter().enumerate() {
            index[node] = at;
        }
        Orders { boot, start, reload, index }
    }

    /// The indices of those that take part in an order.
    fn indices(&self, order: &Order, facts: &[Facts], takes_part: impl Fn(&Facts) -> bool) -> Vec<usize> {
        let nodes = order.nodes.iter().filter(|&&node| takes_part(&facts[node]));
        nodes.map(|&node| self.index[node]).collect()
    }
}

fn assemble(
    facts: Vec<Facts>,
    links: Vec<Vec<Link>>,
    absent: Vec<Vec<Absent>>,
    orders: &Orders,
) -> Vec<Planned> {
    let edge = |link: Link| Edge {
        to: orders.index[link.to],
        kind: link.kind,
        site: link.site,
        through: link.through,
    };
    let mut planned: Vec<Planned> = facts
        .into_iter()
        .zip(links)
        .zip(absent)
        .enumerate()
        .map(|(node, ((one, links), absent))| Planned {
            name: one.shown(),
            type_name: one.type_name,
            site: one.site,
            registration: one.registration,
            edges: links.into_iter().map(edge).collect(),
            absent,
            boot_level: orders.boot.level[node],
            start_level: orders.start.level[node],
            reload_level: orders.reload.level[node],
            deadlines: one.declared.deadlines,
            validate_when: one.declared.validate_when,
            reloadable: one.declared.reload.is_some(),
            runnables: one.declared.runnables,
        })
        .collect();
    // From the order of nodes to that of the plan, each swap bringing one to its place.
    let mut place = orders.index.clone();
    for at in 0..planned.len() {
        while place[at] != at {
            let to = place[at];
            planned.swap(at, to);
            place.swap(at, to);
        }
    }
    planned
}

/// Everything that is there, for the search of what comes near something that is not.
pub(crate) fn known<S>(store: &Store<S>, len: usize) -> Vec<Known> {
    let entries = store.entries.iter().take(len).map(|entry| Known {
        type_name: entry.type_name,
        site: entry.site,
        what: if entry.provider.is_some() { KnownAs::Provider } else { KnownAs::Value },
    });
    let mut known: Vec<Known> = entries.collect();
    for group in store.bindings.all().values() {
        known.extend(group.bound.iter().map(|bound| Known {
            type_name: bound.type_name,
            site: bound.site,
            what: KnownAs::Bound {
                trait_name: group.trait_name,
                registered: store.index.entry(bound.target).is_some(),
            },
        }));
    }
    known
}
