//! What a connection is doing, and how long it may.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::server::Limits;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Doing {
    /// It was accepted and has sent nothing: a TLS handshake that goes on, or a client that connects ahead.
    Opening,
    /// It has sent a part of a request's head.
    ReadingHead,
    /// Requests are being answered: one with HTTP/1.1, any number of streams with HTTP/2.
    #[non_exhaustive]
    Answering {
        /// How many.
        requests: usize,
    },
    /// The answer is made, and the client does not read it.
    Writing,
    /// It was upgraded (a WebSocket, a tunnel), and belongs to whoever asked for that.
    Upgraded,
    /// It waits for the next request.
    Idle,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opening => "opening",
            Self::ReadingHead => "reading a head",
            Self::Answering { requests: 1 } => "in an answer",
            Self::Answering { requests } => return write!(f, "in {requests} answers"),
            Self::Writing => "writing to a client that does not read",
            Self::Upgraded => "upgraded",
            Self::Idle => "idle",
        })
    }
}

/// The times of a connection that its limits are counted from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) opened: Instant,
    /// The end of its last answer, or when it was opened.
    pub(crate) quiet: Instant,
    /// The first byte of the head that is being read.
    pub(crate) head: Option<Instant>,
    /// Since when the client takes nothing of what is written.
    pub(crate) full: Option<Instant>,
    pub(crate) requests: u64,
}

/// Why a connection is ended by its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Head,
    Idle,
    Write,
}

/// When what it does has taken long enough; `None` where nothing limits it.
pub(crate) fn limit(doing: Doing, times: &Times, limits: &Limits) -> Option<(Instant, Limit)> {
    let from = |since: Instant, time: Duration, limit| since.checked_add(time).map(|at| (at, limit));
    match doing {
        Doing::Upgraded => None,
        _ if times.full.is_some() => from(times.full?, limits.write, Limit::Write),
        Doing::Opening => from(times.opened, limits.header, Limit::Head),
        // The first head includes what came before it: a handshake, or silence.
        Doing::ReadingHead if times.requests == 0 => from(times.opened, limits.header, Limit::Head),
        Doing::ReadingHead => from(times.head.unwrap_or(times.quiet), limits.header, Limit::Head),
        Doing::Idle => from(times.quiet, limits.idle, Limit::Idle),
        Doing::Answering { .. } | Doing::Writing => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(60);

    fn after(doing: Doing, requests: u64) -> Option<(Duration, Limit)> {
        let zero = crate::clock::now();
        let times = Times {
            opened: zero,
            quiet: zero + Duration::from_secs(100),
            head: Some(zero + Duration::from_secs(130)),
            full: None,
            requests,
        };
        let limits = Limits { header: HEADER, idle: IDLE, ..Limits::default() };
        limit(doing, &times, &limits).map(|(at, limit)| (at - zero, limit))
    }

    #[test]
    fn a_head_is_limited_from_its_first_byte_and_the_first_one_from_the_accept() {
        assert_eq!(after(Doing::Opening, 0), Some((HEADER, Limit::Head)));
        assert_eq!(after(Doing::ReadingHead, 0), Some((HEADER, Limit::Head)));
        assert_eq!(after(Doing::ReadingHead, 3), Some((Duration::from_secs(140), Limit::Head)));
    }

    #[test]
    fn idle_is_limited_from_the_last_answer_and_work_is_not() {
        assert_eq!(after(Doing::Idle, 3), Some((Duration::from_secs(160), Limit::Idle)));
        for doing in [Doing::Answering { requests: 1 }, Doing::Writing, Doing::Upgraded] {
            assert_eq!(after(doing, 3), None);
        }
    }

    #[test]
    fn who_takes_nothing_is_limited_from_the_last_byte_that_found_room_whatever_it_does() {
        let zero = crate::clock::now();
        let full = Some(zero + Duration::from_secs(7));
        let times = Times { opened: zero, quiet: zero, head: None, full, requests: 1 };
        let limits = Limits { write: Duration::from_secs(30), ..Limits::default() };
        for doing in [Doing::Answering { requests: 1 }, Doing::Writing] {
            let at = zero + Duration::from_secs(37);
            assert_eq!(limit(doing, &times, &limits), Some((at, Limit::Write)));
        }
        assert_eq!(limit(Doing::Upgraded, &times, &limits), None);
    }

    #[test]
    fn a_limit_beyond_the_clock_is_none() {
        let now = crate::clock::now();
        let times = Times { opened: now, quiet: now, head: None, full: None, requests: 0 };
        let limits = Limits { header: Duration::MAX, idle: Duration::MAX, ..Limits::default() };
        assert_eq!(limit(Doing::Opening, &times, &limits), None);
    }
}
