//! The phases of a provider's life, each named once.

use std::fmt;

/// A phase of the lifecycle, in the order in which they happen.
///
/// # Examples
///
/// ```
/// use mainstay_registry::Phase;
///
/// assert_eq!(Phase::Boot.to_string(), "boot");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Providers are constructed, empty, and put into the registry.
    Register,
    /// The order is computed; nothing has run yet.
    Plan,
    /// [`Provider::boot`](crate::Provider::boot), in the order of the plan.
    Boot,
    /// [`Provider::validate`](crate::Provider::validate).
    Validate,
    /// [`Runnable::run`](crate::Runnable::run): the only long work.
    Run,
    /// [`Reloadable::reload`](crate::Reloadable::reload).
    Reload,
    /// Runnables are asked to end, and waited for.
    Stop,
    /// [`Provider::shutdown`](crate::Provider::shutdown), in reverse order of the plan.
    Shutdown,
}

impl Phase {
    /// Returns the phase's name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Register => "register",
            Phase::Plan => "plan",
            Phase::Boot => "boot",
            Phase::Validate => "validate",
            Phase::Run => "run",
            Phase::Reload => "reload",
            Phase::Stop => "stop",
            Phase::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
