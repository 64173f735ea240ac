//! Every example is started, used and stopped as a real process.
#![cfg(unix)]

mod program;

use rustix::process::Signal;

use crate::program::{Folder, Program};

/// What the line has that ends a reload which was refused, and one which was committed: fields last longer than words.
const REFUSED: &str = "phase=\"reload\" took=";
const COMMITTED: &str = "phase=\"reload\" epoch=";

#[test]
fn hello_greets_anew_after_a_hup_and_stops_with_0() {
    let folder = Folder::new("hello");
    let mut hello = Program::serve("hello", |listen| {
        (vec!["--config-dir".to_owned(), folder.path().display().to_string()], vec![("LISTEN", listen)])
    });
    assert_eq!(hello.get(), "hello\n");

    // Nothing to read yet: the old greeting serves on.
    hello.signal(Signal::HUP);
    hello.wait_for(REFUSED);
    assert_eq!(hello.get(), "hello\n");

    folder.write("greeting.txt", "good morning\n");
    hello.signal(Signal::HUP);
    hello.wait_for(COMMITTED);
    assert_eq!(hello.get(), "good morning\n");

    hello.signal(Signal::TERM);
    let (code, log) = hello.end();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn hello_is_a_program_of_32_lines() {
    let source = include_str!("../../examples/hello.rs");
    assert!(source.lines().count() <= 32);
}

#[test]
fn embedded_keeps_its_own_log_flags_and_state() {
    let embedded = Program::serve("embedded", |listen| (vec!["--listen".to_owned(), listen], Vec::new()));
    assert_eq!(embedded.get(), "visit 1\n");
    assert_eq!(embedded.get(), "visit 2\n");
    embedded.signal(Signal::INT);
    let (code, log) = embedded.end();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("saved visits=2"), "{log}");
}

#[test]
fn anyhow_crosses_the_border_both_ways() {
    let (code, log) = Program::start("anyhow", &["store://127.0.0.1:5432".to_owned()], &[]).end();
    assert_eq!((code, log.as_str()), (0, ""));

    let (code, log) = Program::start("anyhow", &[], &[]).end();
    assert_eq!(code, 1);
    assert!(log.contains("a bad command line") && log.contains("say where the store is"), "{log}");

    let (code, log) = Program::start("anyhow", &["store://127.0.0.1:x".to_owned()], &[]).end();
    assert_eq!(code, 1);
    for part in
        ["the store is not served", "'store' failed during boot: no store", "`x` is no port", "invalid digit"]
    {
        assert!(log.contains(part), "no `{part}` in:\n{log}");
    }

    let (code, log) = Program::start("anyhow", &["file:1".to_owned()], &[]).end();
    assert_eq!(code, 1);
    assert!(log.contains("'store' failed during validate: `file:1` is no url of a store"), "{log}");
}
