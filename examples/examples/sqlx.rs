//! How do I close a pool of sqlx after everybody who uses it? By saying who requires it.

use std::path::PathBuf;
use std::time::Duration;

use mainstay::prelude::*;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

#[derive(clap::Args)]
struct Flags {
    /// The file of the database
    #[arg(long, default_value = "visits.db")]
    database: PathBuf,
}

/// The pool. Nobody can have it before it is connected, nor after it is closed.
#[derive(Default)]
struct Database(Snapshot<SqlitePool>);

impl Database {
    async fn write(&self, text: &str) -> Result<()> {
        sqlx::query("INSERT INTO visits (text) VALUES (?)").bind(text).execute(&*self.0.load()).await?;
        println!("wrote {text}");
        Ok(())
    }
}

#[async_trait]
impl Provider<Daemon> for Database {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn boot(&self, app: &Daemon) -> Result<()> {
        let options =
            SqliteConnectOptions::new().filename(&app.args::<Flags>().database).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        sqlx::query("CREATE TABLE IF NOT EXISTS visits (text TEXT NOT NULL)").execute(&pool).await?;
        self.0.publish(pool);
        Ok(())
    }

    async fn shutdown(&self, _app: &Daemon) -> Result<()> {
        let Some(pool) = self.0.try_load() else { return Ok(()) }; // its boot has failed
        pool.close().await; // waits for connections that are in use, up to the deadline of the hook
        println!("closed");
        Ok(())
    }
}

/// Somebody with something to write in its own hook, at the very end.
#[derive(Default)]
struct Journal {
    database: Dep<Database>,
}

#[async_trait]
impl Provider<Daemon> for Journal {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn dependencies(&self) -> Dependencies<Daemon> {
        Dependencies::new().dep(&self.database)
    }

    async fn boot(&self, _app: &Daemon) -> Result<()> {
        self.database.write("up").await
    }

    async fn shutdown(&self, _app: &Daemon) -> Result<()> {
        let Some(database) = self.database.get() else { return Ok(()) };
        database.write("down").await
    }
}

/// Somebody who is in the middle of something when the stop comes.
async fn visitors(app: Daemon, cx: RunContext) -> Result<()> {
    let database = app.require::<Database>()?;
    let mut ticks = cx.every(Duration::from_millis(20));
    while ticks.next().await.is_some() {
        database.write("a visit").await?;
    }
    tokio::time::sleep(Duration::from_millis(50)).await; // until the last one has left
    database.write("the last visit").await
}

/// Boots along these edges, and stops against them: `visitors` and `journal`, then `database`.
fn main() -> Outcome {
    Daemon::builder("visits")
        .args::<Flags>()
        .insert(Database::default())
        .insert(Journal::default())
        .insert(runnable("visitors", visitors).requires::<Database>())
        .main()
}
