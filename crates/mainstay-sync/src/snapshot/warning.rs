//! What is done as it was asked for, but was hardly meant.

use std::fmt;

use super::Made;

/// A publish that did something else than its author may think.
///
/// Given to whoever listens by [`Epochs::on_warning`](super::Epochs::on_warning). `Display` is one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A publish came through a transaction that had been aborted, and was discarded: it would show a part of
    /// a reload that was refused.
    #[non_exhaustive]
    LateDiscarded {
        /// The snapshot that keeps what it had.
        snapshot: Made,
        /// On whose behalf it was published, if that is known.
        provider: Option<&'static str>,
    },
    /// A publish came through a transaction that had been committed, and was visible at once.
    #[non_exhaustive]
    LateImmediate {
        /// The snapshot that was published.
        snapshot: Made,
        /// On whose behalf it was published, if that is known.
        provider: Option<&'static str>,
    },
    /// A publish came from outside of the transaction while the reload hook of the provider that published
    /// this snapshot last was running. It was visible at once, and a commit overwrites it if the hook
    /// publishes, too.
    #[non_exhaustive]
    OutsideTransaction {
        /// The snapshot that was published.
        snapshot: Made,
        /// On whose behalf it was published; `None` for a task without a scope, mostly one that the hook
        /// spawned and that does not carry the transaction.
        provider: Option<&'static str>,
        /// Whose reload hook was running.
        reloading: &'static str,
    },
    /// A publish on behalf of one daemon of a snapshot that another one in this process had published before.
    /// It belongs to the other one: it is an epoch there, and no part of one here.
    #[non_exhaustive]
    OtherDaemon {
        /// The snapshot that was published.
        snapshot: Made,
        /// On whose behalf it was published, if that is known.
        provider: Option<&'static str>,
    },
}

impl Warning {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::LateDiscarded { .. } => "MS0402",
            Self::LateImmediate { .. } => "MS0403",
            Self::OutsideTransaction { .. } => "MS0404",
            Self::OtherDaemon { .. } => "MS0405",
        }
    }

    /// Returns the snapshot that it is about.
    pub fn snapshot(&self) -> &Made {
        match self {
            Self::LateDiscarded { snapshot, .. }
            | Self::LateImmediate { snapshot, .. }
            | Self::OutsideTransaction { snapshot, .. }
            | Self::OtherDaemon { snapshot, .. } => snapshot,
        }
    }

    /// Returns on whose behalf it was published, if that is known.
    pub fn provider(&self) -> Option<&'static str> {
        match self {
            Self::LateDiscarded { provider, .. }
            | Self::LateImmediate { provider, .. }
            | Self::OutsideTransaction { provider, .. }
            | Self::OtherDaemon { provider, .. } => *provider,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, snapshot) = (self.code(), self.snapshot());
        match self.provider() {
            Some(provider) => write!(f, "{code}: a publish by \"{provider}\" of {snapshot} ")?,
            None => write!(f, "{code}: a publish of {snapshot} ")?,
        }
        match self {
            Self::LateDiscarded { .. } => {
                f.write_str("came after the abort of the transaction that it carries, and was discarded")
            }
            Self::LateImmediate { .. } => f.write_str(
                "came after the commit of the transaction that it carries, and was visible at once",
            ),
            Self::OutsideTransaction { reloading, .. } => write!(
                f,
                "was visible at once while \"{reloading}\", who published it last, reloads: \
                 carry the transaction into what the hook spawns, or let one provider publish"
            ),
            Self::OtherDaemon { .. } => {
                f.write_str("was an epoch of another daemon in this process, to which it belongs")
            }
        }
    }
}
