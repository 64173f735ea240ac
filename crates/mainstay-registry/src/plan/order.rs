//! Orders: levels pulled by edges, then topological, always the smallest that is free. Pure, `O(V + E)` but
//! for the heap.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::graph::Link;

/// An order of all nodes, with the level of each.
pub(crate) struct Order {
    pub(crate) nodes: Vec<usize>,
    pub(crate) level: Vec<u8>,
    /// Who pulled a node into its level: the one that needs it and lies there.
    pub(crate) pulled_by: Vec<Option<usize>>,
}

/// The shape of the graph, made once for the three orders.
pub(crate) struct Shape<'a> {
    links: &'a [Vec<Link>],
    /// Who needs a node: `dependents[starts[n]..starts[n + 1]]`.
    starts: Vec<usize>,
    dependents: Vec<usize>,
    /// Dependencies first; shorter than the graph when there is a cycle.
    topological: Vec<usize>,
}

impl<'a> Shape<'a> {
    pub(crate) fn new(links: &'a [Vec<Link>]) -> Self {
        let mut starts = vec![0; links.len() + 1];
        for link in links.iter().flatten() {
            starts[link.to + 1] += 1;
        }
        for node in 0..links.len() {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut dependents = vec![0; starts[links.len()]];
        for (by, links) in links.iter().enumerate() {
            for link in links {
                dependents[next[link.to]] = by;
                next[link.to] += 1;
            }
        }
        let mut shape = Shape { links, starts, dependents, topological: Vec::with_capacity(links.len()) };
        shape.sort();
        shape
    }

    /// Who needs a node, in the order of registration.
    pub(crate) fn dependents(&self, node: usize) -> &[usize] {
        &self.dependents[self.starts[node]..self.starts[node + 1]]
    }

    /// Whether some providers need each other.
    pub(crate) fn has_cycle(&self) -> bool {
        self.topological.len() < self.links.len()
    }

    fn sort(&mut self) {
        let mut waits: Vec<usize> = self.links.iter().map(Vec::len).collect();
        let mut sorted: Vec<usize> = (0..waits.len()).filter(|&node| waits[node] == 0).collect();
        let mut at = 0;
        while let Some(&node) = sorted.get(at) {
            at += 1;
            for &by in self.dependents(node) {
                waits[by] -= 1;
                if waits[by] == 0 {
                    sorted.push(by);
                }
            }
        }
        self.topological = sorted;
    }

    /// Orders by level, then by rank. `own` is the level that each node asks for.
    ///
    /// A node's level is at most that of everything that needs it, so a level is never re-entered: while one
    /// of its nodes is left, one of them is free.
    pub(crate) fn order(&self, own: Vec<u8>, rank: &[usize]) -> Order {
        let count = own.len();
        let mut level = own;
        let mut pulled_by = vec![None; count];
        for &node in self.topological.iter().rev() {
            for link in &self.links[node] {
                let pulled = &mut pulled_by[link.to];
                // Of several that pull as far, the first by name is told.
                let first =
                    pulled.is_some_and(|by: usize| level[node] == level[link.to] && rank[node] < rank[by]);
                if level[node] < level[link.to] || first {
                    level[link.to] = level[node];
                    *pulled = Some(node);
                }
            }
        }
        let key = |node: usize| Reverse((level[node], rank[node], node));
        let mut waits: Vec<usize> = self.links.iter().map(Vec::len).collect();
        let free: Vec<_> = (0..count).filter(|&node| waits[node] == 0).map(key).collect();
        let mut free = BinaryHeap::from(free);
        let mut order = Vec::with_capacity(count);
        while let Some(Reverse((_, _, node))) = free.pop() {
            order.push(node);
            for &by in self.dependents(node) {
                waits[by] -= 1;
                if waits[by] == 0 {
                    free.push(key(by));
                }
            }
        }
        Order { nodes: order, level, pulled_by }
    }
}

/// The order without edges, for a graph that has no plan.
pub(crate) fn by_rank(own: Vec<u8>, rank: &[usize]) -> Order {
    let mut order: Vec<usize> = (0..own.len()).collect();
    order.sort_unstable_by_key(|&node| (own[node], rank[node]));
    let pulled_by = vec![None; own.len()];
    Order { nodes: order, level: own, pulled_by }
}

/// The place of each node when all are sorted by name, then by registration.
pub(crate) fn ranks(names: &[&'static str]) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..names.len()).collect();
    // Stable: nodes are in the order of registration.
    sorted.sort_by_key(|&node| names[node]);
    let mut rank = vec![0; names.len()];
    for (at, node) in sorted.into_iter().enumerate() {
        rank[node] = at;
    }
    rank
}
