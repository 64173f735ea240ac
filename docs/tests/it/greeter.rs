//! The daemon as a process: it becomes ready, refuses a bad greeting, and stops in time.

use std::fs;
use std::path::Path;

use mainstay::Signal;
use mainstay_test::Program;

#[test]
fn a_bad_greeting_is_refused_and_the_stop_is_clean() {
    let config = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::write(config.join("greeting.txt"), "hello").unwrap();
    let mut greeter = Program::new(env!("CARGO_BIN_EXE_greeter"))
        .arg("--config-dir")
        .arg(config)
        .env("LISTEN", "127.0.0.1:0")
        .env("VISITS", config.join("visits.db"))
        .start();
    greeter.wait_for_error("ready");

    fs::write(config.join("greeting.txt"), "").unwrap();
    greeter.signal(Signal::Hangup);
    greeter.wait_for_error("greeting.txt says nothing");

    greeter.signal(Signal::Terminate);
    greeter.end().exits(0);
}
