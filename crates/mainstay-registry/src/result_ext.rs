//! `.boxed()`, `.invalid()` and `.doing(..)`: errors of other libraries at the border of a hook.

use crate::{BoxError, Error, Result, StdError};

/// Turns results of other libraries into results of a hook.
///
/// `?` already takes every [`std::error::Error`]. These are for the rest: boxed errors, `anyhow`, `eyre`,
/// plain texts, and for saying what was being done, or that no retry will help.
pub trait ResultExt<T> {
    /// Makes the error an [`Error::Other`].
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::{BoxError, Result, ResultExt};
    ///
    /// fn library() -> Result<u8, BoxError> {
    ///     Err("no route to host".into())
    /// }
    ///
    /// fn hook() -> Result<u8> {
    ///     library().boxed()
    /// }
    /// assert_eq!(hook().unwrap_err().to_string(), "no route to host");
    /// ```
    fn boxed(self) -> Result<T>;

    /// Makes the error an [`Error::Validate`] without a name: what was asked for cannot work as it is, and a
    /// retry will not cure it.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::{Error, ResultExt};
    ///
    /// let error = "80 80".parse::<u16>().invalid().unwrap_err();
    /// assert!(matches!(error, Error::Validate { name: "", .. }));
    /// ```
    fn invalid(self) -> Result<T>;

    /// Says what was being done: the text comes first, the error itself becomes its cause. The variant stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::ResultExt;
    ///
    /// let missing: Result<u8, _> = Err(std::io::Error::other("no such file"));
    /// let error = missing.doing("reading config/greeting.txt").unwrap_err();
    /// assert_eq!(error.to_string(), "reading config/greeting.txt");
    /// assert_eq!(error.cause().source().unwrap().to_string(), "no such file");
    /// ```
    fn doing(self, doing: impl Into<String>) -> Result<T>;
}

/// What was being done, and what went wrong with it.
#[derive(Debug)]
struct Context {
    doing: String,
    source: BoxError,
}

impl std::fmt::Display for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.doing)
    }
}

impl std::error::Error for Context {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

impl<T, E: Into<BoxError>> ResultExt<T> for Result<T, E> {
    fn boxed(self) -> Result<T> {
        self.map_err(|error| unwrap(error.into()))
    }

    fn doing(self, doing: impl Into<String>) -> Result<T> {
        self.map_err(|error| {
            let doing = doing.into();
            match unwrap(error.into()) {
                Error::Boot { name, source } => Error::Boot { name, source: within(doing, source) },
                Error::Validate { name, source } => Error::Validate { name, source: within(doing, source) },
                Error::Reload { name, source } => Error::Reload { name, source: within(doing, source) },
                Error::Run { name, source } => Error::Run { name, source: within(doing, source) },
                Error::Recoverable { name, source } => {
                    Error::Recoverable { name, source: within(doing, source) }
                }
                Error::Other(source) => Error::Other(within(doing, source)),
            }
        })
    }

    fn invalid(self) -> Result<T> {
        self.map_err(|error| match unwrap(error.into()) {
            Error::Other(source) => Error::Validate { name: "", source },
            error @ Error::Validate { .. } => error,
            typed => Error::Validate { name: "", source: Box::new(typed.into_std()) },
        })
    }
}

fn within(doing: String, source: BoxError) -> BoxError {
    Box::new(Context { doing, source })
}

/// An [`Error`] that travelled as a box is itself again, not wrapped once more.
fn unwrap(error: BoxError) -> Error {
    match error.downcast::<StdError>() {
        Ok(wrapped) => wrapped.into_inner(),
        Err(other) => Error::Other(other),
    }
}
