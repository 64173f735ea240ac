//! The seam for tests: what comes between the engine and each hook of the user's.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use mainstay_registry::{Phase, Result, TaskFuture};

/// Comes between the runtime and each hook and task: records, wraps or replaces what would be called. For tests.
///
/// Given to [`Runtime::intercept`](crate::Runtime::intercept). Its methods are called inside the hook's own task, at
/// its first poll: what they do (an error, a panic, a hang, a blocked thread) is isolated, bounded and named like
/// the user's own.
///
/// It MUST NOT keep a [`Hook`] beyond the future that it returns: a hook holds its provider.
///
/// # Examples
///
/// ```
/// use mainstay_registry::{Error, Phase, Provider, Registry, Result, TaskFuture};
/// use mainstay_runtime::{Hook, HookCall, Intercept, Runtime, Signals};
/// use std::sync::Arc;
///
/// struct Db;
/// impl Provider<()> for Db {}
///
/// /// Every boot fails.
/// struct NoBoot;
/// impl Intercept for NoBoot {
///     fn hook(&self, call: &HookCall, hook: Hook) -> TaskFuture {
///         match call.phase {
///             Phase::Boot => Box::pin(async { Err(Error::msg("not today")) }),
///             _ => hook.call(),
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let registry = Registry::new();
/// registry.insert(Arc::new(Db));
/// let runtime = Runtime::new(registry, ()).signals(Signals::none()).intercept(Arc::new(NoBoot));
/// assert_eq!(runtime.run().await.exit_code(), 75);
/// # }
/// ```
pub trait Intercept: Send + Sync + 'static {
    /// Returns what runs in the place of `boot`, `reload`, `shutdown`, or of the task of a runnable.
    ///
    /// An error gets the phase and the name of the provider as if the hook itself had returned it.
    fn hook(&self, call: &HookCall, hook: Hook) -> TaskFuture {
        let _ = call;
        hook.call()
    }

    /// Does what is done in the place of `validate`.
    fn validate(&self, call: &HookCall, validate: &dyn Fn() -> Result<()>) -> Result<()> {
        let _ = call;
        validate()
    }
}

/// Which hook of which provider is called.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HookCall {
    /// The provider's shown name; `state` for the state's own reload.
    pub provider: &'static str,
    /// The provider's type; the state's for its own reload.
    pub type_id: TypeId,
    /// Which hook: [`Phase::Run`] is the task of a runnable.
    pub phase: Phase,
    /// The runnable inside the provider, when it has a name.
    pub runnable: Option<&'static str>,
    /// Which start of the runnable this is, from 1; 0 for a hook.
    pub generation: u64,
}

/// The real hook.
#[derive(Clone)]
pub struct Hook(Arc<dyn Fn() -> TaskFuture + Send + Sync>);

impl Hook {
    pub(crate) fn new(call: impl Fn() -> TaskFuture + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    /// Returns the hook's future; nothing of the user's runs before its first poll. Each one is another call.
    pub fn call(&self) -> TaskFuture {
        (self.0)()
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// One interceptor around another.
pub(crate) fn layered(outer: Arc<dyn Intercept>, inner: Arc<dyn Intercept>) -> Arc<dyn Intercept> {
    Arc::new(Layered { outer, inner })
}

struct Layered {
    outer: Arc<dyn Intercept>,
    inner: Arc<dyn Intercept>,
}

impl Intercept for Layered {
    fn hook(&self, call: &HookCall, hook: Hook) -> TaskFuture {
        let (inner, called) = (Arc::clone(&self.inner), call.clone());
        self.outer.hook(call, Hook::new(move || inner.hook(&called, hook.clone())))
    }

    fn validate(&self, call: &HookCall, validate: &dyn Fn() -> Result<()>) -> Result<()> {
        self.outer.validate(call, &|| self.inner.validate(call, validate))
    }
}

/// The interceptor of a run, if it has one.
pub(crate) type Intercepting = Option<Arc<dyn Intercept>>;
