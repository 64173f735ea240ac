//! What a matrix has found, and how it gets from the process that ran it to the test.

use std::fmt::{self, Write as _};

use super::drive::Ran;
use super::scenario::Scenario;
use crate::check::Violation;

/// The beginning of each line of the protocol.
pub(super) const MARK: &str = "mainstay-matrix: ";

/// What a lifecycle matrix has found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MatrixReport {
    /// How many scenarios were run.
    pub scenarios: usize,
    /// The invariants that did not hold, each once, with the smallest scenario.
    pub violations: Vec<MatrixViolation>,
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MatrixViolation {
    /// The invariant's name, such as `shutdown-missing`.
    pub invariant: String,
    /// Whose fault it seems to be, if that is known.
    pub provider: Option<String>,
    /// In which phase, if that is known: `boot`.
    pub phase: Option<String>,
    /// The smallest scenario that shows it, such as `boot/db/panic`.
    pub scenario: String,
    /// What was expected, what was seen, the trace, and how to run it alone.
    pub text: String,
}

impl MatrixViolation {
    pub(super) fn of(violation: &Violation, scenario: &Scenario, ran: &Ran, name: &str) -> Self {
        let mut text = violation.to_string();
        let _ = write!(text, "\n  scenario  {}", scenario.id);
        text.push_str("\n  trace");
        for step in &ran.seen.steps {
            let _ = write!(text, "\n    {:>12.3} ms  {}", step.at.as_secs_f64() * 1000.0, step.what);
        }
        let _ = write!(text, "\n  alone     MAINSTAY_MATRIX='{}' cargo test {name}", scenario.id);
        Self {
            invariant: violation.invariant.to_owned(),
            provider: violation.provider.clone(),
            phase: violation.phase.map(|phase| phase.to_string()),
            scenario: scenario.id.clone(),
            text,
        }
    }

    /// Of a process that did not come to its end.
    pub(super) fn of_the_process(invariant: &str, scenario: &str, seen: &str) -> Self {
        let text = format!("violated: {invariant}\n  scenario  {scenario}\n  seen      {seen}");
        let (invariant, scenario) = (invariant.to_owned(), scenario.to_owned());
        Self { invariant, provider: None, phase: None, scenario, text }
    }
}

impl fmt::Display for MatrixReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, scenarios) = (self.violations.len(), self.scenarios);
        write!(f, "lifecycle matrix: {count} violation(s) in {scenarios} scenarios")?;
        for violation in &self.violations {
            write!(f, "\n\n{}", violation.text)?;
        }
        Ok(())
    }
}

impl MatrixReport {
    /// As lines that [`parse`](Self::parse) reads.
    pub(super) fn lines(&self) -> String {
        let mut lines = format!("{MARK}scenarios {}\n", self.scenarios);
        for violation in &self.violations {
            let MatrixViolation { invariant, provider, phase, scenario, text } = violation;
            let or = |name: &Option<String>| name.clone().unwrap_or_default();
            let (provider, phase) = (or(provider), or(phase));
            let _ = writeln!(lines, "{MARK}violation {invariant}\t{provider}\t{phase}\t{scenario}");
            for line in text.lines() {
                let _ = writeln!(lines, "{MARK}text {line}");
            }
        }
        lines + MARK + "end\n"
    }

    /// Takes in one line. `Some` when it was the last one.
    pub(super) fn parse(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "scenarios" => self.scenarios += rest.parse::<usize>().unwrap_or_default(),
            "violation" => {
                let mut fields = rest.split('\t').map(|field| (!field.is_empty()).then(|| field.to_owned()));
                let mut next = || fields.next().flatten();
                self.violations.push(MatrixViolation {
                    invariant: next().unwrap_or_default(),
                    provider: next(),
                    phase: next(),
                    scenario: next().unwrap_or_default(),
                    text: String::new(),
                });
            }
            "text" => {
                let text = &mut self.violations.last_mut()?.text;
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(rest);
            }
            "end" => return Some(()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_survives_the_way_through_a_pipe() {
        let violation = MatrixViolation {
            invariant: "fd-left".to_owned(),
            provider: None,
            phase: Some("boot".to_owned()),
            scenario: "golden+only=a,b".to_owned(),
            text: "one\n  two".to_owned(),
        };
        let named = MatrixViolation { provider: Some("db".to_owned()), ..violation.clone() };
        let report = MatrixReport { scenarios: 7, violations: vec![violation, named] };
        let mut read = MatrixReport::default();
        let lines = report.lines();
        let ends = lines.lines().filter_map(|line| read.parse(line.strip_prefix(MARK)?)).count();
        assert_eq!((ends, read.scenarios, &read.violations), (1, 7, &report.violations));
    }
}
