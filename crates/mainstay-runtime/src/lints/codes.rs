//! The codes of the lints, each with its page: `MS06xx`.

mainstay_registry::codes! {
    /// a provider was looked up during register
    ///
    /// A function of `register` looked a provider up. What comes out depends on the order of registration, and the
    /// provider is not booted.
    ///
    /// What to do: look it up in `boot`, and declare it with `.requires::<T>()` or a `Dep<T>` field.
    MS0601 LOOKED_UP_IN_REGISTER;

    /// a boot hook looked up what it has not declared
    ///
    /// The provider's `boot` resolved another provider that it neither requires nor wants. It worked because the other
    /// one happened to boot earlier; nothing says that it does the next time.
    ///
    /// What to do: add `.requires::<T>()` (or `.wants::<T>()`) to its `dependencies`, or make it a `Dep<T>` field.
    MS0602 NOT_DECLARED;

    /// a boot hook left a task running
    ///
    /// More tasks were alive after the provider's `boot` than before it. Nobody supervises such a task: it has no name,
    /// no deadline, its failure is not reported, and it outlives the provider's `shutdown`.
    ///
    /// What to do: long work belongs to a `Runnable`; inside of it, `RunContext::spawn` starts what ends with it.
    /// Found where providers boot one after the other: in the test kit, and with `boot_concurrency(1)`.
    MS0603 TASK_LEFT_BY_BOOT;

    /// a poll blocked its thread
    ///
    /// One poll of a hook or a task did not return for 100 ms (a warning) or 1 s (an error). Everything else on that
    /// thread waited for it: `std::fs`, `std::thread::sleep`, a lock that is held for long, a long computation.
    ///
    /// What to do: use the asynchronous call, or `tokio::task::spawn_blocking`.
    MS0604 POLL_BLOCKED;

    /// a reload changed who is registered
    ///
    /// The provider's `reload` inserted something. The set of providers is fixed by the plan: what came later is stored,
    /// and has no lifecycle.
    ///
    /// What to do: register everything in `register`, and let a provider that is switched off do nothing.
    MS0605 RELOAD_CHANGED_SET;

    /// a shutdown hook cannot be called twice
    ///
    /// The provider's `shutdown` returned `Ok`, and failed or panicked when it was called a second time. It must be
    /// idempotent: it may be called twice, and after a boot that failed half-way.
    ///
    /// What to do: take what is released out of its place first (`Option::take`), and treat "not there" as done.
    MS0606 SHUTDOWN_NOT_IDEMPOTENT;
}
