//! Pools: two of one type, and one that is closed last.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use crate::run::{example, stop};

/// A database on a thread: it answers each line with that line and its name, and returns all that it was asked.
fn database(name: &'static str) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut answers = stream.try_clone().expect("a second handle");
        let asked = BufReader::new(stream).lines().map(|line| {
            let line = line.expect("a line");
            writeln!(answers, "{line}, said {name}").expect("an answer");
            line
        });
        asked.collect()
    });
    (address, serving)
}

#[test]
fn two_pools_of_one_type_are_told_apart() {
    let ((primary, written), (replica, read)) = (database("primary"), database("replica"));
    let flags = [format!("--primary={primary}"), format!("--replica={replica}")];
    let plan = example("two_pools").arg("plan").args(&flags).start().end().exits(0);
    plan.prints(&["primary"]).prints(&["replica"]);

    let mut copy = example("two_pools").args(&flags).start();
    copy.wait_for("write read, said replica, said primary");
    stop(copy);
    // Both were closed, or these threads would read on.
    let (written, read) = (written.join().expect("no panic"), read.join().expect("no panic"));
    assert!(!read.is_empty() && read.iter().all(|line| line == "read"), "{read:?}");
    assert!(written.iter().all(|line| line == "write read, said replica"), "{written:?}");
}

#[cfg(feature = "sqlx")]
#[test]
fn sqlx_closes_its_pool_after_everybody_who_uses_it() {
    let folder = crate::run::Folder::new("sqlx");
    for _ in 0..2 {
        let mut visits = example("sqlx").arg("--database").arg(folder.path().join("visits.db")).start();
        visits.wait_for("wrote up");
        visits.wait_for("wrote a visit");
        let ended = stop(visits);
        // Nothing orders these two. Both are before the close, which is the last line of all.
        let before = ended.out.strip_suffix("closed\n").unwrap_or_else(|| panic!("{ended:?}"));
        for last in ["wrote down\n", "wrote the last visit\n"] {
            assert_eq!(before.matches(last).count(), 1, "{ended:?}");
        }
    }
    // Closed, so that SQLite has left no journal beside it.
    assert_eq!(folder.files("."), ["visits.db"]);
}
