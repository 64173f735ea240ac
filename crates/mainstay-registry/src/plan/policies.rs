//! The restart policies of what is planned: every fault of each, beside all other problems.

use std::{fmt, panic::Location};

use super::facts::Facts;
use crate::{
    Weight,
    names::{Quoted, visible},
};

/// A fault of the restart policy of a planned runnable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultyPolicy {
    /// The provider's shown name.
    pub provider: &'static str,
    /// The runnable's name within the provider; `None` for the only one.
    pub runnable: Option<&'static str>,
    /// The provider's type, with its path.
    pub type_name: &'static str,
    /// Where the provider was registered.
    pub site: &'static Location<'static>,
    /// The method of [`RestartPolicy`](crate::RestartPolicy) that sets it: `factor`, `jitter`, ..
    pub field: &'static str,
    /// What is wrong.
    pub text: String,
}

impl FaultyPolicy {
    /// Writes the sentence, without the place.
    pub(crate) fn write(&self, f: &mut dyn fmt::Write, how: &str) -> fmt::Result {
        f.write_str("the restart policy of ")?;
        match self.runnable {
            None => write!(f, "{}", Quoted(self.provider))?,
            Some(name) => write!(f, "'{}/{}'", visible(self.provider), visible(name))?,
        }
        write!(f, " has a {how} `{}`: {}", self.field, self.text)
    }
}

/// All faults of one weight: by registration, then in the order of the provider's runnables.
pub(crate) fn faults(facts: &[Facts], weight: Weight) -> Vec<(usize, FaultyPolicy)> {
    let runnables = facts
        .iter()
        .enumerate()
        .flat_map(|(node, one)| one.declared.runnables.iter().map(move |runnable| (node, one, runnable)));
    runnables
        .flat_map(|(node, one, runnable)| {
            let faults = runnable.restart.faults().into_iter().filter(move |fault| fault.weight == weight);
            faults.map(move |fault| {
                let found = FaultyPolicy {
                    provider: one.shown(),
                    runnable: runnable.name,
                    type_name: one.type_name,
                    site: one.site,
                    field: fault.field,
                    text: fault.text,
                };
                (node, found)
            })
        })
        .collect()
}
