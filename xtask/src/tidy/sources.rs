//! Rules about the shape of a source file: its first sentence, its length, the names in it.

use super::tree::Tree;

const LONGEST: usize = 500;
/// Words that say nothing about a type, and that have a better one in the glossary.
const EMPTY_WORDS: [&str; 4] = ["Manager", "Helper", "Helpers", "Utils"];
const DRAWERS: [&str; 6] = ["util", "utils", "helper", "helpers", "misc", "common"];
const DEFINERS: [&str; 5] = ["struct ", "enum ", "trait ", "type ", "union "];

/// A file is one sentence, and its first line says it.
pub(super) fn first_sentence(tree: &Tree) -> Vec<String> {
    let wrong = |text: &str| {
        // A long front page is a Markdown file.
        if text.starts_with("#![doc = include_str!(") {
            return false;
        }
        let paragraph: Vec<&str> = text
            .lines()
            .map_while(|line| line.strip_prefix("//! "))
            .take_while(|line| !line.is_empty())
            .collect();
        !paragraph
            .last()
            .is_some_and(|line| line.trim_end_matches(['`', '*', ')']).ends_with(['.', ':', '?', '!']))
    };
    tree.ending(".rs").filter(|(_, text)| wrong(text)).map(|(path, _)| format!("{path}:1")).collect()
}

/// Past 500 lines a file is two files. Its tests are not counted.
pub(super) fn length(tree: &Tree) -> Vec<String> {
    tree.sources_of_crates()
        .map(|(path, text)| (path, without_tests(text).lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect()
}

/// The part of a source file before its test module.
fn without_tests(text: &str) -> &str {
    let at = text.find("#[cfg(test)]\nmod ").or_else(|| text.find("#[cfg(all(test"));
    at.map_or(text, |at| &text[..at])
}

/// Types without empty words, no drawers among the modules.
pub(super) fn names(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.ending(".rs") {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let name = DEFINERS.iter().find_map(|word| defined(line, word));
            if name.is_some_and(|name| {
                EMPTY_WORDS.iter().any(|word| name.ends_with(word) || name.starts_with(word))
            }) {
                found.push(format!("{path}:{}: type {}", number + 1, name.unwrap_or_default()));
            }
            if let Some(name) = defined(line, "mod ").filter(|name| DRAWERS.contains(name)) {
                found.push(format!("{path}:{}: module {name}", number + 1));
            }
        }
    }
    found
}

/// The name that a line defines with this keyword.
fn defined<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    let line = line.strip_prefix("pub").map_or(line, |rest| {
        rest.strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
            .map_or(rest, |(_, rest)| rest)
            .trim_start()
    });
    let name = line.strip_prefix(keyword)?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

/// What a module gives away it names.
pub(super) fn glob_reexports(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.sources_of_crates() {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            if line.starts_with("pub use ") && line.ends_with("::*;") {
                found.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_its_sentence_is_found() {
        let tree = Tree::of(&[
            ("a/src/one.rs", "//! One sentence\n//! on two lines.\n\nfn f() {}\n"),
            ("a/src/lib.rs", "#![doc = include_str!(\"../docs/root.md\")]\n"),
            ("a/src/two.rs", "// no doc comment.\n"),
            ("a/src/three.rs", "//! not a sentence\nfn f() {}\n"),
        ]);
        assert_eq!(first_sentence(&tree), ["a/src/three.rs:1", "a/src/two.rs:1"]);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_are_not_counted() {
        let long = "x\n".repeat(501);
        let tested = format!("x\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        let tree = Tree::of(&[
            ("a/src/long.rs", &long),
            ("a/src/tested.rs", &tested),
            ("a/tests/it/main.rs", &long),
        ]);
        assert_eq!(length(&tree), ["a/src/long.rs: 501 lines"]);
    }

    #[test]
    fn empty_words_and_drawers_are_found() {
        let text = "pub(crate) struct TaskManager;\nmod util;\npub mod tasks;\nstruct Managed;\nenum HelperKind {}\n";
        let tree = Tree::of(&[("a/src/lib.rs", text)]);
        assert_eq!(
            names(&tree),
            [
                "a/src/lib.rs:1: type TaskManager",
                "a/src/lib.rs:2: module util",
                "a/src/lib.rs:5: type HelperKind"
            ]
        );
    }

    #[test]
    fn a_glob_reexport_is_found() {
        let tree = Tree::of(&[("a/src/lib.rs", "pub use self::x::*;\nuse super::*;\n")]);
        assert_eq!(glob_reexports(&tree), ["a/src/lib.rs:1: pub use self::x::*;"]);
    }
}
