//! The names of one epoch, and what is known of each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::ResolverOpts;
use mainstay::{BoxError, Loaded, Snapshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::ask::Asker;
use super::known::{Answer, Known};
use crate::settings::{Address, Settings};

/// How long a boot, and a reload, waits for the first answers. A name without one by then has no address yet.
const FIRST: Duration = Duration::from_secs(3);

/// All names that the pools have.
pub(super) struct Names {
    /// `None` where nobody needs one.
    asker: Option<Arc<Asker>>,
    all: BTreeMap<String, Arc<Name>>,
}

/// One name. It is the same one for as long as a pool has it.
pub(super) struct Name {
    pub(super) host: String,
    known: Snapshot<Known>,
}

impl Names {
    /// Those of these settings: what is known of a name that stays is kept, a new one is asked for.
    pub(super) async fn of(settings: &Settings, before: Option<&Self>) -> Result<Self, BoxError> {
        let hosts = hosts(settings);
        if hosts.is_empty() {
            return Ok(Self { asker: None, all: BTreeMap::new() });
        }
        let asker = Arc::new(match settings.dns.as_slice() {
            [] => Asker::of_the_system().await?,
            servers => Asker::of(servers, ResolverOpts::default())?,
        });
        let mut all = BTreeMap::new();
        let mut new = JoinSet::new();
        let until = Instant::now() + FIRST;
        for host in hosts {
            let kept = before.and_then(|before| before.all.get(&host));
            if kept.is_none() {
                let (asker, host) = (Arc::clone(&asker), host.clone());
                new.spawn(async move {
                    let answer = timeout_at(until, asker.ask(&host)).await;
                    (host, answer.unwrap_or_else(|_| Err(format!("nothing in {FIRST:?}"))))
                });
            }
            let name = kept.map_or_else(|| Arc::new(Name::new(host.clone())), Arc::clone);
            all.insert(host, name);
        }
        while let Some(answered) = new.join_next().await {
            let (host, answer) = answered?;
            // Published here, and not where it was asked: inside of a reload it is the transaction's.
            if let Some(name) = all.get(&host) {
                name.heard(answer, Instant::now());
            }
        }
        Ok(Self { asker: Some(asker), all })
    }

    pub(super) fn get(&self, host: &str) -> Option<&Name> {
        self.all.get(host).map(|name| &**name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Name>> {
        self.all.values()
    }

    /// Who is asked.
    pub(super) fn asker(&self) -> Option<Arc<Asker>> {
        self.asker.clone()
    }
}

impl Name {
    pub(super) fn new(host: String) -> Self {
        Self { host, known: Snapshot::new(Known::nothing()) }
    }

    pub(super) fn load(&self) -> Loaded<Known> {
        self.known.load()
    }

    /// Asks once, and publishes what is known then.
    pub(super) async fn refresh(&self, asker: &Asker, now: impl FnOnce() -> Instant) {
        let answer = asker.ask(&self.host).await;
        self.heard(answer, now());
    }

    /// One line when it begins to fail, and one when it is over.
    fn heard(&self, answer: Result<Answer, String>, now: Instant) {
        let before = self.known.load();
        let known = before.heard(answer, now);
        match (before.why_failing(), known.why_failing()) {
            (None, Some(_)) => tracing::warn!(name = self.host, "not resolved: {}", known.said(now)),
            (Some(_), None) => tracing::warn!(name = self.host, "resolved again: {}", known.said(now)),
            _ => {}
        }
        self.known.publish(known);
    }
}

/// The hosts that are names. What is an address leads nowhere else.
fn hosts(settings: &Settings) -> Vec<String> {
    let servers = settings.upstreams.values().flat_map(|pool| &pool.servers);
    let mut hosts: Vec<String> = servers
        .filter_map(|server| match &server.address.value {
            Address::Remote(authority) => Some(authority.host()),
            Address::BuiltIn => None,
        })
        .filter(|host| super::literal(host).is_none())
        .map(str::to_owned)
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}
