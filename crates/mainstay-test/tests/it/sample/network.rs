//! Names, a socket, metrics, and the api with two runnables.

use std::sync::Mutex;
use std::time::Duration;

use mainstay_registry::{
    Dep, Dependencies, Error, NamedRunnable, Provider, Result, Runnable, TaskFuture, Validate, async_trait,
};
use mainstay_runtime::task;
use tokio::net::UnixListener;

use super::store::gone;
use super::{App, Bug, Cache, Pool};

/// Takes its time to boot.
pub(crate) struct Dns;

#[async_trait]
impl Provider<App> for Dns {
    fn name(&self) -> &'static str {
        "dns"
    }
    fn validate_when(&self) -> Validate {
        Validate::Both
    }
    async fn boot(&self, app: &App) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if app.has(Bug::DetachedTask) {
            #[allow(clippy::disallowed_methods, reason = "it must be detached")]
            tokio::spawn(std::future::pending::<()>());
        }
        Ok(())
    }
}

/// A real socket, with a name in the file system.
#[derive(Default)]
pub(crate) struct Listener {
    bound: Mutex<Option<UnixListener>>,
}

#[async_trait]
impl Provider<App> for Listener {
    fn name(&self) -> &'static str {
        "listener"
    }
    async fn boot(&self, app: &App) -> Result<()> {
        let listener = UnixListener::bind(app.folder.join("sample.sock"))?;
        *self.bound.lock().unwrap() = Some(listener);
        Ok(())
    }
    async fn shutdown(&self, app: &App) -> Result<()> {
        self.bound.lock().unwrap().take();
        let removed = tokio::fs::remove_file(app.folder.join("sample.sock")).await;
        if app.has(Bug::ShutdownOnce) { Ok(removed?) } else { gone(removed) }
    }
    fn as_runnable(&self) -> Option<&dyn Runnable<App>> {
        Some(self)
    }
}

impl Runnable<App> for Listener {
    fn run(&self, _app: App) -> TaskFuture {
        let listener = self.bound.lock().unwrap().take();
        task(move |cx| async move {
            let Some(listener) = listener else { return Ok(()) };
            while let Some(accepted) = cx.until_shutdown(listener.accept()).await {
                drop(accepted?);
            }
            Ok(())
        })
    }
}

/// Looks at the cache, when there is one.
#[derive(Default)]
pub(crate) struct Metrics {
    cache: Dep<Cache>,
}

impl Provider<App> for Metrics {
    fn name(&self) -> &'static str {
        "metrics"
    }
    fn dependencies(&self) -> Dependencies<App> {
        Dependencies::new().dep(&self.cache)
    }
    fn validate(&self, _app: &App) -> Result<()> {
        match self.cache.size.try_load() {
            Some(size) if *size == 0 => Err(Error::msg("the cache has no size")),
            _ => Ok(()),
        }
    }
}

/// Two runnables, of which each waits for its end.
#[derive(Default)]
pub(crate) struct Api {
    cache: Dep<Cache>,
    pool: Dep<Pool>,
    listener: Dep<Listener>,
    public: Port,
    admin: Port,
}

#[derive(Default)]
struct Port;

impl Provider<App> for Api {
    fn name(&self) -> &'static str {
        "api"
    }
    fn dependencies(&self) -> Dependencies<App> {
        Dependencies::new().dep(&self.cache).dep(&self.pool).dep(&self.listener)
    }
    fn runnables(&self) -> Vec<NamedRunnable<'_, App>> {
        vec![NamedRunnable::new("public", &self.public), NamedRunnable::new("admin", &self.admin)]
    }
}

impl Runnable<App> for Port {
    fn run(&self, _app: App) -> TaskFuture {
        task(|cx| async move {
            cx.shutdown_token().cancelled().await;
            // What was admitted is finished.
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(())
        })
    }
}
