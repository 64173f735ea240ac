//! Every code that an error can carry, with its page.
//!
//! The pages are the documentation of the constants: of the registry and the plan (`MS01xx`), of the
//! runtime (`MS02xx`), of snapshots (`MS04xx`), of flags and the daemon (`MS05xx`).

#[cfg(feature = "daemon")]
pub use crate::daemon::codes as daemon;
#[cfg(feature = "daemon")]
pub use mainstay_cli::codes as cli;
pub use mainstay_registry::codes as registry;
pub use mainstay_runtime::codes as runtime;

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
    let mut codes = [registry::ALL, runtime::ALL, sync::ALL].concat();
    #[cfg(feature = "daemon")]
    codes.extend([cli::ALL, daemon::ALL].concat());
    codes.sort_by_key(|code| code.id);
    codes
}
