//! How do I use a provider that somebody else has published? As one of my own; `third_party/` beside this is its crate.

use std::path::PathBuf;

use mainstay::prelude::*;
use presence::Presence;
use tracing::info;

#[derive(clap::Args)]
struct Flags {
    /// The folder in which running daemons have a file each
    #[arg(long)]
    presence: Option<PathBuf>,
}

/// Phase *register* may look at the flags, and choose.
fn presence(app: &Daemon) -> Result<()> {
    if let Some(folder) = &app.args::<Flags>().presence {
        app.registry().try_insert(std::sync::Arc::new(Presence::in_folder(folder)))?;
    }
    Ok(())
}

/// It is there while this runs, if it is there at all: `wants` orders, and demands nothing.
async fn work(app: Daemon, cx: RunContext) -> Result<()> {
    info!(presence = app.get::<Presence>().is_some(), "at work");
    cx.shutdown_token().cancelled().await;
    Ok(())
}

fn main() -> Outcome {
    Daemon::builder("third_party")
        .args::<Flags>()
        .register(presence)
        .insert(runnable("work", work).wants::<Presence>())
        .main()
}
