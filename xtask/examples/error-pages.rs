//! Writes one page per error code and an index, or says which of them are not what the code says.
#![allow(clippy::print_stdout, reason = "a command line tool talks on its standard output")]
#![allow(clippy::disallowed_methods, reason = "its work is to write files")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use mainstay::Code;

const NOTE: &str =
    "<!-- Made by `cargo xtask errors` from the documentation of the code. Edit it there. -->\n\n";
const INTRODUCTION: &str = "# Errors\n\nEach error that a daemon prints has a code. Its page says what happened, \
    what mainstay did, and what to do.\n";
const AREAS: [(&str, &str); 7] = [
    ("MS01", "The plan and the registry"),
    ("MS02", "The runtime"),
    ("MS03", "The configuration"),
    ("MS04", "Snapshots"),
    ("MS05", "The command line and the daemon"),
    ("MS06", "The rules of the phases"),
    ("MS07", "Serving HTTP"),
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next() else {
        println!("error-pages FOLDER [--check]");
        return ExitCode::FAILURE;
    };
    let folder = Path::new(&folder);
    // Crates beside the facade have codes of their own.
    let codes = [mainstay::codes::all(), mainstay_hyper::codes::ALL.to_vec()].concat();
    let faults = faults(&codes);
    for fault in &faults {
        println!("    {fault}");
    }
    let stale = differing(folder, &pages(&codes));
    let done = if args.next().as_deref() == Some("--check") {
        for (name, _) in &stale {
            println!("    {name} is not what the code says");
        }
        stale.is_empty()
    } else {
        stale.iter().all(|(name, text)| put(&folder.join(name), text.as_deref()))
    };
    println!("    {} codes", codes.len());
    if done && faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is wrong with the codes themselves.
fn faults(codes: &[Code]) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, code) in codes.iter().enumerate() {
        let (id, title) = (code.id, code.title());
        if codes[..at].iter().any(|other| other.id == id) {
            faults.push(format!("{id} is there twice"));
        }
        if area(code).is_none() {
            faults.push(format!("{id} belongs to no area"));
        }
        if title.is_empty() || title.ends_with('.') {
            faults.push(format!("{id}: a title has words and no full stop: {title}"));
        }
        if code.page.trim().lines().count() < 2 {
            faults.push(format!("{id} has a title and no page"));
        }
    }
    faults
}

fn area(code: &Code) -> Option<(&'static str, &'static str)> {
    AREAS.into_iter().find(|(area, _)| code.id.starts_with(area))
}

/// A title as it stands at the head of a page: with a capital.
fn heading(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The files as they should be.
fn pages(codes: &[Code]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut index = format!("{NOTE}{INTRODUCTION}");
    let mut current = "";
    for code in codes {
        let (area, title) = area(code).unwrap_or_default();
        if area != current {
            current = area;
            let _ = write!(index, "\n## {title}\n\n| code | error |\n| --- | --- |\n");
        }
        let _ = writeln!(index, "| [{0}]({0}.md) | {1} |", code.id, heading(code.title()));
        let page = code.markdown().replacen(code.title(), &heading(code.title()), 1);
        files.insert(format!("{}.md", code.id), format!("{NOTE}{page}"));
    }
    files.insert("README.md".to_owned(), index);
    files
}

/// The files that have another text, and, without a text, those that should not be there.
fn differing(folder: &Path, wanted: &BTreeMap<String, String>) -> Vec<(String, Option<String>)> {
    let there = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let changed = wanted.iter().filter(|(name, text)| there(name).as_ref() != Some(text));
    let mut stale: Vec<_> = changed.map(|(name, text)| (name.clone(), Some(text.clone()))).collect();
    let names = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    stale.extend(names.filter(|name| !wanted.contains_key(name)).map(|name| (name, None)));
    stale
}

fn put(path: &Path, text: Option<&str>) -> bool {
    let done = match text {
        Some(text) => path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text)),
        None => fs::remove_file(path),
    };
    println!("    {} {}", if text.is_some() { "wrote" } else { "removed" }, path.display());
    done.is_ok()
}
