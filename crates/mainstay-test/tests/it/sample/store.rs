//! Settings, the lock file, the pool, the cache.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainstay_registry::{Dep, Dependencies, Error, Provider, Reloadable, Result, async_trait, priority};
use mainstay_sync::Snapshot;

use super::{App, Bug, Dns};

/// Publishes a number that grows with each reload.
#[derive(Default)]
pub(crate) struct Settings {
    read: AtomicU64,
    pub(crate) limit: Arc<Snapshot<u64>>,
}

impl Settings {
    fn read(&self) -> u64 {
        self.read.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[async_trait]
impl Provider<App> for Settings {
    fn name(&self) -> &'static str {
        "settings"
    }
    fn boot_priority(&self) -> Option<u8> {
        Some(priority::EARLY)
    }
    async fn boot(&self, _app: &App) -> Result<()> {
        self.limit.publish(self.read());
        Ok(())
    }
    fn validate(&self, _app: &App) -> Result<()> {
        match self.limit.try_load() {
            Some(limit) if *limit == 0 => Err(Error::msg("the limit is 0")),
            _ => Ok(()),
        }
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<App>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<App> for Settings {
    async fn reload(&self, app: &App) -> Result<()> {
        let limit = self.read();
        if app.has(Bug::PublishOutside) {
            let snapshot = Arc::clone(&self.limit);
            let thread = std::thread::spawn(move || snapshot.publish(limit));
            return thread.join().map_err(|_| Error::msg("the thread panicked"));
        }
        self.limit.publish(limit);
        Ok(())
    }
}

/// Keeps a second instance away.
pub(crate) struct Lock;

#[async_trait]
impl Provider<App> for Lock {
    fn name(&self) -> &'static str {
        "lock"
    }
    fn boot_priority(&self) -> Option<u8> {
        Some(priority::FIRST)
    }
    async fn boot(&self, app: &App) -> Result<()> {
        let mut options = tokio::fs::OpenOptions::new();
        options.write(true).create_new(true).open(app.folder.join("sample.lock")).await?;
        Ok(())
    }
    async fn shutdown(&self, app: &App) -> Result<()> {
        if app.has(Bug::LockLeft) {
            return Ok(());
        }
        gone(tokio::fs::remove_file(app.folder.join("sample.lock")).await)
    }
}

/// What is not there is gone.
pub(super) fn gone(removed: std::io::Result<()>) -> Result<()> {
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Holds something open that is to be closed in the end.
#[derive(Default)]
pub(crate) struct Pool {
    dns: Dep<Dns>,
    limit: Dep<Settings>,
    connections: Mutex<Vec<std::fs::File>>,
}

#[async_trait]
impl Provider<App> for Pool {
    fn name(&self) -> &'static str {
        "pool"
    }
    fn dependencies(&self) -> Dependencies<App> {
        Dependencies::new().dep(&self.dns).dep(&self.limit)
    }
    async fn boot(&self, app: &App) -> Result<()> {
        for _ in 0..2 {
            let file = tokio::fs::File::open("/dev/null").await?.into_std().await;
            self.connections.lock().unwrap().push(file);
        }
        if app.has(Bug::KeptDescriptor) {
            std::mem::forget(tokio::fs::File::open("/dev/zero").await?.into_std().await);
        }
        Ok(())
    }
    async fn shutdown(&self, _app: &App) -> Result<()> {
        self.connections.lock().unwrap().clear();
        Ok(())
    }
}

/// Derived from the settings.
#[derive(Default)]
pub(crate) struct Cache {
    settings: Dep<Settings>,
    pool: Dep<Pool>,
    pub(crate) size: Snapshot<u64>,
}

impl Cache {
    fn derive(&self) {
        if let Some(limit) = self.settings.limit.try_load() {
            self.size.publish(*limit * 10);
        }
    }
}

#[async_trait]
impl Provider<App> for Cache {
    fn name(&self) -> &'static str {
        "cache"
    }
    fn dependencies(&self) -> Dependencies<App> {
        Dependencies::new().dep(&self.settings).dep(&self.pool)
    }
    async fn boot(&self, _app: &App) -> Result<()> {
        self.derive();
        Ok(())
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<App>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<App> for Cache {
    async fn reload(&self, app: &App) -> Result<()> {
        // As where others keep the machine busy: one of them, not all.
        static RELOADS: AtomicU32 = AtomicU32::new(0);
        let held_up = app.has(Bug::BusyMachine) && RELOADS.fetch_add(1, Ordering::Relaxed) == 7;
        if app.has(Bug::BlockingReload) || held_up {
            // tidy-allow(sleep): the thread must be blocked
            std::thread::sleep(Duration::from_millis(130));
        }
        self.derive();
        Ok(())
    }
}
