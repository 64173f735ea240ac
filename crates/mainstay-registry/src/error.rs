//! The error that hooks return: six variants, frozen, each naming the provider and the phase.

use std::{any::Any, error::Error as StdErrorTrait, fmt};

use crate::{Phase, overrides};

/// Any error, boxed: what a hook fails with.
pub type BoxError = Box<dyn StdErrorTrait + Send + Sync + 'static>;

/// The result of a hook.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a hook failed.
///
/// Exactly these six variants, for ever: a `match` without a wildcard keeps compiling. Most code never names
/// one: `?` turns any error into [`Other`](Error::Other), and whoever called the hook makes it the variant of
/// the phase. Return a typed variant to say more than the phase does: [`Recoverable`](Error::Recoverable) for
/// a failure that the process survives, [`Validate`](Error::Validate) for one that no retry will cure.
///
/// It is not a [`std::error::Error`] itself, because `?` on *any* error needs the blanket [`From`] below;
/// [`into_std`](Error::into_std) and `?` into a [`BoxError`] cross that border without losing the cause.
///
/// # Examples
///
/// ```
/// use mainstay_registry::{Error, Result};
///
/// fn port(text: &str) -> Result<u16> {
///     Ok(text.parse::<u16>()?)
/// }
///
/// let error = port("http").unwrap_err();
/// assert!(matches!(error, Error::Other(_)));
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// ```
#[derive(Debug)]
pub enum Error {
    /// A `boot` hook failed.
    Boot {
        /// The provider's name.
        name: &'static str,
        /// What went wrong.
        source: BoxError,
    },
    /// A `validate` hook failed, or what was asked for can never work as configured.
    Validate {
        /// The provider's name.
        name: &'static str,
        /// What went wrong.
        source: BoxError,
    },
    /// A `reload` hook failed.
    Reload {
        /// The provider's name.
        name: &'static str,
        /// What went wrong.
        source: BoxError,
    },
    /// A runnable failed, and the process with it.
    Run {
        /// The provider's name.
        name: &'static str,
        /// What went wrong.
        source: BoxError,
    },
    /// A runnable failed, and the process can do without it.
    Recoverable {
        /// The provider's name; empty until whoever ran it fills it in.
        name: &'static str,
        /// What went wrong.
        source: BoxError,
    },
    /// Anything else; becomes the variant of the phase in which it was returned.
    Other(BoxError),
}

impl Error {
    /// Makes an [`Other`](Error::Other) of a text.
    pub fn msg(text: impl Into<String>) -> Self {
        Error::Other(BoxError::from(text.into()))
    }

    /// Makes a [`Recoverable`](Error::Recoverable) of a text; its name is filled in by whoever ran it.
    pub fn recoverable(text: impl Into<String>) -> Self {
        Error::Recoverable { name: "", source: BoxError::from(text.into()) }
    }

    /// Returns the name of the provider that failed, when it is known.
    pub fn name(&self) -> Option<&'static str> {
        match self {
            Error::Boot { name, .. }
            | Error::Validate { name, .. }
            | Error::Reload { name, .. }
            | Error::Run { name, .. }
            | Error::Recoverable { name, .. } => Some(*name).filter(|name| !name.is_empty()),
            Error::Other(_) => None,
        }
    }

    /// Returns what went wrong, without the name and the phase.
    pub fn cause(&self) -> &(dyn StdErrorTrait + Send + Sync + 'static) {
        overrides::peel(self.boxed_source())
    }

    pub(crate) fn boxed_source(&self) -> &BoxError {
        match self {
            Error::Boot { source, .. }
            | Error::Validate { source, .. }
            | Error::Reload { source, .. }
            | Error::Run { source, .. }
            | Error::Recoverable { source, .. }
            | Error::Other(source) => source,
        }
    }

    /// Replaces what went wrong; the variant and the name stay.
    pub(crate) fn map_source(self, map: impl FnOnce(BoxError) -> BoxError) -> Self {
        match self {
            Error::Boot { name, source } => Error::Boot { name, source: map(source) },
            Error::Validate { name, source } => Error::Validate { name, source: map(source) },
            Error::Reload { name, source } => Error::Reload { name, source: map(source) },
            Error::Run { name, source } => Error::Run { name, source: map(source) },
            Error::Recoverable { name, source } => Error::Recoverable { name, source: map(source) },
            Error::Other(source) => Error::Other(map(source)),
        }
    }

    /// Turns an [`Other`](Error::Other) into the variant of the phase that returned it; leaves a typed
    /// variant alone. The phases without a variant (register, plan, stop, shutdown) leave `Other` as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::{Error, Phase};
    ///
    /// let error = Error::msg("connection refused").in_phase(Phase::Boot, "pool");
    /// assert_eq!(error.to_string(), "provider 'pool' failed during boot: connection refused");
    /// ```
    #[must_use]
    pub fn in_phase(self, phase: Phase, name: &'static str) -> Self {
        match (self, phase) {
            (Error::Other(source), Phase::Boot) => Error::Boot { name, source },
            (Error::Other(source), Phase::Validate) => Error::Validate { name, source },
            (Error::Other(source), Phase::Reload) => Error::Reload { name, source },
            (Error::Other(source), Phase::Run) => Error::Run { name, source },
            (error, _) => error,
        }
    }

    /// Fills in the name of a typed variant that has none.
    #[must_use]
    pub fn named(mut self, filled: &'static str) -> Self {
        match &mut self {
            Error::Boot { name, .. }
            | Error::Validate { name, .. }
            | Error::Reload { name, .. }
            | Error::Run { name, .. }
            | Error::Recoverable { name, .. } => {
                if name.is_empty() {
                    *name = filled;
                }
            }
            Error::Other(_) => {}
        }
        self
    }

    /// Turns it into a [`std::error::Error`] that prints the same text and has the cause as its source.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::Error;
    ///
    /// fn main_like() -> Result<(), Box<dyn std::error::Error>> {
    ///     let outcome: mainstay_registry::Result<()> = Ok(());
    ///     outcome.map_err(Error::into_std)?;
    ///     Ok(())
    /// }
    /// # main_like().unwrap();
    /// ```
    pub fn into_std(self) -> StdError {
        StdError(self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Boot { name, source } => write!(f, "provider '{name}' failed during boot: {source}"),
            Error::Validate { name, source } => {
                write!(f, "provider '{name}' failed during validate: {source}")
            }
            Error::Reload { name, source } => write!(f, "reload of '{name}' failed: {source}"),
            Error::Run { name, source } => write!(f, "runnable '{name}' failed: {source}"),
            Error::Recoverable { name, source } => {
                write!(f, "runnable '{name}' failed (recoverable): {source}")
            }
            Error::Other(source) => source.fmt(f),
        }
    }
}

/// Any error becomes [`Error::Other`]; a [`StdError`] becomes again the error that it was made of.
impl<E: StdErrorTrait + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let mut slot = Some(error);
        let wrapped = (&mut slot as &mut dyn Any).downcast_mut::<Option<StdError>>();
        if let Some(StdError(error)) = wrapped.and_then(Option::take) {
            return error;
        }
        match slot {
            Some(error) => Error::Other(Box::new(error)),
            None => unreachable!("only a StdError is taken out, and that has returned"),
        }
    }
}

impl From<Error> for BoxError {
    fn from(error: Error) -> Self {
        Box::new(error.into_std())
    }
}

impl From<Error> for Box<dyn StdErrorTrait> {
    fn from(error: Error) -> Self {
        Box::new(error.into_std())
    }
}

/// An [`Error`] as a [`std::error::Error`]: the same text, and the cause as its
/// [`source`](std::error::Error::source).
#[derive(Debug)]
pub struct StdError(Error);

impl StdError {
    /// Returns the error that it was made of.
    pub fn into_inner(self) -> Error {
        self.0
    }

    /// Borrows the error that it was made of.
    pub fn get_ref(&self) -> &Error {
        &self.0
    }
}

impl fmt::Display for StdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdErrorTrait for StdError {
    fn source(&self) -> Option<&(dyn StdErrorTrait + 'static)> {
        Some(self.0.cause())
    }
}
