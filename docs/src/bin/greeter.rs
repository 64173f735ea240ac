//! Greets whoever asks on port 3000, and counts the visits in a database. A HUP reads the greeting again.

use std::sync::Arc;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use mainstay::prelude::*;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tokio::net::TcpListener;

/// The pool: empty until it has booted.
#[derive(Default)]
struct Store(Snapshot<SqlitePool>);

#[async_trait]
impl Provider<Daemon> for Store {
    fn name(&self) -> &'static str {
        "store"
    }

    async fn boot(&self, _app: &Daemon) -> Result<()> {
        let file = std::env::var("VISITS").unwrap_or("visits.db".into());
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await?;
        let table = "CREATE TABLE IF NOT EXISTS visits (at TEXT DEFAULT CURRENT_TIMESTAMP)";
        sqlx::query(table).execute(&pool).await?;
        self.0.publish(pool);
        Ok(())
    }

    async fn shutdown(&self, _app: &Daemon) -> Result<()> {
        // Empty when the boot failed before it got so far.
        if let Some(pool) = self.0.try_load() {
            pool.close().await;
        }
        Ok(())
    }
}

impl Store {
    async fn visit(&self) -> sqlx::Result<i64> {
        let pool = self.0.load_full();
        sqlx::query("INSERT INTO visits DEFAULT VALUES").execute(&*pool).await?;
        sqlx::query_scalar("SELECT count(*) FROM visits").fetch_one(&*pool).await
    }
}

/// What is said, from a file.
#[derive(Default)]
struct Greeting(Snapshot<String>);

#[async_trait]
impl Provider<Daemon> for Greeting {
    fn name(&self) -> &'static str {
        "greeting"
    }

    async fn boot(&self, app: &Daemon) -> Result<()> {
        self.reload(app).await
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for Greeting {
    async fn reload(&self, app: &Daemon) -> Result<()> {
        let text = tokio::fs::read_to_string(app.config_dir().join("greeting.txt")).await?;
        if text.trim().is_empty() {
            return Err(Error::msg("greeting.txt says nothing"));
        }
        self.0.publish(text.trim().to_owned());
        Ok(())
    }
}

#[derive(Clone)]
struct Site {
    store: Arc<Store>,
    greeting: Arc<Greeting>,
}

async fn greet(State(site): State<Site>) -> Result<String, (StatusCode, String)> {
    let greeting = site.greeting.0.load_full();
    match site.store.visit().await {
        Ok(visit) => Ok(format!("{greeting}, visit {visit}\n")),
        Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))),
    }
}

async fn http(app: Daemon, cx: RunContext) -> Result<()> {
    let site = Site { store: app.require()?, greeting: app.require()? };
    let router = Router::new().route("/", get(greet)).with_state(site);
    let listen = std::env::var("LISTEN").unwrap_or("127.0.0.1:3000".into());
    let listener = TcpListener::bind(listen).await?;
    cx.ready();
    mainstay_hyper::serve(&cx, listener, router).await?;
    Ok(())
}

fn main() -> Outcome {
    let http = runnable("http", http).requires::<Store>().requires::<Greeting>();
    Daemon::builder("greeter")
        .insert(Store::default())
        .insert(Greeting::default())
        .insert(http.ready_when(ReadyWhen::Signalled))
        .main()
}
