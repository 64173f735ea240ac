//! Load: several connections that ask all the time, check every answer, and count.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Answer, Client, Failed};

/// How long a connection rests between an answer and its next request.
const REST: Duration = Duration::from_millis(1);

/// How many failures are kept with their words.
const KEPT: usize = 3;

/// What is asked, and whether an answer is right.
type Ask = (&'static str, Box<dyn Fn(&Answer) -> bool + Send + Sync>);

/// Load that goes on until it is stopped.
pub struct Load {
    shared: Arc<Shared>,
    connections: JoinSet<()>,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests sent.
    pub sent: u64,
    /// Requests without the right answer.
    pub failed: u64,
    /// The first few failures in words.
    pub failures: Vec<String>,
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connections {
    Kept,
    Anew,
}

struct Shared {
    asks: Vec<Ask>,
    kind: Connections,
    sent: AtomicU64,
    failed: AtomicU64,
    failures: Mutex<Vec<String>>,
    /// Set when whoever drives this stops it.
    enough: AtomicBool,
    /// Set when the server is about to be stopped: from then on its polite end of a connection is the end.
    farewell: AtomicBool,
}

impl Load {
    /// Starts asking on this many connections.
    pub fn start(server: SocketAddr, connections: usize, asks: Vec<Ask>) -> Self {
        Self::begin(server, connections, asks, Connections::Kept)
    }

    /// Starts asking so many at a time, on a new connection for each request.
    pub fn start_anew(server: SocketAddr, connections: usize, asks: Vec<Ask>) -> Self {
        Self::begin(server, connections, asks, Connections::Anew)
    }

    fn begin(server: SocketAddr, connections: usize, asks: Vec<Ask>, kind: Connections) -> Self {
        let shared = Arc::new(Shared {
            asks,
            kind,
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            failures: Mutex::new(Vec::new()),
            enough: AtomicBool::new(false),
            farewell: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for number in 0..connections {
            tasks.spawn(ask_on(Client::new(server), number, Arc::clone(&shared)));
        }
        Self { shared, connections: tasks }
    }

    /// What was counted so far.
    pub fn so_far(&self) -> Tally {
        self.shared.tally()
    }

    /// Says that the server is about to be stopped: a connection that it ends politely is not made again.
    pub fn farewell(&self) {
        self.shared.farewell.store(true, Ordering::SeqCst);
    }

    /// Waits until the server has ended every connection, and counts.
    pub async fn ended(mut self) -> Tally {
        while self.connections.join_next().await.is_some() {}
        self.shared.tally()
    }

    /// Stops asking, takes the answers that are due, and counts.
    pub async fn stop(self) -> Tally {
        self.shared.enough.store(true, Ordering::SeqCst);
        self.ended().await
    }
}

impl Shared {
    fn tally(&self) -> Tally {
        Tally {
            sent: self.sent.load(Ordering::SeqCst),
            failed: self.failed.load(Ordering::SeqCst),
            failures: self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn failed(&self, path: &str, why: &str) {
        self.failed.fetch_add(1, Ordering::SeqCst);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < KEPT {
            failures.push(format!("{path}: {why}"));
        }
    }
}

async fn ask_on(mut client: Client, number: usize, shared: Arc<Shared>) {
    for (path, right) in shared.asks.iter().cycle().skip(number) {
        if shared.enough.load(Ordering::SeqCst) {
            return;
        }
        let farewell = shared.farewell.load(Ordering::SeqCst);
        let answer = client.get(path).await;
        if !matches!(answer, Err(Failed::Refused | Failed::Closed)) {
            shared.sent.fetch_add(1, Ordering::SeqCst);
        }
        // A request that began before the farewell may see the end that was announced during it.
        let farewell = farewell || shared.farewell.load(Ordering::SeqCst);
        match answer {
            Ok(answer) if !right(&answer) => {
                shared.failed(path, &format!("{}, {} bytes", answer.status, answer.body.len()));
            }
            Ok(answer) if answer.last && farewell => return,
            Err(Failed::Refused | Failed::Closed) if farewell => return,
            Err(failed) => shared.failed(path, &failed.to_string()),
            Ok(_) => {}
        }
        if shared.kind == Connections::Anew {
            client.hang_up();
        }
        sleep(REST).await;
    }
}
