//! A page that shows a program shows the one that is compiled and run.

use super::tree::Tree;

/// The line before the block of such a program; its path follows.
const MARK: &str = "\n<!-- shows: ";
/// The package whose doc tests compile the pages of these folders.
const COMPILED: &str = "docs/src/lib.rs";
const FOLDERS: [&str; 2] = ["docs/guide/", "docs/migrating/"];
/// The program on the README's first screen.
const FIRST: &str = "examples/examples/hello.rs";
const MOST: usize = 32;

/// Each block behind a line `<!-- shows: path -->` against that file.
pub(super) fn programs(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (page, text) in tree.ending(".md") {
        let (marks, blocks): (Vec<_>, Vec<_>) = shown(text).unzip();
        for (path, block) in marks.iter().zip(blocks) {
            match (block, tree.text(path)) {
                (_, None) => found.push(format!("{page}: {path} is not there")),
                (None, _) => found.push(format!("{page}: no block behind the mark of {path}")),
                (Some(block), Some(real)) if block.trim_end() != real.trim_end() => {
                    let same = block.lines().zip(real.lines()).take_while(|(a, b)| a == b).count();
                    found.push(format!("{page} differs from {path} at its line {}", same + 1));
                }
                _ => {}
            }
        }
        if page == "README.md" && !marks.contains(&FIRST) {
            found.push(format!("README.md does not show {FIRST}"));
        }
    }
    found
}

/// Each page of the guide is in the list of those that are compiled.
pub(super) fn pages(tree: &Tree) -> Vec<String> {
    let list = tree.text(COMPILED).unwrap_or_default();
    let pages = tree
        .ending(".md")
        .map(|(path, _)| path)
        .filter(|path| FOLDERS.iter().any(|folder| path.starts_with(folder)));
    let listed = |path: &str| list.contains(&format!("\"{}\"", path.trim_start_matches("docs/")));
    pages.filter(|path| !listed(path)).map(|path| format!("{path} is not in {COMPILED}")).collect()
}

/// The program on the first screen fits there.
pub(super) fn first_screen(tree: &Tree) -> Vec<String> {
    let lines = tree.text(FIRST).unwrap_or_default().lines().count();
    if (1..=MOST).contains(&lines) {
        Vec::new()
    } else {
        vec![format!("{FIRST}: {lines} lines, at most {MOST}")]
    }
}

/// The path in each mark, and the block on the next lines.
fn shown(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split(MARK).skip(1).filter_map(|rest| {
        let (path, rest) = rest.split_once(" -->\n")?;
        let block = rest.trim_start().strip_prefix("```").and_then(|rest| rest.split_once('\n'));
        Some((path, block.and_then(|(_, rest)| rest.split_once("```")).map(|(block, _)| block)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_differs_is_found() {
        let page = format!("# x\n{MARK}a.rs -->\n```rust,no_run\nfn main() {{\n    a();\n}}\n```\n");
        let same = Tree::of(&[("x.md", &page), ("a.rs", "fn main() {\n    a();\n}\n")]);
        assert!(programs(&same).is_empty());
        let other = Tree::of(&[("x.md", &page), ("a.rs", "fn main() {\n    b();\n}\n")]);
        assert_eq!(programs(&other), ["x.md differs from a.rs at its line 2"]);
        assert_eq!(programs(&Tree::of(&[("x.md", &page)])), ["x.md: a.rs is not there"]);
    }

    #[test]
    fn a_mark_without_its_block_and_a_readme_without_its_program_are_found() {
        let tree =
            Tree::of(&[("x.md", "# x\n\n<!-- shows: a.rs -->\nwords\n"), ("README.md", ""), ("a.rs", "")]);
        assert_eq!(
            programs(&tree),
            [format!("README.md does not show {FIRST}"), "x.md: no block behind the mark of a.rs".to_owned()]
        );
    }

    #[test]
    fn a_page_that_is_not_compiled_is_found() {
        let list = (COMPILED, "pages! { why: \"guide/why.md\", }");
        let tree =
            Tree::of(&[list, ("docs/guide/why.md", ""), ("docs/migrating/x.md", ""), ("docs/y.md", "")]);
        assert_eq!(pages(&tree), [format!("docs/migrating/x.md is not in {COMPILED}")]);
    }

    #[test]
    fn a_program_that_grew_is_found() {
        let tree = Tree::of(&[(FIRST, &"x\n".repeat(33))]);
        assert_eq!(first_screen(&tree), [format!("{FIRST}: 33 lines, at most 32")]);
    }
}
