//! Rules about what no text in the repository says: where somebody's machine keeps its files, and pictures.

use super::tree::Tree;

/// In two halves, so that this file does not find itself.
const MACHINE: [[&str; 2]; 4] = [["/wo", "rk/"], ["/ho", "me/"], ["/tmp/ba", "sh"], ["/fa", "rm/"]];

/// A path that exists on one machine only.
pub(super) fn machine_paths(tree: &Tree) -> Vec<String> {
    lines(tree.all(), |line| {
        MACHINE.iter().map(|halves| halves.concat()).find(|path| {
            line.match_indices(path.as_str()).any(|(at, _)| {
                // `docs.rs/x/home/` and `./work/` are no paths from the root of a machine.
                !line[..at]
                    .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '}' | ')'))
            })
        })
    })
}

/// Where a picture is data: a name that is hard to render.
const PICTURES_ARE_DATA: [&str; 1] = ["crates/mainstay-registry/tests/it/rendering.rs"];

/// Characters that are drawn as pictures.
pub(super) fn emoji(tree: &Tree) -> Vec<String> {
    let files = tree.all().filter(|(path, _)| !PICTURES_ARE_DATA.contains(path));
    lines(files, |line| line.chars().find(|c| pictured(*c)).map(|c| format!("U+{:04X}", u32::from(c))))
}

/// Unicode's `Emoji_Presentation`, and the selector that asks for it.
fn pictured(c: char) -> bool {
    matches!(c,
        '\u{1F000}'..='\u{1FAFF}' | '\u{FE0F}' | '\u{231A}'..='\u{231B}' | '\u{23E9}'..='\u{23EC}' | '\u{23F0}'
        | '\u{23F3}' | '\u{25FD}'..='\u{25FE}' | '\u{2614}'..='\u{2615}' | '\u{2648}'..='\u{2653}' | '\u{267F}'
        | '\u{2693}' | '\u{26A1}' | '\u{26AA}'..='\u{26AB}' | '\u{26BD}'..='\u{26BE}' | '\u{26C4}'..='\u{26C5}'
        | '\u{26CE}' | '\u{26D4}' | '\u{26EA}' | '\u{26F2}'..='\u{26F3}' | '\u{26F5}' | '\u{26FA}' | '\u{26FD}'
        | '\u{2705}' | '\u{270A}'..='\u{270B}' | '\u{2728}' | '\u{274C}' | '\u{274E}' | '\u{2753}'..='\u{2755}'
        | '\u{2757}' | '\u{2795}'..='\u{2797}' | '\u{27B0}' | '\u{27BF}' | '\u{2B1B}'..='\u{2B1C}' | '\u{2B50}'
        | '\u{2B55}')
}

fn lines<'a>(
    files: impl Iterator<Item = (&'a str, &'a str)>,
    find: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files {
        for (number, line) in text.lines().enumerate() {
            if let Some(what) = find(line) {
                found.push(format!("{path}:{}: {what}", number + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_machine_is_found_and_a_link_is_not() {
        let text = format!("see {}x\nhttps://docs.rs/a{}b\n", MACHINE[0].concat(), MACHINE[1].concat());
        let found = machine_paths(&Tree::of(&[("README.md", &text)]));
        assert_eq!(found, [format!("README.md:1: {}", MACHINE[0].concat())]);
    }

    #[test]
    fn a_picture_is_found_and_an_arrow_is_not() {
        let tree = Tree::of(&[("a.md", "a \u{2192} b \u{00B7} c \u{2713}\n\u{1F680}\n")]);
        assert_eq!(emoji(&tree), ["a.md:2: U+1F680"]);
    }
}
