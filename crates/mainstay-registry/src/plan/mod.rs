//! The plan: the computed order of everything, before anything runs.

mod compute;
mod cycles;
mod facts;
mod faults;
mod graph;
mod order;
mod policies;
mod problem;
mod render;
mod report;
mod warning;

pub(crate) use self::{
    compute::{Computed, compute, known},
    facts::asking,
};
pub use self::{
    policies::FaultyPolicy,
    problem::{Cycle, CycleStep, Missing, Panicked, PlanError, PlanProblem, Requirer},
    warning::{OrderKind, PlanWarning},
};

use std::{fmt, panic::Location};

use crate::{Deadlines, ReadyWhen, RestartPolicy, RestartWhen, Validate};

/// The order of everything, computed before anything runs.
///
/// Made by [`Registry::plan`](crate::Registry::plan). Lower priorities come first, and the levels of priority
/// are barriers; inside a level the edges order, and what they leave open goes by name. A declared edge beats
/// a number: whatever is required is pulled into the level of what requires it. Starts and reloads are
/// ordered by their own priorities and the same edges; stopping is the reverse of the boot.
///
/// It prints as text, Mermaid and JSON, always the same for the same registry, and without a place in the
/// source in its text, so that a test can compare it.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use mainstay_registry::{Dependencies, Provider, Registry};
///
/// struct Config;
/// impl Provider<()> for Config {
///     fn name(&self) -> &'static str {
///         "config"
///     }
/// }
///
/// struct Api;
/// impl Provider<()> for Api {
///     fn name(&self) -> &'static str {
///         "api"
///     }
///     fn dependencies(&self) -> Dependencies<()> {
///         Dependencies::new().requires::<Config>()
///     }
/// }
///
/// let registry = Registry::<()>::new();
/// registry.insert(Arc::new(Api)).insert(Arc::new(Config));
/// let plan = registry.plan().unwrap();
/// let names: Vec<_> = plan.providers().iter().map(|it| it.name()).collect();
/// assert_eq!(names, ["config", "api"]);
/// println!("{plan}");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    providers: Vec<Planned>,
    start: Vec<usize>,
    reload: Vec<usize>,
    warnings: Vec<PlanWarning>,
}

impl Plan {
    /// Returns the providers in the order of boot. A place in it is *the index* everywhere.
    pub fn providers(&self) -> &[Planned] {
        &self.providers
    }

    /// Returns the indices of those with runnables, in the order of starts.
    pub fn start_order(&self) -> &[usize] {
        &self.start
    }

    /// Returns the indices of the reloadable ones, in the order of reloads.
    pub fn reload_order(&self) -> &[usize] {
        &self.reload
    }

    /// Returns what the plan has to say although it is possible.
    pub fn warnings(&self) -> &[PlanWarning] {
        &self.warnings
    }

    /// Renders it as text, for people and golden files.
    pub fn to_text(&self) -> String {
        render::text(self, None)
    }

    /// Renders it as a Mermaid flowchart: an arrow leads from what needs to what is needed.
    pub fn to_mermaid(&self) -> String {
        render::mermaid(self, None)
    }

    /// Renders it as JSON, with every place in the source.
    pub fn to_json(&self) -> String {
        render::json(self, None)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// One provider in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    name: &'static str,
    type_name: &'static str,
    site: &'static Location<'static>,
    registration: usize,
    edges: Vec<Edge>,
    absent: Vec<Absent>,
    boot_level: u8,
    start_level: u8,
    reload_level: u8,
    deadlines: Deadlines,
    validate_when: Validate,
    runnables: Vec<PlannedRunnable>,
    reloadable: bool,
}

impl Planned {
    /// Returns the shown name: its own, or its type's short name if it keeps the default one.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns its type, with its path.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Returns where it was registered.
    pub fn site(&self) -> &'static Location<'static> {
        self.site
    }

    /// Returns its place in the registry, for [`Registry::provider_at`](crate::Registry::provider_at).
    pub fn registration(&self) -> usize {
        self.registration
    }

    /// Returns what it needs, in the order of its declarations.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Returns what it wants and is not registered. In a broken graph, also what it requires.
    pub fn absent(&self) -> &[Absent] {
        &self.absent
    }

    /// Returns the level in which it boots, after pulling.
    pub fn boot_level(&self) -> u8 {
        self.boot_level
    }

    /// Returns the level in which it starts, after pulling. One without runnables has no wish of its own.
    pub fn start_level(&self) -> u8 {
        self.start_level
    }

    /// Returns the level in which it reloads, after pulling. One that is not reloadable has no wish of its
    /// own.
    pub fn reload_level(&self) -> u8 {
        self.reload_level
    }

    /// Returns its own deadlines.
    pub fn deadlines(&self) -> Deadlines {
        self.deadlines
    }

    /// Returns when it is validated.
    pub fn validate_when(&self) -> Validate {
        self.validate_when
    }

    /// Returns its runnables.
    pub fn runnables(&self) -> &[PlannedRunnable] {
        &self.runnables
    }

    /// Says whether it can be reloaded.
    pub fn is_reloadable(&self) -> bool {
        self.reloadable
    }
}

/// A runnable of a planned provider.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlannedRunnable {
    /// Its name within the provider; `None` for the only one.
    pub name: Option<&'static str>,
    /// When it counts as ready.
    pub ready_when: ReadyWhen,
    /// What happens when it ends.
    pub restart: RestartPolicy,
}

impl PlannedRunnable {
    /// Whether anything ever starts it again.
    pub(crate) fn restarts(&self) -> bool {
        self.restart.when() != RestartWhen::Never || self.restart.is_with_required()
    }
}

/// A need that was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edge {
    /// The index of what is needed.
    pub to: usize,
    /// How it is needed.
    pub kind: EdgeKind,
    /// Where that was declared.
    pub site: &'static Location<'static>,
    /// The trait, when it is needed through a binding.
    pub through: Option<&'static str>,
}

/// A need that nothing fulfils.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Absent {
    /// The type or trait, with its path.
    pub type_name: &'static str,
    /// How it is needed.
    pub kind: EdgeKind,
    /// Where that was declared.
    pub site: &'static Location<'static>,
}

/// How something is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EdgeKind {
    /// It must be registered.
    Requires,
    /// It may be missing.
    Wants,
}

impl EdgeKind {
    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            EdgeKind::Requires => "requires",
            EdgeKind::Wants => "wants",
        }
    }
}

impl fmt::Display for EdgeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
