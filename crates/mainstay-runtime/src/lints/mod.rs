//! Lints: breaches of the rules of the phases, found while they happen.

pub mod codes;
mod lookups;

pub use self::lookups::Lookups;

use std::fmt;
use std::time::Duration;

use mainstay_registry::{Code, Phase};

use crate::clock::human;

/// Whether the runtime looks for breaches of the rules of the phases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lints {
    /// Nothing is looked for, and nothing is paid for it.
    #[default]
    Off,
    /// Each breach is an event and a warning in the log. It changes nothing else.
    On,
}

impl Lints {
    pub(crate) fn are_on(self) -> bool {
        self == Self::On
    }
}

/// How bad a breach is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// It works, and will be a problem under load.
    Warning,
    /// The rule is broken.
    Error,
}

/// One breach: who, in which phase, of which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lint {
    /// The rule, with its page: `MS0604`.
    pub code: Code,
    /// The provider's shown name.
    pub provider: &'static str,
    /// In which phase.
    pub phase: Phase,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen, and what to do.
    pub text: String,
}

impl Lint {
    /// A breach of a rule.
    pub fn new(code: Code, provider: &'static str, phase: Phase, text: impl Into<String>) -> Self {
        Self { code, provider, phase, severity: Severity::Error, text: text.into() }
    }

    /// A poll that held its thread for so long, if it is long enough to be one.
    pub(crate) fn of_poll(
        provider: &'static str,
        phase: Phase,
        who: Option<&str>,
        took: Duration,
    ) -> Option<Self> {
        if took < WARN_FROM {
            return None;
        }
        let severity = if took < ERROR_FROM { Severity::Warning } else { Severity::Error };
        let who = who.map(|who| format!(" of '{who}'")).unwrap_or_default();
        let text = format!(
            "a poll{who} blocked its thread for {}: await, or use tokio::task::spawn_blocking",
            human(took)
        );
        Some(Self { severity, ..Self::new(codes::POLL_BLOCKED, provider, phase, text) })
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}' in {}: {}", self.code.id, self.provider, self.phase, self.text)
    }
}

/// From here on a poll that blocks is worth a warning.
const WARN_FROM: Duration = Duration::from_millis(100);

/// From here on it is an error.
const ERROR_FROM: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_is_a_warning_from_100_ms_and_an_error_from_1_s() {
        let of = |millis| Lint::of_poll("db", Phase::Boot, None, Duration::from_millis(millis));
        assert_eq!(of(99), None);
        assert_eq!(of(100).map(|lint| lint.severity), Some(Severity::Warning));
        assert_eq!(of(999).map(|lint| lint.severity), Some(Severity::Warning));
        assert_eq!(of(1000).map(|lint| lint.severity), Some(Severity::Error));
        let text = of(150).map(|lint| lint.to_string()).unwrap_or_default();
        assert!(text.starts_with("MS0604 'db' in boot: a poll blocked its thread for 150 ms"), "{text}");
    }
}
