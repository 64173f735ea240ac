//! What the checks and tests need beyond cargo: looked for, installed where that is possible, else said.

use std::process::{Command, Stdio};

use crate::root::output_of;
use crate::steps::Verdict;

/// A program that tests start, the Debian package that has it, and what is skipped without it.
struct Program {
    name: &'static str,
    package: &'static str,
    used_by: &'static str,
}

const PROGRAMS: &[Program] =
    &[Program { name: "git", package: "git", used_by: "tidy, which looks at the tracked files" }];

/// Says which toolchain this is, and brings rustfmt and clippy if rustup can.
pub(crate) fn for_checks() -> Verdict {
    for program in ["rustc", "cargo"] {
        println!("    {}", output_of(program, &["--version"]).unwrap_or_default().trim_end());
    }
    for (verb, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if output_of("cargo", &[verb, "--version"]).is_none()
            && !run("rustup", &["component", "add", component])
        {
            return Verdict::Failed(format!("{component} is missing and rustup could not add it"));
        }
    }
    Verdict::Passed
}

/// Looks for each program, and installs what is missing.
pub(crate) fn for_tests() -> Verdict {
    let missing: Vec<&Program> = PROGRAMS.iter().filter(|p| !present(p.name)).collect();
    if missing.is_empty() {
        return Verdict::Passed;
    }
    let packages: Vec<&str> = missing.iter().map(|p| p.package).collect();
    println!("    installing {}", packages.join(" "));
    let _ = run("apt-get", &["update", "-qq"])
        && run("apt-get", &[&["install", "-y", "-qq", "--no-install-recommends"], &packages[..]].concat());

    let left: Vec<String> =
        missing.iter().filter(|p| !present(p.name)).map(|p| format!("{} ({})", p.name, p.used_by)).collect();
    if left.is_empty() {
        Verdict::Passed
    } else {
        Verdict::Skipped(format!("not to be had: {}", left.join(", ")))
    }
}

fn present(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn run(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
