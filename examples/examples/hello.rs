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
    cx.ready();
    Ok(mainstay_hyper::serve(&cx, listener, router).await.map(drop)?)
}

fn main() -> Outcome {
    let http = runnable("http", http).requires::<Greeting>().ready_when(ReadyWhen::Signalled);
    Daemon::builder("hello").insert(Greeting(Snapshot::new("hello\n".into()))).insert(http).main()
}
