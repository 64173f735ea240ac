//! The provider that derives the routing table from what `http.yaml` says, in the boot and at every reload.
//!
//! `settings` takes the lines as they are written; what they mean, and whether that can be, is known here.
//! So a file that `settings` accepts may be refused by `routes`, and then nothing of it is served.

mod table;

pub(crate) use self::table::{Table, To};

use mainstay::{
    Daemon, Dep, Dependencies, Loaded, Provider, Reloadable, Result, ResultExt, Snapshot, async_trait,
};

use crate::settings::SettingsFile;

/// The routing table. It has no task: it is there to be read.
#[derive(Default)]
pub(crate) struct Routes {
    settings: Dep<SettingsFile>,
    table: Snapshot<Table>,
}

impl Routes {
    /// What is in force now.
    pub(crate) fn load(&self) -> Loaded<Table> {
        self.table.load()
    }

    /// In a reload, `settings` has staged what it read; this reads that.
    fn derive(&self) -> Result<()> {
        self.table.publish(Table::of(&self.settings.load()).invalid()?);
        Ok(())
    }
}

#[async_trait]
impl Provider<Daemon> for Routes {
    fn name(&self) -> &'static str {
        "routes"
    }

    fn dependencies(&self) -> Dependencies<Daemon> {
        Dependencies::new().dep(&self.settings)
    }

    async fn boot(&self, _: &Daemon) -> Result<()> {
        self.derive()
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for Routes {
    async fn reload(&self, _: &Daemon) -> Result<()> {
        self.derive()
    }
}
