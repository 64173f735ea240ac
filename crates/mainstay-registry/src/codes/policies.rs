//! The codes of restart policies.

crate::codes! {
    /// A restart policy makes no sense
    ///
    /// ## What happened
    ///
    /// A runnable returns a restart policy that cannot be followed. The message names the runnable, where its
    /// provider was registered, the field, and what is wrong with it. Every fault of every policy is told at
    /// once, and nothing was started.
    ///
    /// | field | is bad when |
    /// | --- | --- |
    /// | `factor` | it is less than 1, or no finite number |
    /// | `jitter` | it is not between 0 and 1 |
    /// | `initial_delay` | it is more than `max_delay`: 10 s, unless you set it |
    /// | any of a delay or a limit | the policy is `never`, which restarts nothing |
    ///
    /// ## Why it is an error
    ///
    /// A policy is needed when something has failed already. That its factor lets the delays shrink to nothing
    /// is better known now.
    ///
    /// ## What to do
    ///
    /// Mend the field that is named:
    ///
    /// ```
    /// use mainstay_registry::RestartPolicy;
    /// use std::time::Duration;
    ///
    /// let bad = RestartPolicy::on_failure().initial_delay(Duration::from_secs(30));
    /// assert_eq!(bad.faults()[0].to_string(), "`initial_delay`: 30s is more than `max_delay`, 10s");
    /// let good = bad.max_delay(Duration::from_secs(300)).reset_after(Duration::from_secs(600));
    /// assert!(good.faults().is_empty());
    /// ```
    ///
    /// To restart without a limit say `unlimited()`; `limit(0)` is legal, and means that the first failure
    /// escalates.
    MS0114 BAD_POLICY;

    /// A restart policy is doubtful
    ///
    /// ## What happened
    ///
    /// A runnable returns a restart policy that can be followed, and hardly does what was meant. The plan
    /// warns and goes on.
    ///
    /// `reset_after` is the uptime after which the row of restarts begins anew. When it is less than
    /// `max_delay`, a task that runs for a shorter time than it has just waited counts as mended. When it is
    /// zero, every failure begins a new row: the delay never grows, and a limit is never reached.
    ///
    /// ## What to do
    ///
    /// Let `reset_after` be at least `max_delay`; it is 60 s, unless you set it. A task that is to be restarted
    /// for ever says so:
    ///
    /// ```
    /// use mainstay_registry::RestartPolicy;
    /// use std::time::Duration;
    ///
    /// let doubtful = RestartPolicy::on_failure().max_delay(Duration::from_secs(120));
    /// assert_eq!(doubtful.faults()[0].field, "reset_after");
    /// assert!(doubtful.reset_after(Duration::from_secs(300)).faults().is_empty());
    ///
    /// assert!(RestartPolicy::always().unlimited().faults().is_empty());
    /// ```
    MS0115 DOUBTFUL_POLICY;
}
