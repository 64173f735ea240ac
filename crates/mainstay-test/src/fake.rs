//! A provider that does what its test says, and writes down what was called.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use async_trait::async_trait;
use mainstay_registry::{
    Deadlines, Dependencies, Provider, ReadyWhen, Reloadable, RestartPolicy, Result, Runnable, TaskFuture,
    Validate,
};
use mainstay_runtime::{RunContext, task};
use tokio::sync::watch;

use crate::{Blocker, Fault, Log};

/// A fake provider for the marker type `K`, of a registry whose state is `S`.
///
/// Its log lines are `boot NAME`, `validate NAME`, `run NAME`, `stop NAME` (the task was asked to stop), `end NAME`
/// (the task returned), `reload NAME`, `shutdown NAME`, `drop NAME`.
pub struct Fake<K, S = ()> {
    name: &'static str,
    log: Log,
    dependencies: Dependencies<S>,
    deadlines: Deadlines,
    validate_when: Validate,
    boot_priority: Option<u8>,
    run_priority: Option<u8>,
    reload_priority: Option<u8>,
    boot: Fault,
    validate: Fault,
    reload: Option<Fault>,
    shutdown: Fault,
    drop: Fault,
    run: Option<Body>,
    ready_when: ReadyWhen,
    restart: RestartPolicy,
    shut: watch::Sender<bool>,
    kind: PhantomData<fn(K)>,
}

type Body = std::sync::Arc<dyn Fn(RunContext) -> TaskFuture + Send + Sync>;

impl<K, S> Fake<K, S> {
    /// A provider that does nothing in each phase, and has no task.
    pub fn new(name: &'static str, log: &Log) -> Self {
        Self {
            name,
            log: log.clone(),
            dependencies: Dependencies::new(),
            deadlines: Deadlines::new(),
            validate_when: Validate::AfterBoot,
            boot_priority: None,
            run_priority: None,
            reload_priority: None,
            boot: Fault::None,
            validate: Fault::None,
            reload: None,
            shutdown: Fault::None,
            drop: Fault::None,
            run: None,
            ready_when: ReadyWhen::Started,
            restart: RestartPolicy::never(),
            shut: watch::Sender::new(false),
            kind: PhantomData,
        }
    }

    /// Requires the fake of another marker.
    #[track_caller]
    pub fn requires<T: Send + Sync + 'static>(mut self) -> Self
    where
        S: Send + Sync + 'static,
    {
        self.dependencies = std::mem::take(&mut self.dependencies).requires::<Fake<T, S>>();
        self
    }

    /// Wants the fake of another marker.
    #[track_caller]
    pub fn wants<T: Send + Sync + 'static>(mut self) -> Self
    where
        S: Send + Sync + 'static,
    {
        self.dependencies = std::mem::take(&mut self.dependencies).wants::<Fake<T, S>>();
        self
    }

    /// Its own deadlines.
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// When it is validated.
    pub fn validate_when(mut self, when: Validate) -> Self {
        self.validate_when = when;
        self
    }

    /// Its place in the order of boots.
    pub fn boot_priority(mut self, priority: u8) -> Self {
        self.boot_priority = Some(priority);
        self
    }

    /// Its place in the order of starts.
    pub fn run_priority(mut self, priority: u8) -> Self {
        self.run_priority = Some(priority);
        self
    }

    /// Its place in the order of reloads.
    pub fn reload_priority(mut self, priority: u8) -> Self {
        self.reload_priority = Some(priority);
        self
    }

    /// What `boot` does.
    pub fn boot(mut self, fault: Fault) -> Self {
        self.boot = fault;
        self
    }

    /// What `validate` does.
    pub fn validate(mut self, fault: Fault) -> Self {
        self.validate = fault;
        self
    }

    /// Makes it reloadable, and says what `reload` does.
    pub fn reload(mut self, fault: Fault) -> Self {
        self.reload = Some(fault);
        self
    }

    /// What `shutdown` does.
    pub fn shutdown(mut self, fault: Fault) -> Self {
        self.shutdown = fault;
        self
    }

    /// What its destructor does.
    pub fn on_drop(mut self, fault: Fault) -> Self {
        self.drop = fault;
        self
    }

    /// Gives it a task with that body.
    pub fn run<F, Fut>(mut self, body: F) -> Self
    where
        F: Fn(RunContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let body = std::sync::Arc::new(body);
        self.run = Some(std::sync::Arc::new(move |cx| -> TaskFuture {
            let body = std::sync::Arc::clone(&body);
            Box::pin(async move { body(cx).await })
        }));
        self
    }

    /// Gives it a task that waits for its stop, and then does that.
    pub fn runs(self, at_the_end: Fault) -> Self {
        self.run(move |cx| {
            let fault = at_the_end.clone();
            async move {
                cx.shutdown_token().cancelled().await;
                fault.happen().await
            }
        })
    }

    /// Gives it a task that does that at once.
    pub fn runs_at_once(self, fault: Fault) -> Self {
        self.run(move |_| fault.clone().happen())
    }

    /// Gives it a task that ends when its `shutdown` hook is called, whatever it is asked.
    pub fn runs_until_shutdown_hook(self) -> Self {
        let shut = self.shut.subscribe();
        self.run(move |_| {
            let mut shut = shut.clone();
            async move {
                let _ = shut.wait_for(|shut| *shut).await;
                Ok(())
            }
        })
    }

    /// What happens when its task ends.
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.restart = policy;
        self
    }

    /// Gives it a task that ignores every wish to end, and has to be aborted.
    pub fn runs_for_ever(self) -> Self {
        self.run(|_| std::future::pending())
    }

    /// Gives it a task that says that it is ready after so long, and ends when it is asked to.
    pub fn ready_after(self, time: Duration) -> Self {
        let ready = self.run(move |cx| async move {
            if cx.until_shutdown(tokio::time::sleep(time)).await.is_some() {
                cx.ready();
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        });
        ready.ready_when(ReadyWhen::Signalled)
    }

    /// Gives it a task that never says that it is ready, and ends when it is asked to.
    pub fn never_ready(self) -> Self {
        self.runs(Fault::None).ready_when(ReadyWhen::Signalled)
    }

    /// Gives it a task that blocks its thread, when it is asked to stop, until the [`Blocker`] is released.
    pub fn blocks_its_stop(self, blocker: &Blocker) -> Self {
        self.runs(Fault::Block(blocker.clone()))
    }

    /// When its task counts as ready.
    pub fn ready_when(mut self, when: ReadyWhen) -> Self {
        self.ready_when = when;
        self
    }
}

#[async_trait]
impl<K: Send + Sync + 'static, S: Send + Sync + 'static> Provider<S> for Fake<K, S> {
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

    fn validate_when(&self) -> Validate {
        self.validate_when
    }

    async fn boot(&self, _state: &S) -> Result<()> {
        self.log.push(format!("boot {}", self.name));
        self.boot.clone().happen().await
    }

    async fn shutdown(&self, _state: &S) -> Result<()> {
        self.log.push(format!("shutdown {}", self.name));
        self.shut.send_replace(true);
        self.shutdown.clone().happen().await
    }

    fn validate(&self, _state: &S) -> Result<()> {
        self.log.push(format!("validate {}", self.name));
        self.validate.clone().happen_now()
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<S>> {
        self.reload.is_some().then_some(self)
    }

    fn as_runnable(&self) -> Option<&dyn Runnable<S>> {
        self.run.is_some().then_some(self)
    }
}

#[async_trait]
impl<K: Send + Sync + 'static, S: Send + Sync + 'static> Reloadable<S> for Fake<K, S> {
    fn priority(&self) -> Option<u8> {
        self.reload_priority
    }

    async fn reload(&self, _state: &S) -> Result<()> {
        self.log.push(format!("reload {}", self.name));
        self.reload.clone().unwrap_or_default().happen().await
    }
}

impl<K: Send + Sync + 'static, S: Send + Sync + 'static> Runnable<S> for Fake<K, S> {
    fn run(&self, _state: S) -> TaskFuture {
        let (log, name) = (self.log.clone(), self.name);
        let Some(body) = self.run.clone() else { return Box::pin(async { Ok(()) }) };
        task(move |cx| async move {
            log.push(format!("run {name}"));
            let asked = cx.shutdown_token().clone();
            let mut task = body(cx);
            let mut said = false;
            let result = loop {
                tokio::select! {
                    biased;
                    () = asked.cancelled(), if !said => {
                        said = true;
                        log.push(format!("stop {name}"));
                    }
                    result = &mut task => break result,
                }
            };
            log.push(format!("end {name}"));
            result
        })
    }

    fn ready_when(&self) -> ReadyWhen {
        self.ready_when
    }

    fn restart_policy(&self) -> RestartPolicy {
        self.restart
    }
}

impl<K, S> Drop for Fake<K, S> {
    fn drop(&mut self) {
        self.log.push(format!("drop {}", self.name));
        if !std::thread::panicking() {
            let _ = self.drop.clone().happen_now();
        }
    }
}

impl<K, S> fmt::Debug for Fake<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fake").field(&self.name).finish()
    }
}
