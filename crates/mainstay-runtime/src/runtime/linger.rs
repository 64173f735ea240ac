//! After the outcome: the supervision thread stays, so that a program whose threads are blocked still ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::outcome::Outcome;
use crate::signals::{Listening, Signal};

/// Whoever has not taken the outcome after so long is taken for stuck.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runtimes of this process that follow its signals at present.
static ACTIVE: AtomicUsize = AtomicUsize::new(0);

/// One thread that stays is enough for a process.
static LINGERS: AtomicBool = AtomicBool::new(false);

/// While it lives, a signal is its runtime's to follow, and no business of one that has ended.
pub(super) struct Active(());

impl Active {
    pub(super) fn new() -> Self {
        ACTIVE.fetch_add(1, Ordering::AcqRel);
        Self(())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        ACTIVE.fetch_sub(1, Ordering::AcqRel);
    }
}

pub(super) struct Lingering {
    pub(super) report: Outcome,
    pub(super) taken: Arc<AtomicBool>,
    pub(super) listening: Listening,
    pub(super) own_signals: bool,
    pub(super) stuck: Option<Duration>,
}

impl Lingering {
    /// Ends the process when nobody takes the outcome for as long as was allowed, or at the next stop signal.
    ///
    /// tokio cannot take its handlers away, so without this a TERM after the end would do nothing at all.
    #[allow(clippy::disallowed_methods, reason = "this is the exit of a process whose threads are blocked")]
    pub(super) async fn linger(mut self) {
        let late = match self.stuck {
            Some(stuck) => self.signal_within(stuck).await.is_none(),
            None => false,
        };
        if late && !self.is_taken() {
            self.report.print();
            std::process::exit(i32::from(self.report.exit_code()));
        }
        if !self.own_signals || LINGERS.swap(true, Ordering::AcqRel) {
            return;
        }
        if self.stuck.is_none() {
            // Within its patience a signal is not yet a sign of impatience: `main` may be about to go on.
            let _ = self.signal_within(PATIENCE).await;
        }
        loop {
            let signal = self.listening.recv().await;
            if signal.stops() && ACTIVE.load(Ordering::Acquire) == 0 {
                self.report.print();
                std::process::exit(128 + i32::from(signal.number()));
            }
        }
    }

    /// The stop signal that comes within that time, if one does; that it came is all that counts.
    async fn signal_within(&mut self, time: Duration) -> Option<Signal> {
        let wait = async {
            loop {
                let signal = self.listening.recv().await;
                if signal.stops() {
                    return signal;
                }
            }
        };
        tokio::time::timeout(time, wait).await.ok()
    }

    fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Acquire)
    }
}

/// A second signal: the process ends from here, whatever its other threads do.
#[allow(clippy::disallowed_methods, reason = "this is the forced exit")]
pub(super) fn exit_now(outcome: &Outcome) -> ! {
    crate::outcome::print_bounded(outcome.to_string(), Duration::from_millis(50));
    std::process::exit(i32::from(outcome.exit_code()))
}
