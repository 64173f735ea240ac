//! The error of an override of what is not there.

use std::fmt;

use mainstay_registry::Phase;

/// Something was overridden that is not there: a misspelled override would test nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideError(String);

impl OverrideError {
    pub(super) fn not_registered(text: &str) -> Self {
        Self(format!("nothing can be overridden: {text}"))
    }

    pub(super) fn not_bound(trait_name: &str) -> Self {
        Self(format!("nothing can be overridden: nothing is bound to `{trait_name}`"))
    }

    pub(super) fn no_hook(type_name: &str, phase: Phase) -> Self {
        Self(format!("nothing can be overridden: `{type_name}` has no hook for the phase {phase}"))
    }

    pub(super) fn of_a_runtime() -> Self {
        Self(
            "a provider of a runtime that is made already cannot be replaced: use `Harness::new(state, register)`, or \
             `DaemonBuilder::replace` before"
                .to_owned(),
        )
    }
}

impl fmt::Display for OverrideError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OverrideError {}
