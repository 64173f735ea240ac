//! Whether a task is started again, as a pure decision: its policy, how it ended and how long it ran go in.
//!
//! One counter of consecutive restarts is both the exponent of the delay and what the limit counts. It is reset by a
//! run that lasted, and by nothing else but an operator.

use std::time::Duration;

use mainstay_registry::{AtLimit, Override, RestartPolicy, RestartWhen};

use crate::exit::{CauseKind, Exit};

/// The row of restarts of one task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Restarts {
    /// In a row.
    row: u32,
    /// In all, those by an operator included.
    total: u64,
    /// Where the jitter comes from.
    seed: u64,
}

/// What follows from an end that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It has done its work, or says that it has none.
    Complete,
    /// It is started again after the delay, for the so-many-th time in a row.
    Restart { attempt: u32, delay: Duration },
    /// It is marked as failed; the process serves on.
    Degrade { restarts: u32 },
    /// The failure leaves the task.
    Escalate { restarts: u32 },
}

impl Restarts {
    /// The seed is what makes the jitter of two tasks differ.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// How often it was restarted in a row, by its policy.
    pub(crate) fn in_a_row(self) -> u32 {
        self.row
    }

    /// How often it was restarted, by its policy or by an operator.
    pub(crate) fn total(self) -> u64 {
        self.total
    }

    /// An operator starts it again: nothing is charged, and the row begins anew.
    pub(crate) fn by_hand(&mut self) {
        self.row = 0;
        self.total += 1;
    }

    /// Restarted with something that it requires: nothing is charged.
    pub(crate) fn with_required(&mut self) {
        self.total += 1;
    }

    /// Decides what follows from the end of a run that lasted so long.
    pub(crate) fn decide(&mut self, policy: &RestartPolicy, exit: &Exit, uptime: Duration) -> Next {
        let recoverable = matches!(exit, Exit::Failed(cause) if cause.kind() == CauseKind::Recoverable);
        let overridden = match exit {
            Exit::Failed(cause) => cause.override_of_policy(),
            _ => None,
        };
        if uptime >= policy.reset_uptime() {
            self.row = 0;
        }
        let done = matches!(exit, Exit::Ok | Exit::Disabled);
        let restarts = self.row;
        match (policy.when(), overridden) {
            (_, Some(Override::Fatal)) => return Next::Escalate { restarts },
            (_, Some(Override::NoRestart)) => return Next::Degrade { restarts },
            _ if *exit == Exit::Disabled => return Next::Complete,
            (RestartWhen::Always, _) => {}
            _ if done => return Next::Complete,
            (RestartWhen::OnFailure, _) => {}
            // What a later version may add is not known here: a failure leaves the task.
            _ if recoverable => return Next::Degrade { restarts },
            _ => return Next::Escalate { restarts },
        }
        if policy.max_restarts().is_some_and(|limit| self.row >= limit) {
            return match policy.at_limit() {
                AtLimit::Degrade => Next::Degrade { restarts },
                // The process survives without it: that is what the error says.
                _ if recoverable => Next::Degrade { restarts },
                _ => Next::Escalate { restarts },
            };
        }
        self.row = self.row.saturating_add(1);
        self.total += 1;
        let delay = policy.jittered(self.row, self.throw());
        Next::Restart { attempt: self.row, delay }
    }

    /// From 0 to 1, another one each time: splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
    fn throw(&mut self) -> f64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.seed;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use mainstay_registry::Error;
    use proptest::prelude::*;

    use super::*;
    use crate::exit::Cause;

    fn failed() -> Exit {
        Exit::Failed(Cause::of(Error::msg("refused")))
    }

    fn policies() -> impl Strategy<Value = (RestartPolicy, f64)> {
        let limits = (0u32..60, 1u64..100_000, 0u64..20_000, 1.0f64..4.0, 0.0f64..=1.0);
        (any::<bool>(), limits).prop_map(|(always, (limit, reset, initial, factor, jitter))| {
            let policy = if always { RestartPolicy::always() } else { RestartPolicy::on_failure() };
            let policy = policy.limit(limit).reset_after(Duration::from_millis(reset));
            let initial = Duration::from_millis(initial);
            (policy.initial_delay(initial).max_delay(initial * 3).factor(factor).jitter(jitter), jitter)
        })
    }

    proptest! {
        /// No immortal child: https://github.com/erlang/otp/issues/4648.
        #[test]
        fn a_task_that_always_fails_escalates_after_limit_plus_one_failures(
            (policy, jitter) in policies(), part in 0.0f64..1.0, seed: u64, panics: bool,
        ) {
            let uptime = policy.reset_uptime().mul_f64(part);
            prop_assume!(uptime < policy.reset_uptime());
            let exit = if panics { Exit::Panicked("boom".into()) } else { failed() };
            let mut restarts = Restarts::new(seed);
            let limit = policy.max_restarts().unwrap_or(0);
            for attempt in 1..=limit {
                let Next::Restart { attempt: said, delay } = restarts.decide(&policy, &exit, uptime) else {
                    return Err(TestCaseError::fail("not restarted"));
                };
                prop_assert_eq!(said, attempt);
                let full = policy.delay(attempt);
                prop_assert!(delay <= full && full <= policy.delay(u32::MAX));
                prop_assert!(delay.as_secs_f64() >= full.as_secs_f64() * (1.0 - jitter) - 1e-9);
            }
            prop_assert_eq!(restarts.decide(&policy, &exit, uptime), Next::Escalate { restarts: limit });
        }

        /// And nobody who lives long enough between his failures is ever given up.
        #[test]
        fn a_task_whose_runs_last_is_never_given_up((policy, _) in policies(), seed: u64) {
            prop_assume!(policy.max_restarts() > Some(0));
            let mut restarts = Restarts::new(seed);
            for _ in 0..100 {
                let next = restarts.decide(&policy, &failed(), policy.reset_uptime());
                let first = matches!(next, Next::Restart { attempt: 1, .. });
                prop_assert!(first, "{:?}", next);
            }
        }
    }

    #[test]
    fn the_delays_double_up_to_the_cap() {
        let policy = RestartPolicy::on_failure().jitter(0.0).unlimited();
        let mut restarts = Restarts::new(1);
        let mut delays = Vec::new();
        for _ in 0..9 {
            if let Next::Restart { delay, .. } = restarts.decide(&policy, &failed(), Duration::ZERO) {
                delays.push(delay.as_millis());
            }
        }
        assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    }

    #[test]
    fn the_row_is_reset_by_exactly_the_uptime_and_not_a_nanosecond_less() {
        let policy = RestartPolicy::on_failure().limit(1);
        let long = Duration::from_secs(60);
        let mut restarts = Restarts::new(1);
        assert!(matches!(restarts.decide(&policy, &failed(), long), Next::Restart { attempt: 1, .. }));
        assert!(matches!(restarts.decide(&policy, &failed(), long), Next::Restart { attempt: 1, .. }));
        let less = long.saturating_sub(Duration::from_nanos(1));
        assert_eq!(restarts.decide(&policy, &failed(), less), Next::Escalate { restarts: 1 });
    }

    #[test]
    fn a_huge_delay_does_not_overflow() {
        let policy =
            RestartPolicy::on_failure().initial_delay(Duration::MAX).max_delay(Duration::MAX).unlimited();
        let mut restarts = Restarts::new(7);
        for _ in 0..100 {
            assert!(matches!(restarts.decide(&policy, &failed(), Duration::ZERO), Next::Restart { .. }));
        }
    }

    #[test]
    fn an_error_can_overrule_the_policy() {
        let mut restarts = Restarts::new(1);
        let end = |error: Error| Exit::Failed(Cause::of(error));
        let always = RestartPolicy::always();
        let fatal = restarts.decide(&always, &end(Error::msg("no disk").fatal()), Duration::ZERO);
        assert_eq!(fatal, Next::Escalate { restarts: 0 });
        let last = restarts.decide(&always, &end(Error::msg("gone").no_restart()), Duration::ZERO);
        assert_eq!(last, Next::Degrade { restarts: 0 });
        let fatal = restarts.decide(
            &RestartPolicy::never(),
            &end(Error::recoverable("no disk").fatal()),
            Duration::ZERO,
        );
        assert_eq!(fatal, Next::Escalate { restarts: 0 });
    }

    #[test]
    fn disabled_is_an_end_whatever_the_policy() {
        let next = Restarts::new(1).decide(&RestartPolicy::always(), &Exit::Disabled, Duration::ZERO);
        assert_eq!(next, Next::Complete);
    }
}
