//! How long to wait after a failed accept, so that a machine that is short of descriptors does not lose a core as well.

use std::io;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// What a failed accept means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// That of one client, which is gone: the next one at once.
    Client,
    /// The machine is short of something: the next attempt would fail at once.
    Short(Duration),
    /// It does not listen, and never will.
    Listener,
}

/// The pauses of one row of failures.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    failures: u32,
}

impl Pause {
    /// The pause after this failure: 10 ms, doubled with each one in a row, at most a second.
    pub(crate) fn after(&mut self, error: &io::Error) -> Failed {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, InvalidInput};
        match error.kind() {
            ConnectionAborted | ConnectionReset | Interrupted => Failed::Client,
            InvalidInput => Failed::Listener,
            _ => {
                let time = (FIRST * (1 << self.failures.min(7))).min(LONGEST);
                self.failures = self.failures.saturating_add(1);
                Failed::Short(time)
            }
        }
    }

    /// It is the first of its row: the one that is worth a line.
    pub(crate) fn is_first(&self) -> bool {
        self.failures == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_to_a_second() {
        let mut pause = Pause::default();
        let short = io::Error::other("too many open files");
        let mut times = Vec::new();
        for number in 0..10 {
            let Failed::Short(time) = pause.after(&short) else { panic!("it is no client's") };
            times.push(time.as_millis());
            assert_eq!(pause.is_first(), number == 0);
        }
        assert_eq!(times, [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
    }

    #[test]
    fn one_client_that_went_away_costs_no_pause() {
        assert_eq!(Pause::default().after(&io::ErrorKind::ConnectionAborted.into()), Failed::Client);
        assert_eq!(Pause::default().after(&io::ErrorKind::InvalidInput.into()), Failed::Listener);
    }
}
