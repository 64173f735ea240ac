//! Writes a line of its own from a task.

use mainstay::prelude::*;

async fn http(_app: Daemon, cx: RunContext) -> Result<()> {
    tracing::info!(listen = "127.0.0.1:3000", "listening");
    cx.shutdown_token().cancelled().await;
    Ok(())
}

fn main() -> Outcome {
    Daemon::builder("greeter").insert(runnable("http", http)).main()
}
