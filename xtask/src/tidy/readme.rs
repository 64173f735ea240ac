//! The program on the README's first screen is the one that is compiled and run.

use super::tree::Tree;

const EXAMPLE: &str = "examples/examples/hello.rs";
const MOST: usize = 32;

/// The first Rust block of the README against the example.
pub(super) fn program(tree: &Tree) -> Vec<String> {
    let Some(shown) = tree.text("README.md").and_then(first_block) else {
        return vec!["README.md has no ```rust block".to_owned()];
    };
    let Some(real) = tree.text(EXAMPLE) else {
        return vec![format!("{EXAMPLE} is not there")];
    };
    let mut found = Vec::new();
    if shown.trim_end() != real.trim_end() {
        let same = shown.lines().zip(real.lines()).take_while(|(a, b)| a == b).count();
        found.push(format!("README.md differs from {EXAMPLE} at line {}", same + 1));
    }
    if real.lines().count() > MOST {
        found.push(format!("{EXAMPLE}: {} lines, at most {MOST}", real.lines().count()));
    }
    found
}

fn first_block(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("```rust\n")?;
    rest.split_once("```").map(|(block, _)| block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_differs_is_found() {
        let readme = "# x\n\n```rust\nfn main() {\n    a();\n}\n```\n";
        let same = Tree::of(&[("README.md", readme), (EXAMPLE, "fn main() {\n    a();\n}\n")]);
        assert!(program(&same).is_empty());
        let other = Tree::of(&[("README.md", readme), (EXAMPLE, "fn main() {\n    b();\n}\n")]);
        assert_eq!(program(&other), [format!("README.md differs from {EXAMPLE} at line 2")]);
    }

    #[test]
    fn a_program_that_grew_is_found() {
        let long = "x\n".repeat(33);
        let readme = format!("```rust\n{long}```\n");
        let tree = Tree::of(&[("README.md", &readme), (EXAMPLE, &long)]);
        assert_eq!(program(&tree), [format!("{EXAMPLE}: 33 lines, at most 32")]);
    }
}
