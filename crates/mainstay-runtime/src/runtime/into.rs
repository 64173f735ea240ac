//! What a runtime can be made of: for tests that take any daemon.

use super::Runtime;
use crate::outcome::Outcome;

/// Something that can become a runtime: a [`Runtime`], a builder of a daemon, or the result of making one.
///
/// The test kit takes any of them.
pub trait IntoRuntime {
    /// The state of the providers.
    type State: Clone + Send + Sync + 'static;

    /// Makes the runtime.
    ///
    /// # Errors
    ///
    /// The outcome of a start that was refused before there was a runtime.
    fn into_runtime(self) -> Result<Runtime<Self::State>, Outcome>;
}

impl<S: Clone + Send + Sync + 'static> IntoRuntime for Runtime<S> {
    type State = S;

    fn into_runtime(self) -> Result<Self, Outcome> {
        Ok(self)
    }
}

impl<S: Clone + Send + Sync + 'static> IntoRuntime for Result<Runtime<S>, Outcome> {
    type State = S;

    fn into_runtime(self) -> Self {
        self
    }
}
