//! The rules of the repository that a compiler does not know, as checks: each looks at the files and returns what
//! it found.

mod discipline;
mod links;
mod manifests;
mod promises;
mod shown;
mod sources;
mod tree;
mod words;

use crate::steps::Verdict;
use tree::Tree;

/// A rule: its name, and the function that finds the breaches.
type Rule = (&'static str, fn(&Tree) -> Vec<String>);

const RULES: &[Rule] = &[
    ("every source file begins with its sentence", sources::first_sentence),
    ("a source file has at most 500 lines", sources::length),
    ("names are nouns of their own", sources::names),
    ("no glob re-exports", sources::glob_reexports),
    ("tests neither sleep, nor are ignored, nor are stubs", discipline::in_tests),
    ("no path of a machine", words::machine_paths),
    ("no emoji", words::emoji),
    ("the core depends on the core", manifests::dependencies),
    ("crates share the lints and the release", manifests::inheritance),
    ("a program on a page is the one that runs", shown::programs),
    ("each page of the guide is compiled", shown::pages),
    ("the README's program fits on a screen", shown::first_screen),
    ("links lead to files", links::relative),
    ("each promise names its test", promises::behaviours),
    ("each named test exists", promises::tests),
];

/// `cargo xtask tidy`, the pages of the errors included.
pub(crate) fn verb() -> bool {
    let rules = step();
    let pages = crate::errors::step(crate::errors::Mode::Check);
    for verdict in [&rules, &pages] {
        if let Verdict::Failed(why) = verdict {
            println!("FAILED: {why}");
        }
    }
    rules == Verdict::Passed && pages == Verdict::Passed
}

/// The same as a step of a longer run, without the pages, which need the crates to compile.
pub(crate) fn step() -> Verdict {
    let Some(tree) = Tree::tracked() else {
        return Verdict::Skipped("git cannot list the files".to_owned());
    };
    let mut found = 0;
    for (name, rule) in RULES {
        let breaches = rule(&tree);
        println!("    {} {name}", if breaches.is_empty() { "ok  " } else { "FAIL" });
        for breach in &breaches {
            println!("           {breach}");
        }
        found += breaches.len();
    }
    if found == 0 { Verdict::Passed } else { Verdict::Failed(format!("{found} found")) }
}
