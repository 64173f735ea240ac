//! The one door of the repository: `cargo xtask <verb>` is what a person, a hook and the CI script call.
#![allow(clippy::print_stdout, reason = "a command line tool talks on its standard output")]
#![allow(
    clippy::disallowed_methods,
    reason = "xtask is a driver: it reads files, asks the clock and ends a process"
)]

mod ci;
mod errors;
mod other_targets;
mod root;
mod steps;
mod stream;
mod summary;
mod test_run;
mod tidy;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <verb>

  test [ARGS]     every test of the workspace, doc tests included; ARGS go to `cargo test`
                  (`-p mainstay-sync` for one crate)
  ci [--quick]    what CI runs: format, lints, docs, other targets, tidy, then the tests;
                  --quick leaves out benches/, fuzz/ and the other targets
  tidy            the rules of the repository, as checks
  errors          writes docs/errors from the error codes in the code; --check only compares
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (verb, rest) = args.split_first().map_or(("help", &[][..]), |(verb, rest)| (verb.as_str(), rest));
    let good = match (verb, rest) {
        ("test", extra) => test_run::verb(extra),
        ("ci", []) => ci::verb(ci::Extent::Whole),
        ("ci", [flag]) if flag == "--quick" => ci::verb(ci::Extent::Quick),
        ("tidy", []) => tidy::verb(),
        ("errors", []) => errors::verb(errors::Mode::Write),
        ("errors", [flag]) if flag == "--check" => errors::verb(errors::Mode::Check),
        ("help" | "--help" | "-h", _) => {
            print!("{HELP}");
            true
        }
        _ => {
            print!("unknown: {}\n\n{HELP}", args.join(" "));
            false
        }
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
