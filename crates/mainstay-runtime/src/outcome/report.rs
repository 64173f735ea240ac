//! The report: the outcome as a person reads it at three in the morning.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::mpsc;
use std::time::Duration;

use super::{Cut, CutBy, Outcome, StopCause};
use crate::clock::human;

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.0.refused {
            return f.write_str(text.trim_end());
        }
        let mut first = true;
        for failure in &self.0.failures {
            if !first {
                writeln!(f)?;
            }
            first = false;
            write!(f, "{failure}")?;
        }
        for cut in &self.0.forced {
            line(f, &mut first)?;
            let who = cut
                .task
                .as_ref()
                .map_or_else(|| cut.provider.to_owned(), |t| format!("{}/{t}", cut.provider));
            let why = match (cut.what, cut.by) {
                (_, CutBy::Budget) => "the budget was used up",
                (_, CutBy::Signal) => "the second signal",
                (Cut::Boot, CutBy::Deadline) => "it did not end when it was cancelled",
                (_, CutBy::Deadline) => "its own deadline",
            };
            write!(f, "  forced      {} of '{who}' after {} ({why})", cut.what, human(cut.after))?;
            if let Some(seen) = &cut.seen {
                write!(f, ": {seen}")?;
            }
        }
        for (provider, because) in &self.0.never_booted {
            line(f, &mut first)?;
            write!(f, "  not booted  '{provider}'")?;
            if let Some(because) = because {
                write!(f, " because '{because}' failed")?;
            }
        }
        if self.0.rolled_back && !self.0.stopped.is_empty() {
            line(f, &mut first)?;
            write!(f, "  rolled back {} in {}", self.0.stopped.join(", "), human(self.0.stop_took))?;
        }
        for provider in &self.0.held {
            line(f, &mut first)?;
            write!(f, "  held        '{provider}' is still held by something outside of the runtime")?;
        }
        for note in &self.0.notes {
            line(f, &mut first)?;
            write!(f, "  note        {note}")?;
        }
        line(f, &mut first)?;
        self.last_line(f)
    }
}

impl Outcome {
    /// `stopped by SIGTERM · hooks 3/3 · 11 ms of 25 s · exit 0`
    fn last_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.cause == StopCause::Refused {
            return write!(f, "nothing was started · exit {}", self.0.code);
        }
        match (&self.0.cause, self.0.rolled_back) {
            (StopCause::Failed, true) => f.write_str("rolled back")?,
            (cause, true) => write!(f, "rolled back by {cause}")?,
            (cause, false) => write!(f, "stopped by {cause}")?,
        }
        if let Some(signal) = self.0.forced_by {
            write!(f, " · forced by {signal}")?;
        }
        write!(
            f,
            " · hooks {}/{} · {} of {} · exit {}",
            self.0.hooks_done,
            self.0.hooks_due,
            human(self.0.stop_took),
            human(self.0.stop_budget),
            self.0.code
        )
    }
}

/// How many events are printed.
const SHOWN: usize = 32;

impl Outcome {
    /// What is printed: the report, and below it the last events when the run did not end well.
    pub(crate) fn printed(&self) -> String {
        let mut text = self.to_string();
        let events = &self.0.events;
        let Some(end) = events.last().filter(|_| self.0.code != 0).map(|last| last.at) else { return text };
        text.push_str("\n  last events, by the time before the end");
        for event in &events[events.len().saturating_sub(SHOWN)..] {
            let before = human(end.saturating_duration_since(event.at));
            let _ = write!(text, "\n  {before:>10}  {}", event.kind);
        }
        text
    }
}

fn line(f: &mut fmt::Formatter<'_>, first: &mut bool) -> fmt::Result {
    if std::mem::take(first) { Ok(()) } else { writeln!(f) }
}

/// Writes to standard error from a thread of its own and waits for it, but not longer than `patience`: a pipe that
/// nobody reads must not hold the exit.
pub(crate) fn print_bounded(text: String, patience: Duration) {
    let (done, wait) = mpsc::sync_channel::<()>(1);
    let written = std::thread::Builder::new().name("mainstay-report".to_owned()).spawn(move || {
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.write_all(b"\n"));
        let _ = stderr.flush();
        let _ = done.send(());
    });
    if written.is_ok() {
        let _ = wait.recv_timeout(patience);
    }
}
