//! How do I keep my own `#[tokio::main]`, log, flags and state, and take the lifecycle in? By the last five lines of `main`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use clap::Parser;
use mainstay::prelude::*;
use tracing::info;

/// What the program had before: flags,
#[derive(Parser)]
struct Cli {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
}

/// a state that it gives to its handlers,
#[derive(Clone)]
struct App {
    listen: SocketAddr,
    visits: Arc<Visits>,
}

/// a part of that state with something to do at the end,
#[derive(Default)]
struct Visits(AtomicU64);

async fn index(State(app): State<App>) -> String {
    format!("visit {}\n", app.visits.0.fetch_add(1, Ordering::Relaxed) + 1)
}

/// which is now said in a hook,
#[async_trait]
impl Provider<App> for Visits {
    async fn shutdown(&self, _app: &App) -> Result<()> {
        info!(visits = self.0.load(Ordering::Relaxed), "saved");
        Ok(())
    }
}

/// and a server, which now knows when to stop.
async fn http(app: App, cx: RunContext) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(app.listen).await?;
    info!("http://{}", listener.local_addr()?);
    let router = Router::new().route("/", get(index)).with_state(app);
    mainstay_hyper::serve(&cx, listener, router).await?;
    Ok(())
}

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let app = App { listen: Cli::parse().listen, visits: Arc::default() };

    let registry = Registry::new();
    registry.insert(Arc::clone(&app.visits));
    registry.insert(Arc::new(runnable("http", http).requires::<Visits>()));
    let outcome = Runtime::new(registry, app).run().await;
    // Not `return`: that would drop this runtime, and wait for ever for a thread that somebody has blocked.
    outcome.exit()
}
