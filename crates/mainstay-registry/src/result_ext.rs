//! `.boxed()`, `.invalid()`, `.fatal()` and their kin: errors of other libraries at the border of a hook.

use crate::{BoxError, Error, Result, StdError, overrides};

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

    /// Makes the error end the process in good order, whatever the restart policy of its runnable; see
    /// [`Error::fatal`].
    ///
    /// # Phase
    ///
    /// *Run*. In the other phases, whose failures have no policy, it is [`boxed`](ResultExt::boxed).
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::{Result, ResultExt, TaskFuture};
    ///
    /// fn lock() -> std::io::Result<()> {
    ///     Err(std::io::Error::other("held by another process"))
    /// }
    ///
    /// fn run() -> TaskFuture {
    ///     Box::pin(async {
    ///         lock().fatal()?; // no restart would cure it
    ///         Ok(())
    ///     })
    /// }
    /// # let _ = run();
    /// ```
    fn fatal(self) -> Result<T>;

    /// Makes the error the last of its runnable, whatever its restart policy, and the process serves on without it;
    /// see [`Error::no_restart`].
    ///
    /// # Phase
    ///
    /// *Run*. In the other phases, whose failures have no policy, it is [`boxed`](ResultExt::boxed).
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::{Override, ResultExt};
    ///
    /// let error = "closed".parse::<u16>().no_restart().unwrap_err();
    /// assert_eq!(error.override_of_policy(), Some(Override::NoRestart));
    /// assert_eq!(error.to_string(), "invalid digit found in string");
    /// ```
    fn no_restart(self) -> Result<T>;
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
            unwrap(error.into()).map_source(|source| within(doing, source))
        })
    }

    fn invalid(self) -> Result<T> {
        self.map_err(|error| match unwrap(error.into()) {
            Error::Other(source) => Error::Validate { name: "", source },
            error @ Error::Validate { .. } => error,
            typed => Error::Validate { name: "", source: Box::new(typed.into_std()) },
        })
    }

    fn fatal(self) -> Result<T> {
        self.map_err(|error| unwrap(error.into()).fatal())
    }

    fn no_restart(self) -> Result<T> {
        self.map_err(|error| unwrap(error.into()).no_restart())
    }
}

/// What an error says of its own consequence stays outermost.
fn within(doing: String, source: BoxError) -> BoxError {
    let (kind, source) = overrides::take_off(source);
    overrides::put_on(kind, Box::new(Context { doing, source }))
}

/// An [`Error`] that travelled as a box is itself again, not wrapped once more.
fn unwrap(error: BoxError) -> Error {
    match error.downcast::<StdError>() {
        Ok(wrapped) => wrapped.into_inner(),
        Err(other) => Error::Other(other),
    }
}
