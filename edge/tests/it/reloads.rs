//! A hundred reloads, good, misspelt and refused in turn, under load: nothing is lost, and nobody waits
//! for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use edge::drive::{Child, Client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::epochs::{check, refused, settings};
use crate::place::{Place, WITHIN, stopped};

/// Connections that are kept, and clients that make a new one for each request.
const KEEPING: usize = 4;
const CLOSING: usize = 2;

/// Blocks of requests without reloads and with some, in turn, so that the machine's moods fall on both.
const BLOCKS: usize = 20;
const RELOADS: usize = 5;
/// Requests that follow each reload; as many as that for each reload are in a block without any. Few: those who have
/// waited for a reload are then more than one in a hundred.
const AFTER: u64 = 60;

/// How much longer the 99th percentile with reloads may be than without. In release, alone on two processors, it
/// was 0.97 to 1.15. Here other tests run beside this one and on the same processors, so this only catches a
/// reload that somebody waits for; the figure is printed.
const LOOSELY: f64 = 3.0;

/// What the clients and the one who reloads tell each other.
#[derive(Default)]
struct Shared {
    reloading: AtomicBool,
    enough: AtomicBool,
    answered: AtomicU64,
}

/// How long answers took: without reloads, and with.
#[derive(Default)]
struct Took([Vec<Duration>; 2]);

impl Took {
    fn add(&mut self, other: Self) {
        let [without, with] = other.0;
        self.0[0].extend(without);
        self.0[1].extend(with);
    }

    /// The 99th percentiles, and the second by the first.
    fn p99(&mut self) -> (Duration, Duration, f64) {
        let [without, with] = self.0.each_mut().map(|took| {
            took.sort_unstable();
            took[took.len() * 99 / 100]
        });
        (without, with, with.as_secs_f64() / without.as_secs_f64())
    }
}

const PATHS: [&str; 4] = ["/epoch", "/", "/now", "/demo/hello"];

/// Whether this is what the path answers.
fn right(path: &str, status: u16, text: &str) -> Result<(), String> {
    let good = match path {
        "/epoch" => return check(text),
        "/" => text.contains("<h1>number "),
        "/now" => text.starts_with("number "),
        _ => text.starts_with("hello from the upstream"),
    };
    if good && status == 200 { Ok(()) } else { Err(format!("{path}: {status} {text}")) }
}

/// Asks until it is enough: how long each answer took. One that is lost or wrong ends it.
async fn ask(server: SocketAddr, shared: Arc<Shared>, keeps: bool) -> Result<Took, String> {
    let (mut client, mut took) = (Client::new(server), Took::default());
    for path in PATHS.into_iter().cycle() {
        if shared.enough.load(Ordering::Relaxed) {
            break;
        }
        let phase = usize::from(shared.reloading.load(Ordering::Relaxed));
        let since = Instant::now();
        let answer = if keeps { keeping(&mut client, path).await } else { closing(server, path).await };
        took.0[phase].push(since.elapsed());
        let right = answer.and_then(|(status, text)| right(path, status, &text));
        if let Err(wrong) = right {
            shared.enough.store(true, Ordering::Relaxed);
            return Err(wrong);
        }
        shared.answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(took)
}

async fn keeping(client: &mut Client, path: &str) -> Result<(u16, String), String> {
    let answer = client.get(path).await.map_err(|failed| failed.to_string())?;
    if answer.last {
        return Err("the connection was not kept".to_owned());
    }
    Ok((answer.status.as_u16(), answer.text()))
}

/// A connection for one answer, which is whole only with its length or its last piece.
async fn closing(server: SocketAddr, path: &str) -> Result<(u16, String), String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n\r\n");
    let exchanged = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = exchanged.await.map_err(|error| format!("{path}: {error}"))?;
    let broken = || format!("broken off: {answer:?}");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    if length != Some(body.len()) {
        return Err(broken());
    }
    Ok((status, body.to_owned()))
}

/// One who reloads, and sees what comes of it.
struct Reloading {
    place: Place,
    child: Child,
    client: Client,
    shared: Arc<Shared>,
    number: u64,
}

impl Reloading {
    /// Asks as well, until so many more requests are answered.
    async fn requests(&mut self, more: u64) {
        let wanted = self.shared.answered.load(Ordering::Relaxed) + more;
        while self.shared.answered.load(Ordering::Relaxed) < wanted
            && !self.shared.enough.load(Ordering::Relaxed)
        {
            assert_eq!(self.served().await, self.number);
        }
    }

    async fn served(&mut self) -> u64 {
        let text = self.client.get("/now").await.unwrap().text();
        text.trim_end().strip_prefix("number ").unwrap().parse().unwrap()
    }

    /// A new route, greeting and limit, seen served.
    async fn good(&mut self) {
        self.number += 2;
        self.place.write("http.yaml", &settings(self.number, ""));
        self.child.hang_up().unwrap();
        let wanted = self.number;
        let seen = async { while self.served().await != wanted {} };
        timeout(WITHIN, seen).await.expect("it was not served");
    }

    /// A file that this provider refuses.
    async fn bad(&mut self, text: &str, provider: &str) {
        self.place.write("http.yaml", text);
        let before = self.child.said().count();
        self.child.hang_up().unwrap();
        let named = format!("reload of '{provider}' failed");
        let named = |line: &str| line.contains(&named).then_some(());
        let ((), number) = self.child.said().line_after(before, WITHIN, named).await.unwrap();
        let over = |line: &str| line.contains("reload refused").then_some(());
        self.child.said().line_after(number, WITHIN, over).await.unwrap();
    }
}

/// Shown to fail with every request waiting while `routes` takes 60 ms to reload: 6.25 times as long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_reloads_under_load_lose_nothing_and_nobody_waits_for_them() {
    let place = Place::with("hundred", &settings(0, ""));
    let (child, server) = place.up().await;
    let shared = Arc::new(Shared::default());
    let mut clients = JoinSet::new();
    for number in 0..KEEPING + CLOSING {
        let (shared, keeps) = (Arc::clone(&shared), number < KEEPING);
        clients.spawn(async move { (keeps, ask(server, shared, keeps).await) });
    }
    let (client, of_all) = (Client::new(server), Arc::clone(&shared));
    let mut reloading = Reloading { place, child, client, shared: of_all, number: 0 };
    reloading.requests(AFTER).await;
    let mut reloads = 0;
    for _ in 0..BLOCKS {
        shared.reloading.store(false, Ordering::Relaxed);
        reloading.requests(AFTER * RELOADS as u64).await;
        shared.reloading.store(true, Ordering::Relaxed);
        for _ in 0..RELOADS {
            let next = reloading.number + 1;
            match reloads % 3 {
                0 => reloading.good().await,
                1 => reloading.bad(&settings(next, "limits: [\n"), "settings").await,
                _ => reloading.bad(&refused(next, ""), "routes").await,
            }
            reloads += 1;
            reloading.requests(AFTER).await;
        }
    }
    shared.enough.store(true, Ordering::Relaxed);
    let (mut kept, mut closed) = (Took::default(), Took::default());
    while let Some(ended) = clients.join_next().await {
        let (keeps, took) = ended.unwrap();
        (if keeps { &mut kept } else { &mut closed }).add(took.unwrap());
    }
    assert_eq!(reloads, 100);
    for (what, took) in [("kept", &mut kept), ("closed", &mut closed)] {
        let (without, with, ratio) = took.p99();
        let requests = took.0.each_ref().map(Vec::len);
        println!(
            "{what}: {requests:?} requests, 0 failed, p99 {without:.1?} without, {with:.1?} with: {ratio:.2}"
        );
        assert!(ratio <= LOOSELY, "{what}: {ratio:.2}");
    }
    stopped(reloading.child).await;
}
