//! How do I write a consumer (a queue, workers, a ticker, no HTTP) that loses no job at a stop, and does none twice?

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay::prelude::*;
use tokio::fs;
use tokio::sync::{Mutex, mpsc};

#[derive(clap::Args)]
struct Flags {
    /// The folder of the jobs: each is a file in its `new/`
    #[arg(long, default_value = "jobs")]
    spool: PathBuf,
    /// How many jobs are worked on at the same time
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// How long a job takes, in milliseconds
    #[arg(long, default_value_t = 1000)]
    takes: u64,
}

impl Flags {
    fn folder(&self, name: &str) -> PathBuf {
        self.spool.join(name)
    }
}

/// The queue. A job is a file in `new/` or in `taken/`, or done and gone: who has moved it has it.
struct Spool {
    put: mpsc::Sender<OsString>,
    get: Mutex<mpsc::Receiver<OsString>>,
}

async fn jobs(folder: &Path) -> Result<Vec<OsString>> {
    let (mut entries, mut names) = (fs::read_dir(folder).await?, Vec::new());
    while let Some(entry) = entries.next_entry().await? {
        names.push(entry.file_name());
    }
    names.sort();
    Ok(names)
}

#[async_trait]
impl Provider<Daemon> for Spool {
    fn name(&self) -> &'static str {
        "spool"
    }

    async fn boot(&self, app: &Daemon) -> Result<()> {
        fs::create_dir_all(app.args::<Flags>().folder("new")).await?;
        fs::create_dir_all(app.args::<Flags>().folder("taken")).await?;
        self.shutdown(app).await // what a crash has left
    }

    /// Scanner and workers require it, so they are gone: nobody works on what is still taken.
    async fn shutdown(&self, app: &Daemon) -> Result<()> {
        let (taken, new) = (app.args::<Flags>().folder("taken"), app.args::<Flags>().folder("new"));
        for job in jobs(&taken).await? {
            fs::rename(taken.join(&job), new.join(&job)).await?;
            println!("handed back {}", job.display());
        }
        Ok(())
    }
}

/// Looks for new jobs ten times a second, and takes as many as the queue has room for.
async fn scanner(app: Daemon, cx: RunContext) -> Result<()> {
    let spool = app.require::<Spool>()?;
    let (new, taken) = (app.args::<Flags>().folder("new"), app.args::<Flags>().folder("taken"));
    let mut ticks = cx.every(Duration::from_millis(100));
    while ticks.next().await.is_some() {
        for job in jobs(&new).await? {
            // This wait may be given up. From here on nothing comes between the move and the queue.
            let Some(Ok(room)) = cx.until_shutdown(spool.put.reserve()).await else { return Ok(()) };
            fs::rename(new.join(&job), taken.join(&job)).await?;
            room.send(job);
        }
    }
    Ok(())
}

/// The pool. Each worker is a child of this task, which ends with the last of them.
async fn workers(app: Daemon, cx: RunContext) -> Result<()> {
    for number in 1..=app.args::<Flags>().workers {
        let (app, child) = (app.clone(), cx.clone());
        cx.spawn(format!("worker {number}"), async move {
            let spool = app.require::<Spool>()?;
            loop {
                // A stop ends the wait for the next job; the one in hand is finished.
                let next = async { spool.get.lock().await.recv().await };
                let Some(Some(job)) = child.until_shutdown(next).await else { return Ok(()) };
                println!("begun {}", job.display());
                work(app.args(), &job).await?;
                println!("done {}", job.display());
            }
        });
    }
    cx.shutdown_token().cancelled().await;
    Ok(())
}

async fn work(flags: &Flags, job: &OsStr) -> Result<()> {
    tokio::time::sleep(Duration::from_millis(flags.takes)).await;
    Ok(fs::remove_file(flags.folder("taken").join(job)).await?)
}

fn main() -> Outcome {
    let (put, get) = mpsc::channel(8);
    // The longest job decides how long the workers may take to stop.
    let workers = runnable("workers", workers).deadlines(Deadlines::new().stop(Duration::from_secs(15)));
    Daemon::builder("consumer")
        .args::<Flags>()
        .insert(Spool { put, get: Mutex::new(get) })
        .insert(runnable("scanner", scanner).requires::<Spool>())
        .insert(workers.requires::<Spool>())
        .main()
}
