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
