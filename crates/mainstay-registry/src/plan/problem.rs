//! Why no plan is possible: all problems at once, as data. Nothing was started.

use std::{fmt, panic::Location};

use super::{EdgeKind, FaultyPolicy, Plan, render, report};
use crate::{Code, NearMatch, codes};

/// Why no plan is possible. It carries all problems, and the broken graph, which still renders.
///
/// Its text names what is missing, who requires it and where that was registered, the chain that leads there,
/// what comes near, the line to add; of a cycle its members in order, and the cheapest edge to cut; of a restart policy
/// its field.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use mainstay_registry::{Dependencies, PlanProblem, Provider, Registry, codes};
///
/// struct Dns;
/// impl Provider<()> for Dns {}
///
/// struct Api;
/// impl Provider<()> for Api {
///     fn dependencies(&self) -> Dependencies<()> {
///         Dependencies::new().requires::<Dns>()
///     }
/// }
///
/// let registry = Registry::<()>::new();
/// registry.insert(Arc::new(Api));
/// let error = registry.plan().unwrap_err();
/// assert_eq!(error.code(), codes::MISSING);
/// assert!(matches!(error.problems(), [PlanProblem::Missing(_)]));
/// assert!(error.to_string().starts_with("MS0101: 'Api' requires `Dns`, which is not registered"));
/// assert!(error.to_string().ends_with("nothing was started"));
/// assert!(error.to_mermaid().contains("Dns"));
/// ```
#[derive(Clone)]
pub struct PlanError {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    problems: Vec<PlanProblem>,
    broken: Plan,
    culprits: Culprits,
}

/// What is at fault in a broken graph, by place in its list of providers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Culprits {
    pub(crate) providers: Vec<bool>,
    /// Edges as (from, which of its edges).
    pub(crate) edges: Vec<(usize, usize)>,
}

impl Culprits {
    pub(crate) fn provider(&self, at: usize) -> bool {
        self.providers.get(at).copied().unwrap_or(false)
    }

    pub(crate) fn edge(&self, from: usize, at: usize) -> bool {
        self.edges.contains(&(from, at))
    }
}

impl PlanError {
    pub(crate) fn new(problems: Vec<PlanProblem>, broken: Plan, culprits: Culprits) -> Self {
        PlanError { inner: Box::new(Inner { problems, broken, culprits }) }
    }

    /// Returns all problems, those of missing requirements first.
    pub fn problems(&self) -> &[PlanProblem] {
        &self.inner.problems
    }

    /// Returns the code of the first problem.
    pub fn code(&self) -> Code {
        self.inner.problems.first().map_or(codes::MISSING, PlanProblem::code)
    }

    /// Renders the broken graph as text, with the culprits marked.
    pub fn to_text(&self) -> String {
        render::text(&self.inner.broken, Some((&self.inner.culprits, &self.inner.problems)))
    }

    /// Renders the broken graph as a Mermaid flowchart, with the culprits marked.
    pub fn to_mermaid(&self) -> String {
        render::mermaid(&self.inner.broken, Some(&self.inner.culprits))
    }

    /// Renders the broken graph as JSON, with the culprits marked.
    pub fn to_json(&self) -> String {
        render::json(&self.inner.broken, Some((&self.inner.culprits, &self.inner.problems)))
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        report::all(f, &self.inner.problems)
    }
}

impl fmt::Debug for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanError").field("problems", &self.inner.problems).finish_non_exhaustive()
    }
}

impl std::error::Error for PlanError {}

/// One reason why no plan is possible.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanProblem {
    /// A required provider is not registered.
    Missing(Missing),
    /// A required trait has nothing registered that is bound to it.
    MissingBinding(Missing),
    /// Some providers need each other in a circle.
    Cycle(Cycle),
    /// A provider panicked while it was asked what it declares.
    Panicked(Panicked),
    /// A value of the restart policy of a runnable makes no sense.
    Policy(FaultyPolicy),
}

impl PlanProblem {
    /// Returns the code of the page that explains it.
    pub fn code(&self) -> Code {
        match self {
            PlanProblem::Missing(_) => codes::MISSING,
            PlanProblem::MissingBinding(_) => codes::MISSING_BINDING,
            PlanProblem::Cycle(_) => codes::CYCLE,
            PlanProblem::Panicked(_) => codes::PANICKED,
            PlanProblem::Policy(_) => codes::BAD_POLICY,
        }
    }
}

impl fmt::Display for PlanProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        report::one(f, self)
    }
}

/// Something that is required and not there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missing {
    /// The type or trait, with its path.
    pub type_name: &'static str,
    /// Everyone who requires it, in the order of registration.
    pub required_by: Vec<Requirer>,
    /// What comes near, nearest first.
    pub near: Vec<NearMatch>,
}

/// Who requires what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requirer {
    /// The provider's shown name.
    pub name: &'static str,
    /// Its type, with its path.
    pub type_name: &'static str,
    /// Where it was registered.
    pub registered: &'static Location<'static>,
    /// Where it declared the requirement.
    pub declared: &'static Location<'static>,
    /// Who required the requirer, from a root that nobody requires, with the place of registration of each.
    pub pulled_in_by: Vec<(&'static str, &'static Location<'static>)>,
}

/// Providers that need each other in a circle: its members and nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cycle {
    /// The edges, in order; the last one leads back to the first one's provider.
    pub steps: Vec<CycleStep>,
    /// Which of the edges is the cheapest to cut.
    pub cut: usize,
}

/// One edge of a cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CycleStep {
    /// Who needs.
    pub from: &'static str,
    /// Who is needed.
    pub to: &'static str,
    /// The type that is needed, with its path.
    pub to_type: &'static str,
    /// How it is needed.
    pub kind: EdgeKind,
    /// The trait, when it is needed through a binding.
    pub through: Option<&'static str>,
    /// Where it was declared.
    pub site: &'static Location<'static>,
}

/// A provider that panicked while it was asked what it declares.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Panicked {
    /// Its type, with its path.
    pub type_name: &'static str,
    /// Where it was registered.
    pub site: &'static Location<'static>,
    /// The method that panicked.
    pub method: &'static str,
    /// The text of the panic.
    pub message: String,
}
