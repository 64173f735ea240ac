//! A ticker, and a worker that says when it is ready and has children.

use std::time::Duration;

use mainstay_registry::{
    Dep, Dependencies, Provider, ReadyWhen, RestartPolicy, Result, Runnable, TaskFuture, async_trait,
};
use mainstay_runtime::task;

use super::{App, Bug, Pool};

/// Ticks once a second, and is started again when it fails.
pub(crate) struct Ticker;

impl Provider<App> for Ticker {
    fn name(&self) -> &'static str {
        "ticker"
    }
    fn as_runnable(&self) -> Option<&dyn Runnable<App>> {
        Some(self)
    }
}

impl Runnable<App> for Ticker {
    fn run(&self, app: App) -> TaskFuture {
        task(move |cx| async move {
            if app.has(Bug::TaskOfATask) {
                #[allow(clippy::disallowed_methods, reason = "it must be detached")]
                tokio::spawn(std::future::pending::<()>());
            }
            let mut ticks = cx.every(Duration::from_secs(1));
            while ticks.next().await.is_some() {
                cx.note("ticking");
            }
            Ok(())
        })
    }

    fn restart_policy(&self) -> RestartPolicy {
        RestartPolicy::on_failure()
    }
}

/// Connects, says that it is ready, and works in a child.
#[derive(Default)]
pub(crate) struct Worker {
    pool: Dep<Pool>,
}

#[async_trait]
impl Provider<App> for Worker {
    fn name(&self) -> &'static str {
        "worker"
    }
    fn dependencies(&self) -> Dependencies<App> {
        Dependencies::new().dep(&self.pool)
    }
    fn as_runnable(&self) -> Option<&dyn Runnable<App>> {
        Some(self)
    }
    async fn shutdown(&self, _app: &App) -> Result<()> {
        Ok(())
    }
}

impl Runnable<App> for Worker {
    fn run(&self, app: App) -> TaskFuture {
        task(move |cx| async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let child = cx.clone();
            cx.spawn("jobs", async move {
                child.shutdown_token().cancelled().await;
                Ok(())
            });
            if !app.has(Bug::NeverReady) {
                cx.ready();
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        })
    }

    fn ready_when(&self) -> ReadyWhen {
        ReadyWhen::Signalled
    }
}
