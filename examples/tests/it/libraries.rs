//! A provider that somebody else has published.

use crate::run::{Folder, example, stop};

#[test]
fn third_party_is_there_while_the_daemon_is() {
    let folder = Folder::new("third-party");
    let mut program = example("third_party").arg("--presence").arg(folder.path()).start();
    program.wait_for_error("at work");
    let id = program.id().to_string();
    assert_eq!(folder.files("."), [id.as_str()]);
    let said = std::fs::read_to_string(folder.path().join(id)).expect("a file");
    assert_eq!(said, "presence\nwork\n");
    stop(program);
    assert!(folder.files(".").is_empty());
}

#[test]
fn third_party_need_not_be_there() {
    let mut program = example("third_party").start();
    program.wait_for_error("presence=false");
    stop(program);
}
