//! The provider that publishes what `http.yaml` says, first of all, and again at every reload.

use std::sync::OnceLock;

use mainstay::{
    Daemon, Loaded, Provider, Reloadable, Result, ResultExt, RunMode, Snapshot, async_trait, note, priority,
};

use super::read::{Reading, keeps_what_is_fixed, pins_outside_of_development, read, read_now};

/// The parsed `http.yaml`; others read it from here.
#[derive(Default)]
pub(crate) struct SettingsFile {
    reading: Snapshot<Reading>,
    booted: OnceLock<Reading>,
}

impl SettingsFile {
    /// What is in force now.
    pub(crate) fn load(&self) -> Loaded<Reading> {
        self.reading.load()
    }

    /// Reads the file, and refuses what cannot change while the process lives.
    async fn read(&self, app: &Daemon) -> Result<Reading> {
        note(format!("reading http.yaml in {}", app.config_dir().display()));
        let reading = read(app.config_dir()).await.invalid()?;
        fits(app, &reading)?;
        if let Some(booted) = self.booted.get() {
            keeps_what_is_fixed(booted, &reading).invalid()?;
        }
        Ok(reading)
    }
}

/// What the file says now, if that can be served at all.
pub(crate) fn look(app: &Daemon) -> Result<Reading> {
    let reading = read_now(app.config_dir()).invalid()?;
    fits(app, &reading)?;
    Ok(reading)
}

fn fits(app: &Daemon, reading: &Reading) -> Result<()> {
    if app.run_mode() == RunMode::Development {
        return Ok(());
    }
    pins_outside_of_development(reading).invalid()
}

#[async_trait]
impl Provider<Daemon> for SettingsFile {
    fn name(&self) -> &'static str {
        "settings"
    }

    fn boot_priority(&self) -> Option<u8> {
        Some(priority::FIRST)
    }

    async fn boot(&self, app: &Daemon) -> Result<()> {
        let reading = self.read(app).await?;
        self.booted.get_or_init(|| reading.clone());
        self.reading.publish(reading);
        Ok(())
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for SettingsFile {
    fn priority(&self) -> Option<u8> {
        Some(priority::FIRST)
    }

    async fn reload(&self, app: &Daemon) -> Result<()> {
        self.reading.publish(self.read(app).await?);
        Ok(())
    }
}
