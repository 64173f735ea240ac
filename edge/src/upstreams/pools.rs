//! All pools of one epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::http::uri::Authority;
use tokio::time::Instant;

use super::pool::{Member, Pool};
use super::server::Server;
use crate::mark::Mark;
use crate::settings::{Address, PoolSettings, Reading, ServerSettings};

/// The pools by name.
pub(crate) struct Pools {
    all: BTreeMap<String, Arc<Pool>>,
    /// What it was made of.
    pub(crate) mark: Mark,
}

impl Pools {
    /// Those of a reading. A server that the pool of this name had before is the same one.
    pub(super) fn of(reading: &Reading, demo: &Authority, before: Option<&Self>) -> Self {
        let (mut all, mut said) = (BTreeMap::new(), Vec::new());
        for (name, settings) in &reading.settings.upstreams {
            let before = before.and_then(|before| before.get(name));
            let members = members(settings, demo, before);
            let (check, eject) = (settings.check.clone(), settings.eject);
            let pool = Pool::new(name, members, settings.patience, check, eject, before.map(|pool| &**pool));
            all.insert(name.clone(), Arc::new(pool));
            let servers: Vec<String> =
                settings.servers.iter().map(|server| format!(" {}", server.address.value)).collect();
            said.push(format!("{name}{} patience {:?}", servers.concat(), settings.patience));
        }
        Self { all, mark: Mark::new(reading.mark.of(), said.join(", ")) }
    }

    /// The pool of this name; one that a route of the same epoch leads to is there.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Pool>> {
        self.all.get(name)
    }

    /// Every server that is asked whether it is there, as `pool/server`.
    pub(super) fn checked(&self) -> Vec<(String, Arc<Server>)> {
        let of = |pool: &Arc<Pool>| -> Vec<(String, Arc<Server>)> {
            let checked = pool.members.iter().filter(|member| member.checked);
            checked
                .map(|Member { server, .. }| {
                    (format!("{}/{}", pool.name, server.authority), Arc::clone(server))
                })
                .collect()
        };
        self.all.values().flat_map(of).collect()
    }

    /// Why those that are down are, if any is.
    pub(super) fn why_down(&self) -> Option<String> {
        let down: Vec<String> =
            self.all.values().filter(|pool| pool.is_down()).map(|pool| pool.why_down()).collect();
        if down.is_empty() { None } else { Some(down.join("; ")) }
    }

    /// A line for each server of each pool.
    pub(super) fn said(&self, now: Instant) -> String {
        self.all.values().map(|pool| pool.said(now)).collect()
    }
}

fn members(settings: &PoolSettings, demo: &Authority, before: Option<&Arc<Pool>>) -> Vec<Member> {
    let member = |server: &ServerSettings| {
        let (authority, checked) = match &server.address.value {
            // It is supervised, which says more than it could itself.
            Address::BuiltIn => (demo, false),
            Address::Remote(authority) => (authority, settings.check.interval.is_some()),
        };
        let kept = before.and_then(|pool| {
            pool.members.iter().map(|member| &member.server).find(|server| server.authority == *authority)
        });
        let new = || Arc::new(Server::new(authority.clone(), Instant::now()));
        Member { server: kept.map_or_else(new, Arc::clone), weight: server.weight, checked }
    };
    settings.servers.iter().map(member).collect()
}
