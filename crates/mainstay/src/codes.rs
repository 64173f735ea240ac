//! Every code that an error can carry, with its page.
//!
//! The pages are the documentation of the constants: of the registry and the plan (`MS01xx`), of the
//! runtime (`MS02xx`), of snapshots (`MS04xx`), of flags and the daemon (`MS05xx`), of the
//! rules of the phases (`MS06xx`).

#[cfg(feature = "daemon")]
pub use crate::daemon::codes as daemon;
#[cfg(feature = "daemon")]
pub use mainstay_cli::codes as cli;
pub use mainstay_registry::codes as registry;
pub use mainstay_runtime::codes as runtime;
pub use mainstay_runtime::lint_codes as lints;

use mainstay_registry::Code;

/// The codes of snapshots. `mainstay-sync` stands alone and only prints them.
pub mod sync {
    mainstay_registry::codes! {
        /// a snapshot was read before anything was published
        ///
        /// `Snapshot::load` was called on an empty snapshot. The panic names the type, where the snapshot
        /// was made and who read it.
        ///
        /// Usually the reader booted or ran before the provider that publishes: declare
        /// `.requires::<ThePublisher>()` on the reader. Where it is allowed to be empty (the publisher is
        /// disabled), read it with `try_load`.
        MS0401 EMPTY_SNAPSHOT;

        /// a publish came after its reload was aborted, and was discarded
        ///
        /// A task that carried the transaction of a reload published when that reload had been refused. The value was
        /// dropped: showing it would show a part of what was refused. Await such tasks inside of the `reload` hook, so
        /// that what they publish is part of the decision.
        MS0402 LATE_DISCARDED;

        /// a publish came after its reload was committed, and was immediate
        ///
        /// A task that carried the transaction of a reload published after the commit. The value is visible, in an
        /// epoch of its own: readers may have seen the rest of the reload without it. Await such tasks inside of the
        /// `reload` hook.
        MS0403 LATE_IMMEDIATE;

        /// a task published beside a running reload, and outside of its transaction
        ///
        /// While the `reload` hook of the provider that last published this snapshot was running, a task without the
        /// transaction published it. A spawned task does not carry the transaction by itself: take it along with
        /// `Transaction::current()` and `scope`, or publish in the hook. The value was visible at once.
        MS0404 OUTSIDE_TRANSACTION;

        /// two daemons of one process publish one snapshot
        ///
        /// A snapshot belongs to the daemon that published it first. For the other it is an epoch of its own: a pin of
        /// that daemon does not hold it together with the others. Give each daemon its own snapshot.
        MS0405 OTHER_DAEMON;
    }
}

/// Returns all codes of the enabled features, in order.
///
/// # Examples
///
/// ```
/// let codes = mainstay::codes::all();
/// assert!(codes.is_sorted_by(|a, b| a.id < b.id));
/// assert!(codes.iter().any(|code| code.id == "MS0401"));
/// ```
pub fn all() -> Vec<Code> {
    let mut codes = [registry::ALL, runtime::ALL, sync::ALL, lints::ALL].concat();
    #[cfg(feature = "daemon")]
    codes.extend([cli::ALL, daemon::ALL].concat());
    codes.sort_by_key(|code| code.id);
    codes
}
