//! The runner's own summaries, read from its output line by line and added up.

use std::fmt;

/// What the test binaries said so far, in all.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
    begun: u64,
    ended: u64,
}

impl Totals {
    /// Reads one line of the runner's output.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("test result: ") {
            self.ended += 1;
            self.passed += number_before(rest, " passed");
            self.failed += number_before(rest, " failed");
            self.skipped += number_before(rest, " ignored");
        } else if line.starts_with("running ") && (line.ends_with(" tests") || line.ends_with(" test")) {
            self.begun += 1;
        }
    }

    /// Counts tests that passed only because they found that they could not run here.
    pub(crate) fn skipped_by_themselves(&mut self, count: u64) {
        self.passed = self.passed.saturating_sub(count);
        self.skipped += count;
    }

    /// Adds another run to this one, and gives it back.
    pub(crate) fn add(&mut self, other: Self) -> Self {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        other
    }

    /// Ends the count. A test binary that began and never gave its summary (it was killed, or it aborted) is a
    /// failure, and so is a runner that fails without naming one (nothing compiled).
    pub(crate) fn end(mut self, runner_succeeded: bool) -> Self {
        self.failed += self.begun.saturating_sub(self.ended);
        if !runner_succeeded && self.failed == 0 {
            self.failed = 1;
        }
        self
    }

    /// Whether nothing failed and something ran.
    pub(crate) fn good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

fn number_before(text: &str, word: &str) -> u64 {
    let Some(end) = text.find(word) else { return 0 };
    let start = text[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    text[start..end].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Totals {
        let mut totals = Totals::default();
        text.lines().for_each(|line| totals.read(line));
        totals
    }

    const GOOD: &str = "running 2 tests\ntest a ... ok\ntest b ... ignored\n\n\
        test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";

    #[test]
    fn summaries_are_added_up() {
        let totals = read(&GOOD.repeat(3)).end(true);
        assert_eq!(totals.to_string(), "3 passed, 0 failed, 3 skipped");
        assert!(totals.good());
    }

    #[test]
    fn a_binary_that_dies_without_a_summary_counts_as_failed() {
        let totals = read(&format!("{GOOD}running 1 test\n")).end(false);
        assert_eq!(totals.to_string(), "1 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn a_runner_that_fails_before_any_test_is_a_failure() {
        assert_eq!(read("").end(false).to_string(), "0 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn a_test_that_skips_itself_is_not_counted_as_passed() {
        let mut totals = read(GOOD);
        totals.skipped_by_themselves(1);
        assert_eq!(totals.end(true).to_string(), "0 passed, 0 failed, 2 skipped");
    }
}
