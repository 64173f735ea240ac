//! Planning, and sealing what was planned.

use std::sync::Arc;

use super::{Registry, store::Ranks};
use crate::{
    Plan, PlanError,
    plan::{self, Computed},
};

impl<S: 'static> Registry<S> {
    /// Computes the order of everything: pure, the same every time, before anything boots.
    ///
    /// # Errors
    ///
    /// [`PlanError`], with *all* problems at once.
    ///
    /// # Examples
    ///
    /// See [`Plan`].
    pub fn plan(&self) -> Result<Plan, PlanError> {
        let Computed { plan, error, .. } = self.compute();
        error.map_or(Ok(plan), Err)
    }

    /// Plans exactly what is registered now, and from now on nothing else takes part in the run; fills every
    /// [`Dep`](crate::Dep). The registry stays open when there is no plan.
    ///
    /// # Errors
    ///
    /// [`PlanError`], with *all* problems at once.
    #[doc(hidden)]
    pub fn seal(&self) -> Result<Plan, PlanError> {
        // The members are decided first, so that what comes while providers are asked is late, not lost.
        let opened = self.store.seal();
        let mut computed = self.compute();
        match computed.error.take() {
            Some(error) => {
                if opened {
                    self.store.unseal();
                }
                Err(error)
            }
            None => Ok(self.fill(computed).plan),
        }
    }

    /// Plans, and remembers the order.
    pub(super) fn compute(&self) -> Computed {
        let len = self.store.planned_len();
        let computed = plan::compute(&self.store, len);
        self.store.ranks.store(Some(Arc::new(remember(&computed.plan, len))));
        computed
    }

    /// Fills every `Dep`.
    pub(super) fn fill(&self, mut computed: Computed) -> Computed {
        for (target, fill) in computed.fills.drain(..) {
            if let Some(entry) = self.store.entries.get(target) {
                fill(Arc::clone(&entry.value));
            }
        }
        computed
    }

    /// The order of the last plan; of a new one, if something was registered since. From within a plan, the
    /// last one: asking the providers that are being asked would not end.
    pub(super) fn ranks(&self) -> Option<Arc<Ranks>> {
        let ranks = self.store.ranks.load_full();
        let fresh = ranks.as_ref().is_some_and(|ranks| ranks.covers == self.store.planned_len());
        if fresh || plan::asking() {
            return ranks;
        }
        self.compute();
        self.store.ranks.load_full()
    }
}

fn remember(plan: &Plan, len: usize) -> Ranks {
    let mut rank = vec![None; len];
    let mut names = vec![""; len];
    for (at, one) in plan.providers().iter().enumerate() {
        rank[one.registration()] = Some(at);
        names[one.registration()] = one.name();
    }
    Ranks { covers: len, rank, names }
}
