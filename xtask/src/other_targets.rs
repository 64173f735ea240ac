//! A look at the platforms this machine is not, as far as their standard library is installed.

use std::fs;
use std::path::Path;

use crate::root::{cargo, output_of};
use crate::steps::Verdict;

/// One process works everywhere: these crates must compile for every target.
const PORTABLE: [&str; 5] =
    ["mainstay-registry", "mainstay-sync", "mainstay-runtime", "mainstay", "mainstay-hyper"];

/// Checks the portable crates for the first installed target whose name has `part` in it.
pub(crate) fn check(part: &str) -> Verdict {
    let Some(target) = installed().into_iter().find(|target| target.contains(part)) else {
        return Verdict::Skipped(format!("no target *{part}* is installed (rustup target add ..)"));
    };
    let mut args = vec!["check", "--target", &target];
    args.extend(PORTABLE.iter().flat_map(|package| ["-p", package]));
    Verdict::of(&mut cargo(&args))
}

/// The targets that have a standard library in the sysroot, whoever installed it.
fn installed() -> Vec<String> {
    let sysroot = output_of("rustc", &["--print", "sysroot"]).unwrap_or_default();
    let folder = Path::new(sysroot.trim()).join("lib").join("rustlib");
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut targets: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("lib").is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    targets.sort();
    targets
}
