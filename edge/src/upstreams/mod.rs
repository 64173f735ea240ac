//! What requests are passed on to: pools of servers, by name.
//!
//! Begin with `pool`: a request picks a server there, and says what became of it. A server is *down* when its checks say
//! so, and *left out* when its requests fail; both are kept with the server, over reloads. When all servers of a pool are
//! down its routes answer 503 and say why. Then this provider is not ready, and the daemon degraded, until one is up again.

mod ask;
mod checks;
mod pool;
mod pools;
mod schedule;
mod server;
#[cfg(test)]
mod tests;
mod tried;

use std::sync::Arc;
use std::time::Duration;

use hyper::http::uri::Authority;
use mainstay::{
    Daemon, Deadlines, Dep, Dependencies, Error, Loaded, NamedRunnable, Provider, ReadyWhen, Reloadable,
    RestartPolicy, Result, Runnable, Snapshot, TaskFuture, async_trait, note, task,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::checks::Checks;
pub(crate) use self::pool::{Attempt, Nobody, Pool};
use self::pools::Pools;
pub(crate) use self::tried::Tried;
use crate::demo::Demo;
use crate::dns::{Connect, Dns};
use crate::settings::{Address, PoolSettings, Reading, SettingsFile};

/// The pools.
pub(crate) struct Upstreams {
    settings: Dep<SettingsFile>,
    dns: Dep<Dns>,
    demo: Dep<Demo>,
    pools: Snapshot<Pools>,
    /// A server went up or down.
    turned: watch::Sender<()>,
}

impl Default for Upstreams {
    fn default() -> Self {
        let (settings, dns, demo) = (Dep::new(), Dep::new(), Dep::new());
        Self { settings, dns, demo, pools: Snapshot::empty(), turned: watch::Sender::new(()) }
    }
}

impl Upstreams {
    /// The pools that are in force now.
    pub(crate) fn load(&self) -> Loaded<Pools> {
        self.pools.load()
    }

    /// The pool of this name.
    pub(crate) fn pool(&self, name: &str) -> Option<Arc<Pool>> {
        self.load().get(name).cloned()
    }

    /// A line for each server: how it is.
    pub(crate) fn said(&self) -> String {
        self.load().said(Instant::now())
    }

    /// Derives them from what `settings` has published, or staged.
    fn derive(&self) {
        // A reload that asks for one that was not booted is refused.
        let nobody = Authority::from_static("localhost:0");
        let demo = self.demo.get().and_then(Demo::authority).unwrap_or(&nobody);
        let before = self.pools.try_load();
        self.pools.publish(Pools::of(&self.settings.load(), demo, before.as_deref()));
    }

    fn connect(&self) -> Result<Connect> {
        self.dns.arc().map(Connect::new).ok_or_else(|| Error::msg("it was not planned"))
    }

    /// Waits until each pool that is to be waited for has a server that answers.
    async fn wait(&self, reading: &Reading) -> Result<()> {
        // The built-in one answers as soon as it runs.
        let built_in =
            |pool: &PoolSettings| pool.servers.iter().any(|one| one.address.value == Address::BuiltIn);
        let waiting = reading.settings.upstreams.iter().filter(|(_, pool)| pool.wait && !built_in(pool));
        for pool in waiting.filter_map(|(name, _)| self.pool(name)) {
            let servers: Vec<&str> =
                pool.members.iter().map(|member| member.server.authority.as_str()).collect();
            note(format!("waiting for an answer of {}", servers.join(" or ")));
            let mut asked = JoinSet::new();
            for member in pool.members.clone() {
                let (connect, path) = (self.connect()?, pool.check.path.clone());
                asked.spawn(async move {
                    let found = ask::ask(&connect, &member.server.authority, &path).await;
                    found.map_err(|why| format!("{} {why}", member.server.authority))
                });
            }
            let mut wrong = Vec::new();
            loop {
                match asked.join_next().await {
                    Some(Ok(Ok(()))) => break,
                    Some(Ok(Err(why))) => wrong.push(why),
                    Some(Err(error)) => return Err(error.into()),
                    None => {
                        let why = wrong.join("; ");
                        return Err(Error::msg(format!(
                            "no server of the pool '{}' answers: {why}",
                            pool.name
                        )));
                    }
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Provider<Daemon> for Upstreams {
    fn name(&self) -> &'static str {
        "upstreams"
    }

    fn dependencies(&self) -> Dependencies<Daemon> {
        Dependencies::new().dep(&self.settings).dep(&self.dns).opt_dep(&self.demo)
    }

    fn deadlines(&self) -> Deadlines {
        // Whoever supervises edge may try again; to wait longer says nothing new. A pool that is down may be so for long,
        // and its failure is the one that says why.
        Deadlines::new().boot(Duration::from_secs(5)).ready(Duration::from_secs(24 * 3600))
    }

    async fn boot(&self, _: &Daemon) -> Result<()> {
        self.derive();
        self.wait(&self.settings.load()).await
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }

    fn runnables(&self) -> Vec<NamedRunnable<'_, Daemon>> {
        vec![NamedRunnable::new("checks", &Checks), NamedRunnable::new("pools", &Watch)]
    }
}

#[async_trait]
impl Reloadable<Daemon> for Upstreams {
    async fn reload(&self, _: &Daemon) -> Result<()> {
        self.derive();
        Ok(())
    }
}

/// Says when a pool is down, by failing once, and when none is any more, by getting ready again.
struct Watch;

impl Runnable<Daemon> for Watch {
    fn ready_when(&self) -> ReadyWhen {
        ReadyWhen::Signalled
    }

    fn restart_policy(&self) -> RestartPolicy {
        // What is down may come back: it is waited for, and what does not need it is served on.
        RestartPolicy::on_failure().max_delay(Duration::from_secs(1)).unlimited().degrade()
    }

    fn run(&self, app: Daemon) -> TaskFuture {
        task(async move |cx| {
            let upstreams = app.require::<Upstreams>()?;
            let mut turned = upstreams.turned.subscribe();
            // What the boot has not waited for is not waited for here.
            let mut ready = cx.generation() == 1;
            if ready {
                cx.ready();
            }
            loop {
                let changed = upstreams.pools.changed();
                turned.borrow_and_update();
                match upstreams.pools.try_load().and_then(|pools| pools.why_down()) {
                    Some(why) if ready => return Err(Error::msg(why)),
                    Some(why) => cx.note(why),
                    None => {
                        ready = true;
                        cx.ready();
                    }
                }
                let next = async {
                    tokio::select! {
                        _ = changed => {}
                        _ = turned.changed() => {}
                    }
                };
                if cx.until_shutdown(next).await.is_none() {
                    return Ok(());
                }
            }
        })
    }
}
