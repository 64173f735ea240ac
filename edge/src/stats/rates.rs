//! What happens in a second, over the last ten of them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::counters::Totals;

/// How long back it looks.
pub(super) const OVER: Duration = Duration::from_secs(10);

/// The totals of the last while, one sample after another.
#[derive(Default)]
pub(super) struct Window(VecDeque<(Instant, u64, u64)>);

/// How much of it there is in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) requests: f64,
    pub(super) sent: f64,
}

impl Window {
    /// Takes a sample: what the rates are since the oldest one of the last ten seconds.
    #[expect(clippy::cast_precision_loss, reason = "a rate of 2^52 requests per second is none")]
    pub(super) fn sample(&mut self, now: Instant, totals: &Totals) -> Rates {
        let Self(samples) = self;
        samples.push_back((now, totals.ended(), totals.sent));
        // The one that is the beginning is just as old as that, or older.
        while samples.get(1).is_some_and(|(next, ..)| now - *next >= OVER) {
            samples.pop_front();
        }
        let (then, ended, sent) = samples[0];
        let seconds = (now - then).as_secs_f64();
        if seconds == 0.0 {
            return Rates::default();
        }
        let rate = |is: u64, was: u64| is.wrapping_sub(was) as f64 / seconds;
        Rates { requests: rate(totals.ended(), ended), sent: rate(totals.sent, sent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(ended: u64) -> Totals {
        Totals { classes: [0, 0, ended, 0, 0, 0], sent: 100 * ended, ..Totals::default() }
    }

    #[test]
    fn a_rate_is_that_of_the_last_ten_seconds_and_forgets_what_was_before() {
        let (mut window, start) = (Window::default(), Instant::now());
        assert_eq!(window.sample(start, &totals(1_000)), Rates::default());
        let mut rates = Rates::default();
        for second in 1..=10 {
            rates = window.sample(start + Duration::from_secs(second), &totals(1_000 + 5 * second));
        }
        assert_eq!(rates, Rates { requests: 5.0, sent: 500.0 });
        for second in 11..=20 {
            rates = window.sample(start + Duration::from_secs(second), &totals(1_050));
        }
        assert_eq!((rates, window.0.len()), (Rates::default(), 11));
        // A tick that comes late counts with the time that it is late.
        rates = window.sample(start + Duration::from_secs(120), &totals(2_050));
        assert_eq!((rates.requests, window.0.len()), (10.0, 2));
    }
}
