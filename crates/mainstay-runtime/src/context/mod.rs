//! The run context: what a task is given to live with, and what its children are tied to.

mod ambient;
mod every;
mod generation;
mod host;
mod members;
mod spawned;
mod supervised;
mod until;

pub(crate) use self::ambient::Ambient;
pub use self::every::Every;
pub(crate) use self::generation::{Generation, MainDone};
use self::host::Ring;
pub(crate) use self::host::{Alarm, Host};
pub use self::spawned::Child;
pub use self::supervised::{
    ChildEnd, ChildError, ChildState, ChildStatus, Children, SuperviseError, Supervised,
};

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mainstay_registry::{RestartPolicy, Result, TaskFuture};
use mainstay_sync::Pinned;
use tokio_util::sync::CancellationToken;

use self::until::UntilShutdown;
use crate::control::Control;
use crate::machine::TaskId;

/// Says what the hook or task that calls it is doing: `note("connecting 10.0.0.5")`.
///
/// Shown when it is late, and in the failure when it runs past its deadline. The last one counts. Outside of a hook
/// or task it does nothing.
pub fn note(text: impl Into<Cow<'static, str>>) {
    let text = text.into();
    let _ = Ambient::look(|ambient| ambient.note(text));
}

/// Builds a [`TaskFuture`] whose body receives its [`RunContext`].
///
/// Outside of a runtime (the registry's own `run_all`) the context is one whose token never fires.
///
/// # Examples
///
/// ```
/// use mainstay_registry::{Runnable, TaskFuture};
/// use mainstay_runtime::task;
///
/// struct Ticker;
///
/// impl<S> Runnable<S> for Ticker {
///     fn run(&self, _state: S) -> TaskFuture {
///         task(|cx| async move {
///             let mut ticks = cx.every(std::time::Duration::from_secs(1));
///             while ticks.next().await.is_some() {
///                 cx.note("ticking");
///             }
///             Ok(())
///         })
///     }
/// }
/// ```
pub fn task<F, Fut>(body: F) -> TaskFuture
where
    F: FnOnce(RunContext) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    // Asked for when it is polled: `run` may be called anywhere, the task runs inside of its cell.
    Box::pin(async move { body(RunContext::current().unwrap_or_else(RunContext::detached)).await })
}

/// What a task is given: when to stop, how to say that it is ready, how to spawn children that end with it.
///
/// Cheap to clone. A clone that outlives its generation does no harm: its token is cancelled, what it spawns is
/// dropped at once.
#[derive(Clone)]
pub struct RunContext {
    generation: Arc<Generation>,
}

impl RunContext {
    pub(crate) fn new(generation: Arc<Generation>) -> Self {
        Self { generation }
    }

    /// The context of the task that calls this, if it is one of a runtime's.
    pub fn current() -> Option<Self> {
        Ambient::look(|ambient| ambient.context().cloned()).flatten()
    }

    fn detached() -> Self {
        Self::new(Generation::detached())
    }

    pub(crate) fn id(&self) -> TaskId {
        self.generation.id()
    }

    /// Says that this task makes progress, where its provider's [`Deadlines::tick`](mainstay_registry::Deadlines::tick)
    /// says how often it is to come by. A task that does not is *stuck*: it, and what requires it, is not ready, and it
    /// is restarted if its policy restarts it. The interval begins anew with each call, the first when it is ready.
    ///
    /// It costs a look at the clock and a store, and does nothing where no interval is set.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::{Deadlines, Provider};
    /// use mainstay_runtime::{RunContext, runnable};
    /// use std::time::Duration;
    ///
    /// let consumer = runnable("consumer", async |(), cx: RunContext| {
    ///     let mut jobs = cx.every(Duration::from_secs(1));
    ///     while jobs.next().await.is_some() {
    ///         cx.tick(); // and then the work that might hang
    ///     }
    ///     Ok(())
    /// })
    /// .deadlines(Deadlines::new().tick(Duration::from_secs(30)));
    /// # let _: &dyn Provider<()> = &consumer;
    /// ```
    pub fn tick(&self) {
        self.generation.tick();
    }

    /// The handle to ask the lifecycle that this task is part of for its status, and to tell it what to do.
    ///
    /// Outside of a runtime (the registry's own walk) everything is refused as closed.
    pub fn control(&self) -> Control {
        Control::new(self.generation.host().cloned())
    }

    /// The provider's shown name.
    pub fn provider(&self) -> &'static str {
        self.generation.name().provider
    }

    /// The runnable's own name, when its provider has several.
    pub fn name(&self) -> Option<&'static str> {
        self.generation.name().task
    }

    /// Which start of this runnable this is, from 1.
    pub fn generation(&self) -> u64 {
        self.generation.name().generation
    }

    /// Fires when this task is asked to stop. It then has its stop timeout (5 s) before its provider's `shutdown`
    /// hook is called, and a short grace after that before it is aborted.
    pub fn shutdown_token(&self) -> &CancellationToken {
        self.generation.token()
    }

    /// Returns until when this task may take to end, once it is asked to stop; `None` before that, and outside of a
    /// runtime.
    ///
    /// It is known when the [`shutdown_token`](Self::shutdown_token) fires, and in a child it is that of whatever the
    /// child ends with. It is the stop deadline of its provider (5 s), or earlier: in the stop of the process tasks are
    /// waited for as long as the budget of the stop (25 s) lasts, less what it keeps for the hooks (5 s). What has not
    /// ended then is called upon by nobody any more: the provider's `shutdown` hook runs, and after a short grace
    /// (100 ms) the task is aborted and named. So who drains something stops waiting a little earlier, and returns.
    ///
    /// A later cause may move it: who is stopped by hand, and then with the process, has the time of the latter. It has
    /// passed when a second signal forces the stop, or when the generation is over.
    ///
    /// It is an instant of the clock that deadlines are counted on: that of the machine, or with
    /// [`Runtime::inline`](crate::Runtime::inline) tokio's, where paused time includes it. A runtime of tokio's that is
    /// paused while its supervisor is not has no time in common with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use mainstay_runtime::RunContext;
    ///
    /// # async fn flush() {}
    /// async fn drain(cx: &RunContext) {
    ///     cx.shutdown_token().cancelled().await;
    ///     let last = cx.stop_deadline().map(|at| at - Duration::from_millis(200));
    ///     if let Some(last) = last {
    ///         // Whatever it has not written by then it gives up itself, and says so.
    ///         let _ = tokio::time::timeout_at(last, flush()).await;
    ///     }
    /// }
    /// ```
    pub fn stop_deadline(&self) -> Option<tokio::time::Instant> {
        self.generation.stop_deadline().map(tokio::time::Instant::from_std)
    }

    /// Runs the future until it completes or this task is asked to stop: `None` in the latter case.
    ///
    /// # Cancel safety
    ///
    /// When the stop wins, the future is dropped where it stands.
    pub fn until_shutdown<F: Future>(&self, future: F) -> impl Future<Output = Option<F::Output>> {
        UntilShutdown::new(self.shutdown_token(), future)
    }

    /// Says that this task does its job now: what requires it may start. For runnables with
    /// [`ReadyWhen::Signalled`](mainstay_registry::ReadyWhen); with the others, and the second time, nothing
    /// happens.
    pub fn ready(&self) {
        self.generation.ready();
    }

    /// Says that there is nothing to do here (not configured, or another worker's): when the task then returns
    /// `Ok`, it counts as disabled, whatever the policy.
    pub fn disabled(&self) {
        self.generation.disable();
    }

    /// Says what this task is doing, shown when it is late. In a child it is the child's note.
    pub fn note(&self, text: impl Into<Cow<'static, str>>) {
        note(text);
    }

    /// Spawns a child: tracked, named, its panics caught, ended with this generation.
    ///
    /// It runs on the application's runtime. A child that fails or panics fails its generation;
    /// `Error::recoverable` is logged instead. When the task's main future ends, its children are asked to stop
    /// (the token fires), waited for until the stop timeout, then aborted and named. After the generation has ended
    /// the future is dropped at once.
    ///
    /// # Examples
    ///
    /// ```
    /// # use mainstay_runtime::{RunContext, task};
    /// # fn accept() -> mainstay_registry::TaskFuture {
    /// task(|cx| async move {
    ///     let flusher = cx.clone();
    ///     cx.spawn("flusher", async move {
    ///         flusher.shutdown_token().cancelled().await;
    ///         Ok(())
    ///     });
    ///     cx.shutdown_token().cancelled().await;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn spawn<F>(&self, name: impl Into<Cow<'static, str>>, future: F) -> Child
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        spawned::spawn(&self.generation, name.into(), future)
    }

    /// Spawns a supervised child: started again by its policy, with generations and a context of its own.
    ///
    /// For what comes and goes while the task runs: tenants, peers, connections to brokers. `body` is called once per
    /// generation, in the child's own task; what it captures lives as long as the child, what it makes as long as the
    /// generation. Dropping the answer changes nothing: the child belongs to its task, is asked to stop with it, and
    /// its task waits for it.
    ///
    /// What follows from an end is the policy's, as for a runnable. `Ok` of a child that is not started again takes it
    /// off the list, and nothing of it is kept. A failure with `never`, or beyond the limit, fails its task by the
    /// name `task/child`, as that of [`spawn`](Self::spawn) does; with `.degrade()`, and for `Error::recoverable`,
    /// the child is listed as failed instead. Inside of another supervised child it fails that one, whose policy then
    /// decides. Everything that a generation has spawned or supervised ends with it, before the next one begins.
    ///
    /// # Phase
    ///
    /// While this generation runs, from any thread.
    ///
    /// # Examples
    ///
    /// ```
    /// # use mainstay_registry::{RestartPolicy, TaskFuture};
    /// # use mainstay_runtime::{RunContext, task};
    /// # async fn connect(_broker: &str, _cx: &RunContext) -> mainstay_registry::Result<()> { Ok(()) }
    /// # fn brokers() -> TaskFuture {
    /// task(|cx| async move {
    ///     for broker in ["north", "south"] {
    ///         let policy = RestartPolicy::on_failure().unlimited();
    ///         cx.supervise(broker, policy, move |cx| async move {
    ///             cx.note("connecting");
    ///             connect(broker, &cx).await
    ///         })?;
    ///     }
    ///     cx.shutdown_token().cancelled().await;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the name is in use, the set is full, the policy contradicts itself, the generation ends, or there is no
    /// runtime. Then nothing is listed, and `body` is dropped.
    pub fn supervise<F, Fut>(
        &self,
        name: impl Into<Cow<'static, str>>,
        policy: RestartPolicy,
        body: F,
    ) -> std::result::Result<Supervised, SuperviseError>
    where
        F: FnMut(RunContext) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        supervised::supervise(&self.generation, name.into(), policy, body)
    }

    /// Returns the set of the children that this generation supervises.
    pub fn children(&self) -> Children {
        Children::new(Arc::clone(&self.generation))
    }

    /// Ticks at once and then every `period`, until this task is asked to stop. Ticks that were missed are [skipped](Every::skipped),
    /// so work done between two calls of `next` never overlaps.
    ///
    /// # Panics
    ///
    /// When `period` is zero.
    pub fn every(&self, period: Duration) -> Every {
        Every::new(period, self.shutdown_token().clone())
    }

    /// Holds the present epoch: what is read through the pin is of one epoch across every snapshot of the daemon,
    /// also while a reload commits. One at the start of a request.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_runtime::RunContext;
    /// use mainstay_sync::Snapshot;
    ///
    /// fn answer(cx: &RunContext, routes: &Snapshot<Vec<String>>, limit: &Snapshot<usize>) -> usize {
    ///     let pinned = cx.pin();
    ///     pinned.load(routes).len().min(*pinned.load(limit)) // never the routes of one reload and the limit of another
    /// }
    /// ```
    pub fn pin(&self) -> Pinned {
        self.generation.pin()
    }

    /// Completes at the next SIGUSR1 (or [`Control::reopen`](crate::Control::reopen)): close and open log files
    /// again. One that arrived since the last call counts; several are one.
    ///
    /// # Cancel safety
    ///
    /// Safe: what arrives while nobody waits is seen by the next call.
    pub async fn reopen(&self) {
        self.generation.reopen().await;
    }
}

impl fmt::Debug for RunContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RunContext").field(&self.generation.name()).finish()
    }
}
