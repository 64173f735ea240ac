//! The access log: every request has one line in one file, and a log that is stuck is nobody's delay.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use edge::drive::{Child, Client};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use crate::place::{Place, WITHIN, ends, exchange, get, ready, said, stopped};

const LOGGED: &str = "listen: 127.0.0.1:0\naccess_log: access.log\n";

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Waits until a file is there.
async fn appears(path: &Path) {
    let there = async {
        while !path.exists() {
            yield_now().await;
        }
    };
    timeout(WITHIN, there).await.unwrap_or_else(|_| panic!("{} does not come", path.display()));
}

fn reopen(child: &Child) {
    let pid = i32::try_from(child.pid()).unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::USR1,
    )
    .unwrap();
}

/// Sends numbered requests over one connection, until it is told that this is enough: how many it sent.
async fn asks(server: SocketAddr, name: usize, enough: tokio::sync::watch::Receiver<()>) -> usize {
    let mut client = Client::new(server);
    let mut sent = 0;
    while !enough.has_changed().unwrap_or(true) {
        let path = if sent % 2 == 0 { "/" } else { "/demo/hello" };
        assert_eq!(client.get(&format!("{path}?{name}-{sent}")).await.unwrap().status, 200);
        sent += 1;
    }
    sent
}

/// Fails when SIGUSR1 opens nothing.
#[tokio::test]
async fn log_rotation_under_load_loses_no_line_and_doubles_none() {
    let place = Place::with("rotation", LOGGED);
    let (child, address) = place.up().await;
    let (log, rotations) = (place.path("access.log"), 5);
    let (enough, told) = tokio::sync::watch::channel(());
    let mut clients = JoinSet::new();
    for name in 0..4 {
        let told = told.clone();
        clients.spawn(async move { (name, asks(address, name, told).await) });
    }
    let has = async |count| {
        let busy = async {
            while lines(&log).len() < count {
                yield_now().await;
            }
        };
        timeout(WITHIN, busy).await.unwrap();
    };
    for rotation in 1..=rotations {
        has(100).await;
        std::fs::rename(&log, place.path(&format!("access.log.{rotation}"))).unwrap();
        reopen(&child);
        appears(&log).await;
    }
    has(1).await;
    enough.send(()).unwrap();
    let mut sent = HashMap::new();
    while let Some(client) = clients.join_next().await {
        let (name, count) = client.unwrap();
        sent.extend((0..count).map(|number| (format!("{name}-{number}"), 0)));
    }
    stopped(child).await;

    let files = (1..=rotations).map(|rotation| place.path(&format!("access.log.{rotation}"))).chain([log]);
    for file in files {
        let lines = lines(&file);
        assert!(!lines.is_empty(), "{}", file.display());
        for line in lines {
            assert!(line.ends_with(" whole"), "{line}");
            let number = line.split_once('?').unwrap().1.split_once(' ').unwrap().0.to_owned();
            *sent.get_mut(&number).unwrap_or_else(|| panic!("nobody sent {line}")) += 1;
        }
    }
    let wrong: Vec<_> = sent.iter().filter(|(_, lines)| **lines != 1).collect();
    assert!(sent.len() > 500 && wrong.is_empty(), "{} of {}: {wrong:?}", wrong.len(), sent.len());
}

#[tokio::test]
async fn a_line_says_who_answered_how_much_and_whether_that_was_all_of_it() {
    let place = Place::with("lines", &format!("{LOGGED}files: public\n"));
    place.write("public/a", "12345");
    place.write("public/big", &"x".repeat(32 << 20));
    let (child, address) = place.up().await;
    get(address, "/files/a?b=c").await;
    exchange(address, "HEAD /files/a HTTP/1.1\r\nhost: e\r\nconnection: close\r\n\r\n").await;
    get(address, "/demo/hello").await;
    get(address, "/nowhere").await;
    // What it sends looks like the end of one line, and like another one.
    let evil = "GET /a%0Ab HTTP/1.1\r\nhost: e\r\nuser-agent: x\" 200 0 \"-\" \"\x1b[2J\u{e4}\\\r\nreferer: [a] \"\r\n";
    exchange(address, &format!("{evil}connection: close\r\n\r\n")).await;
    let clean = evil.replace('\x1b', "");
    exchange(address, &format!("{clean}connection: close\r\n\r\n")).await;
    // One that goes away before it has read everything.
    {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut deaf = tokio::net::TcpStream::connect(address).await.unwrap();
        deaf.write_all(b"GET /files/big HTTP/1.1\r\nhost: e\r\n\r\n").await.unwrap();
        deaf.read_u8().await.unwrap();
    }
    let log = place.path("access.log");
    let cut = async {
        while !lines(&log).iter().any(|line| line.ends_with(" cut")) {
            yield_now().await;
        }
    };
    timeout(WITHIN, cut).await.unwrap();
    stopped(child).await;

    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')), "{text}");
    let line = |part: &str| {
        let found = text.lines().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("no {part} in\n{text}"))
    };
    let file = line("\"GET /files/a?b=c HTTP/1.1\" 200 5 \"-\" \"-\" ");
    assert!(file.starts_with("127.0.0.1 - - [20") && file.ends_with(" - whole"), "{file}");
    line("\"HEAD /files/a HTTP/1.1\" 200 0 ");
    let hello = line("\"GET /demo/hello HTTP/1.1\" 200 ");
    assert!(hello.contains(" 127.0.0.1:") && hello.ends_with(" whole"), "{hello}");
    line("\"GET /nowhere HTTP/1.1\" 404 ");
    line(
        "\"GET /a%0Ab HTTP/1.1\" 400 41 \"[a] \\x22\" \"x\\x22 200 0 \\x22-\\x22 \\x22[2J\\xC3\\xA4\\x5C\" 0.",
    );
    assert!(line("\"GET /files/big ").ends_with(" cut"));
    // What has a control byte in a header is no request, and gets no line.
    assert_eq!(text.lines().count(), 6, "{text}");
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_is_said_with_its_path_and_place() {
    let place = Place::with("no-log", "listen: 127.0.0.1:0\naccess_log: no/such/folder.log\n");
    let ended = ends(place.start(), 75).await;
    let path = place.path("no/such/folder.log");
    said(
        &ended,
        &format!("http.yaml:2:13 access_log: '{}' cannot be opened for writing: No such", path.display()),
    );
}

#[tokio::test]
async fn a_reload_turns_the_log_on_and_one_that_it_cannot_open_changes_nothing() {
    let place = Place::with("log-on", "listen: 127.0.0.1:0\n");
    let (child, address) = place.up().await;
    place.write("http.yaml", "listen: 127.0.0.1:0\naccess_log: a/b.log\n");
    let before = child.said().count();
    child.hang_up().unwrap();
    let refused = |line: &str| line.contains("reload of 'access-log' failed").then_some(());
    child.said().line_after(before, WITHIN, refused).await.unwrap();

    place.write("http.yaml", &format!("{LOGGED}access_log_format: json\n"));
    child.hang_up().unwrap();
    appears(&place.path("access.log")).await;
    let mut client = Client::new(address);
    let written = async {
        while lines(&place.path("access.log")).is_empty() {
            client.get("/").await.unwrap();
        }
    };
    timeout(WITHIN, written).await.unwrap();
    let line = lines(&place.path("access.log")).remove(0);
    assert!(line.starts_with("{\"time\":\"20") && line.ends_with("\"ended\":\"whole\"}"), "{line}");
    stopped(child).await;
}

/// Fails when requests wait for their lines, or the stop for the pipe.
#[tokio::test]
async fn a_stuck_log_delays_no_request_and_ends_the_stop_at_its_deadline_by_name() {
    let place = Place::with("stuck", LOGGED);
    let pipe = place.path("access.log");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _unread = std::fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    let child = place.start();
    let address = ready(&child).await;
    let mut client = Client::new(address);
    // More than the pipe takes.
    for _ in 0..1_000 {
        assert_eq!(client.get("/?0123456789012345678901234567890123456789").await.unwrap().status, 200);
    }
    child.terminate().unwrap();
    let ended = ends(child, 0).await;
    assert!(ended.took < std::time::Duration::from_secs(8), "{:?}", ended.took);
    said(&ended, "access-log");
    said(&ended, &format!("writing to {}", pipe.display()));
}
