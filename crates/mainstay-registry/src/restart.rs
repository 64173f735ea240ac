//! The restart policy: when a runnable is started again, after how long, and how often, as data.

use std::{fmt, time::Duration};

/// What happens when a runnable ends: never, on failure, or always started again.
///
/// Returned by [`Runnable::restart_policy`](crate::Runnable::restart_policy), and checked with the plan, which is
/// refused when one of its values makes no sense (MS0114).
///
/// | what | default | set by |
/// | --- | --- | --- |
/// | delay before the first restart | 100 ms | [`initial_delay`](Self::initial_delay) |
/// | factor from one delay to the next | 2 | [`factor`](Self::factor) |
/// | longest delay | 10 s | [`max_delay`](Self::max_delay) |
/// | jitter: the part of a delay that chance may take away | 0.2 | [`jitter`](Self::jitter) |
/// | restarts in a row | 10 | [`limit`](Self::limit), [`unlimited`](Self::unlimited) |
/// | uptime after which the row begins anew | 60 s | [`reset_after`](Self::reset_after) |
/// | when the limit is passed | the process stops in good order | [`degrade`](Self::degrade) |
///
/// One counter of *consecutive* restarts is both the exponent of the delay and what the limit counts. There is no
/// sliding window: with a delay that grows, a window may never fill, and the task would be restarted for ever
/// (<https://github.com/erlang/otp/issues/4648>). Here a task whose every run is shorter than `reset_after` escalates
/// after exactly `limit + 1` failures.
///
/// The jitter only shortens a delay (Akka's lengthens it, beyond the cap).
///
/// # Examples
///
/// ```
/// use mainstay_registry::RestartPolicy;
/// use std::time::Duration;
///
/// // A connection to a broker: tried for ever, at most every five seconds; the process serves on without it.
/// let policy = RestartPolicy::on_failure().max_delay(Duration::from_secs(5)).unlimited();
/// assert!(policy.faults().is_empty());
/// assert_eq!(policy.delay(1), Duration::from_millis(100));
/// assert_eq!(policy.delay(7), Duration::from_secs(5));
/// assert_eq!(policy.to_string(), "on failure: 100ms x2 up to 5s, unlimited");
/// ```
///
/// A runnable returns it:
///
/// ```
/// use mainstay_registry::{RestartPolicy, Runnable, TaskFuture};
///
/// struct Poller;
///
/// impl Runnable<()> for Poller {
///     fn run(&self, _state: ()) -> TaskFuture {
///         Box::pin(async { Ok(()) })
///     }
///     fn restart_policy(&self) -> RestartPolicy {
///         RestartPolicy::on_failure().limit(3).degrade()
///     }
/// }
/// # assert_eq!(Poller.restart_policy().max_restarts(), Some(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "return it from `restart_policy()`"]
pub struct RestartPolicy {
    pub(crate) when: RestartWhen,
    pub(crate) limit: Option<u32>,
    pub(crate) at_limit: AtLimit,
    pub(crate) initial_delay: Duration,
    pub(crate) max_delay: Duration,
    pub(crate) factor: f64,
    pub(crate) jitter: f64,
    pub(crate) reset_after: Duration,
    pub(crate) with_required: bool,
    /// The first method of a delay or limit that was called after `never`, where it means nothing.
    meaningless: Option<&'static str>,
}

/// After which end a runnable is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RestartWhen {
    /// After none.
    #[default]
    Never,
    /// After an error or a panic.
    OnFailure,
    /// After every end, `Ok` included; but not when it was asked to stop, nor when it is disabled.
    Always,
}

impl RestartWhen {
    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            RestartWhen::Never => "never",
            RestartWhen::OnFailure => "on failure",
            RestartWhen::Always => "always",
        }
    }
}

/// What follows when a runnable was restarted as often as it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AtLimit {
    /// The failure leaves the task: the process stops in good order. A child's leaves it for its task's policy.
    #[default]
    Escalate,
    /// It is marked as failed, and the process serves on.
    Degrade,
}

impl RestartPolicy {
    const fn new(when: RestartWhen) -> Self {
        RestartPolicy {
            when,
            limit: Some(10),
            at_limit: AtLimit::Escalate,
            initial_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(10),
            factor: 2.0,
            jitter: 0.2,
            reset_after: Duration::from_secs(60),
            with_required: false,
            meaningless: None,
        }
    }

    /// Never starts it again: an error or a panic ends the process in good order, `Error::Recoverable` is logged and
    /// the process serves on. The default.
    pub const fn never() -> Self {
        Self::new(RestartWhen::Never)
    }

    /// Starts it again after an error or a panic; `Ok` is its completion.
    pub const fn on_failure() -> Self {
        Self::new(RestartWhen::OnFailure)
    }

    /// Starts it again after every end that nobody asked for.
    pub const fn always() -> Self {
        Self::new(RestartWhen::Always)
    }

    /// Sets the delay before the first restart of a row: 100 ms. With zero there is none, and no timer.
    pub const fn initial_delay(mut self, delay: Duration) -> Self {
        self.initial_delay = delay;
        self.tuned("initial_delay")
    }

    /// Sets the longest delay: 10 s.
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self.tuned("max_delay")
    }

    /// Sets the factor from one delay to the next: 2, at least 1.
    pub const fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self.tuned("factor")
    }

    /// Sets the part of each delay that chance may take away, from 0 to 1: 0.2.
    pub const fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter;
        self.tuned("jitter")
    }

    /// Sets how many restarts in a row there may be: 10. The failure after the last of them escalates; with 0 that is
    /// the first.
    pub const fn limit(mut self, restarts: u32) -> Self {
        self.limit = Some(restarts);
        self.tuned("limit")
    }

    /// Never gives up.
    pub const fn unlimited(mut self) -> Self {
        self.limit = None;
        self.tuned("unlimited")
    }

    /// Sets how long a run must last for the row to begin anew with the next failure: 60 s, that included.
    pub const fn reset_after(mut self, uptime: Duration) -> Self {
        self.reset_after = uptime;
        self.tuned("reset_after")
    }

    /// When the limit is passed: marks it as failed, and the process serves on.
    ///
    /// So the process is *degraded* without it, not unready, unless somebody requires it; and, since a failure that may
    /// yet be mended weighs no more than one that is given up, also while it is being restarted.
    pub const fn degrade(mut self) -> Self {
        self.at_limit = AtLimit::Degrade;
        self.tuned("degrade")
    }

    /// Restarts it as well when one that its provider requires is restarted: it is asked to stop first, and started
    /// again when that one is ready. Without this it runs on, and is not ready meanwhile.
    ///
    /// This is `rest_for_one` of OTP, declared by whom it concerns, and along the graph instead of a list.
    pub const fn with_required(mut self) -> Self {
        self.with_required = true;
        self
    }

    /// Returns after which end it is started again.
    pub const fn when(&self) -> RestartWhen {
        self.when
    }

    /// Returns how many restarts in a row there may be; `None` is any number.
    pub const fn max_restarts(&self) -> Option<u32> {
        self.limit
    }

    /// Returns what follows when the limit is passed.
    pub const fn at_limit(&self) -> AtLimit {
        self.at_limit
    }

    /// Returns the uptime after which the row of restarts begins anew.
    pub const fn reset_uptime(&self) -> Duration {
        self.reset_after
    }

    /// Says whether it is restarted with what its provider requires.
    pub const fn is_with_required(&self) -> bool {
        self.with_required
    }

    const fn tuned(mut self, method: &'static str) -> Self {
        if matches!(self.when, RestartWhen::Never) && self.meaningless.is_none() {
            self.meaningless = Some(method);
        }
        self
    }

    /// Returns the delay before the restart with this number in a row, from 1, before the jitter.
    ///
    /// It is never more than the longest delay, whatever the number and the other values are.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::RestartPolicy;
    ///
    /// let policy = RestartPolicy::on_failure();
    /// let delays: Vec<_> = (1..=9).map(|attempt| policy.delay(attempt).as_millis()).collect();
    /// assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    /// ```
    pub fn delay(&self, attempt: u32) -> Duration {
        // Nothing grows from nothing, while zero times an overflow would be no number.
        if attempt <= 1 || self.initial_delay.is_zero() {
            return self.initial_delay.min(self.max_delay);
        }
        let exponent = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
        let seconds = self.initial_delay.as_secs_f64() * self.factor.powi(exponent);
        // Rounding may take something from a very long one.
        let delay = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).max(self.initial_delay);
        delay.min(self.max_delay)
    }

    /// Returns the same delay, less the jitter of a throw from 0 to 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::RestartPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RestartPolicy::on_failure();
    /// assert_eq!(policy.jittered(2, 0.0), Duration::from_millis(200));
    /// assert_eq!(policy.jittered(2, 1.0), Duration::from_millis(160));
    /// ```
    pub fn jittered(&self, attempt: u32, throw: f64) -> Duration {
        let delay = self.delay(attempt);
        let taken = self.jitter * throw.clamp(0.0, 1.0);
        // A delay that nothing is taken from stays exact, also where a double has too few bits for it.
        if taken > 0.0 {
            let kept = delay.as_secs_f64() * (1.0 - taken).max(0.0);
            Duration::try_from_secs_f64(kept).unwrap_or(delay).min(delay)
        } else {
            delay
        }
    }

    /// Returns everything that is wrong with it, by field; a plan with one of weight [`Error`](Weight::Error) is refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::RestartPolicy;
    ///
    /// let faults = RestartPolicy::on_failure().factor(0.5).jitter(2.0).faults();
    /// let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    /// assert_eq!(texts, ["`factor`: 0.5 is not a number of at least 1", "`jitter`: 2 is not between 0 and 1"]);
    /// ```
    pub fn faults(&self) -> Vec<PolicyFault> {
        let mut faults = Vec::new();
        let mut fault = |field, weight, text: String| faults.push(PolicyFault { field, weight, text });
        if let Some(method) = self.meaningless {
            let text = "`never` restarts nothing, so it means nothing; say `on_failure()`, or leave it out";
            fault(method, Weight::Error, text.to_owned());
        }
        // Written so that NaN is a fault.
        if !(self.factor >= 1.0 && self.factor.is_finite()) {
            fault("factor", Weight::Error, format!("{} is not a number of at least 1", self.factor));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            fault("jitter", Weight::Error, format!("{} is not between 0 and 1", self.jitter));
        }
        if self.initial_delay > self.max_delay {
            let (initial, max) = (self.initial_delay, self.max_delay);
            fault("initial_delay", Weight::Error, format!("{initial:?} is more than `max_delay`, {max:?}"));
        }
        if let Some(text) = self.doubtful_reset() {
            fault("reset_after", Weight::Warning, text);
        }
        faults
    }

    fn doubtful_reset(&self) -> Option<String> {
        let (reset, max) = (self.reset_after, self.max_delay);
        match self.limit {
            _ if self.when == RestartWhen::Never => None,
            Some(limit) if reset.is_zero() => Some(format!(
                "{reset:?} begins the row anew with every failure, and `limit`, {limit}, never counts"
            )),
            _ if reset < max => Some(format!(
                "{reset:?} is less than `max_delay`, {max:?}: a run shorter than the wait before it begins the row anew"
            )),
            _ => None,
        }
    }
}

/// Writes it in one line: `on failure: 100ms x2 up to 10s, limit 10`. What is rarely changed is said only when it was.
#[allow(clippy::float_cmp, reason = "whether it is the very number of the default")]
impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.when.as_str())?;
        if self.when != RestartWhen::Never {
            let usual = Self::new(self.when);
            let (initial, max) = (self.initial_delay, self.max_delay);
            match initial {
                Duration::ZERO => f.write_str(": at once")?,
                _ if self.factor == 1.0 || initial == max => write!(f, ": {initial:?}")?,
                _ => write!(f, ": {initial:?} x{} up to {max:?}", self.factor)?,
            }
            if self.jitter != usual.jitter {
                write!(f, ", jitter {}", self.jitter)?;
            }
            match self.limit {
                Some(limit) => write!(f, ", limit {limit}")?,
                None => f.write_str(", unlimited")?,
            }
            if self.at_limit == AtLimit::Degrade {
                f.write_str(if self.limit.is_some() { " then degraded" } else { ", degraded meanwhile" })?;
            }
            if self.reset_after != usual.reset_after {
                write!(f, ", anew after {:?}", self.reset_after)?;
            }
        }
        if self.with_required {
            f.write_str(", with what it requires")?;
        }
        Ok(())
    }
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self::never()
    }
}

/// Something that is wrong with a restart policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyFault {
    /// The method that sets it: `factor`, `jitter`, ..
    pub field: &'static str,
    /// Whether it can be lived with.
    pub weight: Weight,
    /// What is wrong.
    pub text: String,
}

/// Whether a fault can be lived with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Weight {
    /// It is said, and the policy is followed.
    Warning,
    /// Nothing is started.
    Error,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.field, self.text)
    }
}
