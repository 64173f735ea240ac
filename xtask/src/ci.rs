//! What CI runs, in order: each check of the house, and at last the same tests that everybody runs.

use crate::errors;
use crate::other_targets;
use crate::root::{cargo, root};
use crate::steps::{Board, Verdict};
use crate::test_run;
use crate::tidy;
use crate::tools;

/// How much of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    /// Without what needs other targets or other lock files.
    Quick,
}

/// `cargo xtask ci`.
pub(crate) fn verb(extent: Extent) -> bool {
    let mut board = Board::default();
    board.step("toolchain", tools::for_checks);
    board.step("lock file", || {
        Verdict::of(cargo(&["metadata", "--locked", "--format-version", "1"]).stdout(quiet()))
    });
    board.step("format", || Verdict::of(&mut cargo(&["fmt", "--all", "--", "--check"])));
    board.step("tidy", tidy::step);
    board.step("lints", lints);
    board.step("no features", || {
        Verdict::of(&mut cargo(&["check", "-p", "mainstay", "--no-default-features"]))
    });
    board.step("docs", docs);
    board.step("error pages", || errors::step(errors::Mode::Check));
    if extent == Extent::Whole {
        board.step("macos", || other_targets::check("-apple-darwin"));
        board.step("windows", || other_targets::check("-pc-windows-"));
        board.step("benches", || own_workspace("benches"));
        board.step("fuzz", || own_workspace("fuzz"));
    } else {
        println!("\nleft out by --quick: macos, windows, benches, fuzz");
    }
    let totals = test_run::steps(&mut board, &[]);
    test_run::close(&board, &totals)
}

/// Clippy over every target. `clippy::incompatible_msrv` is one of the workspace's lints: it is the guard of the
/// `rust-version` of each crate where no older toolchain is at hand.
fn lints() -> Verdict {
    println!("    with clippy::incompatible_msrv against the rust-version of each crate");
    let args = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    Verdict::of(&mut cargo(&args))
}

/// The documentation; a link that leads nowhere is an error.
fn docs() -> Verdict {
    // An example takes the features of the dev-dependencies along, and so nothing is checked twice for other features.
    let args =
        ["doc", "--workspace", "--all-features", "--no-deps", "--lib", "--bins", "--example", "error-pages"];
    Verdict::of(cargo(&args).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Checks a folder that has a lock file of its own.
fn own_workspace(folder: &str) -> Verdict {
    let manifest = root().join(folder).join("Cargo.toml");
    if !manifest.exists() {
        return Verdict::Skipped(format!("there is no {folder}/"));
    }
    let manifest = format!("{folder}/Cargo.toml");
    Verdict::of(&mut cargo(&["fmt", "--manifest-path", &manifest, "--", "--check"])).and(|| {
        // In the same folder as everything else: what is the same there is not compiled again. Nothing is linked here,
        // so libFuzzer, which is C++ and takes half a minute, need not be there.
        let args =
            ["check", "--locked", "--all-targets", "--manifest-path", &manifest, "--target-dir", "target"];
        Verdict::of(cargo(&args).env("CUSTOM_LIBFUZZER_PATH", "not-linked/libfuzzer.a"))
    })
}

fn quiet() -> std::process::Stdio {
    std::process::Stdio::null()
}
