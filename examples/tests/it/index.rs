//! The index: every example has a line in README.md, and a question in its own first line.

use std::path::Path;

#[test]
fn every_example_asks_one_question_and_is_in_the_index() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let index = std::fs::read_to_string(package.join("README.md")).expect("an index");
    let files = std::fs::read_dir(package.join("examples")).expect("examples");
    let mut questions = 0;
    for file in files.map(|file| file.expect("an entry").path()) {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let source = std::fs::read_to_string(&file).expect("a source");
        let first = source.lines().next().unwrap_or_default();
        let question = first.strip_prefix("//! How do I ").and_then(|rest| rest.split_once('?'));
        let question = question.unwrap_or_else(|| panic!("{name}: no question in `{first}`")).0;
        let line = index.lines().find(|line| line.contains(&format!("(examples/{name}.rs)")));
        let line = line.unwrap_or_else(|| panic!("{name} has no line in README.md"));
        assert!(line.contains(question), "README.md asks `{line}`, and {name} `How do I {question}?`");
        assert!(
            line.contains(&format!("--example {name}`")) || line.contains(&format!("--example {name} ")),
            "{line}"
        );
        questions += 1;
    }
    assert_eq!(index.matches("(examples/").count(), questions, "README.md has a line for what is not there");
}
