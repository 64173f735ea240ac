//! One server: whether it is up, as its checks say, and whether it is left out, as its requests say.
//!
//! It outlives the pool that it is in: a reload that keeps it keeps what is known of it. A request reads two atomics
//! here; whoever changes them takes the lock.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::http::uri::Authority;
use tokio::time::Instant;

use crate::settings::{CheckSettings, EjectSettings};

/// An ejection grows up to this: Envoy's `max_ejection_time`.
const LONGEST: Duration = Duration::from_secs(300);

/// One server of one pool.
pub(crate) struct Server {
    /// Where it is, and what its requests name as their host.
    pub(crate) authority: Authority,
    /// Its checks say so; where there are none it is not read.
    up: AtomicBool,
    /// Failures of requests in a row.
    failures: AtomicU32,
    /// Until when it is left out, in microseconds since `born`.
    out_until: AtomicU64,
    born: Instant,
    state: Mutex<State>,
}

/// What is behind it.
#[derive(Default)]
struct State {
    /// A check was answered, well or not.
    checked: bool,
    /// Checks in a row that say something else than what it is taken for.
    against: u32,
    /// What the last bad check has found.
    why: String,
    /// How often it was left out, less the times that it was good for long.
    ejections: u32,
    /// When the last ejection ends, or did.
    ended: Option<Instant>,
}

/// What a check changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    Up,
    Down,
}

impl Server {
    /// It is up until a check says otherwise.
    pub(super) fn new(authority: Authority, now: Instant) -> Self {
        Self {
            authority,
            up: AtomicBool::new(true),
            failures: AtomicU32::new(0),
            out_until: AtomicU64::new(0),
            born: now,
            state: Mutex::default(),
        }
    }

    /// Whether its checks say that it is up.
    pub(super) fn is_up(&self) -> bool {
        // On its own: it guards no other memory. So it is for all that is read and written here.
        self.up.load(Ordering::Relaxed)
    }

    /// Takes what a check has found. It is down after `fall` bad ones in a row, and up after `rise` good ones; the very
    /// first decides alone, as in `HAProxy`, so that nobody waits for what was never there. One that comes up again is not
    /// left out any more, as in Envoy: it was gone, and its requests had failed because of that.
    pub(super) fn checked(&self, found: Result<(), String>, check: &CheckSettings) -> Option<Turned> {
        let mut state = self.state();
        let (up, first) = (self.is_up(), !state.checked);
        state.checked = true;
        let good = found.is_ok();
        if let Err(why) = found {
            state.why = why;
        }
        state.against = if good == up { 0 } else { state.against.saturating_add(1) };
        let enough = if up { check.fall } else { check.rise };
        if state.against == 0 || (state.against < enough && !first) {
            return None;
        }
        state.against = 0;
        self.up.store(good, Ordering::Relaxed);
        if good {
            (state.ejections, state.ended) = (0, None);
            self.out_until.store(0, Ordering::Relaxed);
            self.failures.store(0, Ordering::Relaxed);
        }
        Some(if good { Turned::Up } else { Turned::Down })
    }

    /// What the last bad check has found.
    pub(super) fn why_down(&self) -> String {
        self.state().why.clone()
    }

    /// Whether it is left out. The clock is only asked if it ever was.
    pub(super) fn is_out(&self, now: impl FnOnce() -> Instant) -> bool {
        match self.out_until.load(Ordering::Relaxed) {
            0 => false,
            until => self.since_born(now()) < until,
        }
    }

    /// A request was answered.
    pub(super) fn did_well(&self) {
        // Mostly there is nothing to write, and the line stays shared.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// A request failed: how many in a row now.
    pub(super) fn failed(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Leaves it out: for how long. It grows by the first time with each ejection, and for each such time that it was good
    /// since, one is forgotten.
    pub(super) fn eject(&self, now: Instant, eject: &EjectSettings) -> Duration {
        let mut state = self.state();
        let good = state.ended.map_or(Duration::ZERO, |ended| now.saturating_duration_since(ended));
        let forgotten = u32::try_from(good.as_micros() / eject.time.as_micros().max(1)).unwrap_or(u32::MAX);
        state.ejections = state.ejections.saturating_sub(forgotten).saturating_add(1);
        let time = eject.time.saturating_mul(state.ejections).min(LONGEST.max(eject.time));
        state.ended = Some(now + time);
        self.failures.store(0, Ordering::Relaxed);
        self.out_until.store(self.since_born(now + time), Ordering::Relaxed);
        time
    }

    fn since_born(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_micros()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is, in a few words.
    pub(super) fn said(&self, checked: bool, now: Instant) -> String {
        let state = self.state();
        let mut said = match (checked, self.is_up()) {
            (false, _) => "not checked".to_owned(),
            (true, true) if !state.checked => "not checked yet".to_owned(),
            (true, true) if state.against == 0 => "up".to_owned(),
            (true, true) => format!("up, but for {} checks: {}", state.against, state.why),
            (true, false) => format!("down: {}", state.why),
        };
        if let Some(ended) = state.ended.filter(|ended| *ended > now) {
            let _ = write!(said, ", left out for {} s more", (ended - now).as_secs());
        }
        said
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.authority).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server::new(Authority::from_static("a:1"), Instant::now())
    }

    fn bad() -> Result<(), String> {
        Err("refused".to_owned())
    }

    #[test]
    fn it_falls_and_rises_after_as_many_checks_in_a_row_as_is_said() {
        let (server, check) = (server(), CheckSettings::default());
        let turned = |found: Result<(), String>| server.checked(found, &check);
        assert_eq!(turned(Ok(())), None);
        // A good one between begins the row anew.
        assert_eq!([turned(bad()), turned(bad()), turned(Ok(())), turned(bad()), turned(bad())], [None; 5]);
        assert!(server.is_up());
        assert_eq!(turned(bad()), Some(Turned::Down));
        assert_eq!([turned(bad()), turned(Ok(())), turned(bad()), turned(Ok(()))], [None; 4]);
        assert!(!server.is_up());
        assert_eq!(server.said(true, Instant::now()), "down: refused");
        assert_eq!(turned(Ok(())), Some(Turned::Up));
    }

    #[test]
    fn the_very_first_check_decides_alone() {
        let (server, check) = (server(), CheckSettings::default());
        assert_eq!(server.checked(bad(), &check), Some(Turned::Down));
        assert_eq!(server.checked(Ok(()), &check), None);
        assert_eq!(server.checked(Ok(()), &check), Some(Turned::Up));
    }

    #[test]
    fn one_that_comes_up_again_is_not_left_out_any_more() {
        let (server, check, eject) = (server(), CheckSettings::default(), EjectSettings::default());
        let now = server.born;
        server.eject(now, &eject);
        // Whose checks are good all the time fails at requests all the same.
        assert_eq!((server.checked(Ok(()), &check), server.is_out(|| now)), (None, true));
        while server.checked(bad(), &check).is_none() {}
        assert!(server.is_out(|| now));
        while server.checked(Ok(()), &check).is_none() {}
        assert!(!server.is_out(|| now));
        assert_eq!((server.said(true, now).as_str(), server.eject(now, &eject)), ("up", eject.time));
    }

    #[test]
    fn an_ejection_grows_up_to_its_limit_and_is_forgotten_in_time() {
        let eject = EjectSettings::default();
        let server = server();
        let mut now = server.born;
        assert!(!server.is_out(|| panic!("nobody asks for the time")));
        let mut times = Vec::new();
        for _ in 0..12 {
            let time = server.eject(now, &eject);
            assert!(server.is_out(|| now + time - Duration::from_millis(1)) && !server.is_out(|| now + time));
            times.push(time.as_secs());
            now += time;
        }
        assert_eq!(times, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
        // Ten of the twelve are forgotten.
        assert_eq!(server.eject(now + Duration::from_secs(300), &eject).as_secs(), 90);
    }
}
