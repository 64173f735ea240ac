//! A promise in the documents names the test that proves it, and that test exists.

use super::tree::Tree;

const BEHAVIOURS: &str = "docs/behaviours.md";
const CONTRACT: &str = "docs/contract.md";
/// The lines of the list that concern starting, the graph and stopping, then those that concern the reload.
const PROMISES: usize = 48;
const RELOAD: std::ops::RangeInclusive<usize> = 71..=76;

/// Each numbered promise is there once, and is proved by a test or says why it does not apply.
pub(super) fn behaviours(tree: &Tree) -> Vec<String> {
    let Some(text) = tree.text(BEHAVIOURS) else {
        return vec![format!("{BEHAVIOURS} is not there")];
    };
    let (mut found, mut seen) = (Vec::new(), Vec::new());
    let (mut proved, mut foreign) = (0, 0);
    for (number, proof) in rows(text) {
        seen.push(number);
        if proof.starts_with("does not apply: ") {
            foreign += 1;
        } else if references(proof).next().is_none() {
            found.push(format!("{BEHAVIOURS}: {number} names no test"));
        } else {
            proved += 1;
        }
    }
    println!("         promises: {proved} proved, {foreign} that do not apply");
    if !seen.iter().copied().eq((1..=PROMISES).chain(RELOAD)) {
        let (first, last) = (RELOAD.start(), RELOAD.end());
        found.push(format!(
            "{BEHAVIOURS}: the numbers are not 1 to {PROMISES} and {first} to {last}, each once, in order"
        ));
    }
    found
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

/// Number and proof of each row `| 12 | promise | proof |`.
fn rows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim);
        let number = cells.next()?.parse().ok()?;
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

    #[test]
    fn a_promise_without_a_proof_is_found() {
        let last = *RELOAD.end();
        let good: String = (1..=PROMISES)
            .chain(*RELOAD.start()..last)
            .fold(String::new(), |text, n| text + &format!("| {n} | x | does not apply: no y |\n"));
        assert_eq!(
            behaviours(&tree(&format!("{good}| {last} | x | ? |\n"))),
            [format!("{BEHAVIOURS}: {last} names no test")]
        );
        assert_eq!(behaviours(&tree(&good)).len(), 1);
    }
}
