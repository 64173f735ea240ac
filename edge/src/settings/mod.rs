//! What `http.yaml` says: its values, how they are read, and the provider that publishes them.

mod file;
mod listen;
mod most;
mod parse;
mod pools;
mod read;

pub(crate) use self::file::{SettingsFile, look};
pub(crate) use self::listen::Listen;
pub(crate) use self::most::{Most, RouteMost};
pub(crate) use self::parse::{Invalid, Placed};
pub(crate) use self::pools::{
    Address, CheckSettings, DEMO, EjectSettings, MOST, PoolSettings, ServerSettings,
};
#[cfg(test)]
pub(crate) use self::read::reading;
pub(crate) use self::read::{Origin, Reading};

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use crate::access_log::Format;

/// The text that stands in for a missing `http.yaml`.
const BUILT_IN: &str = include_str!("default.yaml");

const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));
const GREETING: &str = "hello from edge";
const HEADER: Duration = Duration::from_secs(10);
const LINGER: Duration = Duration::from_millis(250);
/// How long answers may take once edge is stopping; what a stop has, less what it keeps for hooks.
pub(crate) const DRAIN: Duration = Duration::from_secs(20);

/// One reading of `http.yaml`.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where it listens: `listen`, and what `also` has.
    pub(crate) listen: Vec<Placed<Listen>>,
    /// What the answers say, so that a reload can be seen.
    pub(crate) greeting: String,
    /// The folder behind `/files/`, its links followed.
    pub(crate) files: Option<Placed<PathBuf>>,
    /// The lock file, where one was named; fixed at boot.
    pub(crate) lock: Option<Placed<PathBuf>>,
    /// Which path goes where, by path; what the lines mean is for `routes` to say.
    pub(crate) routes: Vec<(String, Placed<String>)>,
    /// Whether a request is answered from one epoch; only a demonstration in development does without, to
    /// show what pins are for. Fixed at boot.
    pub(crate) pins: Placed<bool>,
    /// What requests are passed on to, by name. The one behind `/demo/` is always there.
    pub(crate) upstreams: BTreeMap<String, PoolSettings>,
    /// Who is asked for the addresses of names: the system's servers if nobody is named.
    pub(crate) dns: Vec<SocketAddr>,
    /// What becomes of the `Forwarded` that a client sends.
    pub(crate) forwarded: Forwarding,
    /// How long clients may take.
    pub(crate) limits: Limits,
    /// How many requests there may be at a time.
    pub(crate) most: Most,
    /// Where each request gets a line; `None` is nowhere.
    pub(crate) access_log: Option<LogSettings>,
}

/// What becomes of what a client says of whom it asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// It is taken out: anybody can write that.
    #[default]
    Replace,
    /// It stays in front: before edge is another proxy, and nobody else.
    Append,
}

/// The access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// Its file.
    pub(crate) path: Placed<PathBuf>,
    /// How its lines look.
    pub(crate) format: Format,
}

/// How long clients may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// For the head of a request.
    pub(crate) header: Duration,
    /// For one more request on an idle connection, once edge is stopping.
    pub(crate) linger: Duration,
    /// For answers and tunnels that a stop finds; who takes longer is cut.
    pub(crate) drain: Duration,
}

impl Settings {
    /// A pool that has the server inside edge, if there is one: its place in the file.
    pub(crate) fn built_in(&self) -> Option<&Placed<Address>> {
        let servers = self.upstreams.values().flat_map(|pool| &pool.servers);
        servers.map(|server| &server.address).find(|address| address.value == Address::BuiltIn)
    }
}
