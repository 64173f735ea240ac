//! What the plan has to say although it is possible.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    panic::Location,
    sync::Arc,
};

use super::{FaultyPolicy, compute::Orders, facts::Facts, order::Order, policies};
use crate::{
    Code, Weight, codes,
    names::{At, Quoted},
    registry::{TypeMap, bindings::Group, store::Store},
};

/// One of the orders of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OrderKind {
    /// The order of boot; stopping is its reverse.
    Boot,
    /// The order in which runnables start.
    Start,
    /// The order of reloads.
    Reload,
}

impl fmt::Display for OrderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OrderKind::Boot => "boot",
            OrderKind::Start => "start",
            OrderKind::Reload => "reload",
        })
    }
}

/// What the plan has to say although it is possible.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanWarning {
    /// Two providers, or two runnables of one, have the same name; the runtime refuses that.
    #[non_exhaustive]
    DuplicateName {
        /// The name.
        name: String,
        /// The type and place of registration of each.
        providers: Vec<(&'static str, &'static Location<'static>)>,
    },
    /// A priority was overruled by an edge.
    #[non_exhaustive]
    Pulled {
        /// The index of the provider that was pulled.
        index: usize,
        /// Its name.
        name: &'static str,
        /// In which order.
        order: OrderKind,
        /// The level that it asked for.
        from: u8,
        /// The level in which it is.
        to: u8,
        /// Who needs it there.
        by: &'static str,
    },
    /// A type is bound to a trait and not registered.
    #[non_exhaustive]
    Unregistered {
        /// The trait, with its path.
        trait_name: &'static str,
        /// The type, with its path.
        type_name: &'static str,
        /// Where it was bound.
        site: &'static Location<'static>,
    },
    /// A value of the restart policy of a runnable is legal, and hardly what was meant.
    Policy(FaultyPolicy),
}

impl PlanWarning {
    /// Returns the code of the page that explains it.
    pub fn code(&self) -> Code {
        match self {
            PlanWarning::DuplicateName { .. } => codes::DUPLICATE_NAME,
            PlanWarning::Pulled { .. } => codes::PULLED,
            PlanWarning::Unregistered { .. } => codes::UNREGISTERED_BINDING,
            PlanWarning::Policy(_) => codes::DOUBTFUL_POLICY,
        }
    }

    /// Writes it; the golden text of a plan has no places in the source, so that edits do not change it.
    pub(crate) fn write(&self, f: &mut dyn fmt::Write, places: Places) -> fmt::Result {
        write!(f, "{}: ", self.code())?;
        match self {
            PlanWarning::DuplicateName { name, providers } => {
                write!(f, "{} is the name of ", Quoted(name))?;
                for (at, (type_name, site)) in providers.iter().enumerate() {
                    let and = if at == 0 { "" } else { " and of " };
                    write!(f, "{and}`{type_name}`")?;
                    if places == Places::Shown {
                        write!(f, " ({})", At(site))?;
                    }
                }
                Ok(())
            }
            PlanWarning::Pulled { name, order, from, to, by, .. } => write!(
                f,
                "{order} of {} is pulled forward from level {from} to {to}: {} needs it there",
                Quoted(name),
                Quoted(by)
            ),
            PlanWarning::Unregistered { trait_name, type_name, site } => {
                write!(f, "`{type_name}` is bound to `{trait_name}` and not registered")?;
                if places == Places::Shown {
                    write!(f, ", at {}", At(site))?;
                }
                Ok(())
            }
            PlanWarning::Policy(faulty) => {
                faulty.write(f, "doubtful")?;
                if places == Places::Shown {
                    write!(f, "; registered at {}", At(faulty.site))?;
                }
                Ok(())
            }
        }
    }
}

/// Whether places in the source are part of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Places {
    Shown,
    Hidden,
}

impl fmt::Display for PlanWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Places::Shown)
    }
}

/// All warnings: names first, then what was pulled in each order, then bindings, then restart policies.
pub(crate) fn all<S>(
    store: &Store<S>,
    groups: &TypeMap<Arc<Group>>,
    facts: &[Facts],
    orders: &Orders,
) -> Vec<PlanWarning> {
    let mut all = duplicate_names(facts, &orders.boot.nodes);
    pulled(&mut all, OrderKind::Boot, (&orders.boot, &orders.index), facts, |one| Some(one.declared.boot));
    pulled(&mut all, OrderKind::Start, (&orders.start, &orders.index), facts, |one| one.declared.start());
    pulled(&mut all, OrderKind::Reload, (&orders.reload, &orders.index), facts, |one| one.declared.reload);
    let mut unregistered: Vec<_> = groups
        .values()
        .flat_map(|group| group.bound.iter().map(|bound| (group.trait_name, bound)))
        .filter(|(_, bound)| store.index.entry(bound.target).is_none())
        .map(|(trait_name, bound)| (trait_name, bound.type_name, bound.site))
        .collect();
    unregistered.sort_unstable();
    all.extend(unregistered.into_iter().map(|(trait_name, type_name, site)| PlanWarning::Unregistered {
        trait_name,
        type_name,
        site,
    }));
    let doubtful = policies::faults(facts, Weight::Warning);
    all.extend(doubtful.into_iter().map(|(_, faulty)| PlanWarning::Policy(faulty)));
    all
}

/// Names that more than one provider is shown by, and labels of runnables that are there twice.
fn duplicate_names(facts: &[Facts], order: &[usize]) -> Vec<PlanWarning> {
    let mut seen = BTreeSet::new();
    let mut twice = BTreeMap::new();
    for one in facts {
        if !seen.insert(one.shown()) {
            twice.insert(one.shown().to_owned(), Vec::new());
        }
        let runnables = &one.declared.runnables;
        for (at, runnable) in runnables.iter().enumerate() {
            if runnables[..at].iter().any(|before| before.name == runnable.name) {
                let name =
                    runnable.name.map_or(one.shown().to_owned(), |name| format!("{}/{name}", one.shown()));
                twice.insert(name, vec![(one.type_name, one.site); 2]);
            }
        }
    }
    for &node in order {
        let one = &facts[node];
        if let Some(providers) = twice.get_mut(one.shown()) {
            providers.push((one.type_name, one.site));
        }
    }
    twice.into_iter().map(|(name, providers)| PlanWarning::DuplicateName { name, providers }).collect()
}

fn pulled(
    all: &mut Vec<PlanWarning>,
    kind: OrderKind,
    (order, index): (&Order, &[usize]),
    facts: &[Facts],
    own: impl Fn(&Facts) -> Option<u8>,
) {
    for &node in &order.nodes {
        if let (Some(from), Some(by)) = (own(&facts[node]), order.pulled_by[node]) {
            let (name, by) = (facts[node].shown(), facts[by].shown());
            let (index, to) = (index[node], order.level[node]);
            all.push(PlanWarning::Pulled { index, name, order: kind, from, to, by });
        }
    }
}
