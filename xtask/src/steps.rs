//! A run is a list of steps, each with a name, a verdict and a time, and a table of them at the end.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

/// How one step ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed(String),
    /// The machine has not what the step needs; the text says what.
    Skipped(String),
}

struct Done {
    name: &'static str,
    verdict: Verdict,
    took: Duration,
}

/// The steps that were taken so far.
#[derive(Default)]
pub(crate) struct Board {
    done: Vec<Done>,
}

impl Board {
    /// Takes one step. A failed one does not keep the next ones from running: one run shows all that is wrong.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Verdict) {
        println!("\n==> {name}");
        let started = Instant::now();
        let verdict = work();
        let took = started.elapsed();
        println!("<== {name}: {} ({})", verdict.text(), seconds(took));
        self.done.push(Done { name, verdict, took });
    }

    /// The names of the steps that failed.
    pub(crate) fn failed(&self) -> Vec<&'static str> {
        self.done.iter().filter(|d| matches!(d.verdict, Verdict::Failed(_))).map(|d| d.name).collect()
    }

    /// One line per step, and the sum.
    pub(crate) fn table(&self) -> String {
        let width = self.done.iter().map(|d| d.name.len()).max().unwrap_or(0).max(5);
        let mut text = String::new();
        for Done { name, verdict, took } in &self.done {
            let _ = writeln!(text, "{name:<width$}  {:>8}  {}", seconds(*took), verdict.text());
        }
        let all = self.done.iter().map(|d| d.took).sum();
        let _ = writeln!(text, "{:<width$}  {:>8}", "total", seconds(all));
        text
    }
}

impl Verdict {
    fn text(&self) -> String {
        match self {
            Self::Passed => "ok".to_owned(),
            Self::Failed(why) => format!("FAILED: {why}"),
            Self::Skipped(why) => format!("skipped: {why}"),
        }
    }

    /// Runs a command with its output where the reader sees it.
    pub(crate) fn of(command: &mut Command) -> Self {
        println!("    {}", shown(command));
        match command.status() {
            Ok(status) if status.success() => Self::Passed,
            Ok(status) => Self::Failed(status.to_string()),
            Err(error) => Self::Failed(format!("could not be started: {error}")),
        }
    }

    /// This verdict, and if it is a good one, the next.
    pub(crate) fn and(self, next: impl FnOnce() -> Self) -> Self {
        if self == Self::Passed { next() } else { self }
    }
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut text = String::new();
    for (key, value) in command.get_envs() {
        let value = value.unwrap_or_default().to_string_lossy();
        let quote = if value.contains(' ') { "\"" } else { "" };
        let _ = write!(text, "{}={quote}{value}{quote} ", key.to_string_lossy());
    }
    let program = std::path::Path::new(command.get_program());
    text.push_str(&program.file_stem().unwrap_or_default().to_string_lossy());
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_does_not_keep_the_next_from_running() {
        let mut board = Board::default();
        board.step("first", || Verdict::Failed("no".to_owned()));
        board.step("second", || Verdict::Skipped("not here".to_owned()));
        board.step("third", || Verdict::Passed);
        assert_eq!(board.failed(), ["first"]);
        let table = board.table();
        assert!(table.contains("FAILED: no") && table.contains("skipped: not here"), "{table}");
        assert_eq!(table.lines().count(), 4);
    }

    #[test]
    fn a_command_is_shown_as_it_is_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(shown(&command), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps");
    }
}
