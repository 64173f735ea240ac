//! The edges: each declaration resolved to what is registered, or kept as what is not.

use std::{any::TypeId, panic::Location};

use super::{Absent, EdgeKind, facts::Facts};
use crate::{
    dependencies::{Fill, Need, NeedKind},
    registry::{TypeMap, bindings::Group, store::Store},
};

/// An edge to a node, both by their place among the facts.
pub(crate) struct Link {
    pub(crate) to: usize,
    pub(crate) kind: EdgeKind,
    pub(crate) site: &'static Location<'static>,
    pub(crate) through: Option<&'static str>,
}

/// A requirement that nothing fulfils.
pub(crate) struct Unmet {
    pub(crate) by: usize,
    pub(crate) target: TypeId,
    pub(crate) type_name: &'static str,
    pub(crate) of_trait: bool,
    pub(crate) site: &'static Location<'static>,
}

/// The graph of what was declared.
pub(crate) struct Graph {
    pub(crate) links: Vec<Vec<Link>>,
    pub(crate) absent: Vec<Vec<Absent>>,
    pub(crate) unmet: Vec<Unmet>,
    /// The `Dep`s to fill, with the place of their target.
    pub(crate) fills: Vec<(usize, Fill)>,
}

type Groups = TypeMap<std::sync::Arc<Group>>;

/// Resolves what the providers need, and takes it from the facts.
pub(crate) fn resolve<S: 'static>(store: &Store<S>, groups: &Groups, facts: &mut [Facts]) -> Graph {
    let needs: Vec<Vec<Need>> = facts.iter_mut().map(|one| std::mem::take(&mut one.declared.needs)).collect();
    let mut nodes = TypeMap::default();
    if needs.iter().any(|needs| !needs.is_empty()) {
        nodes = facts.iter().enumerate().map(|(node, one)| (one.key, node)).collect();
    }
    let mut resolver = Resolver {
        store,
        groups,
        nodes,
        seen: vec![(usize::MAX, 0); facts.len()],
        graph: Graph {
            links: Vec::with_capacity(facts.len()),
            absent: Vec::with_capacity(facts.len()),
            unmet: Vec::new(),
            fills: Vec::new(),
        },
    };
    for (by, needs) in needs.into_iter().enumerate() {
        resolver.graph.links.push(Vec::with_capacity(needs.len()));
        resolver.graph.absent.push(Vec::new());
        for need in needs {
            resolver.one(by, need);
        }
    }
    resolver.graph
}

struct Resolver<'a, S> {
    store: &'a Store<S>,
    groups: &'a Groups,
    nodes: TypeMap<usize>,
    /// By target: who linked to it last, and with which of its links. Two declarations are one edge.
    seen: Vec<(usize, usize)>,
    graph: Graph,
}

/// What a type is.
enum Found {
    Node(usize),
    Value,
    Nothing,
}

impl<S: 'static> Resolver<'_, S> {
    fn one(&mut self, by: usize, need: Need) {
        let (kind, of_trait) = match need.kind {
            NeedKind::Requires => (EdgeKind::Requires, false),
            NeedKind::Wants => (EdgeKind::Wants, false),
            NeedKind::RequiresDyn => (EdgeKind::Requires, true),
            NeedKind::WantsAll => (EdgeKind::Wants, true),
        };
        if of_trait {
            return self.bound(by, &need, kind);
        }
        if let Some(&to) = self.nodes.get(&need.target) {
            self.link(by, Link { to, kind, site: need.site, through: None });
            if let Some(fill) = need.fill {
                self.graph.fills.push((to, fill));
            }
        } else {
            self.nothing(by, &need, kind, false);
        }
    }

    fn bound(&mut self, by: usize, need: &Need, kind: EdgeKind) {
        let bound = self.groups.get(&need.target).map_or(&[][..], |group| &group.bound[..]);
        if kind == EdgeKind::Requires {
            // What `resolve_dyn` gives: the first that is registered.
            let mut found = bound.iter().map(|bound| self.find(bound.target));
            match found.find(|found| !matches!(found, Found::Nothing)) {
                Some(Found::Node(to)) => {
                    self.link(by, Link { to, kind, site: need.site, through: Some(need.type_name) });
                }
                Some(_) => {}
                None => self.nothing(by, need, kind, true),
            }
            return;
        }
        let mut any = false;
        for bound in bound {
            match self.find(bound.target) {
                Found::Node(to) => {
                    any = true;
                    if to != by {
                        self.link(by, Link { to, kind, site: need.site, through: Some(need.type_name) });
                    }
                }
                Found::Value => any = true,
                Found::Nothing => {}
            }
        }
        if !any {
            self.nothing(by, need, kind, true);
        }
    }

    fn find(&self, target: TypeId) -> Found {
        match self.nodes.get(&target) {
            Some(&node) => Found::Node(node),
            None => match self.store.index.entry(target).and_then(|at| self.store.entries.get(at)) {
                Some(entry) if entry.provider.is_none() => Found::Value,
                _ => Found::Nothing,
            },
        }
    }

    fn link(&mut self, by: usize, link: Link) {
        let links = &mut self.graph.links[by];
        let (last_by, at) = self.seen[link.to];
        if last_by == by {
            // The stronger of two declarations stays.
            if links[at].kind == EdgeKind::Wants && link.kind == EdgeKind::Requires {
                links[at] = link;
            }
            return;
        }
        self.seen[link.to] = (by, links.len());
        links.push(link);
    }

    fn nothing(&mut self, by: usize, need: &Need, kind: EdgeKind, of_trait: bool) {
        let (type_name, site) = (need.type_name, need.site);
        self.graph.absent[by].push(Absent { type_name, kind, site });
        if kind == EdgeKind::Requires {
            self.graph.unmet.push(Unmet { by, target: need.target, type_name, of_trait, site });
        }
    }
}
