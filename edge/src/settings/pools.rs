//! The pools of `http.yaml`: which servers requests are passed on to, and when one of them is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::http::uri::{Authority, PathAndQuery};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::parse::{Place, Placed, Reader, duration, interval, place, switch};

/// The pool that is there without a line in a file, and the path that leads to it.
pub(crate) const DEMO: &str = "demo";

/// How many servers a pool may have: those that a request has tried are the bits of a word.
pub(crate) const MOST: usize = 64;

/// The highest weight: the turns of a pool are as many as its weights together.
const HEAVIEST: u32 = 100;

/// One pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolSettings {
    /// At least one, each of them once.
    pub(crate) servers: Vec<ServerSettings>,
    /// Whether the boot waits until one of them answers.
    pub(crate) wait: bool,
    /// How long the head of an answer may take.
    pub(crate) patience: Duration,
    /// How they are asked whether they are there.
    pub(crate) check: CheckSettings,
    /// When one that fails is left out.
    pub(crate) eject: EjectSettings,
}

/// One server of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerSettings {
    /// Where it is.
    pub(crate) address: Placed<Address>,
    /// How many turns it has beside the others, from 1.
    pub(crate) weight: u32,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// In this process.
    BuiltIn,
    /// Somewhere else.
    Remote(Authority),
}

/// Active checks: servers are asked, whether there are requests or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckSettings {
    /// What they are asked for.
    pub(crate) path: PathAndQuery,
    /// How often; `None` is never.
    pub(crate) interval: Option<Duration>,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
    /// How many good answers in a row make one that is down up again.
    pub(crate) rise: u32,
    /// How many bad ones in a row make one that is up down.
    pub(crate) fall: u32,
}

/// Passive ejection: who fails at requests is left out for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EjectSettings {
    /// How many failures in a row it takes; `None` is never.
    pub(crate) failures: Option<u32>,
    /// For how long at first. It grows by as much with each time.
    pub(crate) time: Duration,
    /// How much of a pool may be left out at a time, in per cent.
    pub(crate) share: u32,
}

impl Default for CheckSettings {
    /// Every 2 s, down after 3 and up after 2: `HAProxy`'s `inter`, `fall` and `rise`. The timeout is nobody's: half of the
    /// interval.
    fn default() -> Self {
        Self {
            path: PathAndQuery::from_static("/"),
            interval: Some(Duration::from_secs(2)),
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3,
        }
    }
}

impl Default for EjectSettings {
    /// After 5 failures, for 30 s, a tenth of a pool: Envoy's `consecutive_gateway_failure`, `base_ejection_time` and
    /// `max_ejection_percent`.
    fn default() -> Self {
        Self { failures: Some(5), time: Duration::from_secs(30), share: 10 }
    }
}

impl PoolSettings {
    fn of(servers: Vec<ServerSettings>) -> Self {
        let (check, eject) = (CheckSettings::default(), EjectSettings::default());
        Self { servers, wait: false, patience: Duration::from_secs(10), check, eject }
    }

    /// The server inside edge, alone.
    pub(crate) fn built_in() -> Self {
        let address = Placed { value: Address::BuiltIn, place: (1, 1) };
        Self::of(vec![ServerSettings { address, weight: 1 }])
    }
}

/// The shape of one pool.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPool {
    servers: Vec<Spanned<String>>,
    wait: Option<Spanned<String>>,
    patience: Option<Spanned<String>>,
    #[serde(default)]
    check: RawCheck,
    #[serde(default)]
    eject: RawEject,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheck {
    path: Option<Spanned<String>>,
    interval: Option<Spanned<String>>,
    timeout: Option<Spanned<String>>,
    rise: Option<Spanned<String>>,
    fall: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEject {
    failures: Option<Spanned<String>>,
    time: Option<Spanned<String>>,
    share: Option<Spanned<String>>,
}

/// Reads the pools, and adds the one that is given unless the file has one of its name.
pub(super) fn read(
    reader: &mut Reader,
    raw: Option<BTreeMap<String, Spanned<RawPool>>>,
) -> BTreeMap<String, PoolSettings> {
    let mut pools = BTreeMap::new();
    for (name, raw) in raw.unwrap_or_default() {
        let at = place(raw.referenced);
        if name.is_empty() || name.contains(|letter: char| letter == '/' || !letter.is_ascii_graphic()) {
            reader.problem(at, format!("'{name}' is no name for a pool: one word, without a '/'"));
        }
        pools.insert(name, pool(reader, at, raw.value));
    }
    pools.entry(DEMO.to_owned()).or_insert_with(PoolSettings::built_in);
    pools
}

fn pool(reader: &mut Reader, at: Place, raw: RawPool) -> PoolSettings {
    let mut pool = PoolSettings::of(servers(reader, at, raw.servers));
    reader.set(&mut pool.wait, raw.wait, switch);
    reader.set(&mut pool.patience, raw.patience, duration);
    let check = &mut pool.check;
    reader.set(&mut check.path, raw.check.path, path);
    reader.set(&mut check.interval, raw.check.interval, interval);
    reader.set(&mut check.timeout, raw.check.timeout, time);
    reader.set(&mut check.rise, raw.check.rise, |text| number(text, 1, 1_000));
    reader.set(&mut check.fall, raw.check.fall, |text| number(text, 1, 1_000));
    let eject = &mut pool.eject;
    reader.set(&mut eject.failures, raw.eject.failures, |text| match text {
        "off" => Ok(None),
        _ => number(text, 1, 1_000).map(Some).map_err(|wrong| format!("{wrong}, or off")),
    });
    reader.set(&mut eject.time, raw.eject.time, time);
    reader.set(&mut eject.share, raw.eject.share, |text| {
        number(text.strip_suffix('%').unwrap_or(text), 0, 100)
            .map_err(|wrong| format!("{wrong}, in per cent"))
    });
    pool
}

fn servers(reader: &mut Reader, at: Place, leaves: Vec<Spanned<String>>) -> Vec<ServerSettings> {
    let mut servers: Vec<ServerSettings> = Vec::new();
    if leaves.is_empty() || leaves.len() > MOST {
        reader.problem(at, format!("a pool has 1 to {MOST} servers, and this one has {}", leaves.len()));
    }
    for leaf in leaves {
        let Some(Placed { value: (address, weight), place }) = reader.read(Some(leaf), server) else {
            continue;
        };
        if servers.iter().any(|one| one.address.value == address) {
            reader.problem(place, format!("'{address}' is in this pool already: give it a weight"));
        }
        servers.push(ServerSettings { address: Placed { value: address, place }, weight });
    }
    servers
}

/// A line like `10.0.0.5:8080 weight 3`.
fn server(text: &str) -> Result<(Address, u32), String> {
    let mut words = text.split_ascii_whitespace();
    let address = address(words.next().unwrap_or_default())?;
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Ok((address, 1)),
        (Some("weight"), Some(weight), None) => Ok((address, number(weight, 1, HEAVIEST)?)),
        _ => Err(format!("'{text}' is not an address, or one and its weight, like 10.0.0.5:8080 weight 3")),
    }
}

fn address(text: &str) -> Result<Address, String> {
    if text == "built-in" {
        return Ok(Address::BuiltIn);
    }
    match text.parse::<Authority>() {
        Ok(authority)
            if authority.port_u16().is_some() && !authority.host().is_empty() && !text.contains('@') =>
        {
            Ok(Address::Remote(authority))
        }
        _ => Err(format!("'{text}' is neither 'built-in' nor host:port")),
    }
}

fn path(text: &str) -> Result<PathAndQuery, String> {
    let path = text.parse().ok().filter(|_| text.starts_with('/'));
    path.ok_or_else(|| format!("'{text}' is not a path like /health"))
}

/// A duration that is one.
fn time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("no time at all is too short".to_owned()),
        time => Ok(time),
    }
}

fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("'{text}' is not a number from {least} to {most}"))
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::Remote(authority) => authority.fmt(f),
        }
    }
}
