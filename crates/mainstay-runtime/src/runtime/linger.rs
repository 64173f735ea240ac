//! After the outcome: the supervision thread stays, so that a program whose threads are blocked still ends.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::outcome::{Outcome, StopCause};
use crate::signals::{Listening, Signal};

/// Whoever has not taken the outcome after so long is taken for stuck.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runtimes of this process that follow its signals at present.
static ACTIVE: AtomicUsize = AtomicUsize::new(0);

/// The number of the last run that has begun or ended: its thread stays, and those of the others end. A thread that
/// stayed would take the signal that ended a later run for one that came after it.
static NEWEST: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

fn newest() -> u64 {
    let mut number = 0;
    NEWEST.send_modify(|newest| {
        *newest += 1;
        number = *newest;
    });
    number
}

/// While it lives, a signal is its runtime's to follow, and no business of one that has ended.
pub(super) struct Active(());

impl Active {
    pub(super) fn new() -> Self {
        ACTIVE.fetch_add(1, Ordering::AcqRel);
        newest();
        Self(())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        newest();
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
    pub(super) async fn linger(mut self) {
        if *self.report.cause() == StopCause::Dropped {
            // Nobody is there to take it.
            self.report.print();
        }
        let mut newest = NEWEST.subscribe();
        let mine = *newest.borrow_and_update();
        let signal = self.patience(mine).await;
        if self.stuck.is_some() && !self.is_taken() {
            self.exit(self.report.exit_code());
        }
        if !self.own_signals {
            return;
        }
        if let Some(signal) = signal.filter(|_| !self.is_taken()) {
            self.exit_by(signal, mine);
        }
        loop {
            tokio::select! {
                biased;
                _ = newest.wait_for(|newest| *newest != mine) => return,
                signal = self.listening.recv() => self.exit_by(signal, mine),
            }
        }
    }

    /// Waits for `main` to go on. A signal before that is not yet a sign of impatience: it is remembered.
    async fn patience(&mut self, mine: u64) -> Option<Signal> {
        let over = tokio::time::sleep(self.stuck.unwrap_or(PATIENCE));
        tokio::pin!(over);
        let mut early = None;
        loop {
            tokio::select! {
                biased;
                () = &mut over => return early,
                signal = self.listening.recv() => {
                    if self.own_signals && self.is_taken() {
                        self.exit_by(signal, mine);
                    }
                    early = Some(signal).filter(|signal| signal.stops()).or(early);
                }
            }
        }
    }

    /// Ends the process, if it is a stop signal and no other runtime of the process follows it.
    fn exit_by(&self, signal: Signal, mine: u64) {
        let alone = ACTIVE.load(Ordering::Acquire) == 0 && *NEWEST.borrow() == mine;
        if signal.stops() && alone {
            self.exit(128 + signal.number());
        }
    }

    #[allow(clippy::disallowed_methods, reason = "this is the exit of a process whose threads are blocked")]
    fn exit(&self, code: u8) -> ! {
        self.report.print();
        std::process::exit(i32::from(code))
    }

    fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Acquire)
    }
}

/// A second signal: the process ends from here, whatever its other threads do.
#[allow(clippy::disallowed_methods, reason = "this is the forced exit")]
pub(super) fn exit_now(outcome: &Outcome) -> ! {
    crate::outcome::print_bounded(outcome.printed(), Duration::from_millis(50));
    std::process::exit(i32::from(outcome.exit_code()))
}
