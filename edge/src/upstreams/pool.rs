//! One pool: who has the next request, and what becomes of who fails at them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::StatusCode;
use hyper::http::uri::Authority;
use tokio::time::Instant;

use super::schedule::Schedule;
use super::server::Server;
use super::tried::Tried;
use crate::settings::{CheckSettings, EjectSettings};

/// The pool of one epoch. Its servers may be those of the epoch before.
pub(crate) struct Pool {
    pub(super) name: String,
    pub(super) members: Vec<Member>,
    /// How long the head of an answer may take.
    pub(crate) patience: Duration,
    pub(super) check: CheckSettings,
    pub(super) eject: EjectSettings,
    weights: Vec<u32>,
    /// The turns of those who took part when it was asked last.
    schedule: ArcSwap<Schedule>,
    /// Held by who ejects: two at once must not leave out more than may be.
    ejecting: Arc<Mutex<()>>,
}

/// A server in a pool.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) server: Arc<Server>,
    pub(super) weight: u32,
    /// Whether it is asked; who is not is taken for up.
    pub(super) checked: bool,
}

/// The server that has a request, until it is said what became of it.
#[derive(Clone, Copy)]
pub(crate) struct Picked<'a> {
    pool: &'a Pool,
    index: u8,
}

/// What became of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// There was the head of an answer. 502, 503 and 504 are failures: they say that somebody behind it is missing.
    Answered(StatusCode),
    /// There was no connection.
    Unreached,
    /// There was one, and no answer on it, or none in time.
    Broken,
}

/// Why nobody is picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Nobody {
    /// All are down: what is said to the client.
    Down(String),
    /// All that are up were tried.
    Tried,
}

impl Pool {
    pub(super) fn new(
        name: &str,
        members: Vec<Member>,
        patience: Duration,
        check: CheckSettings,
        eject: EjectSettings,
        before: Option<&Self>,
    ) -> Self {
        let weights: Vec<u32> = members.iter().map(|member| member.weight).collect();
        let schedule = ArcSwap::from_pointee(Schedule::of(&weights, Tried::all(members.len())));
        let ejecting = before.map_or_else(Arc::default, |before| Arc::clone(&before.ejecting));
        Self { name: name.to_owned(), members, patience, check, eject, weights, schedule, ejecting }
    }

    /// Picks the server for one attempt of a request.
    ///
    /// Neither locks nor allocates, but for the first request after a server went up or down. Who is left out has no turn,
    /// unless everybody who is up is: then it is better to ask them than nobody.
    pub(crate) fn pick(&self, tried: Tried) -> Result<Picked<'_>, Nobody> {
        let (up, fit) = self.fit(Instant::now);
        if up.is_none() {
            return Err(Nobody::Down(self.why_down()));
        }
        let taking = if fit.is_none() { up } else { fit };
        if taking.without(tried).is_none() {
            // Whoever is left out is asked before a request is given up.
            let last = (0..=u8::MAX).take(self.members.len()).find(|index| up.without(tried).has(*index));
            return last.map(|index| Picked { pool: self, index }).ok_or(Nobody::Tried);
        }
        let schedule = self.schedule.load();
        let index = if schedule.members == taking {
            schedule.take(tried)
        } else {
            // Two at once lay out the same turns; one of them is kept.
            let new = Arc::new(Schedule::of(&self.weights, taking));
            self.schedule.store(Arc::clone(&new));
            new.take(tried)
        };
        index.map(|index| Picked { pool: self, index }).ok_or(Nobody::Tried)
    }

    /// Whether there is more than one to ask.
    pub(crate) fn has_several(&self) -> bool {
        self.members.len() > 1
    }

    /// Who is up, and who of those is not left out.
    fn fit(&self, now: impl Fn() -> Instant) -> (Tried, Tried) {
        let (mut up, mut fit) = (Tried::NONE, Tried::NONE);
        for (index, member) in (0..).zip(&self.members) {
            if member.is_up() {
                up = up.and(index);
                if !self.is_out(member, &now) {
                    fit = fit.and(index);
                }
            }
        }
        (up, fit)
    }

    fn is_out(&self, member: &Member, now: impl FnOnce() -> Instant) -> bool {
        self.eject.failures.is_some() && member.server.is_out(now)
    }

    /// Whether nobody is up.
    pub(super) fn is_down(&self) -> bool {
        self.members.iter().all(|member| !member.is_up())
    }

    /// That it is down, and why each of its servers is.
    pub(super) fn why_down(&self) -> String {
        let of_each: Vec<String> = self
            .members
            .iter()
            .map(|Member { server, .. }| format!("{} {}", server.authority, server.why_down()))
            .collect();
        format!("the pool '{}' is down: {}", self.name, of_each.join("; "))
    }

    /// How many may be left out at a time: its share, but one at least, as in Envoy; and none where there is no other, as
    /// in nginx.
    fn most_out(&self) -> u32 {
        let all = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        (all * self.eject.share / 100).max(1).min(all - 1)
    }

    /// Leaves out who has failed too often, unless that would be too many.
    pub(super) fn failed(&self, index: u8) {
        let server = &self.members[usize::from(index)].server;
        let row = server.failed();
        if self.eject.failures.is_none_or(|limit| row < limit) {
            return;
        }
        let ejecting = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let out = self.members.iter().filter(|member| member.server.is_out(|| now)).count();
        if server.is_out(|| now) || u32::try_from(out).unwrap_or(u32::MAX) >= self.most_out() {
            return;
        }
        let time = server.eject(now, &self.eject);
        drop(ejecting);
        tracing::warn!(
            pool = self.name,
            server = %server.authority,
            "left out for {time:?}: {row} requests in a row have failed",
        );
    }

    /// A line for each server.
    pub(super) fn said(&self, now: Instant) -> String {
        let lines = self.members.iter().map(|Member { server, weight, checked }| {
            let weight = if *weight == 1 { String::new() } else { format!(" weight {weight}") };
            format!("  {}/{}{weight}  {}\n", self.name, server.authority, server.said(*checked, now))
        });
        lines.collect()
    }
}

impl Member {
    fn is_up(&self) -> bool {
        !self.checked || self.server.is_up()
    }
}

impl Picked<'_> {
    /// Where it is.
    pub(crate) fn authority(&self) -> &Authority {
        &self.pool.members[usize::from(self.index)].server.authority
    }

    /// These, and this one.
    pub(crate) fn and(&self, tried: Tried) -> Tried {
        tried.and(self.index)
    }

    /// Says what became of it. A request whose client went away says nothing.
    pub(crate) fn report(self, attempt: Attempt) {
        match attempt {
            Attempt::Answered(
                StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT,
            )
            | Attempt::Unreached
            | Attempt::Broken => self.pool.failed(self.index),
            Attempt::Answered(_) => self.pool.members[usize::from(self.index)].server.did_well(),
        }
    }
}

impl fmt::Debug for Picked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Picked").field(&self.authority()).finish()
    }
}
