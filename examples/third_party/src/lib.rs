//! How do I publish a provider that works in every application? `impl<S: SharedState> Provider<S>`, and its conformance test.

use std::path::PathBuf;

use mainstay_registry::{Provider, Result, SharedState, async_trait};
use tokio::fs;

/// Says in a folder that this process is there, and of which providers it is made: one file, named by the process id.
///
/// It knows nothing of the application but what [`SharedState`] has: the registry, and the token of the stop.
///
/// # Examples
///
/// ```
/// use mainstay::prelude::*;
/// use presence::Presence;
///
/// # fn main() {
/// let daemon = Daemon::builder("greeter").insert(Presence::in_folder("/run/greeters"));
/// # let _ = daemon;
/// # }
/// ```
#[derive(Debug)]
pub struct Presence {
    folder: PathBuf,
}

impl Presence {
    /// Makes one that writes into this folder, which need not be there yet.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn file(&self) -> PathBuf {
        self.folder.join(std::process::id().to_string())
    }
}

#[async_trait]
impl<S: SharedState> Provider<S> for Presence {
    fn name(&self) -> &'static str {
        "presence"
    }

    async fn boot(&self, state: &S) -> Result<()> {
        let names = state.registry().list_names().join("\n") + "\n";
        fs::create_dir_all(&self.folder).await?;
        Ok(fs::write(self.file(), names).await?)
    }

    /// May come after half a boot, and twice: no file is as good as one removed.
    async fn shutdown(&self, _state: &S) -> Result<()> {
        match fs::remove_file(self.file()).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
