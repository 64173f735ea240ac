//! The provider that says whether a request may come in: so many at a time for a route, and for a client.
//!
//! Both are off unless `http.yaml` sets them: how many a route's upstreams can take, and how many a client has a use for,
//! is known to nobody else. What is sensible, with who says so:
//!
//! | setting | is | like |
//! | --- | --- | --- |
//! | `limits.client` | requests of one address at a time (of version 6: of a /64); more get 429 | `limit_conn` of nginx, by `$binary_remote_addr`: refused at once. A browser has 6 connections, or one with 100 streams |
//! | `limits.routes.PATH.inside` | requests to one route at a time | `maxconn` of a server in `HAProxy` |
//! | `.waiting` | how many more wait for a place; by default as many as may be inside. Beyond it they get 503 at once | `maxqueue` of `HAProxy`, which has no bound by default |
//! | `.wait` | how long they wait, then they get 503; by default 1 s | `timeout queue` of `HAProxy`, by default that of connecting, 5 s in most files |
//!
//! A request has its places until the last byte of its answer is taken. The client is asked first: who has enough inside
//! does not fill a route's queue either. Who is refused is told when to come again (`Retry-After`, whole seconds).
//!
//! A reload changes all of it. Who is inside stays, and is counted: a route that gets its first limit knows who is there
//! already. (Of clients that is not so: where they have no limit, nobody keeps a table of them.)

mod clients;
mod route;

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use mainstay::{
    Daemon, Dep, Dependencies, OwnedPermit, Provider, Reloadable, Result, ResultExt, Snapshot, Transaction,
    async_trait,
};

use self::clients::{Client, ClientPermit, Clients, Full};
use self::route::{Busy, RouteGate};
use crate::http::body::Body;
use crate::http::plain;
use crate::routes::{Routes, Table};
use crate::settings::{Invalid, Reading, RouteMost, SettingsFile};
use crate::stats::Limited;

/// The limits, and who is inside.
#[derive(Default)]
pub(crate) struct Limits {
    settings: Dep<SettingsFile>,
    routes: Dep<Routes>,
    clients: Arc<Clients>,
    now: Snapshot<Now>,
    refused: Refusals,
}

/// What is in force.
#[derive(Debug)]
struct Now {
    client: Option<NonZeroUsize>,
    /// By path. A route without a limit has a gate, too.
    gates: HashMap<String, Arc<RouteGate>, RandomState>,
}

#[derive(Debug, Default)]
struct Refusals {
    routes: AtomicU64,
    clients: AtomicU64,
}

/// A request that has its client's place, and asks for its route's.
#[derive(Debug)]
pub(crate) struct Asks {
    client: Option<ClientPermit>,
    gate: Option<Arc<RouteGate>>,
}

/// The places of one request; given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Places {
    _client: Option<ClientPermit>,
    _route: Option<OwnedPermit>,
}

/// Why a request has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Its client has as many inside as it may.
    Client,
    /// There are too many clients to count the requests of another one.
    Clients,
    /// Its route is full, and so is the queue, or the time in it was over.
    Route {
        /// When it may be worth to come again.
        after: Duration,
    },
}

impl Limits {
    /// Takes the place that a request needs of its client's; the one of its route is still to be [waited](Self::enter) for.
    /// No snapshot is held meanwhile.
    ///
    /// # Errors
    ///
    /// Where its client has enough of them.
    pub(crate) fn ask(&self, client: Option<IpAddr>, route: Option<&str>) -> Result<Asks, Refused> {
        let now = self.now.load();
        let client = match (client, now.client) {
            (Some(client), Some(most)) => Some(self.enter_client(client, most)?),
            _ => None,
        };
        Ok(Asks { client, gate: route.and_then(|route| now.gates.get(route).cloned()) })
    }

    /// Waits for the other place, where that is allowed.
    ///
    /// # Errors
    ///
    /// Where the route is full, and so is its queue, or the time in it is over.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives back what it has.
    pub(crate) async fn enter(&self, Asks { client, gate }: Asks) -> Result<Places, Refused> {
        let Some(gate) = gate else { return Ok(Places { _client: client, _route: None }) };
        match gate.enter().await {
            Ok(permit) => Ok(Places { _client: client, _route: Some(permit) }),
            Err(Busy { for_another: after }) => {
                self.refused.routes.fetch_add(1, Ordering::Relaxed);
                Err(Refused::Route { after })
            }
        }
    }

    fn enter_client(&self, client: IpAddr, most: NonZeroUsize) -> Result<ClientPermit, Refused> {
        self.clients.enter(Client::of(client), most).map_err(|full| {
            self.refused.clients.fetch_add(1, Ordering::Relaxed);
            match full {
                Full::Client => Refused::Client,
                Full::Table => Refused::Clients,
            }
        })
    }

    /// How many requests found no place. Relaxed: two numbers for the eye.
    pub(crate) fn refused(&self) -> Limited {
        Limited {
            routes: self.refused.routes.load(Ordering::Relaxed),
            clients: self.refused.clients.load(Ordering::Relaxed),
        }
    }

    /// How many wait for a place of this route.
    pub(crate) fn waiting(&self, route: &str) -> usize {
        self.now.load().gates.get(route).map_or(0, |gate| gate.waiting())
    }

    /// Derives what is in force from the settings and the routes. The gates of routes that stay are the ones they were;
    /// their limits change with the commit.
    fn derive(&self) -> Result<(), Invalid> {
        let (reading, table) = (self.settings.load(), self.routes.load());
        let wanted = &reading.settings.most;
        check(&reading, &table)?;

        let before = self.now.try_load();
        let mut turns: Vec<(Arc<RouteGate>, Option<RouteMost>)> = Vec::new();
        let mut gates = HashMap::default();
        for path in table.paths() {
            let gate = before.as_ref().and_then(|now| now.gates.get(path).cloned()).unwrap_or_default();
            let most = wanted.routes.iter().find(|(route, _)| route == path);
            turns.push((Arc::clone(&gate), most.map(|(_, most)| most.value)));
            gates.insert(path.to_owned(), gate);
        }
        // Who waits for a route that is gone, waits for nothing.
        let gone = before.iter().flat_map(|now| &now.gates).filter(|(path, _)| !gates.contains_key(*path));
        turns.extend(gone.map(|(_, gate)| (Arc::clone(gate), None)));

        self.now.publish(Now { client: wanted.client, gates });
        let turn = move || turns.iter().for_each(|(gate, most)| gate.turn(most.as_ref()));
        match Transaction::current() {
            Some(transaction) => transaction.on_commit(turn),
            None => turn(),
        }
        Ok(())
    }
}

/// Refuses a limit of what is no route.
pub(crate) fn check(reading: &Reading, table: &Table) -> Result<(), Invalid> {
    let wanted = reading.settings.most.routes.iter();
    let unknown = wanted.filter(|(path, _)| table.paths().all(|route| route != path.as_str()));
    let problems = unknown.map(|(path, most)| (most.place, format!("limits.routes: '{path}' is no route")));
    Invalid::check(reading.origin.path(), problems.collect())
}

impl Refused {
    /// What its client is told.
    pub(crate) fn answer(self) -> Response<Body> {
        let (status, said, after) = match self {
            Self::Client => {
                let said = "as many of your requests are answered as may be at a time\n";
                (StatusCode::TOO_MANY_REQUESTS, said, Duration::ZERO)
            }
            Self::Clients => {
                (StatusCode::SERVICE_UNAVAILABLE, "there are too many clients\n", Duration::ZERO)
            }
            Self::Route { after } => {
                (StatusCode::SERVICE_UNAVAILABLE, "too many requests wait for this\n", after)
            }
        };
        let mut answer = plain(status, said);
        // Whole seconds, and 0 would be no pause at all.
        let seconds = after.as_millis().div_ceil(1000).max(1);
        answer
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)));
        answer
    }
}

#[async_trait]
impl Provider<Daemon> for Limits {
    fn name(&self) -> &'static str {
        "limits"
    }

    fn dependencies(&self) -> Dependencies<Daemon> {
        Dependencies::new().dep(&self.settings).dep(&self.routes)
    }

    async fn boot(&self, _: &Daemon) -> Result<()> {
        self.derive().invalid()
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for Limits {
    async fn reload(&self, _: &Daemon) -> Result<()> {
        self.derive().invalid()
    }
}
