//! `cargo xtask errors`: builds and runs the program that writes docs/errors from the crates' own codes.

use std::env::consts::EXE_SUFFIX;
use std::process::Command;

use crate::root::{cargo, root};
use crate::steps::Verdict;

/// Whether the pages are written or only compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    Check,
}

/// `cargo xtask errors [--check]`.
pub(crate) fn verb(mode: Mode) -> bool {
    match step(mode) {
        Verdict::Failed(why) => {
            println!("{why}");
            false
        }
        Verdict::Passed | Verdict::Skipped(_) => true,
    }
}

/// The same as a step of a longer run.
pub(crate) fn step(mode: Mode) -> Verdict {
    // With the features of the whole workspace, and an example for those of the dev-dependencies: nothing is built that
    // the tests do not use as well.
    let build = ["build", "--workspace", "--all-features", "--example", "error-pages"];
    Verdict::of(&mut cargo(&build)).and(|| {
        let Some(program) = std::env::current_exe()
            .ok()
            .and_then(|me| Some(me.parent()?.join("examples").join(format!("error-pages{EXE_SUFFIX}"))))
        else {
            return Verdict::Failed("the folder of the built programs is unknown".to_owned());
        };
        let mut pages = Command::new(program);
        pages.arg(root().join("docs").join("errors"));
        if mode == Mode::Check {
            pages.arg("--check");
        }
        match pages.status() {
            Ok(status) if status.success() => Verdict::Passed,
            Ok(_) => Verdict::Failed("see above; `cargo xtask errors` writes the pages".to_owned()),
            Err(error) => Verdict::Failed(format!("error-pages could not be started: {error}")),
        }
    })
}
