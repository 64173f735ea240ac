//! Cycles: the members alone, in order, one after the other until cutting what is named leaves none.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{EdgeKind, facts::Facts, graph::Link};

/// One cycle: each step is a node and which of its links leads to the next one, the last to the first.
pub(crate) struct Found {
    pub(crate) steps: Vec<(usize, usize)>,
    /// The step whose edge is the cheapest to cut.
    pub(crate) cut: usize,
}

/// Each round is linear; what is left after so many is found when the first ones are mended.
const ROUNDS: usize = 32;

/// Finds cycles such that a graph without their cheapest edges has none.
pub(crate) fn find(links: &[Vec<Link>], facts: &[Facts], rank: &[usize]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut cut = HashSet::new();
    for _ in 0..ROUNDS {
        let component = components(links, &cut);
        let mut starts: Vec<Option<usize>> = vec![None; links.len()];
        for node in 0..links.len() {
            let start = &mut starts[component[node]];
            if start.is_none_or(|start| rank[node] < rank[start]) {
                *start = Some(node);
            }
        }
        let mut starts: Vec<usize> = starts.into_iter().flatten().collect();
        starts.sort_by_key(|&node| rank[node]);
        let before = found.len();
        for start in starts {
            if let Some(steps) = shortest(links, &component, &cut, start) {
                let cheapest = cheapest(links, facts, &steps);
                cut.insert(steps[cheapest]);
                found.push(Found { steps, cut: cheapest });
            }
        }
        if found.len() == before {
            break;
        }
    }
    found
}

/// The shortest way from a node back to itself, within its component.
fn shortest(
    links: &[Vec<Link>],
    component: &[usize],
    cut: &HashSet<(usize, usize)>,
    start: usize,
) -> Option<Vec<(usize, usize)>> {
    let mut from: HashMap<usize, (usize, usize)> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for (at, link) in links[node].iter().enumerate() {
            if component[link.to] != component[start] || cut.contains(&(node, at)) {
                continue;
            }
            if link.to == start {
                let mut steps = vec![(node, at)];
                let mut node = node;
                while node != start {
                    steps.push(from[&node]);
                    node = from[&node].0;
                }
                steps.reverse();
                return Some(steps);
            }
            from.entry(link.to).or_insert_with(|| {
                queue.push_back(link.to);
                (node, at)
            });
        }
    }
    None
}

/// The last of the cheapest edges: a wish before a requirement, one against the numbers before one with them.
fn cheapest(links: &[Vec<Link>], facts: &[Facts], steps: &[(usize, usize)]) -> usize {
    let cost = |&(node, at): &(usize, usize)| {
        let link = &links[node][at];
        let against = facts[link.to].declared.boot > facts[node].declared.boot;
        match (link.kind, link.through) {
            (EdgeKind::Wants, Some(_)) => 0,
            (EdgeKind::Wants, None) => 1,
            (EdgeKind::Requires, _) if against => 2,
            (EdgeKind::Requires, Some(_)) => 3,
            (EdgeKind::Requires, None) => 4,
        }
    };
    let cheapest = steps.iter().enumerate().rev().min_by_key(|(_, step)| cost(step));
    cheapest.map_or(0, |(at, _)| at)
}

/// The strongly connected component of each node, after Tarjan, without recursion.
fn components(links: &[Vec<Link>], cut: &HashSet<(usize, usize)>) -> Vec<usize> {
    const NEW: usize = usize::MAX;
    let count = links.len();
    let (mut index, mut low) = (vec![NEW; count], vec![0; count]);
    let mut component = vec![NEW; count];
    let (mut next, mut components) = (0, 0);
    let mut path = Vec::new();
    for root in 0..count {
        if index[root] != NEW {
            continue;
        }
        let mut calls = vec![(root, 0)];
        while let Some((node, at)) = calls.pop() {
            if at == 0 {
                index[node] = next;
                low[node] = next;
                next += 1;
                path.push(node);
            } else {
                // Back from the link before this one.
                let to = links[node][at - 1].to;
                if component[to] == NEW && !cut.contains(&(node, at - 1)) {
                    low[node] = low[node].min(low[to]);
                }
            }
            if let Some(link) = links[node].get(at) {
                calls.push((node, at + 1));
                if index[link.to] == NEW && !cut.contains(&(node, at)) {
                    calls.push((link.to, 0));
                }
            } else if low[node] == index[node] {
                while let Some(member) = path.pop() {
                    component[member] = components;
                    if member == node {
                        break;
                    }
                }
                components += 1;
            }
        }
    }
    component
}
