//! What `check` looked at and what it found, and how that is printed.

use std::fmt::Write as _;

use crate::page::Page;

/// What `check` looked at, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    items: Vec<CheckedItem>,
}

/// One thing that `check` looked at: the phase, what it was, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckedItem {
    /// It can serve.
    Good {
        /// The phase.
        phase: &'static str,
        /// What was looked at.
        what: String,
    },
    /// It was not asked, and why.
    Skipped {
        /// The phase.
        phase: &'static str,
        /// What was not looked at.
        what: String,
        /// The reason.
        why: &'static str,
    },
    /// A problem.
    Bad {
        /// The phase.
        phase: &'static str,
        /// What was looked at.
        what: String,
        /// The error; the first line of it is printed.
        error: String,
    },
}

impl Checked {
    /// Nothing was looked at yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was looked at next.
    pub fn push(&mut self, item: CheckedItem) {
        self.items.push(item);
    }

    /// How many problems were found.
    pub fn problems(&self) -> usize {
        self.items.iter().filter(|item| matches!(item, CheckedItem::Bad { .. })).count()
    }

    /// Prints it: a line for each, and a last one that sums up. The exit code is 78 when there is a
    /// problem.
    ///
    /// ```
    /// use mainstay_cli::{Checked, CheckedItem};
    ///
    /// let mut checked = Checked::new();
    /// checked.push(CheckedItem::Good { phase: "register", what: "2 of 2".into() });
    /// checked.push(CheckedItem::Bad { phase: "validate", what: "http".into(), error: "no port".into() });
    /// let page = checked.page();
    /// assert_eq!(page.exit_code, 78);
    /// assert_eq!(page.text, "\
    /// ok    register  2 of 2
    /// bad   validate  http: no port
    /// 1 problem, nothing was started
    /// ");
    /// ```
    pub fn page(&self) -> Page {
        let mut text = String::new();
        for item in &self.items {
            // Writing to a string cannot fail.
            let _ = match item {
                CheckedItem::Good { phase, what } => writeln!(text, "ok    {phase:<8}  {what}"),
                CheckedItem::Skipped { phase, what, why } => {
                    writeln!(text, "-     {phase:<8}  {what}: {why}")
                }
                CheckedItem::Bad { phase, what, error } => {
                    let error = error.lines().next().unwrap_or_default();
                    writeln!(text, "bad   {phase:<8}  {what}: {error}")
                }
            };
        }
        let problems = self.problems();
        let found = match problems {
            0 => "no problem found".to_owned(),
            1 => "1 problem".to_owned(),
            more => format!("{more} problems"),
        };
        let _ = writeln!(text, "{found}, nothing was started");
        Page::new(text, if problems == 0 { 0 } else { 78 })
    }
}
