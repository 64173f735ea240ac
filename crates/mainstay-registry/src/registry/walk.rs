//! The registry's own walk: simple, sequential, without a clock and without memory.

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::{Instrument, debug_span};

use super::Registry;
use crate::{Error, Phase, Plan, Provider, ReloadState, Result, log, plan::Computed};

/// What a walk goes along.
struct Path {
    plan: Plan,
    /// Literal names, by index.
    names: Vec<&'static str>,
    /// All providers in the order of starts.
    starts: Vec<usize>,
}

impl<S: 'static> Registry<S> {
    /// Boots everyone, in the order of the plan; stops at the first failure. It never rolls back.
    ///
    /// # Errors
    ///
    /// The first failure, logged once, as [`Error::Boot`]. [`Error::Other`] with a
    /// [`PlanError`](crate::PlanError), before any hook, when there is no plan.
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, some have booted and the rest have not; `shutdown_all` visits all of them.
    pub async fn boot_all(&self, state: &S) -> Result<()> {
        let path = self.path()?;
        for at in 0..path.names.len() {
            let Some(provider) = self.at(&path, at) else { continue };
            if let Err(error) = provider.boot(state).await {
                let error = error.in_phase(Phase::Boot, path.names[at]);
                log::failed(Phase::Boot, path.names[at], &error);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Validates everyone, in the order of boot; the first failure is returned.
    ///
    /// # Errors
    ///
    /// The first failure, as [`Error::Validate`]. [`Error::Other`] with a [`PlanError`](crate::PlanError),
    /// before any hook, when there is no plan.
    pub fn validate_all(&self, state: &S) -> Result<()> {
        let path = self.path()?;
        for at in 0..path.names.len() {
            let Some(provider) = self.at(&path, at) else { continue };
            provider.validate(state).map_err(|error| error.in_phase(Phase::Validate, path.names[at]))?;
        }
        Ok(())
    }

    /// Shuts everyone down, in exactly the reverse order of boot, booted or not, every time it is called. A
    /// failure is logged and the rest go on; without a plan it goes by (priority, name), with a warning.
    ///
    /// # Errors
    ///
    /// None; the result is there for `?`.
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, the rest have not been shut down; it may be called again.
    pub async fn shutdown_all(&self, state: &S) -> Result<()> {
        let path = self.any_path(Phase::Shutdown);
        for at in (0..path.names.len()).rev() {
            let Some(provider) = self.at(&path, at) else { continue };
            if let Err(error) = provider.shutdown(state).await {
                log::failed(Phase::Shutdown, path.names[at], &error);
            }
        }
        Ok(())
    }

    /// Spawns every runnable that `as_runnable` gives into the set, in the order of starts, and returns how
    /// many. Without a plan it goes by (priority, name), with a warning.
    ///
    /// Each future is in a span named `provider` with the field `provider`. An `Other` becomes
    /// [`Error::Run`], and a [`Recoverable`](Error::Recoverable) without a name gets the provider's.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, unless there is nothing to spawn.
    #[allow(clippy::needless_pass_by_value, reason = "the contract's signature")]
    pub fn run_all(&self, state: S, set: &mut JoinSet<Result<()>>) -> usize
    where
        S: Clone + Send,
    {
        let path = self.any_path(Phase::Run);
        let mut spawned = 0;
        for &at in &path.starts {
            let Some(provider) = self.at(&path, at) else { continue };
            let name = path.names[at];
            let Some(runnable) = provider.as_runnable() else {
                if !path.plan.providers()[at].runnables().is_empty() {
                    log::named_runnables(name);
                }
                continue;
            };
            let future = runnable.run(state.clone());
            let wrapped = async move { future.await.map_err(|error| of_runnable(error, name)) };
            set.spawn(wrapped.instrument(debug_span!("provider", provider = name)));
            spawned += 1;
        }
        spawned
    }

    /// Reloads one provider by its name; of two with one name, the first registered.
    ///
    /// # Errors
    ///
    /// Its failure, as [`Error::Reload`]. [`Error::Other`] when no provider has the name ([`UnknownName`]),
    /// when it cannot be reloaded ([`NotReloadable`]), and, before any hook, when there is no plan.
    ///
    /// # Cancel safety
    ///
    /// As the provider's own `reload`.
    pub async fn reload_one(&self, name: &str, state: &S) -> Result<()> {
        let path = self.path()?;
        let named = (0..path.names.len()).filter(|&at| path.names[at] == name);
        let first = named.min_by_key(|&at| path.plan.providers()[at].registration());
        let Some((at, provider)) = first.and_then(|at| Some((at, self.at(&path, at)?))) else {
            return Err(UnknownName { name: name.to_owned() }.into());
        };
        let Some(reloadable) = provider.as_reloadable() else {
            return Err(NotReloadable { name: name.to_owned() }.into());
        };
        reloadable.reload(state).await.map_err(|error| error.in_phase(Phase::Reload, path.names[at]))
    }

    /// Reloads the state, then every reloadable provider, in the order of reloads. A provider's failure is
    /// logged and the rest go on.
    ///
    /// Best effort: what a hook has published stays published when a later one fails. It is for programs without the
    /// runtime, and for tests. With the runtime, ask its control instead: it runs the same hooks, unchanged, as one
    /// transaction that becomes visible as a whole or not at all.
    ///
    /// # Errors
    ///
    /// The error of the state's own reload, as it is; then nobody was touched. [`Error::Other`] with a
    /// [`PlanError`](crate::PlanError), before any hook, when there is no plan.
    ///
    /// # Cancel safety
    ///
    /// Dropped half-way, some have reloaded and the rest have not.
    pub async fn reload_all(&self, state: &S) -> Result<()>
    where
        S: ReloadState,
    {
        let path = self.path()?;
        state.reload().await?;
        for &at in path.plan.reload_order() {
            let Some(provider) = self.at(&path, at) else { continue };
            let Some(reloadable) = provider.as_reloadable() else { continue };
            if let Err(error) = reloadable.reload(state).await {
                let error = error.in_phase(Phase::Reload, path.names[at]);
                log::failed(Phase::Reload, path.names[at], &error);
            }
        }
        Ok(())
    }

    /// The plan, with every `Dep` filled.
    fn path(&self) -> Result<Path> {
        let mut computed = self.compute();
        match computed.error.take() {
            Some(error) => Err(error.into()),
            None => Ok(self.fill(computed).into()),
        }
    }

    /// The plan, or the order by (priority, name) where there is none.
    fn any_path(&self, phase: Phase) -> Path {
        let mut computed = self.compute();
        match computed.error.take() {
            Some(error) => {
                log::unplanned(phase, &error);
                computed.into()
            }
            None => self.fill(computed).into(),
        }
    }

    fn at(&self, path: &Path, index: usize) -> Option<Arc<dyn Provider<S>>> {
        self.provider_at(path.plan.providers().get(index)?.registration())
    }
}

impl From<Computed> for Path {
    fn from(computed: Computed) -> Self {
        Path { plan: computed.plan, names: computed.names, starts: computed.starts }
    }
}

/// A runnable's error with its provider's name: in this walk, only a `Recoverable` without one gets it.
fn of_runnable(error: Error, name: &'static str) -> Error {
    match error {
        Error::Recoverable { name: "", source } => Error::Recoverable { name, source },
        error => error.in_phase(Phase::Run, name),
    }
}

/// No provider has the name that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: no provider is named '{name}'", crate::codes::UNKNOWN_NAME)]
#[non_exhaustive]
pub struct UnknownName {
    /// The name that was asked for.
    pub name: String,
}

/// The provider that was asked for cannot be reloaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: provider '{name}' is not reloadable", crate::codes::NOT_RELOADABLE)]
#[non_exhaustive]
pub struct NotReloadable {
    /// The name that was asked for.
    pub name: String,
}
