//! What an error says of its own consequence, whatever the restart policy of its runnable is.

use std::{error::Error as StdErrorTrait, fmt};

use crate::{BoxError, Error, StdError};

/// What an error says of its own consequence, whatever the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Override {
    /// The process stops in good order.
    Fatal,
    /// The runnable is not started again, and the process serves on without it.
    NoRestart,
}

/// Chains of causes are followed so far: one that bites its own tail would have no end.
const DEEPEST: usize = 64;

/// The wrapper around an error's source that carries an [`Override`]. It prints what it wraps, and is outermost in the
/// source of its `Error`, where [`peel`] takes it off again.
struct Overridden {
    kind: Override,
    source: BoxError,
}

impl fmt::Debug for Overridden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl fmt::Display for Overridden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl StdErrorTrait for Overridden {
    fn source(&self) -> Option<&(dyn StdErrorTrait + 'static)> {
        // Not the wrapped error itself: it has been printed by the wrapper.
        self.source.source()
    }
}

impl Error {
    /// Makes this error end the process in good order, whatever the restart policy of its runnable.
    ///
    /// The last word counts: it replaces an earlier [`no_restart`](Error::no_restart). Text, variant and
    /// [`cause`](Error::cause) stay as they are; the field `source` of the variant holds a wrapper.
    ///
    /// # Phase
    ///
    /// *Run*. In the other phases, whose failures have no policy, it changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::{Error, Override};
    ///
    /// let error = Error::msg("the disk is gone").fatal();
    /// assert_eq!(error.override_of_policy(), Some(Override::Fatal));
    /// assert_eq!(error.to_string(), "the disk is gone");
    /// ```
    #[must_use]
    pub fn fatal(self) -> Self {
        self.overriding(Override::Fatal)
    }

    /// Makes this error the last of its runnable, whatever the restart policy: it is marked as failed, and the
    /// process serves on.
    ///
    /// The last word counts: it replaces an earlier [`fatal`](Error::fatal). Text, variant and
    /// [`cause`](Error::cause) stay as they are; the field `source` of the variant holds a wrapper.
    ///
    /// # Phase
    ///
    /// *Run*. In the other phases, whose failures have no policy, it changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::{Error, Override};
    ///
    /// let error = Error::msg("the account was closed").no_restart();
    /// assert_eq!(error.override_of_policy(), Some(Override::NoRestart));
    /// ```
    #[must_use]
    pub fn no_restart(self) -> Self {
        self.overriding(Override::NoRestart)
    }

    /// Returns what this error, or the nearest of its causes that says anything, says of its own consequence.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::{Error, Override, ResultExt};
    ///
    /// assert_eq!(Error::msg("refused").override_of_policy(), None);
    /// let error = Err::<(), _>("refused").fatal().doing("connecting").unwrap_err();
    /// assert_eq!(error.override_of_policy(), Some(Override::Fatal));
    /// ```
    pub fn override_of_policy(&self) -> Option<Override> {
        let mut next: Option<&(dyn StdErrorTrait + 'static)> = Some(&**self.boxed_source());
        for _ in 0..DEEPEST {
            let error = next?;
            if let Some(overridden) = error.downcast_ref::<Overridden>() {
                return Some(overridden.kind);
            }
            next = match error.downcast_ref::<StdError>() {
                // Its `source()` has the wrapper taken off.
                Some(ours) => Some(&**ours.get_ref().boxed_source()),
                None => error.source(),
            };
        }
        None
    }

    fn overriding(self, kind: Override) -> Self {
        self.map_source(|source| {
            let (_earlier, source) = take_off(source);
            put_on(Some(kind), source)
        })
    }
}

/// What an error's source is without the wrapper.
pub(crate) fn peel(source: &BoxError) -> &(dyn StdErrorTrait + Send + Sync + 'static) {
    match source.downcast_ref::<Overridden>() {
        Some(overridden) => &*overridden.source,
        None => &**source,
    }
}

/// Takes the wrapper off, if there is one.
pub(crate) fn take_off(source: BoxError) -> (Option<Override>, BoxError) {
    match source.downcast::<Overridden>() {
        Ok(overridden) => (Some(overridden.kind), overridden.source),
        Err(source) => (None, source),
    }
}

/// Puts the wrapper on, if there is one to put on.
pub(crate) fn put_on(kind: Option<Override>, source: BoxError) -> BoxError {
    match kind {
        Some(kind) => Box::new(Overridden { kind, source }),
        None => source,
    }
}
