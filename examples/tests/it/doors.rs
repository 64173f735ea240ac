//! The three doors, and the border of errors: `hello`, `own_main`, `embedded`, `anyhow`.

use mainstay::Signal;

use crate::run::{Folder, Reserved, address, example, get, stop};

/// What the line has that ends a reload which was refused, and one which was committed: fields last longer than words.
const REFUSED: &str = "phase=\"reload\" took=";
const COMMITTED: &str = "phase=\"reload\" epoch=";

#[test]
fn hello_greets_anew_after_a_hup_and_stops_with_0() {
    let (folder, port) = (Folder::new("hello"), Reserved::new());
    let hello = example("hello").arg("--config-dir").arg(folder.path());
    let mut hello = hello.env("LISTEN", port.address().to_string()).start();
    hello.wait_for_error("ready");
    assert_eq!(get(port.address(), "/"), "hello\n");

    // Nothing to read yet: the old greeting serves on.
    hello.signal(Signal::Hangup);
    hello.wait_for_error(REFUSED);
    assert_eq!(get(port.address(), "/"), "hello\n");

    folder.write("greeting.txt", "good morning\n");
    hello.signal(Signal::Hangup);
    hello.wait_for_error(COMMITTED);
    assert_eq!(get(port.address(), "/"), "good morning\n");
    stop(hello);
}

#[test]
fn hello_is_a_program_of_32_lines() {
    let source = include_str!("../../examples/hello.rs");
    assert!(source.lines().count() <= 32);
}

#[test]
fn own_main_keeps_its_own_log_flags_and_state() {
    let mut own = example("own_main").arg("--listen=127.0.0.1:0").start();
    let address = address(&own.wait_for_error("http://"));
    assert_eq!(get(address, "/"), "visit 1\n");
    assert_eq!(get(address, "/"), "visit 2\n");
    stop(own).says(&["saved visits=2"]);
}

#[test]
fn embedded_is_switched_on_and_off_by_a_host_that_lives_on() {
    let mut host = example("embedded").start();
    host.wait_for("the host is there");
    for _ in 0..2 {
        host.signal(Signal::User1);
        host.wait_for("the part is ready");
        host.signal(Signal::User1);
        host.wait_for("counted to ");
        host.wait_for("the part ended with 0");
    }
    // What is on at the end is stopped in order by the host, whose signal it is.
    host.signal(Signal::User1);
    host.wait_for("the part is ready");
    stop(host).prints(&["the part is ready", "counted to ", "the part ended with 0", "the host is gone"]);
}

#[test]
fn anyhow_crosses_the_border_both_ways() {
    example("anyhow").arg("store://127.0.0.1:5432").start().end().exits(0).says_nothing();
    let no_url = example("anyhow").start().end().exits(1);
    no_url.says(&["a bad command line", "say where the store is"]);
    let no_port = example("anyhow").arg("store://127.0.0.1:x").start().end().exits(1);
    let causes = ["'store' failed during boot: no store", "`x` is no port", "invalid digit"];
    no_port.says(&["the store is not served"]).says(&causes);
    let no_store = example("anyhow").arg("file:1").start().end().exits(1);
    no_store.says(&["'store' failed during validate: `file:1` is no url of a store"]);
}
