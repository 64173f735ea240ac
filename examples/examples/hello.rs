//! How do I write a daemon? This one says hello on port 3000, greets anew at a HUP, and stops on time at a TERM.
use axum::{Router, routing::get};
use mainstay::prelude::*;

struct Greeting(Snapshot<String>);
impl Provider<Daemon> for Greeting {
    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for Greeting {
    async fn reload(&self, app: &Daemon) -> Result<()> {
        self.0.publish(tokio::fs::read_to_string(app.config_dir().join("greeting.txt")).await?);
        Ok(())
    }
}

async fn http(app: Daemon, cx: RunContext) -> Result<()> {
    let greeting = app.require::<Greeting>()?;
    let router = Router::new().route("/", get(async move || greeting.0.load().to_string()));
    let addr = std::env::var("LISTEN").unwrap_or("127.0.0.1:3000".into());
    let listener = tokio::net::TcpListener::bind(addr).await?;
    let stop = cx.shutdown_token().clone().cancelled_owned();
    Ok(axum::serve(listener, router).with_graceful_shutdown(stop).await?)
}

fn main() -> Outcome {
    let greeting = Greeting(Snapshot::new("hello\n".into()));
    Daemon::builder("hello").insert(greeting).insert(runnable("http", http).requires::<Greeting>()).main()
}
