//! Says whether it is ready, and serves on for a while when it is asked to stop.

use std::time::Duration;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use mainstay::prelude::*;

async fn ready(State(app): State<Daemon>) -> StatusCode {
    if app.control().status().ready.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn http(app: Daemon, cx: RunContext) -> Result<()> {
    let router =
        Router::new().route("/", get(async || "hello\n")).route("/ready", get(ready)).with_state(app);
    let listen = std::env::var("LISTEN").unwrap_or("0.0.0.0:3000".into());
    let listener = tokio::net::TcpListener::bind(listen).await?;
    cx.ready();
    mainstay_hyper::serve(&cx, listener, router).await?;
    Ok(())
}

fn main() -> Outcome {
    Daemon::builder("greeter")
        .insert(runnable("http", http).ready_when(ReadyWhen::Signalled))
        .runtime(|runtime| runtime.lame_duck(Duration::from_secs(10)).stop_budget(Duration::from_secs(30)))
        .main()
}
