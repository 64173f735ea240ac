//! What `http.yaml` says: its values, how they are read, and the provider that publishes them.

mod file;
mod parse;
mod read;

pub(crate) use self::file::SettingsFile;
pub(crate) use self::parse::{Invalid, Placed};
#[cfg(test)]
pub(crate) use self::read::reading;
pub(crate) use self::read::{Origin, Reading};

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use hyper::http::uri::Authority;

/// The text that stands in for a missing `http.yaml`.
const BUILT_IN: &str = include_str!("default.yaml");

const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));
const GREETING: &str = "hello from edge";
const PATIENCE: Duration = Duration::from_secs(10);
const PROBE: Duration = Duration::from_secs(1);
const HEADER: Duration = Duration::from_secs(10);
const LINGER: Duration = Duration::from_millis(250);

/// One reading of `http.yaml`.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where it listens: `listen`, and what `also` has.
    pub(crate) listen: Vec<Placed<SocketAddr>>,
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
    /// What is behind `/demo/`.
    pub(crate) upstream: UpstreamSettings,
    /// How long clients may take.
    pub(crate) limits: Limits,
}

/// What requests are passed on to.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamSettings {
    /// Where it is.
    pub(crate) address: Placed<Address>,
    /// Whether the boot waits until it answers.
    pub(crate) check: bool,
    /// How often it is asked whether it is there; `None` is never.
    pub(crate) probe: Option<Duration>,
    /// How long the head of its answer may take.
    pub(crate) patience: Duration,
}

/// Where an upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// In this process.
    BuiltIn,
    /// Somewhere else.
    Remote(Authority),
}

/// How long clients may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// For the head of a request.
    pub(crate) header: Duration,
    /// For one more request on an idle connection, once edge is stopping.
    pub(crate) linger: Duration,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::Remote(authority) => authority.fmt(f),
        }
    }
}
