//! A provider made of one `async fn`.

use std::fmt;
use std::future::Future;

use mainstay_registry::{
    Deadlines, Dependencies, Provider, ReadyWhen, RestartPolicy, Result, Runnable, TaskFuture,
};

use crate::context::{RunContext, task};

/// Makes a provider of an `async fn(S, RunContext) -> Result<()>`.
///
/// Its type is the function's, so each function can be registered once; of a closure that is registered twice under
/// two names, wrap the second in another closure.
///
/// # Examples
///
/// ```
/// use mainstay_registry::{Provider, Registry, Result};
/// use mainstay_runtime::{RunContext, runnable};
/// use std::sync::Arc;
///
/// struct Db;
/// impl<S> Provider<S> for Db {}
///
/// async fn api(_state: (), cx: RunContext) -> Result<()> {
///     cx.shutdown_token().cancelled().await;
///     Ok(())
/// }
///
/// let registry: Registry<()> = Registry::new();
/// registry.insert(Arc::new(Db)).insert(Arc::new(runnable("api", api).requires::<Db>()));
/// assert_eq!(registry.plan().unwrap().providers()[1].name(), "api");
/// ```
pub fn runnable<S, F, Fut>(name: &'static str, body: F) -> RunnableFn<S, F>
where
    S: Send + 'static,
    F: Fn(S, RunContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    RunnableFn {
        name,
        body: std::sync::Arc::new(body),
        dependencies: Dependencies::new(),
        ready_when: ReadyWhen::Started,
        restart: RestartPolicy::never(),
        run_priority: None,
        boot_priority: None,
        deadlines: Deadlines::new(),
    }
}

/// A provider made by [`runnable`].
pub struct RunnableFn<S, F> {
    name: &'static str,
    body: std::sync::Arc<F>,
    dependencies: Dependencies<S>,
    ready_when: ReadyWhen,
    restart: RestartPolicy,
    run_priority: Option<u8>,
    boot_priority: Option<u8>,
    deadlines: Deadlines,
}

impl<S: 'static, F> RunnableFn<S, F> {
    /// Must be registered; boots and is ready before this runs, and stops after it.
    #[track_caller]
    pub fn requires<T: Provider<S>>(mut self) -> Self {
        self.dependencies = self.dependencies.requires::<T>();
        self
    }

    /// The same, if it is registered.
    #[track_caller]
    pub fn wants<T: Provider<S>>(mut self) -> Self {
        self.dependencies = self.dependencies.wants::<T>();
        self
    }

    /// Somebody must be bound to this trait.
    #[track_caller]
    pub fn requires_dyn<D: ?Sized + 'static>(mut self) -> Self {
        self.dependencies = self.dependencies.requires_dyn::<D>();
        self
    }

    /// Everybody who is bound to this trait comes first.
    #[track_caller]
    pub fn wants_all<D: ?Sized + 'static>(mut self) -> Self {
        self.dependencies = self.dependencies.wants_all::<D>();
        self
    }

    /// When it counts as ready: when it is started (the default), or when it says so.
    pub fn ready_when(mut self, when: ReadyWhen) -> Self {
        self.ready_when = when;
        self
    }

    /// What happens when it ends: by default it is never started again, and a failure ends the process.
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.restart = policy;
        self
    }

    /// Its place in the order of starts.
    pub fn run_priority(mut self, priority: u8) -> Self {
        self.run_priority = Some(priority);
        self
    }

    /// Its place in the order of boots, and so of stops.
    pub fn boot_priority(mut self, priority: u8) -> Self {
        self.boot_priority = Some(priority);
        self
    }

    /// Its own deadlines.
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }
}

impl<S, F, Fut> Provider<S> for RunnableFn<S, F>
where
    S: Send + 'static,
    F: Fn(S, RunContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn boot_priority(&self) -> Option<u8> {
        self.boot_priority
    }

    fn run_priority(&self) -> Option<u8> {
        self.run_priority
    }

    fn dependencies(&self) -> Dependencies<S> {
        self.dependencies.clone()
    }

    fn deadlines(&self) -> Deadlines {
        self.deadlines
    }

    fn as_runnable(&self) -> Option<&dyn Runnable<S>> {
        Some(self)
    }
}

impl<S, F, Fut> Runnable<S> for RunnableFn<S, F>
where
    S: Send + 'static,
    F: Fn(S, RunContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    fn run(&self, state: S) -> TaskFuture {
        let body = std::sync::Arc::clone(&self.body);
        task(move |cx| async move { body(state, cx).await })
    }

    fn ready_when(&self) -> ReadyWhen {
        self.ready_when
    }

    fn restart_policy(&self) -> RestartPolicy {
        self.restart
    }
}

impl<S, F> fmt::Debug for RunnableFn<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnableFn").field("name", &self.name).finish_non_exhaustive()
    }
}
