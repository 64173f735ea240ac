//! The codes of what serving reports, each with its page: `MS07xx`.

mainstay_registry::codes! {
    /// a listener is lost
    ///
    /// The system says that the socket does not listen (`EINVAL`), as one that was shut down under its server. No later
    /// attempt to accept would do better, so the server has ended: the connections that it had were drained as in a
    /// stop. A machine that is short of descriptors or memory is no such case, and is waited for.
    ///
    /// What to do: find who shut the socket down; let the runnable fail with this error, so that its restart policy
    /// binds a new one.
    MS0701 LISTENER_LOST;
}
