//! What is known of one name, and when to ask again: decided here, asked elsewhere.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// An answer counts for its TTL, but for this long at least: one with a TTL of nothing is not asked for all the time.
const FLOOR: Duration = Duration::from_secs(1);

/// And at most for this long, whoever wrote the TTL: what has moved is found.
const CAP: Duration = Duration::from_secs(300);

/// After a failure, the time to the next question doubles from [`FLOOR`] up to this: RFC 8767, section 5.
const PATIENT: Duration = Duration::from_secs(30);

/// Where a name leads to, as far as anybody has said so.
///
/// An answer that is too old is better than none: a name server that is down takes nothing away. Neither does one that
/// says that there is no such name; whether somebody is at the addresses is for the checks of the pool to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The last good answer; empty as long as there was none.
    pub(crate) addresses: Arc<[IpAddr]>,
    /// Until when it counts; `None` as long as there was none.
    until: Option<Instant>,
    /// Since when the name server has nothing to say.
    failing: Option<Failing>,
}

/// A row of failures.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Failing {
    row: u32,
    last: Instant,
    why: String,
}

/// A good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// At least one.
    pub(super) addresses: Vec<IpAddr>,
    /// The shortest TTL of its records.
    pub(super) ttl: Duration,
}

impl Known {
    /// Nothing yet.
    pub(super) fn nothing() -> Self {
        Self { addresses: Arc::from([]), until: None, failing: None }
    }

    /// What is known after one more question.
    pub(super) fn heard(&self, answer: Result<Answer, String>, now: Instant) -> Self {
        match answer {
            Ok(Answer { addresses, ttl }) => {
                let until = Some(now + ttl.clamp(FLOOR, CAP));
                Self { addresses: addresses.into(), until, failing: None }
            }
            Err(why) => {
                let row = self.failing.as_ref().map_or(0, |failing| failing.row).saturating_add(1);
                Self { failing: Some(Failing { row, last: now, why }), ..self.clone() }
            }
        }
    }

    /// When to ask again; at once as long as nobody has.
    pub(super) fn next(&self) -> Option<Instant> {
        match &self.failing {
            Some(Failing { row, last, .. }) => {
                let doubled = FLOOR.saturating_mul(1 << (row - 1).min(16));
                Some(*last + doubled.min(PATIENT))
            }
            None => self.until,
        }
    }

    /// Why the last question was not answered.
    pub(super) fn why_failing(&self) -> Option<&str> {
        self.failing.as_ref().map(|failing| failing.why.as_str())
    }

    /// All of it in one line, at this moment.
    pub(crate) fn said(&self, now: Instant) -> Said<'_> {
        Said(self, now)
    }
}

/// What is known, as text.
pub(crate) struct Said<'a>(&'a Known, Instant);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Known { addresses, until, failing }, now) = self;
        for (index, address) in addresses.iter().enumerate() {
            write!(f, "{}{address}", if index == 0 { "" } else { ", " })?;
        }
        match until {
            None => f.write_str("no address")?,
            Some(until) if until > now => write!(f, " for {} s", (*until - *now).as_secs())?,
            Some(until) => write!(f, ", stale for {} s", (*now - *until).as_secs())?,
        }
        match failing {
            Some(Failing { why, .. }) => write!(f, ": {why}"),
            None if until.is_none() => f.write_str(" yet"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(last: u8, ttl: u64) -> Answer {
        Answer { addresses: vec![[10, 0, 0, last].into()], ttl: Duration::from_secs(ttl) }
    }

    fn failed() -> Result<Answer, String> {
        Err("timed out".to_owned())
    }

    #[test]
    fn an_answer_counts_for_its_ttl_with_a_floor_and_a_cap() {
        let now = Instant::now();
        for (ttl, counts) in [(30, 30), (0, 1), (86_400, 300)] {
            let known = Known::nothing().heard(Ok(answer(1, ttl)), now);
            assert_eq!(known.next(), Some(now + Duration::from_secs(counts)));
        }
        assert_eq!(Known::nothing().next(), None);
    }

    #[test]
    fn a_failure_keeps_the_last_good_answer_and_is_tried_again_ever_more_seldom() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut known = Known::nothing().heard(Ok(answer(1, 5)), began);
        assert_eq!(known.said(began).to_string(), "10.0.0.1 for 5 s");
        let mut now = at(5);
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            known = known.heard(failed(), now);
            assert_eq!(known.next(), Some(now + Duration::from_secs(pause)));
            assert_eq!(known.addresses[..], [IpAddr::from([10, 0, 0, 1])]);
            now += Duration::from_secs(pause);
        }
        assert_eq!(known.said(at(66)).to_string(), "10.0.0.1, stale for 61 s: timed out");
        let known = known.heard(Ok(answer(2, 5)), now);
        assert_eq!((known.next(), known.why_failing()), (Some(now + Duration::from_secs(5)), None));
        assert_eq!(known.addresses[..], [IpAddr::from([10, 0, 0, 2])]);
    }

    #[test]
    fn what_was_never_answered_has_no_address_and_says_why() {
        let now = Instant::now();
        assert_eq!(Known::nothing().said(now).to_string(), "no address yet");
        let known = Known::nothing().heard(failed(), now);
        assert_eq!(known.said(now).to_string(), "no address: timed out");
        assert!(known.addresses.is_empty());
    }
}
