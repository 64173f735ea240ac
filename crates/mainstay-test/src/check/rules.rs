//! The rules of the phases: lints count as errors here, and so does what a hook may not do twice.

use mainstay_registry::Phase;
use mainstay_runtime::lint_codes;

use super::{Facts, Violation, names};
use crate::record::{How, What};

pub(super) fn check(facts: &Facts<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for lint in &facts.seen.lints {
        let expected = format!("{}: {}", lint.code.id, lint.code.title());
        let expected = format!("no breach of {expected}");
        violations.push(Violation::new(names::LINT, lint.provider, lint.phase, expected, lint.text.clone()));
    }
    for step in &facts.seen.steps {
        if let What::Again(who, how) = &step.what
            && *how != How::Ok
        {
            let code = lint_codes::SHUTDOWN_NOT_IDEMPOTENT;
            let expected = format!("no breach of {}: {}", code.id, code.title());
            let saw = format!("called once more, it {how}");
            violations.push(Violation::new(names::LINT, who.provider, Phase::Shutdown, expected, saw));
        }
    }
    for (code, text) in &facts.seen.snapshots {
        let provider = provider_of(text);
        let expected = "what a reload publishes is in its transaction, and visible all at once";
        violations.push(Violation {
            provider,
            phase: Some(Phase::Reload),
            ..Violation::of_the_whole(names::TRANSACTION, expected, format!("{code}: {text}"))
        });
    }
    violations
}

/// The reloading one, else the publishing one: what stands last in double quotes.
fn provider_of(text: &str) -> Option<String> {
    let end = text.rfind('"')?;
    let begin = text[..end].rfind('"')?;
    Some(text[begin + 1..end].to_owned())
}
