//! The page that the tour writes: lines that were checked, counts, and the promises at the end.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use crate::drive::Tally;
use crate::first_words::short;

/// What the project promises; a check is evidence for some of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    Stops,
    Deadlines,
    Names,
    Reloads,
    Printed,
}

const PROMISES: [(Promise, &str); 5] = [
    (Promise::Stops, "every start has a matching stop"),
    (Promise::Deadlines, "every phase has a deadline"),
    (Promise::Names, "every failure has a name"),
    (Promise::Reloads, "every reload is all-or-nothing"),
    (Promise::Printed, "what it will do can be printed before it does it, what it did afterwards"),
];

/// How wide the text of a line is before its counts.
const WIDTH: usize = 78;

/// A check failed, and has been printed.
#[derive(Debug)]
pub(crate) struct Broken;

/// The page so far.
pub(crate) struct Page {
    out: Box<dyn Write + Send>,
    colour: bool,
    since: Instant,
    scenes: usize,
    checks: usize,
    evidence: Vec<(Promise, bool)>,
    total: Tally,
}

impl Page {
    /// A page on standard output, with colours where that is a terminal.
    pub(crate) fn printed() -> Self {
        let out = std::io::stdout();
        let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self::new(Box::new(out), colour)
    }

    /// An empty page with its headline.
    fn new(out: Box<dyn Write + Send>, colour: bool) -> Self {
        let (since, evidence, total) = (Instant::now(), Vec::new(), Tally::default());
        let mut page = Self { out, colour, since, scenes: 0, checks: 0, evidence, total };
        let version = env!("CARGO_PKG_VERSION");
        page.say(&format!("edge tour · {version} · every line is checked, the exit code is the verdict"));
        page
    }

    /// Begins a part.
    pub(crate) fn scene(&mut self, title: &str) {
        self.scenes += 1;
        self.say(&format!("\n{} {title}", self.scenes));
    }

    /// A line that shows what a child said; it is no check.
    pub(crate) fn quote(&mut self, line: &str) {
        self.say(&format!("        {}{}", self.paint("2", "| "), line.trim_end()));
    }

    /// A line that was checked: what was seen, or what is wrong.
    pub(crate) fn check(&mut self, promises: &[Promise], seen: Result<String, String>) -> Result<(), Broken> {
        self.line(promises, seen, None)
    }

    /// A line with the requests that belong to it; a failed one makes it wrong.
    pub(crate) fn counted(
        &mut self,
        promises: &[Promise],
        tally: &Tally,
        seen: Result<String, String>,
    ) -> Result<(), Broken> {
        self.total.sent += tally.sent;
        self.total.failed += tally.failed;
        let seen = match (seen, tally.failed) {
            (Ok(seen), 0) => Ok(seen),
            (Ok(seen), _) => Err(format!("{seen}\n{}", tally.failures.join("\n"))),
            (Err(wrong), _) => Err(wrong),
        };
        self.line(promises, seen, Some(tally))
    }

    fn line(
        &mut self,
        promises: &[Promise],
        seen: Result<String, String>,
        tally: Option<&Tally>,
    ) -> Result<(), Broken> {
        self.checks += 1;
        self.evidence.extend(promises.iter().map(|promise| (*promise, seen.is_ok())));
        let (mark, text) = match &seen {
            Ok(text) => (self.paint("32", "  ok  "), text.as_str()),
            Err(text) => (self.paint("31", " FAIL "), text.as_str()),
        };
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let counts = tally.map_or_else(String::new, |tally| {
            let gap = " ".repeat(WIDTH.saturating_sub(first.chars().count()));
            format!("{gap}{:>7} requests {:>2} failures", grouped(tally.sent), tally.failed)
        });
        self.say(&format!("{mark}{first}{counts}"));
        for line in lines {
            self.say(&format!("      {line}"));
        }
        seen.map(|_| ()).map_err(|_| Broken)
    }

    /// The promises and the verdict; true if everything was shown and nothing was wrong.
    pub(crate) fn verdict(&mut self, played: &Result<(), Broken>) -> bool {
        self.say("\nthe promises");
        let mut kept = 0;
        for (number, (promise, words)) in PROMISES.iter().enumerate() {
            let evidence: Vec<bool> =
                self.evidence.iter().filter(|(of, _)| of == promise).map(|(_, good)| *good).collect();
            let is_kept = !evidence.is_empty() && evidence.iter().all(|good| *good);
            let mark = match (is_kept, evidence.is_empty()) {
                (true, _) => self.paint("32", " kept "),
                (false, true) => self.paint("31", "unseen"),
                (false, false) => self.paint("31", "BROKEN"),
            };
            kept += usize::from(is_kept && played.is_ok());
            self.say(&format!("{mark} {}. {words} ({} checks)", number + 1, evidence.len()));
        }
        let good = played.is_ok() && kept == PROMISES.len() && self.total.failed == 0;
        self.say(&format!(
            "\n{} · {kept} of {} promises · {} checks · {} requests · {} failures · {}",
            if good { "kept" } else { "NOT KEPT" },
            PROMISES.len(),
            self.checks,
            grouped(self.total.sent),
            self.total.failed,
            short(self.since.elapsed()),
        ));
        good
    }

    fn say(&mut self, text: &str) {
        // A reader that has gone away is no failure of what is shown.
        let _ = writeln!(self.out, "{text}");
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A number with a comma every three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!([7, 1_234, 123_456, 1_234_567].map(grouped), ["7", "1,234", "123,456", "1,234,567"]);
    }

    /// A page whose text can be read.
    fn page() -> (Page, Arc<Mutex<Vec<u8>>>) {
        struct Shared(Arc<Mutex<Vec<u8>>>);
        impl Write for Shared {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let text = Arc::new(Mutex::new(Vec::new()));
        (Page::new(Box::new(Shared(Arc::clone(&text))), false), text)
    }

    #[test]
    fn a_promise_without_evidence_is_not_kept() {
        let (mut page, _) = page();
        page.check(&[Promise::Stops], Ok("seen".to_owned())).unwrap();
        assert!(!page.verdict(&Ok(())));
    }

    #[test]
    fn a_line_has_its_counts_and_a_failed_request_makes_it_wrong() {
        let (mut page, text) = page();
        page.scene("load");
        let mut tally = Tally { sent: 12_345, ..Tally::default() };
        page.counted(&[Promise::Reloads], &tally, Ok("served".to_owned())).unwrap();
        (tally.failed, tally.failures) = (1, vec!["/: lost".to_owned()]);
        page.counted(&[Promise::Reloads], &tally, Ok("served".to_owned())).unwrap_err();
        let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
        let gap = " ".repeat(WIDTH - "served".len());
        let lines = [
            "",
            "1 load",
            &format!("  ok  served{gap} 12,345 requests  0 failures"),
            &format!(" FAIL served{gap} 12,345 requests  1 failures"),
            "      /: lost",
        ];
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), lines);
    }
}
