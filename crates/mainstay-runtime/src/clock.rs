//! The one place that reads the time: the machine's, or the ambient runtime's when the supervisor runs inline.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Where `now` comes from.
///
/// `Real` is the machine's monotonic clock and never tokio's, so that an application runtime with a paused clock
/// cannot stop the deadlines of the supervision thread. `Ambient` is tokio's clock, for [`Runtime::inline`], where
/// hooks and deadlines must share one time.
///
/// [`Runtime::inline`]: crate::Runtime::inline
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Real,
    Ambient,
}

impl Clock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else is told the time by"
    )]
    pub(crate) fn now(self) -> Instant {
        match self {
            Self::Real => Instant::now(),
            Self::Ambient => tokio::time::Instant::now().into_std(),
        }
    }
}

/// An instant in eight bytes: its nanoseconds from the first one that was asked for, which is in the middle. It reaches
/// 292 years to both sides, and is never a small number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(u64);

impl Stamp {
    const MIDDLE: u64 = 1 << 63;

    pub(crate) fn of(at: Instant) -> Self {
        let middle = Self::middle();
        Self(match at.checked_duration_since(middle) {
            Some(after) => Self::MIDDLE.saturating_add(nanos(after)),
            // A paused clock stands still from before this was first asked for.
            None => Self::MIDDLE.saturating_sub(nanos(middle.saturating_duration_since(at))),
        })
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn instant(self) -> Instant {
        let middle = Self::middle();
        match self.0.checked_sub(Self::MIDDLE) {
            Some(after) => middle + Duration::from_nanos(after),
            None => middle.checked_sub(Duration::from_nanos(Self::MIDDLE - self.0)).unwrap_or(middle),
        }
    }

    fn middle() -> Instant {
        static MIDDLE: OnceLock<Instant> = OnceLock::new();
        *MIDDLE.get_or_init(|| Clock::Real.now())
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos().into())
}

/// `12 ms`, `1.20 s`, `2 min`: a duration as a person reads it.
pub(crate) fn human(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{} ms", duration.as_millis()),
        1_000_000..120_000_000 => {
            let seconds = duration.as_secs_f64();
            if duration.subsec_millis() == 0 { format!("{seconds:.0} s") } else { format!("{seconds:.2} s") }
        }
        _ => format!("{} min", duration.as_secs() / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_its_instant_before_and_after_the_first_one() {
        let first = Clock::Real.now();
        assert_eq!(Stamp::of(first).instant(), first);
        let hour = Duration::from_secs(3600);
        for at in [first + hour, first.checked_sub(Duration::from_nanos(7)).unwrap_or(first)] {
            let stamp = Stamp::of(at);
            assert_eq!(stamp.instant(), at);
            assert_eq!(Stamp::from_bits(stamp.bits()), stamp);
            assert!(stamp.bits() > 1, "a small number has another meaning");
        }
    }
}
