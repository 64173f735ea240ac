//! Finish: what the end of everything adds, and the outcome of the whole.

use std::time::{Duration, Instant};

use super::{Machine, Stage};
use crate::clock::human;
use crate::event::EventKind;
use crate::outcome::{Cut, CutBy, Ending, Failure, Forced, Outcome, StopCause};

impl Machine {
    /// A provider's destructor failed, or did not return: found after the stop.
    pub(crate) fn release_failed(&mut self, failure: Failure) {
        self.note_failure(failure);
    }

    pub(crate) fn release_hung(&mut self, provider: &'static str, after: Duration) {
        self.force_cut(Forced {
            provider,
            task: None,
            what: Cut::Drop,
            after,
            by: CutBy::Deadline,
            seen: Some(format!("blocks a thread since {}", human(after))),
        });
    }

    /// Nothing was begun, and nothing will be: what comes later changes nothing.
    pub(crate) fn close(&mut self, now: Instant) {
        self.stage = Stage::Over;
        self.close_reloads();
        self.close_orders(now);
    }

    /// The whole, once everything is over.
    pub(crate) fn outcome(&mut self, now: Instant, held: Vec<&'static str>) -> Outcome {
        let cause = self.cause.clone().unwrap_or(StopCause::Completed);
        let code = if let Some(signal) = self.forced_by {
            128 + signal.number()
        } else if self.out_of_budget {
            124
        } else {
            match cause {
                // The first failure may be a consequence of the stop when nobody's failure is the cause.
                StopCause::Failed => self.failures.first().map_or(1, Failure::exit_code),
                _ if self.panicked || self.stop_failures => 1,
                _ => 0,
            }
        };
        let took = self.stop.took(now);
        self.emit(EventKind::Finished { exit_code: code, took });
        self.stage = Stage::Over;
        self.close_reloads();
        self.close_orders(now);
        let (hooks_done, hooks_due) = self.stop.hooks();
        Ending {
            code,
            failures: self.failures.clone(),
            forced: self.forced.clone(),
            never_booted: self.never_booted(),
            held,
            forced_by: self.forced_by,
            boot_took: self.boot_took,
            stop_took: took,
            stop_budget: self.stop.budget(),
            rolled_back: self.stop.is_rollback(),
            hooks_done,
            hooks_due,
            stopped: self.stop.gone_in_order(&self.spec),
            ..Ending::empty(cause, code)
        }
        .into()
    }
}
