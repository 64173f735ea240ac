//! Reloading: the state's own step, then every provider that can.

use async_trait::async_trait;

use crate::Result;

/// Step 0 of a reload: the application's state re-reads what everybody else reads from it.
///
/// [`Registry::reload_all`](crate::Registry::reload_all) calls it first. Its error is returned as it is, and
/// then no provider was touched.
///
/// # Examples
///
/// ```
/// use mainstay_registry::{ReloadState, Result, async_trait};
///
/// struct App;
///
/// #[async_trait]
/// impl ReloadState for App {
///     async fn reload(&self) -> Result<()> {
///         Ok(()) // read the configuration again, validate it, publish it
///     }
/// }
/// ```
#[async_trait]
pub trait ReloadState: Send + Sync + Sized + 'static {
    /// Re-reads the state's inputs.
    ///
    /// # Errors
    ///
    /// MUST leave the old state in place when it fails: the reload ends there.
    async fn reload(&self) -> Result<()>;
}

/// The capability of a provider to read its inputs again while it serves.
///
/// Handed out by [`Provider::as_reloadable`](crate::Provider::as_reloadable).
///
/// # Examples
///
/// ```
/// use mainstay_registry::{Provider, Reloadable, Result, async_trait, priority};
///
/// struct Routes;
///
/// impl Provider<()> for Routes {
///     fn name(&self) -> &'static str {
///         "routes"
///     }
///     fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
///         Some(self)
///     }
/// }
///
/// #[async_trait]
/// impl Reloadable<()> for Routes {
///     fn priority(&self) -> Option<u8> {
///         Some(priority::LATE)
///     }
///     async fn reload(&self, _state: &()) -> Result<()> {
///         Ok(()) // build the new table whole, then publish it at once
///     }
/// }
/// ```
#[async_trait]
pub trait Reloadable<S>: Send + Sync + 'static {
    /// Returns the priority in the order of reloads; `None` means
    /// [`NORMAL`](crate::priority::NORMAL). Edges refine it as they refine the order of boot.
    fn priority(&self) -> Option<u8> {
        None
    }

    /// Rebuilds what this provider serves from its inputs, and publishes it.
    ///
    /// # Phase
    ///
    /// *Reload*; the same shape as boot. It
    /// - MAY resolve and await what it depends on, do async I/O, and publish a snapshot;
    /// - MUST leave the old value in place when it fails;
    /// - MUST NOT change who is registered, nor spawn long work.
    ///
    /// # Errors
    ///
    /// An `Other` becomes [`Error::Reload`](crate::Error::Reload). The registry's own walk logs it and goes
    /// on with the next provider.
    ///
    /// # Cancel safety
    ///
    /// The runtime drops this future at its deadline and at a shutdown: publish once, at the end.
    async fn reload(&self, state: &S) -> Result<()>;
}
