//! Memory: it is flat over any number of requests and reloads, and so are descriptors and threads.
#![cfg(target_os = "linux")]

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use edge::drive::{Child, Client};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::epochs::{refused, settings};
use crate::place::{Place, WITHIN, ready, stopped};

/// Connections that ask.
const CLIENTS: usize = 4;

/// Every so many requests a connection is made anew: what belongs to one must go with it.
const OF_A_CONNECTION: u64 = 50;

/// Requests and reloads where nobody asks for more. The long form: `EDGE_MEMORY_REQUESTS=10000000`,
/// `EDGE_MEMORY_RELOADS=10000`.
const REQUESTS: u64 = 10_000;
const RELOADS: u64 = 40;

/// How long the long form may take.
const LONGEST: Duration = Duration::from_secs(3600);

/// The run in parts; what is there after the first of them is what all others are compared with.
const PARTS: u64 = 10;

/// What the allocator may move by: less than a byte for each request of the long form. An edge that keeps 150 bytes of
/// each request, or 50 KB of each reload, is seen in the short form already.
const SLACK: u64 = 1 << 20;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Resident memory in bytes.
    memory: u64,
    descriptors: usize,
    threads: usize,
}

impl Held {
    fn by(pid: u32) -> Self {
        let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        Self { memory: kilobytes << 10, descriptors: count("fd"), threads: count("task") }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, descriptors, threads } = self;
        write!(f, "{} KiB, {descriptors} descriptors, {threads} threads", memory >> 10)
    }
}

#[derive(Default)]
struct Asked {
    requests: AtomicU64,
    enough: AtomicBool,
}

/// Asks for what edge says itself, what an upstream says, and what is not there.
async fn ask(server: SocketAddr, asked: Arc<Asked>) {
    let mut client = Client::new(server);
    let paths = [("/", 200), ("/now", 200), ("/demo/hello", 200), ("/nothing", 404)];
    for (number, (path, status)) in (1..).zip(paths.into_iter().cycle()) {
        if asked.enough.load(Ordering::Relaxed) {
            return;
        }
        let answer = client.get(path).await.unwrap();
        assert_eq!(answer.status, status, "{path}");
        asked.requests.fetch_add(1, Ordering::Relaxed);
        if number % OF_A_CONNECTION == 0 {
            client = Client::new(server);
        }
    }
}

/// One reload that is served, and now and then one that is refused before it.
async fn reload(place: &Place, child: &Child, client: &mut Client, number: u64) {
    if number.is_multiple_of(4) {
        place.write("http.yaml", &refused(number, ""));
        let before = child.said().count();
        child.hang_up().unwrap();
        let said = |line: &str| line.contains("reload refused").then_some(());
        child.said().line_after(before, WITHIN, said).await.unwrap();
    }
    place.write("http.yaml", &settings(number, ""));
    child.hang_up().unwrap();
    let wanted = format!("number {number}\n");
    let seen = async { while client.get("/now").await.unwrap().text() != wanted {} };
    timeout(WITHIN, seen).await.unwrap_or_else(|_| panic!("number {number} was not served"));
}

/// Shown to fail with 150 bytes kept of each request, and with 50 KB kept of each reload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_descriptors_and_threads_are_flat_over_requests_and_reloads() {
    let number = |name: &str, short| std::env::var(name).map_or(short, |number| number.parse().unwrap());
    let requests: u64 = number("EDGE_MEMORY_REQUESTS", REQUESTS);
    let reloads: u64 = number("EDGE_MEMORY_RELOADS", RELOADS);
    let place = Place::with("memory", &settings(0, ""));
    let child = place.run(&["--log", "error"]);
    let server = ready(&child).await;
    let asked = Arc::new(Asked::default());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask(server, Arc::clone(&asked)));
    }
    let mut own = Client::new(server);
    let mut held = Vec::new();
    let parts = async {
        for part in 1..=PARTS {
            for reload_number in reloads * (part - 1) / PARTS..reloads * part / PARTS {
                reload(&place, &child, &mut own, reload_number + 1).await;
            }
            while asked.requests.load(Ordering::Relaxed) < requests * part / PARTS {
                own.get("/").await.unwrap();
            }
            let now = Held::by(child.pid());
            println!("{} requests, {} reloads: {now}", requests * part / PARTS, reloads * part / PARTS);
            held.push(now);
        }
    };
    timeout(LONGEST, parts).await.expect("it is not enough in time");
    asked.enough.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let (first, last) = (held[0], held[held.len() - 1]);
    let most = held.iter().map(|held| held.memory).max().unwrap();
    assert!(most <= first.memory + SLACK, "{} KiB, at first {first}", most >> 10);
    // The connections come and go: a few more or less at one moment.
    assert!(last.descriptors <= first.descriptors + 2 * CLIENTS, "{last}, at first {first}");
    assert!(last.threads <= first.threads + 2, "{last}, at first {first}");
    stopped(child).await;
}
