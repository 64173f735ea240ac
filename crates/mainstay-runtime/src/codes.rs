//! The runtime's error codes, each with its page: `MS02xx`.

mainstay_registry::codes! {
    /// a boot hook failed
    ///
    /// The provider's `boot` returned an error. What was in flight beside it was cancelled, then `shutdown` was
    /// called in reverse order for every provider whose boot was attempted, and for no other.
    ///
    /// The process exits with 75 (worth a retry), or with 78 if the error is `Error::Validate` (not worth one).
    ///
    /// What to do: read the causes below the headline; the last one is what the system said. An address in use, a
    /// refused connection and a missing file are the usual ones.
    MS0201 BOOT_FAILED;

    /// a boot hook panicked
    ///
    /// The provider's `boot`, or a destructor of what it held, panicked. The panic was caught, what was booted was
    /// rolled back, and the process exits with 1: a panic is a bug, not a condition that a retry would change.
    ///
    /// What to do: run it with `RUST_BACKTRACE=1`; the panic's own line with its file is printed above the report.
    MS0202 BOOT_PANICKED;

    /// a boot hook ran past its deadline
    ///
    /// The provider's `boot` did not return in time (30 s, or what `deadlines()` says). It was cancelled and
    /// everything was rolled back; the process exits with 75.
    ///
    /// *seen* tells what it was doing: its last `note(..)`, and whether it awaited, blocked a thread (a synchronous
    /// call in an async hook), or was starved (no thread of the runtime was free to poll it).
    ///
    /// What to do: give the call inside its own, shorter time-out, so that its error says what was slow; or raise
    /// the deadline with `fn deadlines(&self) -> Deadlines { Deadlines::new().boot(..) }`.
    MS0203 BOOT_DEADLINE;

    /// the boot as a whole ran past its budget
    ///
    /// All boot hooks together took longer than the boot budget (60 s). Those that were still running are named.
    /// Everything was rolled back; the process exits with 75.
    ///
    /// What to do: look at the critical path in the report; raise the budget with `Runtime::boot_budget`.
    MS0204 BOOT_BUDGET;

    /// a provider is not valid
    ///
    /// The provider's `validate` returned an error: what is there cannot serve. Every provider was asked, so every
    /// problem is listed. The process exits with 78 (not worth a retry).
    MS0205 VALIDATE_FAILED;

    /// a validate hook panicked
    ///
    /// The provider's `validate` panicked. The others were asked all the same; the process exits with 1.
    MS0206 VALIDATE_PANICKED;

    /// a validate hook ran past its deadline
    ///
    /// `validate` is synchronous and must not do I/O; this one blocked its thread for longer than its deadline
    /// (5 s). The others were asked all the same. The thread cannot be taken back: it ends with the process.
    MS0207 VALIDATE_DEADLINE;

    /// a runnable was not ready in time
    ///
    /// A runnable with `ReadyWhen::Signalled` did not call `RunContext::ready` in time (30 s), or one with
    /// `ReadyWhen::Started` did not come back from its first poll, because it blocks its thread or no thread was
    /// free. What requires it was not started. The process stops in good order and exits with 1.
    MS0208 READY_DEADLINE;

    /// a runnable failed
    ///
    /// The task, or one of the children that it spawned, returned an error. By default that ends the process in
    /// good order, with exit code 1. `Error::recoverable` is logged instead, and the process serves on.
    MS0209 RUN_FAILED;

    /// a runnable panicked
    ///
    /// The task, one of its children, the synchronous part of `run`, or a destructor of what the task held,
    /// panicked. The process stops in good order and exits with 1.
    MS0210 RUN_PANICKED;

    /// a reload was refused
    ///
    /// The `reload` hook returned an error. Those that require this provider were skipped. What was published
    /// before serves on.
    MS0211 RELOAD_REFUSED;

    /// a reload hook panicked
    ///
    /// The `reload` hook panicked; the panic was caught and counts as a refusal.
    MS0212 RELOAD_PANICKED;

    /// a reload hook ran past its deadline
    ///
    /// The `reload` hook did not return in time (30 s). It was cancelled and counts as a refusal.
    MS0213 RELOAD_DEADLINE;

    /// a shutdown hook failed
    ///
    /// The provider's `shutdown` returned an error. The others ran all the same; the exit code does not change.
    MS0214 SHUTDOWN_FAILED;

    /// a shutdown hook panicked
    ///
    /// The provider's `shutdown`, or the destructor of the provider itself, panicked. The others ran all the same;
    /// the process exits with 1.
    MS0215 SHUTDOWN_PANICKED;

    /// a shutdown hook ran past its deadline
    ///
    /// The provider's `shutdown` did not return in time (5 s), and was aborted. The others ran all the same.
    MS0216 SHUTDOWN_DEADLINE;

    /// the budget of the stop ran out
    ///
    /// Somebody was cut not at its own deadline but because the stop as a whole (25 s, of which hooks keep 5 s)
    /// had no time left. The exit code is 124; the report lists who was cut and who had used the time.
    MS0217 STOP_BUDGET;

    /// the tokio runtime was shut down under a hook or a task
    ///
    /// The future was dropped by its runtime, not by mainstay: `main` returned, or the runtime was shut down, before
    /// the future of `Runtime::run` had completed. Await it to its end.
    MS0218 RUNTIME_GONE;

    /// two providers have one name
    ///
    /// Names are how control, status, reload and every report tell providers apart, so the runtime refuses to start
    /// with two of one name. Give one of them another `name()`.
    MS0219 DUPLICATE_NAME;

    /// a provider hung while it was planned
    ///
    /// `name`, a priority, `dependencies` or `runnables` of some provider did not return. They are called before
    /// anything boots and must do nothing but answer.
    MS0220 PLAN_DEADLINE;

    /// a register function failed
    ///
    /// A function given to `register` returned an error. Nothing was started.
    MS0221 REGISTER_FAILED;

    /// a register function panicked
    ///
    /// A function given to `register` panicked. Nothing was started.
    MS0222 REGISTER_PANICKED;

    /// the supervisor itself was lost
    ///
    /// The thread or task that supervises the lifecycle ended without an outcome. That is a bug of mainstay, or the
    /// process could not start a thread; please report it.
    MS0223 SUPERVISOR_LOST;

    /// a runnable that is always restarted ended at once, again and again
    ///
    /// Its policy is `RestartPolicy::always`, and it returned `Ok` so often in a row, each time sooner than
    /// `reset_after` (60 s), that the limit (10) was passed. It escalates as a failure would.
    ///
    /// What to do: let it run until `cx.shutdown_token()` fires; or say `on_failure()` if its `Ok` means that the work
    /// is done, or `cx.disabled()` if there is none.
    MS0224 ENDED_TOO_OFTEN;

    /// a runnable is stuck
    ///
    /// It did not call `cx.tick()` within the interval of `Deadlines::tick`. It, and what requires it, is not ready
    /// meanwhile; a runnable whose policy restarts it is restarted.
    ///
    /// *seen* tells its last `note(..)`, and whether it blocks a thread.
    MS0225 STUCK;

    /// no worker of the tokio runtime polls anything
    ///
    /// For more than 400 ms no worker thread has polled a task that was ready: every one of them is inside of a
    /// synchronous call, or nobody drives a current-thread runtime. The line names what was seen inside of a poll, and
    /// every last note.
    ///
    /// What to do: find the provider that *blocks a thread*, and move the call into `tokio::task::spawn_blocking`.
    MS0226 WEDGED;

    /// a request of control was refused, or not carried out
    ///
    /// The text says why: an unknown name (with those that come near), a provider without a runnable or one that is not
    /// reloadable, one that was registered too late, a lifecycle that stops, a hook or task that would wait for
    /// itself, a later request that overruled this one, or a new generation that failed.
    MS0227 CONTROL_REFUSED;

    /// a supervised child has a name that is in use
    ///
    /// A task called `RunContext::supervise` with the name of a child that its set lists already: one that runs,
    /// waits for its restart, was stopped or has failed. That one was not touched.
    ///
    /// What to do: give it another name; or remove the old one first, which must have been stopped.
    MS0241 CHILD_NAME_IN_USE;

    /// a set of supervised children is full
    ///
    /// The set has as many children as its `limit` allows. One that waits for its restart, was stopped or has failed
    /// takes a place as well.
    ///
    /// What to do: refuse the work, raise the limit, or remove what has failed.
    MS0242 CHILDREN_FULL;

    /// a set of supervised children is closed
    ///
    /// The generation that it belongs to was asked to stop or has ended, so nothing is started in it any more.
    MS0243 CHILDREN_CLOSED;

    /// the restart policy of a supervised child contradicts itself
    ///
    /// The message names the field. The same faults in the policy of a runnable are found with the plan.
    MS0244 CHILD_POLICY;

    /// supervised children need a runtime
    ///
    /// The task runs outside of a runtime (the registry's own `run_all`), where nobody supervises.
    MS0245 CHILD_NO_RUNTIME;

    /// a supervised child runs
    ///
    /// It must be stopped before it can be removed. One that waits for its restart counts as running.
    MS0246 CHILD_RUNS;

    /// a supervised child is gone
    ///
    /// It has ended or was removed, and is no longer listed: it cannot be started again. Supervise a new one.
    MS0247 CHILD_GONE;

    /// a supervised child was stopped before it was started again
    ///
    /// A restart was asked for, and a stop after it: the stop counts.
    MS0248 CHILD_STOPPED;

    /// a supervised child would wait for itself
    ///
    /// It, or something inside of it, asked to stop or restart it and cannot wait for the answer. The request stands.
    MS0249 CHILD_BUSY;

    /// a supervised child did not end
    ///
    /// It was asked to stop, aborted at its deadline (`Deadlines::stop` of its provider, 5 s), and is still there
    /// after a grace: it blocks a thread, or no thread was free to drop it.
    MS0250 CHILD_STUCK;

    /// a supervised child could not be started
    ///
    /// A restart by hand was asked for, and the synchronous part of its body panicked. It is listed as stopped.
    MS0251 CHILD_NOT_STARTED;
}
