//! A promise in the documents names the test that proves it, and that test exists.

use std::ops::RangeInclusive;

use super::tree::Tree;

const BEHAVIOURS: &str = "docs/behaviours.md";
const CONTRACT: &str = "docs/contract.md";

/// A list of promises: its numbers in the document bear the prefix, and are these.
struct List {
    of: &'static str,
    prefix: &'static str,
    numbers: &'static [RangeInclusive<usize>],
}

/// Of the lifecycle: all but configuration, tools and test kit. Of supervision: all but groups and worker processes.
const LISTS: [List; 2] = [
    List { of: "the lifecycle", prefix: "", numbers: &[1..=76] },
    List { of: "supervision", prefix: "S", numbers: &[1..=36, 44..=101] },
];

/// Each numbered promise is there once, and is proved by a test or says why it does not apply.
pub(super) fn behaviours(tree: &Tree) -> Vec<String> {
    let Some(text) = tree.text(BEHAVIOURS) else {
        return vec![format!("{BEHAVIOURS} is not there")];
    };
    LISTS.iter().flat_map(|list| of_list(list, text)).collect()
}

fn of_list(List { of, prefix, numbers }: &List, text: &str) -> Vec<String> {
    let (mut found, mut seen) = (Vec::new(), Vec::new());
    let (mut proved, mut foreign) = (0, 0);
    for (number, proof) in rows(text, prefix) {
        seen.push(number);
        if proof.starts_with("does not apply: ") {
            foreign += 1;
        } else if references(proof).next().is_none() {
            found.push(format!("{BEHAVIOURS}: {prefix}{number} names no test"));
        } else {
            proved += 1;
        }
    }
    println!("         promises of {of}: {proved} proved, {foreign} that do not apply");
    let mut required = numbers.iter().cloned().flatten();
    let mut seen = seen.into_iter();
    loop {
        match (required.next(), seen.next()) {
            (None, None) => return found,
            (wanted, there) if wanted == there => {}
            (wanted, there) => {
                let name = |number: Option<usize>| {
                    number.map_or_else(|| "the end".to_owned(), |number| format!("{prefix}{number}"))
                };
                let (wanted, there) = (name(wanted), name(there));
                found.push(format!("{BEHAVIOURS}: of {of}, {there} is where {wanted} should be"));
                return found;
            }
        }
    }
}

/// Each test that one of the two documents names is a function of the crate, or of the file, that is named.
pub(super) fn tests(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for path in [BEHAVIOURS, CONTRACT] {
        let names: Vec<_> = references(tree.text(path).unwrap_or_default()).collect();
        println!("         tests named in {path}: {}", names.len());
        let missing = names.iter().filter(|(folder, name)| !exists(tree, folder, name));
        found.extend(missing.map(|(folder, name)| format!("{path}: no {name} in {folder}")));
    }
    found
}

/// Number and proof of each row `| 12 | promise | proof |` whose number bears that prefix.
fn rows<'a>(text: &'a str, prefix: &str) -> impl Iterator<Item = (usize, &'a str)> {
    text.lines().filter_map(move |line| {
        let mut cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim);
        let number = cells.next()?.strip_prefix(prefix)?.parse().ok()?;
        Some((number, cells.nth(1)?))
    })
}

/// The tests that a text names in code spans, each with the file or folder in which it must be: `package::test`
/// with the package's name as cargo has it, and, of the crate of the contract, `contract::test` and `it::file::test`.
fn references(document: &str) -> impl Iterator<Item = (String, &str)> {
    document.split('`').skip(1).step_by(2).filter_map(|code| {
        let parts: Vec<&str> = code.split("::").collect();
        let (folder, name) = match parts[..] {
            ["contract", name] => ("crates/mainstay-registry/tests/contract.rs".to_owned(), name),
            ["it", file, name] => (format!("crates/mainstay-registry/tests/it/{file}.rs"), name),
            [package @ ("edge" | "examples" | "xtask"), name] => (format!("{package}/"), name),
            [package, name] if package.starts_with("mainstay-") => (format!("crates/{package}/"), name),
            // `mainstay::registry` is a path of the library, a test has a longer name.
            ["mainstay", name] if name.contains('_') => ("crates/mainstay/".to_owned(), name),
            _ => return None,
        };
        name.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            .then_some((folder, name))
    })
}

fn exists(tree: &Tree, folder: &str, name: &str) -> bool {
    let function = format!("fn {name}(");
    tree.ending(".rs").any(|(path, text)| path.starts_with(folder) && text.contains(&function))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(rows: &str) -> Tree {
        let source = "#[test]\nfn a_cycle_is_found() {}\n";
        Tree::of(&[(BEHAVIOURS, rows), ("crates/mainstay-registry/tests/it/plan.rs", source)])
    }

    #[test]
    fn a_test_that_does_not_exist_is_found() {
        let tree = tree("| 1 | x | `mainstay-registry::a_cycle_is_found`, `mainstay-registry::a_typo` |\n");
        assert_eq!(tests(&tree), [format!("{BEHAVIOURS}: no a_typo in crates/mainstay-registry/")]);
    }

    #[test]
    fn a_test_of_the_contract_must_be_in_the_file_that_is_named() {
        let source = "#[test]\nfn a_cycle_is_found() {}\n";
        let text = "`it::plan::a_cycle_is_found` `it::walk::a_cycle_is_found` `it::x` `mainstay::registry`\n";
        let tree = Tree::of(&[(CONTRACT, text), ("crates/mainstay-registry/tests/it/plan.rs", source)]);
        let file = "crates/mainstay-registry/tests/it/walk.rs";
        assert_eq!(tests(&tree), [format!("{CONTRACT}: no a_cycle_is_found in {file}")]);
    }

    /// Every row of both lists, but for those that the function makes different.
    fn document(row: impl Fn(&str, usize) -> Option<String>) -> String {
        let all = LISTS
            .iter()
            .flat_map(|list| list.numbers.iter().cloned().flatten().map(move |number| (list.prefix, number)));
        all.filter_map(|(prefix, number)| row(prefix, number)).collect()
    }

    fn foreign(prefix: &str, number: usize) -> String {
        format!("| {prefix}{number} | x | does not apply: no y |\n")
    }

    #[test]
    fn a_promise_without_a_proof_is_found() {
        let good = document(|prefix, number| Some(foreign(prefix, number)));
        assert_eq!(behaviours(&tree(&good)), [] as [&str; 0]);
        for (prefix, number) in [("", 76), ("S", 101), ("S", 36)] {
            let one = format!("| {prefix}{number} | x | ? |\n");
            let text =
                document(|p, n| Some(if (p, n) == (prefix, number) { one.clone() } else { foreign(p, n) }));
            let said = format!("{BEHAVIOURS}: {prefix}{number} names no test");
            assert_eq!(behaviours(&tree(&text)), [said]);
        }
    }

    #[test]
    fn a_promise_that_is_missing_double_or_out_of_place_is_found_in_its_own_list() {
        let without = |prefix: &str, number: usize| {
            document(|p, n| ((p, n) != (prefix, number)).then(|| foreign(p, n)))
        };
        let said = |text: &str| format!("{BEHAVIOURS}: {text}");
        let cases = [
            (without("", 49), "of the lifecycle, 50 is where 49 should be"),
            (without("", 76), "of the lifecycle, the end is where 76 should be"),
            (without("S", 36), "of supervision, S44 is where S36 should be"),
            (without("S", 101), "of supervision, the end is where S101 should be"),
            (without("", 0) + &foreign("", 76), "of the lifecycle, 76 is where the end should be"),
            (without("", 0) + &foreign("S", 102), "of supervision, S102 is where the end should be"),
        ];
        for (text, found) in cases {
            assert_eq!(behaviours(&tree(&text)), [said(found)]);
        }
    }
}
