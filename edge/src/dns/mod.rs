//! Where the names of servers lead to: asked in the boot, then in the background, so that no request waits for it.
//!
//! Each name has a child of this provider's task. It asks again when the answer's TTL is over, keeps the last good
//! answer for as long as there is no new one, and notes what it knows. Connections are made to what is known at that
//! moment; those that are open stay where they are.

mod ask;
mod connect;
mod known;
mod names;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use mainstay::{
    Daemon, Dep, Dependencies, Provider, Reloadable, RestartPolicy, Result, ResultExt, RunContext, Runnable,
    Snapshot, TaskFuture, async_trait, note, task,
};
use tokio::time::{Instant, sleep_until};

pub(crate) use self::connect::Connect;
use self::names::{Name, Names};
use crate::follow::follow;
use crate::settings::SettingsFile;

/// The names of all pools.
#[derive(Default)]
pub(crate) struct Dns {
    settings: Dep<SettingsFile>,
    names: Snapshot<Names>,
}

impl Dns {
    /// The addresses of a host that is a name: none as long as nobody has said any.
    fn addresses(&self, host: &str) -> Arc<[IpAddr]> {
        let names = self.names.try_load();
        let name = names.as_ref().and_then(|names| names.get(host));
        name.map_or_else(|| Arc::from([]), |name| Arc::clone(&name.load().addresses))
    }

    /// Why there is no address.
    fn why_none(&self, host: &str) -> String {
        let names = self.names.try_load();
        let name = names.as_ref().and_then(|names| names.get(host));
        name.map_or_else(|| "no address".to_owned(), |name| name.load().said(Instant::now()).to_string())
    }

    /// A line for each name: what is known of it, and how old that is.
    pub(crate) fn said(&self) -> String {
        let mut said = String::new();
        for name in self.names.load().all() {
            let _ = writeln!(said, "  {}  {}", name.host, name.load().said(Instant::now()));
        }
        said
    }

    async fn derive(&self) -> Result<()> {
        let reading = self.settings.load();
        let before = self.names.try_load();
        note("asking for the addresses of names");
        self.names.publish(Names::of(&reading.settings, before.as_deref()).await.boxed()?);
        Ok(())
    }
}

#[async_trait]
impl Provider<Daemon> for Dns {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn dependencies(&self) -> Dependencies<Daemon> {
        Dependencies::new().dep(&self.settings)
    }

    async fn boot(&self, _: &Daemon) -> Result<()> {
        self.derive().await
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }

    fn as_runnable(&self) -> Option<&dyn Runnable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for Dns {
    async fn reload(&self, _: &Daemon) -> Result<()> {
        self.derive().await
    }
}

impl Runnable<Daemon> for Dns {
    fn restart_policy(&self) -> RestartPolicy {
        RestartPolicy::on_failure().unlimited().degrade()
    }

    fn run(&self, app: Daemon) -> TaskFuture {
        task(async move |cx| {
            let dns = app.require::<Self>()?;
            let named =
                |names: &Names| names.all().map(|name| (name.host.clone(), Arc::clone(name))).collect();
            let begin = |host: String, name: Arc<Name>| {
                let (dns, policy) = (Arc::clone(&dns), RestartPolicy::on_failure().unlimited());
                let kept = move |cx| keep(Arc::clone(&dns), Arc::clone(&name), cx);
                cx.supervise(host, policy, kept).map(drop).boxed()
            };
            follow(&cx, &dns.names, named, begin).await
        })
    }
}

/// Keeps one name known until it is to stop.
async fn keep(dns: Arc<Dns>, name: Arc<Name>, cx: RunContext) -> Result<()> {
    let kept = async {
        loop {
            let next = {
                let known = name.load();
                cx.note(known.said(Instant::now()).to_string());
                known.next()
            };
            if let Some(next) = next {
                sleep_until(next).await;
            }
            // That of the newest epoch. With none there is no name either, and this one is about to stop.
            let Some(asker) = dns.names.load().asker() else { return };
            name.refresh(&asker, Instant::now).await;
        }
    };
    let _ = cx.until_shutdown(kept).await;
    Ok(())
}

/// The address that a host is, as it is written in a URI.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
