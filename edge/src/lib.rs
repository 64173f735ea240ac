//! The reference daemon of mainstay: a small HTTP reverse proxy and file server.
//!
//! Its providers: `settings` reads `http.yaml` and publishes it; `routes` derives the routing table from it; `lock` keeps
//! a second edge away; `limits` says who may come in, `access-log` writes down who did, `stats` counts; `dns` knows where
//! names lead to; `upstreams` are the pools that requests are passed on to, and `demo` is a server that comes along, to
//! have one; `http` serves. Whatever runs is started again when it fails: `http` on the sockets that it had, without those
//! behind it if need be. `edge tour` shows what they do, in half a minute.

mod access_log;
mod demo;
mod dns;
pub mod drive;
mod first_words;
mod follow;
mod http;
mod limits;
mod lock;
mod mark;
mod routes;
mod settings;
mod stats;
mod tour;
mod upstreams;

use std::sync::Arc;
use std::time::Duration;

use mainstay::{Daemon, DaemonBuilder, Outcome, Result, ResultExt as _};

use self::access_log::AccessLog;
use self::demo::Demo;
use self::dns::Dns;
use self::first_words::Facts;
use self::http::Http;
use self::limits::Limits;
use self::lock::Lock;
use self::routes::{Routes, Table};
use self::settings::SettingsFile;
use self::stats::Stats;
use self::upstreams::Upstreams;

/// When a boot or a stop that goes on says what it waits for.
const LATE: Duration = Duration::from_secs(2);

/// The whole program.
pub fn main() -> Outcome {
    let facts = Arc::new(Facts::default());
    let of_run = Arc::clone(&facts);
    let outcome =
        with(&facts).runtime(move |runtime| runtime.on_event(move |event| of_run.hear(event))).main();
    facts.last_line(&outcome);
    outcome
}

/// The daemon, for tests that give it a runtime of their own. It says nothing of itself.
pub fn daemon() -> DaemonBuilder {
    with(&Arc::default())
}

fn with(facts: &Arc<Facts>) -> DaemonBuilder {
    let of_plan = Arc::clone(facts);
    Daemon::builder("edge")
        .version(env!("CARGO_PKG_VERSION"))
        .log_default("warn")
        .verb("tour", "Show what it does, in half a minute, and check every line of it", tour::run)
        .insert(SettingsFile::default())
        .insert(Routes::default())
        .insert(Lock::default())
        .insert(Limits::default())
        .insert(AccessLog::default())
        .insert(Stats::default())
        .insert(Dns::default())
        .insert(Demo::default())
        .insert(Upstreams::default())
        .insert(Http::new(Arc::clone(facts)))
        .register(http_yaml)
        .register(move |app| {
            // A plan that cannot be made is reported by the runtime, in full.
            if let Ok(plan) = app.registry().plan() {
                of_plan.planned(&plan);
            }
            Ok(())
        })
        .runtime(|runtime| runtime.late_after(LATE))
}

/// What `http.yaml` says is looked at before anything is started, so that `edge check` finds what the boot would refuse.
/// The boot reads it anew.
fn http_yaml(app: &Daemon) -> Result<()> {
    let reading = settings::look(app)?;
    let table = Table::of(&reading).invalid()?;
    limits::check(&reading, &table).invalid()
}
