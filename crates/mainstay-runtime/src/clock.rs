//! The one place that reads the time: the machine's, or the ambient runtime's when the supervisor runs inline.

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
