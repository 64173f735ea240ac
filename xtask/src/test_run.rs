//! Every test of the workspace in one command, with its output passed on as it comes and its counts added up.

use std::fs;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::root::{cargo, root};
use crate::steps::{Board, Verdict, shown};
use crate::stream::stream;
use crate::summary::Totals;
use crate::tools;

/// Many tests wait for a real process rather than for a processor.
const THREADS: &str = "8";
/// The crates whose lock-free parts have models that loom takes through every interleaving.
const MODELLED: [&str; 1] = ["mainstay-sync"];
/// A test that hangs must not hold a script for ever. A person has Ctrl-C and gets no deadline.
const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// `cargo xtask test`: what the tests need, the tests, and one line with the counts.
pub(crate) fn verb(extra: &[String]) -> bool {
    let mut board = Board::default();
    let totals = steps(&mut board, extra);
    close(&board, &totals)
}

/// The steps that this verb and `ci` have in common.
pub(crate) fn steps(board: &mut Board, extra: &[String]) -> Totals {
    let mut totals = Totals::default();
    board.step("tools", tools::for_tests);
    board.step("tests", || verdict(totals.add(run(extra))));
    if extra.is_empty() {
        board.step("models", || verdict(totals.add(models())));
    }
    totals
}

/// Prints the table of times, and as the last line the counts.
pub(crate) fn close(board: &Board, totals: &Totals) -> bool {
    let failed = board.failed();
    println!("\n{}", board.table());
    if !failed.is_empty() {
        println!("failed: {}\n", failed.join(", "));
    }
    println!("{totals}");
    failed.is_empty()
}

fn verdict(totals: Totals) -> Verdict {
    if totals.good() { Verdict::Passed } else { Verdict::Failed(totals.to_string()) }
}

/// Every test and doc test.
fn run(extra: &[String]) -> Totals {
    let skips = Skips::begin();
    let mut command = cargo(&["test", "--all-features", "--no-fail-fast"]);
    if !extra.iter().any(|arg| arg == "-p" || arg.starts_with("--package")) {
        command.arg("--workspace");
    }
    command.args(extra).env(Skips::VARIABLE, &skips.path);
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", THREADS);
    }
    let (mut totals, good) = counted(command);
    totals.skipped_by_themselves(skips.end());
    totals.end(good)
}

/// The models, with a cfg of our own (loom's own one takes parts of tokio away) and so in a folder of their own.
///
/// They run in two processes of one thread each, the gate's and the others, which take about as long: every
/// interleaving maps and unmaps the stacks of its threads, and in one process they wait for each other in the kernel.
fn models() -> Totals {
    let command = |last: &[&str]| {
        let mut command = cargo(&["test", "--lib", "--profile", "models", "--target-dir", "target/loom"]);
        command.args(MODELLED.iter().flat_map(|package| ["-p", package])).args(last);
        command.env("RUSTFLAGS", "--cfg mainstay_loom").env("RUST_TEST_THREADS", "1");
        command
    };
    let mut totals = Totals::default();
    if Verdict::of(&mut command(&["--no-run"])) != Verdict::Passed {
        return totals.end(false);
    }
    let halves = [&["--", "loom_tests::gate"][..], &["--", "loom_tests", "--skip", "loom_tests::gate"]];
    std::thread::scope(|scope| {
        let running = halves.map(|half| scope.spawn(move || counted(command(half))));
        for half in running {
            let (half, good) = half.join().unwrap_or_default();
            totals.add(half.end(good));
        }
    });
    totals
}

/// Runs it and counts, with a deadline unless somebody sits before it.
fn counted(mut command: Command) -> (Totals, bool) {
    println!("    {}", shown(&command));
    let mut totals = Totals::default();
    let deadline = (!std::io::stdin().is_terminal()).then_some(DEADLINE);
    let good = stream(&mut command, deadline, |line| totals.read(line));
    (totals, good)
}

/// The file into which a test that cannot run here writes its name and the reason, one line each.
struct Skips {
    path: PathBuf,
}

impl Skips {
    const VARIABLE: &str = "MAINSTAY_TEST_SKIPS";

    fn begin() -> Self {
        let folder = root().join("target");
        let path = folder.join("skipped-tests.txt");
        let _ = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, ""));
        Self { path }
    }

    fn end(self) -> u64 {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        for line in text.lines() {
            println!("skipped: {line}");
        }
        text.lines().map(|_| 1).sum()
    }
}
