//! Greets whoever asks on port 3000.

use axum::{Router, routing::get};
use mainstay::prelude::*;
use tokio::net::TcpListener;

async fn http(_app: Daemon, cx: RunContext) -> Result<()> {
    let router = Router::new().route("/", get(async || "hello\n"));
    let listen = std::env::var("LISTEN").unwrap_or("127.0.0.1:3000".into());
    let listener = TcpListener::bind(listen).await?;
    cx.ready();
    mainstay_hyper::serve(&cx, listener, router).await?;
    Ok(())
}

fn main() -> Outcome {
    Daemon::builder("greeter").insert(runnable("http", http).ready_when(ReadyWhen::Signalled)).main()
}
