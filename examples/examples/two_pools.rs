//! How do I register two pools of one type? By a newtype with a tag, which makes them two types.

use std::marker::PhantomData;
use std::time::Duration;

use mainstay::prelude::*;

/// A library's pool, which knows nothing of mainstay: here it is one connection, and speaks in lines.
mod library {
    use std::io::Result;

    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream};
    use tokio::net::TcpStream;
    use tokio::sync::Mutex;

    pub(crate) struct Pool(Mutex<BufStream<TcpStream>>);

    impl Pool {
        pub(crate) async fn connect(url: &str) -> Result<Self> {
            Ok(Self(Mutex::new(BufStream::new(TcpStream::connect(url).await?))))
        }

        pub(crate) async fn ask(&self, question: &str) -> Result<String> {
            let (mut stream, mut answer) = (self.0.lock().await, String::new());
            stream.write_all(format!("{question}\n").as_bytes()).await?;
            stream.flush().await?;
            stream.read_line(&mut answer).await?;
            Ok(answer.trim_end().to_owned())
        }

        pub(crate) async fn close(&self) -> Result<()> {
            self.0.lock().await.shutdown().await
        }
    }
}

#[derive(clap::Args)]
struct Flags {
    /// The database that is written to
    #[arg(long, default_value = "127.0.0.1:5432")]
    primary: String,
    /// The database that is read from
    #[arg(long, default_value = "127.0.0.1:5433")]
    replica: String,
}

/// Which of the two: its name, and where it is.
trait Role: Send + Sync + 'static {
    const NAME: &'static str;
    fn url(flags: &Flags) -> &str;
}

struct Primary;
impl Role for Primary {
    const NAME: &'static str = "primary";
    fn url(flags: &Flags) -> &str {
        &flags.primary
    }
}

struct Replica;
impl Role for Replica {
    const NAME: &'static str = "replica";
    fn url(flags: &Flags) -> &str {
        &flags.replica
    }
}

/// The newtype. The registry knows providers by type: `Database<Primary>` is one, `Database<Replica>` another.
struct Database<R> {
    pool: Snapshot<library::Pool>,
    role: PhantomData<fn() -> R>,
}

impl<R> Database<R> {
    fn new() -> Self {
        Self { pool: Snapshot::empty(), role: PhantomData }
    }
}

#[async_trait]
impl<R: Role> Provider<Daemon> for Database<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    async fn boot(&self, app: &Daemon) -> Result<()> {
        self.pool.publish(library::Pool::connect(R::url(app.args())).await?);
        Ok(())
    }

    async fn shutdown(&self, _app: &Daemon) -> Result<()> {
        let Some(pool) = self.pool.try_load() else { return Ok(()) }; // its boot has failed
        Ok(pool.close().await?)
    }
}

/// Reads from the one, writes to the other; a mix-up does not compile.
async fn copy(app: Daemon, cx: RunContext) -> Result<()> {
    let (from, to) = (app.require::<Database<Replica>>()?, app.require::<Database<Primary>>()?);
    let mut ticks = cx.every(Duration::from_millis(100));
    while ticks.next().await.is_some() {
        let read = from.pool.load().ask("read").await?;
        println!("{}", to.pool.load().ask(&format!("write {read}")).await?);
    }
    Ok(())
}

fn main() -> Outcome {
    Daemon::builder("two_pools")
        .args::<Flags>()
        .insert(Database::<Primary>::new())
        .insert(Database::<Replica>::new())
        .insert(runnable("copy", copy).requires::<Database<Primary>>().requires::<Database<Replica>>())
        .main()
}
