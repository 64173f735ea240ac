//! A test that is ignored, sleeps or is a stub proves nothing, unless a comment beside it says why it must.

use super::tree::Tree;

/// What is looked for (in two halves, so that this file does not find itself), and the word that a comment
/// `// tidy-allow(word): reason` on the same line or the one above uses to allow it.
const WATCHED: [([&str; 2], &str); 5] = [
    (["#[ign", "ore"], "ignore"),
    (["tod", "o!("], "stub"),
    (["unimpl", "emented!("], "stub"),
    (["thread::sl", "eep("], "sleep"),
    (["assert!(t", "rue)"], "stub"),
];

/// Looks for them in every Rust file.
pub(super) fn in_tests(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let mut above = "";
        for (number, line) in text.lines().enumerate() {
            for (halves, word) in WATCHED {
                let allowed = reason(above, word) || reason(line, word);
                if !line.trim_start().starts_with("//") && line.contains(&halves.concat()) && !allowed {
                    found.push(format!(
                        "{path}:{}: {} without // tidy-allow({word}): reason",
                        number + 1,
                        halves.concat()
                    ));
                }
            }
            above = line;
        }
    }
    found
}

/// Whether the line allows the word and gives a reason of at least two words.
fn reason(line: &str, word: &str) -> bool {
    let marker = format!("// tidy-allow({word}): ");
    line.split_once(&marker).is_some_and(|(_, reason)| reason.split_whitespace().count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_needs_its_reason() {
        let sleep = WATCHED[3].0.concat();
        let text = format!(
            "{sleep}d);\n// tidy-allow(sleep): the thread must be blocked\n{sleep}d);\n{sleep}d); // tidy-allow(sleep): x\n"
        );
        let found = in_tests(&Tree::of(&[("a/tests/it/main.rs", &text)]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("a/tests/it/main.rs:1: ") && found[1].starts_with("a/tests/it/main.rs:4: ")
        );
    }

    #[test]
    fn words_in_a_comment_are_not_code() {
        let text = format!("/// never {}\n", WATCHED[1].0.concat());
        assert!(in_tests(&Tree::of(&[("a/src/lib.rs", &text)])).is_empty());
    }
}
