//! How do I serve axum, so that a stop waits for the requests in flight and for nobody else?

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use mainstay::prelude::*;
use tracing::info;

/// The daemon's own flags, beside those that every daemon has.
#[derive(clap::Args)]
struct Flags {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
}

/// What the handlers share is a provider, or a plain value (`insert_value`).
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn with<R>(&self, what: impl FnOnce(&mut Vec<String>) -> R) -> R {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Provider<Daemon> for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    /// `http` requires it, so this comes when the last request has been answered.
    async fn shutdown(&self, _app: &Daemon) -> Result<()> {
        info!(notes = self.with(|notes| notes.len()), "saved");
        Ok(())
    }
}

async fn list(State(notes): State<Arc<Notes>>) -> String {
    notes.with(|notes| notes.join("\n") + "\n")
}

async fn add(State(notes): State<Arc<Notes>>, note: String) -> StatusCode {
    notes.with(|notes| notes.push(note));
    StatusCode::CREATED
}

/// An answer that takes its time.
async fn export(State(notes): State<Arc<Notes>>) -> String {
    info!("an export begins");
    tokio::time::sleep(Duration::from_millis(500)).await;
    format!("all {} of them\n", notes.with(|notes| notes.len()))
}

async fn http(app: Daemon, cx: RunContext) -> Result<()> {
    let router = Router::new()
        .route("/", get(list).post(add))
        .route("/export", get(export))
        .with_state(app.require::<Notes>()?);
    let listener = tokio::net::TcpListener::bind(app.args::<Flags>().listen).await?;
    info!("http://{}", listener.local_addr()?);
    // Returns when it was asked to stop and the last connection is gone, or was cut at the deadline.
    let served = mainstay_hyper::serve(&cx, listener, router).await?;
    info!(%served);
    Ok(())
}

fn main() -> Outcome {
    Daemon::builder("notes")
        .args::<Flags>()
        .insert(Notes::default())
        .insert(runnable("http", http).requires::<Notes>())
        .main()
}
