//! What came of serving: counts, and the names of what was cut.

use std::fmt;
use std::time::Duration;

use crate::doing::Doing;
use crate::peer::Peer;

/// How many names a line has at most; the value has all of them.
const NAMED: usize = 8;

/// What came of serving on one listener, from its first connection to the end of its stop.
///
/// Its `Display` is one line for people.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Served {
    /// Where it listened.
    pub local: String,
    /// How many connections were accepted.
    pub accepted: u64,
    /// How many requests were begun to be answered.
    pub requests: u64,
    /// How many attempts to accept failed.
    pub accept_failures: u64,
    /// How many connections were closed because a head took longer than
    /// [`Server::header_timeout`](crate::Server::header_timeout).
    pub slow_heads: u64,
    /// How many connections were closed, or asked to go, because they were idle for longer than
    /// [`Server::idle_timeout`](crate::Server::idle_timeout).
    pub idle: u64,
    /// How many connections were closed, and streams of HTTP/2 reset, because their clients took nothing for longer than
    /// [`Server::write_timeout`](crate::Server::write_timeout).
    pub stalled: u64,
    /// How many answers panicked; each cost its connection, or its stream.
    pub panics: u64,
    /// How long the stop took.
    pub stop_took: Duration,
    /// How many connections were open at the stop and ended well.
    pub finished: usize,
    /// Who was cut at the stop, the oldest first.
    pub cut: Vec<Cut>,
    /// Who was cut, and is not gone: its thread is inside of a handler, and no await comes. Their sockets are closed;
    /// their tasks are the runtime's to name.
    pub left: Vec<Cut>,
}

/// The names of who was cut, for a line: the first few, and how many more.
pub(crate) struct Names<'a>(pub(crate) &'a [Cut]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, cut) in self.0.iter().take(NAMED).enumerate() {
            write!(f, "{}{cut}", if index > 0 { "; " } else { "" })?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { local, accepted, requests, finished, .. } = self;
        write!(f, "{local}: accepted {accepted}, requests {requests}; stopped in {:.1?}: ", self.stop_took)?;
        write!(f, "finished {finished}, cut {}", self.cut.len())?;
        if !self.left.is_empty() {
            write!(f, ", still on a thread {}", self.left.len())?;
        }
        if !self.cut.is_empty() {
            write!(f, " ({})", Names(&self.cut))?;
        }
        Ok(())
    }
}

/// A connection that was cut at a stop.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cut {
    /// Who was at its other end.
    pub peer: Peer,
    /// How long ago it was accepted.
    pub age: Duration,
    /// What it was doing.
    pub doing: Doing,
    /// How many requests it had sent.
    pub requests: u64,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} after {:.1?}", self.peer, self.doing, self.age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_the_first_few() {
        let cut = |number: u64| Cut {
            peer: Peer::named(format!("c{number}")),
            age: Duration::from_millis(1500 + number),
            doing: Doing::Answering { requests: 1 },
            requests: 1,
        };
        let mut served = Served {
            local: "127.0.0.1:80".to_owned(),
            accepted: 12,
            requests: 30,
            finished: 10,
            stop_took: Duration::from_secs(4),
            cut: (0..2).map(cut).collect(),
            ..Served::default()
        };
        assert_eq!(
            served.to_string(),
            "127.0.0.1:80: accepted 12, requests 30; stopped in 4.0s: finished 10, cut 2 \
             (c0 in an answer after 1.5s; c1 in an answer after 1.5s)"
        );
        served.cut = (0..100).map(cut).collect();
        assert!(served.to_string().ends_with("; and 92 more)"), "{served}");
    }
}
