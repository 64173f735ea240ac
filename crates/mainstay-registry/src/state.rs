//! What a provider may expect of every application's state.

use tokio_util::sync::CancellationToken;

use crate::Registry;

/// An application's state that carries its registry and says when the process is to stop.
///
/// A library writes its providers once for every application: `impl<S: SharedState> Provider<S> for Dns`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use mainstay_registry::{Provider, Registry, Result, SharedState, async_trait};
/// use tokio_util::sync::CancellationToken;
///
/// #[derive(Clone)]
/// struct App {
///     registry: Arc<Registry<App>>,
///     shutdown: CancellationToken,
/// }
///
/// impl SharedState for App {
///     fn registry(&self) -> &Registry<App> {
///         &self.registry
///     }
///     fn shutdown_token(&self) -> &CancellationToken {
///         &self.shutdown
///     }
/// }
///
/// struct Dns;
///
/// #[async_trait]
/// impl<S: SharedState> Provider<S> for Dns {
///     async fn boot(&self, state: &S) -> Result<()> {
///         assert!(state.registry().get::<Dns>().is_some());
///         Ok(())
///     }
/// }
/// ```
pub trait SharedState: Clone + Send + Sync + Sized + 'static {
    /// Returns the registry in which this state's providers live.
    fn registry(&self) -> &Registry<Self>;

    /// Returns the token that is cancelled when the process is to stop.
    fn shutdown_token(&self) -> &CancellationToken;
}
