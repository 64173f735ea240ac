//! The pulse of the application's runtime: does any worker still poll? Felt from the supervision thread.
//!
//! Every 400 ms an empty task is spawned, and looked for 400 ms later: a wedge is noticed within 0.8 s. It costs an
//! idle process five wake-ups a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// How long a beat may take to be polled.
const BEAT: Duration = Duration::from_millis(400);

/// The supervision thread itself was late by so much: the whole process was stopped, or the machine is overloaded, and
/// what it sees says nothing of the workers.
const LATE: Duration = Duration::from_millis(150);

/// What was felt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Felt {
    Nothing,
    /// No worker has polled for so long.
    Wedged(Duration),
    /// They poll again, after so long.
    Unwedged(Duration),
}

#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// The last beat that was polled, or dropped with its runtime.
    heard: Arc<AtomicU64>,
    sent: u64,
    /// When the beat that is waited for was sent.
    since: Option<Instant>,
    look: Option<Instant>,
    wedged: bool,
}

/// Tells that a beat is over, also when its runtime drops it.
struct Beat(Arc<AtomicU64>, u64);

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.store(self.1, Ordering::Release);
    }
}

impl Pulse {
    /// When to feel it next.
    pub(crate) fn look(&self) -> Option<Instant> {
        self.look
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "a beat is empty and owns nothing: there is nothing to track"
    )]
    pub(crate) fn feel(&mut self, handle: &Handle, now: Instant) -> Felt {
        let due = *self.look.get_or_insert(now);
        if now < due {
            return Felt::Nothing;
        }
        let heard = self.heard.load(Ordering::Acquire) == self.sent;
        let mut felt = Felt::Nothing;
        if let (Some(since), false) = (self.since, heard) {
            if now.saturating_duration_since(due) > LATE {
                // Its workers were not running either: they get another turn.
                self.look = Some(now + BEAT / 4);
                return Felt::Nothing;
            }
            if !std::mem::replace(&mut self.wedged, true) {
                felt = Felt::Wedged(now.saturating_duration_since(since));
            }
            self.look = Some(now + BEAT / 4);
            return felt;
        }
        if std::mem::take(&mut self.wedged) {
            felt = Felt::Unwedged(
                self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
            );
        }
        self.sent += 1;
        self.since = Some(now);
        self.look = Some(now + BEAT);
        let beat = Beat(Arc::clone(&self.heard), self.sent);
        handle.spawn(async move { drop(beat) });
        felt
    }

    /// Since when no worker polls.
    pub(crate) fn wedged_since(&self) -> Option<Instant> {
        self.since.filter(|_| self.wedged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const MS: Duration = Duration::from_millis(1);

    fn app() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built")
    }

    /// Looks whenever it is told to, for so long, and drives the runtime after each look if `alive` says so.
    fn felt(
        app: &tokio::runtime::Runtime,
        pulse: &mut Pulse,
        from: Instant,
        time: Duration,
        alive: bool,
    ) -> Vec<(Duration, Felt)> {
        let mut felt = Vec::new();
        let mut now = pulse.look().unwrap_or(from);
        while now < from + time {
            match pulse.feel(app.handle(), now) {
                Felt::Nothing => {}
                what => felt.push((now - from, what)),
            }
            if alive {
                app.block_on(tokio::task::yield_now());
            }
            now = pulse.look().expect("it says when to look next");
        }
        felt
    }

    /// Whenever the workers stop between two beats, it is known 0.8 s later at the latest. Shown to fail: without the
    /// look at `heard`.
    #[test]
    fn a_wedge_is_noticed_within_a_second_and_its_end_too() {
        let app = app();
        let (mut pulse, zero) = (Pulse::default(), Clock::Real.now());
        assert!(felt(&app, &mut pulse, zero, MS * 60_000, true).is_empty(), "an idle minute raises no alarm");
        let wedged_at = zero + MS * 60_000;
        let felt_then = felt(&app, &mut pulse, wedged_at, MS * 5000, false);
        let [(after, Felt::Wedged(_))] = felt_then[..] else { panic!("{felt_then:?}") };
        assert!(after <= MS * 800, "{after:?}");
        assert!(pulse.wedged_since().is_some());
        let over = felt(&app, &mut pulse, wedged_at + MS * 5000, MS * 2000, true);
        assert!(matches!(over[..], [(_, Felt::Unwedged(_))]), "{over:?}");
        assert!(pulse.wedged_since().is_none());
    }

    /// SIGSTOP, a suspended laptop: the supervision thread did not run either. Shown to fail: without `LATE`.
    #[test]
    fn a_process_that_was_stopped_as_a_whole_is_no_wedge() {
        let app = app();
        let (mut pulse, mut now) = (Pulse::default(), Clock::Real.now());
        for _ in 0..100 {
            assert_eq!(pulse.feel(app.handle(), now), Felt::Nothing);
            // Stopped for ten seconds before the beat was polled; its workers run again right after the look.
            now = pulse.look().expect("it says when to look next") + MS * 10_000;
            assert_eq!(pulse.feel(app.handle(), now), Felt::Nothing);
            app.block_on(tokio::task::yield_now());
            now = pulse.look().expect("it says when to look next");
        }
    }

    /// A runtime that is gone drops its tasks: that is another failure's business.
    #[test]
    fn a_runtime_that_is_gone_is_no_wedge() {
        let app = app();
        let (handle, zero) = (app.handle().clone(), Clock::Real.now());
        drop(app);
        let mut pulse = Pulse::default();
        for beat in 0..100 {
            assert_eq!(pulse.feel(&handle, zero + BEAT * beat), Felt::Nothing);
        }
    }
}
