//! How many requests at a time, as `http.yaml` says it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::Placed;
use super::parse::{Reader, duration};

/// How long a request waits for a place, where nothing is said.
const WAIT: Duration = Duration::from_secs(1);

/// How many requests may be inside at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Most {
    /// Of one client; `None` is without a limit.
    pub(crate) client: Option<NonZeroUsize>,
    /// Of routes, by path; the others are without a limit.
    pub(crate) routes: Vec<(String, Placed<RouteMost>)>,
}

/// How many requests to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RouteMost {
    /// At a time.
    pub(crate) inside: NonZeroUsize,
    /// That wait for a place, beside them.
    pub(crate) waiting: usize,
    /// How long they do.
    pub(crate) wait: Duration,
}

/// The limit of one route, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRouteMost {
    inside: Spanned<String>,
    waiting: Option<Spanned<String>>,
    wait: Option<Spanned<String>>,
}

/// Reads both, and collects what is wrong with them.
pub(super) fn read(
    reader: &mut Reader,
    client: Option<Spanned<String>>,
    routes: Option<BTreeMap<String, RawRouteMost>>,
) -> Most {
    let client = reader.read(client, client_most).and_then(|client| client.value);
    let mut most = Most { client, routes: Vec::new() };
    for (path, raw) in routes.unwrap_or_default() {
        let inside = reader.read(Some(raw.inside), at_least_one);
        let waiting = reader.read(raw.waiting, number);
        let wait = reader.read(raw.wait, duration);
        let Some(inside) = inside else { continue };
        let value = RouteMost {
            inside: inside.value,
            waiting: waiting.map_or(inside.value.get(), |waiting| waiting.value),
            wait: wait.map_or(WAIT, |wait| wait.value),
        };
        most.routes.push((path, Placed { value, place: inside.place }));
    }
    most
}

fn client_most(text: &str) -> Result<Option<NonZeroUsize>, String> {
    if text == "off" {
        return Ok(None);
    }
    let wrong = |_| format!("'{text}' is neither 'off' nor a number of requests from 1 on");
    at_least_one(text).map(Some).map_err(wrong)
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("'{text}' is not a number of requests from 1 on"))
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("'{text}' is not a number of requests"))
}
