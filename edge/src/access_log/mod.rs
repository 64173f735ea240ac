//! The provider that writes a line for each request, and never makes one wait for it.
//!
//! # The lines
//!
//! One for each request, in the order in which they ended, in a file that `access_log` in `http.yaml` names; off unless it
//! does. As text they are in the order of the combined format of Apache and nginx, and three fields more:
//!
//! ```text
//! 10.0.0.5 - - [2026-11-25T22:13:01.123Z] "GET /api/a?b HTTP/1.1" 200 1234 "http://a/" "curl/8.0" 0.001234 10.0.0.9:80 whole
//! ```
//!
//! | field | is |
//! | --- | --- |
//! | client | the address of the peer, without its port; `-` where it has none |
//! | `-`, `-` | what others have there: identity, user |
//! | time | when the head of the request was there; RFC 3339, UTC |
//! | request | method, path with its query, version |
//! | status | of the answer; 499 as in nginx where the client went away before there was one |
//! | sent | bytes of the answer's body that the connection took |
//! | referer, agent | as the client says, or `-` |
//! | duration | seconds, from the head of the request to the end of its answer |
//! | upstream | the address and port that answered, or `-` where edge did |
//! | end | `whole`, or `cut` where the answer was cut short |
//!
//! With `access_log_format: json` each is an object with the same fields. What a client chose is escaped: quotes,
//! backslashes, control bytes and all beyond ASCII as `\xHH` (JSON: `\u00HH`), so nobody can write a line or a field, nor
//! anything that a terminal obeys. A path ends after 2,048 bytes, any other field after 256, with three dots.
//!
//! # What it costs, and what it loses
//!
//! A request hands its line over to a bounded queue. When that is full, because the disk is slower than the clients or
//! stuck, lines are dropped, counted, and the count is logged and shown in `/status`; no request waits. A write that fails
//! is tried again with the same bytes. Lines are in the file within 250 ms and after a stop; they are not synced to the
//! disk. A SIGUSR1 opens the file again (`mv` it, then `kill -USR1`): no line is lost, none is in both.

mod line;
mod sink;
mod time;
mod writer;

pub(crate) use self::line::{Answered, Ended, Format, Line};

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::Request;
use mainstay::{
    Daemon, Deadlines, Dep, Dependencies, Error, Provider, Reloadable, RestartPolicy, Result, ResultExt,
    Runnable, TaskFuture, Transaction, async_trait, note, task,
};
use tokio::task::spawn_blocking;

use self::sink::Open;
use self::writer::Shared;
use crate::settings::{Invalid, SettingsFile};

/// The access log.
#[derive(Default)]
pub(crate) struct AccessLog {
    settings: Dep<SettingsFile>,
    shared: Arc<Shared>,
}

impl AccessLog {
    /// Begins the line of a request, if there is a log.
    pub(crate) fn begin<B>(&self, client: Option<IpAddr>, request: &Request<B>) -> Option<Line> {
        let format = self.shared.format()?;
        Some(Line::begin(format, SystemTime::now(), client, request))
    }

    /// Ends it, and hands it over to be written; or drops it and counts that, when too many wait.
    pub(crate) fn end(&self, line: Line, answered: &Answered) {
        self.shared.hand_over(line, answered);
    }

    /// How many lines were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped()
    }

    /// How many attempts to write or to open the file have failed.
    pub(crate) fn failures(&self) -> u64 {
        self.shared.failures()
    }

    /// Opens what the settings name, if that is another file; it is used from the commit on, in the boot at once.
    async fn turn(&self) -> Result<(), Invalid> {
        let reading = self.settings.load();
        let shared = Arc::clone(&self.shared);
        let Some(log) = reading.settings.access_log.clone() else {
            if shared.path().is_some() {
                at_the_commit(move || shared.turn_off());
            }
            return Ok(());
        };
        let path = log.path.value;
        let file = if shared.path().as_deref() == Some(&path) {
            None
        } else {
            note(format!("opening {}", path.display()));
            let opened = open(&path).await;
            Some(opened.map_err(|why| Invalid::one(reading.origin.path(), log.path.place, why))?)
        };
        at_the_commit(move || shared.turn_on(&path, log.format, file));
        Ok(())
    }
}

async fn open(path: &Path) -> Result<Open, String> {
    let opened = path.to_owned();
    let why = match spawn_blocking(move || Open::new(&opened)).await {
        Ok(Ok(open)) => return Ok(open),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Err(format!("access_log: '{}' cannot be opened for writing: {why}", path.display()))
}

fn at_the_commit(turned: impl FnOnce() + Send + 'static) {
    match Transaction::current() {
        Some(transaction) => transaction.on_commit(turned),
        None => turned(),
    }
}

#[async_trait]
impl Provider<Daemon> for AccessLog {
    fn name(&self) -> &'static str {
        "access-log"
    }

    /// It requires nothing of who hands lines over: they require it, so it stops after their last line.
    fn dependencies(&self) -> Dependencies<Daemon> {
        Dependencies::new().dep(&self.settings)
    }

    fn deadlines(&self) -> Deadlines {
        // Only what is stuck takes longer: a disk, or a pipe that nobody reads.
        Deadlines::new().boot(Duration::from_secs(5)).stop(Duration::from_secs(3))
    }

    async fn boot(&self, _: &Daemon) -> Result<()> {
        self.turn().await.boxed()
    }

    async fn shutdown(&self, _: &Daemon) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        match spawn_blocking(move || shared.write_the_rest()).await? {
            0 => Ok(()),
            lost => {
                Err(Error::msg(format!("the file takes nothing: {lost} lines of the access log are lost")))
            }
        }
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }

    fn as_runnable(&self) -> Option<&dyn Runnable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for AccessLog {
    async fn reload(&self, _: &Daemon) -> Result<()> {
        self.turn().await.invalid()
    }
}

impl Runnable<Daemon> for AccessLog {
    fn restart_policy(&self) -> RestartPolicy {
        // Nothing but a panic ends it, and none of them ends edge. The file and the queue are kept for the next generation.
        RestartPolicy::on_failure().unlimited().degrade()
    }

    fn run(&self, _: Daemon) -> TaskFuture {
        let shared = Arc::clone(&self.shared);
        task(move |cx| shared.write(cx))
    }
}

#[cfg(test)]
mod tests;
