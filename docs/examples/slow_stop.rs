//! Does not stop in time: one task waits for nobody's answer, and one blocks its thread.

use std::time::Duration;

use mainstay::prelude::*;

async fn mailer(_app: Daemon, cx: RunContext) -> Result<()> {
    cx.note("sending mail 17");
    std::future::pending().await // never looks at its token
}

async fn resize(_app: Daemon, cx: RunContext) -> Result<()> {
    cx.shutdown_token().cancelled().await;
    cx.note("resizing cat.png");
    loop {
        std::thread::park(); // blocks a thread of the runtime
    }
}

fn main() -> Outcome {
    let deadlines = Deadlines::new().stop(Duration::from_millis(500));
    Daemon::builder("greeter")
        .insert(runnable("mailer", mailer).deadlines(deadlines))
        .insert(runnable("resize", resize).deadlines(deadlines))
        .main()
}
