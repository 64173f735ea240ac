//! `.boxed()` and `.invalid()`: errors of other libraries at the border of a hook.

use crate::{BoxError, Error, Result, StdError};

/// Turns results of other libraries into results of a hook.
///
/// `?` already takes every [`std::error::Error`]. These two are for the rest: boxed errors, `anyhow`, `eyre`,
/// plain texts, and for saying that no retry will help.
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
}

impl<T, E: Into<BoxError>> ResultExt<T> for Result<T, E> {
    fn boxed(self) -> Result<T> {
        self.map_err(|error| unwrap(error.into()))
    }

    fn invalid(self) -> Result<T> {
        self.map_err(|error| match unwrap(error.into()) {
            Error::Other(source) => Error::Validate { name: "", source },
            error @ Error::Validate { .. } => error,
            typed => Error::Validate { name: "", source: Box::new(typed.into_std()) },
        })
    }
}

/// An [`Error`] that travelled as a box is itself again, not wrapped once more.
fn unwrap(error: BoxError) -> Error {
    match error.downcast::<StdError>() {
        Ok(wrapped) => wrapped.into_inner(),
        Err(other) => Error::Other(other),
    }
}
