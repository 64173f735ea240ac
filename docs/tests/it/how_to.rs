//! The pages that say how to do one thing, followed.

use mainstay::Signal;

use crate::followed::Followed;

#[test]
fn a_start_that_is_stuck_says_where() {
    let mut page = Followed::new("guide/stuck-start.md", "stuck_start");
    assert_eq!(page.run(&[]), 75);
    page.shows_what_was_printed();
}

#[test]
fn a_stop_that_is_slow_says_who_held_it() {
    let mut page = Followed::new("guide/slow-stop.md", "slow_stop");
    let server = page.start(&[]);
    server.signal(Signal::Terminate);
    assert_eq!(page.end(server.process), 0);
    page.shows_what_was_printed();
}

#[test]
fn a_line_of_a_task_has_its_provider_when_it_is_asked_for() {
    let mut page = Followed::new("guide/logging.md", "logged_lines");
    let server = page.start(&["--log=info,mainstay_runtime=debug"]);
    server.signal(Signal::Terminate);
    assert_eq!(page.end(server.process), 0);
    page.shows_what_was_printed();
}

#[test]
fn a_probe_is_told_at_once_while_everything_else_is_served_on() {
    let mut page = Followed::new("guide/kubernetes.md", "probed");
    let mut server = page.start(&[]);
    assert!(server.ask("/ready").starts_with("HTTP/1.1 200 "));
    server.signal(Signal::Terminate);
    server.process.wait_for_error("serving on");
    assert!(server.ask("/ready").starts_with("HTTP/1.1 503 "));
    assert_eq!(server.get(), "hello\n");
    // The page says that it would serve on for 10 s; a second signal ends that.
    server.signal(Signal::Terminate);
    assert_eq!(page.end(server.process), 143);
    page.shows_what_was_printed();
}
