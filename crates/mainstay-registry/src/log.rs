//! The one place of this crate that writes log lines.

use std::panic::Location;

use tracing::{error, warn};

use crate::{Error, InsertError, Phase, PlanError, codes, names::At};

/// Something was put in that cannot be, and the contract says that it is skipped.
pub(crate) fn refused(refused: &InsertError) {
    warn!(target: "mainstay", code = refused.code().id, error = %refused, "a second registration of the type was skipped, the first one stays");
}

pub(crate) fn duplicate_binding(
    trait_name: &'static str,
    type_name: &'static str,
    first: &'static Location<'static>,
    second: &'static Location<'static>,
) {
    let (first, second) = (At(first), At(second));
    warn!(target: "mainstay", r#trait = trait_name, r#type = type_name, %first, %second, "binding skipped: bound already");
}

/// Something was put in after the run was planned.
pub(crate) fn late(type_name: &'static str, site: &'static Location<'static>) {
    warn!(target: "mainstay", code = codes::SEALED.id,
        r#type = type_name,
        site = %At(site),
        "registered after the plan: can be resolved, takes no part in this run"
    );
}

/// A hook of the walk failed.
pub(crate) fn failed(phase: Phase, provider: &'static str, error: &Error) {
    error!(target: "mainstay", provider, phase = phase.as_str(), %error, "hook failed");
}

/// No plan is possible, and this walk goes on without.
pub(crate) fn unplanned(phase: Phase, error: &PlanError) {
    warn!(target: "mainstay", phase = phase.as_str(),
        code = error.code().id,
        %error,
        "no plan is possible: going by priority and name"
    );
}

/// A provider has runnables that only the runtime starts.
pub(crate) fn named_runnables(provider: &'static str) {
    warn!(target: "mainstay", provider, "named runnables are started by the runtime alone");
}
