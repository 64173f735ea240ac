//! A relative link in a Markdown file leads to a file of the repository.

use super::tree::Tree;

/// Looks at every `](target)` that is not an address, and not in a code span or block.
pub(super) fn relative(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    // What a crate has in its `docs` becomes part of its documentation, whose links rustdoc checks.
    for (path, text) in tree.ending(".md").filter(|(path, _)| !path.starts_with("crates/")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut fenced = false;
        for (number, line) in text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            if fenced {
                continue;
            }
            let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            for target in targets(&prose) {
                if !tree.has(&resolve(folder, target)) {
                    found.push(format!("{path}:{}: {target}", number + 1));
                }
            }
        }
    }
    found
}

/// The paths that a line links to, without their anchors.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split_once('#').map_or(target, |(path, _)| path))
        .filter(|target| !target.is_empty() && !target.contains(':'))
}

fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let tree = Tree::of(&[
            (
                "README.md",
                "[a](docs/a.md#x) [b](docs/b.md) [c](https://c.example) [d](#here)\n```\n[e](no)\n```\n",
            ),
            ("docs/a.md", "[up](../README.md) and [x](..)/`[y](z)`\n"),
        ]);
        assert_eq!(relative(&tree), ["README.md:1: docs/b.md"]);
    }
}
