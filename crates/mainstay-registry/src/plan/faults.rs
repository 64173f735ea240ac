//! Why a graph has no plan: found, blamed and told.

use std::collections::{HashMap, VecDeque};

use super::{
    EdgeKind, FaultyPolicy, PlanProblem,
    cycles::{self, Found},
    facts::Facts,
    graph::Graph,
    order::Shape,
    policies,
    problem::{Culprits, Cycle, CycleStep, Missing, Panicked, Requirer},
};
use crate::{
    Weight,
    names::{Known, near_type},
};

/// What keeps a graph from having a plan, besides what it carries itself.
pub(crate) struct Faults {
    cycles: Vec<Found>,
    /// By node.
    policies: Vec<(usize, FaultyPolicy)>,
}

impl Faults {
    /// Looks for faults; `None` means that there is a plan.
    pub(crate) fn find(graph: &Graph, shape: &Shape<'_>, facts: &[Facts], rank: &[usize]) -> Option<Self> {
        let cycles = if shape.has_cycle() { cycles::find(&graph.links, facts, rank) } else { Vec::new() };
        let policies = policies::faults(facts, Weight::Error);
        let faulty = !cycles.is_empty()
            || !graph.unmet.is_empty()
            || !policies.is_empty()
            || facts.iter().any(|one| one.panic.is_some());
        faulty.then_some(Faults { cycles, policies })
    }

    /// Who is to be marked.
    pub(crate) fn culprits(&self, graph: &Graph, facts: &[Facts], index: &[usize]) -> Culprits {
        let mut culprits = Culprits { providers: vec![false; facts.len()], edges: Vec::new() };
        let panicked = facts.iter().enumerate().filter(|(_, one)| one.panic.is_some()).map(|(node, _)| node);
        let policies = self.policies.iter().map(|(node, _)| *node);
        for node in graph.unmet.iter().map(|unmet| unmet.by).chain(panicked).chain(policies) {
            culprits.providers[index[node]] = true;
        }
        for &(node, link) in self.cycles.iter().flat_map(|found| &found.steps) {
            culprits.providers[index[node]] = true;
            culprits.edges.push((index[node], link));
        }
        culprits
    }

    /// All problems, as data.
    pub(crate) fn problems(
        &self,
        graph: &Graph,
        shape: &Shape<'_>,
        facts: &[Facts],
        known: &[Known],
    ) -> Vec<PlanProblem> {
        let mut problems = missing(graph, shape, facts, known);
        problems.extend(self.cycles.iter().map(|found| PlanProblem::Cycle(cycle(found, graph, facts))));
        problems.extend(facts.iter().filter_map(panicked).map(PlanProblem::Panicked));
        problems.extend(self.policies.iter().map(|(_, faulty)| PlanProblem::Policy(faulty.clone())));
        problems
    }
}

/// One problem for each thing that is missing, whoever requires it; types first, each kind by name.
fn missing(graph: &Graph, shape: &Shape<'_>, facts: &[Facts], known: &[Known]) -> Vec<PlanProblem> {
    let mut all: Vec<(bool, Missing)> = Vec::new();
    let mut places = HashMap::new();
    for unmet in &graph.unmet {
        let place = *places.entry((unmet.target, unmet.of_trait)).or_insert_with(|| {
            let near = near_type(unmet.type_name, unmet.of_trait, known);
            all.push((unmet.of_trait, Missing { type_name: unmet.type_name, required_by: Vec::new(), near }));
            all.len() - 1
        });
        let by = &facts[unmet.by];
        all[place].1.required_by.push(Requirer {
            name: by.shown(),
            type_name: by.type_name,
            registered: by.site,
            declared: unmet.site,
            pulled_in_by: chain(unmet.by, graph, shape, facts),
        });
    }
    all.sort_by(|(a_trait, a), (b_trait, b)| (a_trait, a.type_name).cmp(&(b_trait, b.type_name)));
    all.into_iter()
        .map(
            |(of_trait, missing)| {
                if of_trait { PlanProblem::MissingBinding(missing) } else { PlanProblem::Missing(missing) }
            },
        )
        .collect()
}

/// The shortest way from a root, which nobody requires, to a node, without the node itself. Empty when it is
/// a root, or when all that leads there is a circle.
fn chain(
    node: usize,
    graph: &Graph,
    shape: &Shape<'_>,
    facts: &[Facts],
) -> Vec<(&'static str, &'static std::panic::Location<'static>)> {
    let requires = |by: usize, to: usize| {
        graph.links[by].iter().any(|link| link.to == to && link.kind == EdgeKind::Requires)
    };
    let mut towards: HashMap<usize, usize> = HashMap::from([(node, node)]);
    let mut queue = VecDeque::from([node]);
    while let Some(at) = queue.pop_front() {
        let mut root = true;
        for &by in shape.dependents(at).iter().filter(|&&by| requires(by, at)) {
            root = false;
            towards.entry(by).or_insert_with(|| {
                queue.push_back(by);
                at
            });
        }
        if root {
            let mut chain = Vec::new();
            let mut at = at;
            while at != node {
                chain.push((facts[at].shown(), facts[at].site));
                at = towards[&at];
            }
            return chain;
        }
    }
    Vec::new()
}

fn cycle(found: &Found, graph: &Graph, facts: &[Facts]) -> Cycle {
    let steps = found.steps.iter().map(|&(node, at)| {
        let link = &graph.links[node][at];
        CycleStep {
            from: facts[node].shown(),
            to: facts[link.to].shown(),
            to_type: facts[link.to].type_name,
            kind: link.kind,
            through: link.through,
            site: link.site,
        }
    });
    Cycle { steps: steps.collect(), cut: found.cut }
}

fn panicked(one: &Facts) -> Option<Panicked> {
    let panic = one.panic.as_ref()?;
    Some(Panicked {
        type_name: one.type_name,
        site: one.site,
        method: panic.method,
        message: panic.message.clone(),
    })
}
