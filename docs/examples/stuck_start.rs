//! Cannot start: its database never answers.

use std::time::Duration;

use mainstay::prelude::*;

struct Db;

#[async_trait]
impl Provider<Daemon> for Db {
    fn name(&self) -> &'static str {
        "db"
    }

    fn deadlines(&self) -> Deadlines {
        Deadlines::new().boot(Duration::from_millis(1500))
    }

    async fn boot(&self, _app: &Daemon) -> Result<()> {
        note("connecting to 10.0.0.5:5432");
        std::future::pending().await
    }
}

async fn http(_app: Daemon, cx: RunContext) -> Result<()> {
    cx.shutdown_token().cancelled().await;
    Ok(())
}

fn main() -> Outcome {
    Daemon::builder("greeter")
        .insert(Db)
        .insert(runnable("http", http).requires::<Db>())
        .runtime(|runtime| runtime.late_after(Duration::from_millis(500)))
        .main()
}
