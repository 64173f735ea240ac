//! What serves nobody, or comes and goes: ticker, consumer, tenants.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;

use mainstay::Signal;
use mainstay_test::Process;

use crate::run::{Folder, address, connect, example, stop};

#[test]
fn ticker_never_overlaps_skips_missed_ticks_and_ends_its_round() {
    let mut ticker = example("ticker").arg("--every=40").start();
    ticker.wait_for("missed");
    // In the middle of the long round.
    ticker.wait_for("begin 8");
    let ended = stop(ticker);
    let (mut open, mut last) = (None, None);
    for line in ended.out.lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some("begin"), round) => {
                assert_eq!(open, None, "two at once{ended:?}");
                open = round;
                let tick = words.next_back().and_then(|tick| tick.parse::<u64>().ok());
                assert!(tick > last, "the beat is kept: {ended:?}");
                last = tick;
            }
            (Some("end"), round) => assert_eq!(open.take(), round, "{ended:?}"),
            (Some("missed"), count) => assert!(count.is_some_and(|count| count != "0"), "{ended:?}"),
            _ => assert_eq!(line, "stopped"),
        }
    }
    assert_eq!(open, None, "the round was cut short: {ended:?}");
    ended.prints(&["begin 4", "end 4", "missed", "begin 8", "end 8", "stopped"]);
}

#[test]
fn consumer_finishes_what_is_begun_and_hands_back_the_rest() {
    let spool = Folder::new("consumer");
    let mut jobs: Vec<String> = (1..=9).map(|number| format!("job-{number}")).collect();
    for job in &jobs {
        spool.write(&format!("new/{job}"), "");
    }
    spool.write("taken/job-0", ""); // a crash has left it
    jobs.insert(0, "job-0".to_owned());

    let mut consumer = example("consumer").arg("--spool").arg(spool.path()).arg("--takes=300").start();
    consumer.wait_for("handed back job-0");
    consumer.wait_for("begun");
    consumer.wait_for("begun");
    let ended = stop(consumer);

    let said = |word: &str| {
        let mut names: Vec<_> =
            ended.out.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(said("begun "), said("done "), "whatever is begun is finished, once: {ended:?}");
    let left = spool.files("new");
    assert!(!left.is_empty() && spool.files("taken").is_empty(), "the rest is handed back: {ended:?}");
    let mut all = [said("done "), left].concat();
    all.sort_unstable();
    assert_eq!(all, jobs, "none is lost: {ended:?}");
}

/// One line to a tenant, and its answer; none when it crashes over it.
fn ask(tenant: SocketAddr, line: &str) -> Option<String> {
    let mut stream = connect(tenant);
    stream.write_all(format!("{line}\n").as_bytes()).expect("a line");
    BufReader::new(stream).lines().next()?.ok()
}

/// Where a tenant listens that comes up now.
fn up(tenants: &mut Process, name: &str) -> SocketAddr {
    address(&tenants.wait_for(name))
}

/// The same for two, which come up in any order: of the first one by name, and of the other.
fn both_up(tenants: &mut Process) -> [SocketAddr; 2] {
    let mut lines = [tenants.wait_for("#1 on"), tenants.wait_for("#1 on")];
    lines.sort();
    lines.map(|line| address(&line))
}

#[test]
fn tenants_come_and_go_and_one_that_fails_is_restarted_alone() {
    let folder = Folder::new("tenants");
    folder.write("tenants.txt", "acme\nbravo\n");
    let mut tenants = example("tenants").arg("--config-dir").arg(folder.path()).start();
    let [acme, bravo] = both_up(&mut tenants);
    assert_eq!(ask(acme, "hi").as_deref(), Some("acme #1: hi"));

    assert_eq!(ask(bravo, "crash"), None);
    let bravo = up(&mut tenants, "bravo #2 on");
    assert_eq!(ask(bravo, "hi").as_deref(), Some("bravo #2: hi"));
    assert_eq!(ask(acme, "hi").as_deref(), Some("acme #1: hi"), "the other one has not noticed");

    folder.write("tenants.txt", "bravo\ncarol\n");
    tenants.signal(Signal::Hangup);
    tenants.wait_for("acme is gone");
    let carol = up(&mut tenants, "carol #1 on");
    assert_eq!(ask(carol, "hi").as_deref(), Some("carol #1: hi"));
    assert_eq!(ask(bravo, "hi").as_deref(), Some("bravo #2: hi"), "who stays is not restarted");
    assert!(std::net::TcpStream::connect(acme).is_err(), "nothing of it is left");
    stop(tenants);
}
