//! The tutorial, followed.

use mainstay::Signal;

use crate::folder::Folder;
use crate::followed::Followed;

#[test]
fn the_first_page_of_the_tutorial_shows_what_one_sees() {
    let mut page = Followed::new("guide/tutorial-1.md", "tutorial_1");
    let server = page.start(&[]);
    assert_eq!(page.get(&server), "hello\n");
    server.signal(Signal::Interrupt);
    assert_eq!(page.end(server.process), 0);
    assert_eq!(page.run(&["plan"]), 0);
    page.shows_what_was_printed();
}

#[test]
fn the_second_page_of_the_tutorial_shows_what_one_sees() {
    let folder = Folder::new("tutorial-2");
    let mut page = Followed::new("guide/tutorial-2.md", "tutorial_2").env("VISITS", folder.file("visits.db"));
    assert_eq!(page.run(&["plan"]), 0);
    let server = page.start(&["--log=info,mainstay=debug"]);
    assert_eq!(page.get(&server), "hello, visit 1\n");
    assert_eq!(page.get(&server), "hello, visit 2\n");
    server.signal(Signal::Interrupt);
    assert_eq!(page.end(server.process), 0);
    page = page.env("VISITS", folder.file("nowhere/visits.db"));
    assert_eq!(page.run(&[]), 75);
    page.shows_what_was_printed();
}

#[test]
fn the_third_page_of_the_tutorial_shows_what_one_sees() {
    let folder = Folder::new("tutorial-3");
    let mut page = Followed::new("guide/tutorial-3.md", "greeter").env("VISITS", folder.file("visits.db"));
    folder.write("greeting.txt", "good morning\n");
    let config = format!("--config-dir={}", folder.file("").display());
    let mut server = page.start(&[&config]);
    assert_eq!(server.get(), "good morning, visit 1\n");
    assert_eq!(server.get(), "good morning, visit 2\n");
    assert_eq!(page.get(&server), "good morning, visit 3\n");

    folder.write("greeting.txt", "good evening\n");
    server.signal(Signal::Hangup);
    server.process.wait_for_error("reload committed");
    assert_eq!(page.get(&server), "good evening, visit 4\n");

    folder.write("greeting.txt", "");
    server.signal(Signal::Hangup);
    server.process.wait_for_error("reload refused");
    assert_eq!(page.get(&server), "good evening, visit 5\n");

    server.signal(Signal::Terminate);
    assert_eq!(page.end(server.process), 0);
    page.shows_what_was_printed();
}
