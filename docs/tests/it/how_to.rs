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
