//! Epochs: an answer that crosses several providers is of one reload, whole, or of the one before it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use edge::drive::{Child, Client, Crossed};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::{Place, WITHIN, ready, stopped};

/// Connections that ask for what was crossed.
const CLIENTS: usize = 4;

/// How many requests there are where nobody asks for more: `EDGE_EPOCH_REQUESTS=1000000` is the long form. Without pins
/// some ten to forty of them show a mix already.
const REQUESTS: u64 = 5_000;

/// How long the long form may take.
const LONGEST: Duration = Duration::from_secs(900);

/// A file in which each of three providers has the number: even where it is good, so that an odd one that
/// is served was refused.
pub(crate) fn settings(number: u64, more: &str) -> String {
    format!(
        "listen: 127.0.0.1:0\ngreeting: number {number}\nupstreams:\n  demo:\n    servers: [built-in]\n    patience: {}ms\nroutes:\n  \
         /now: text number {number}\n{more}",
        10_000 + number
    )
}

/// A file that `settings` accepts and `routes` refuses.
pub(crate) fn refused(number: u64, more: &str) -> String {
    settings(number, &format!("  /late: upstream demo\n{more}"))
}

/// What is seen in one answer: whether it is one, and whether it is of one epoch.
pub(crate) fn check(answer: &str) -> Result<(), String> {
    let all = Crossed::all(answer)?;
    let names: Vec<&str> = all.iter().map(|one| one.provider.as_str()).collect();
    assert_eq!(names, ["settings", "routes", "upstreams", "http"]);
    Crossed::belong_together(&all)?;
    let number = all[0].value.strip_prefix("number ").and_then(|number| number.parse::<u64>().ok());
    let number = number.ok_or_else(|| format!("no number: {answer}"))?;
    let patience = format!("demo built-in patience {:?}", Duration::from_millis(10_000 + number));
    if all[1].value != format!("/now text number {number}") || all[2].value != patience {
        return Err(format!("two numbers in one answer: {all:?}"));
    }
    if !number.is_multiple_of(2) {
        return Err(format!("a refused file was served: {all:?}"));
    }
    Ok(())
}

#[derive(Default)]
struct Seen {
    requests: AtomicU64,
    mixes: AtomicU64,
    /// A request has no answer, or the wrong one: there is nothing to wait for.
    lost: AtomicBool,
    enough: AtomicBool,
}

impl Seen {
    fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    fn mixes(&self) -> u64 {
        self.mixes.load(Ordering::Relaxed)
    }
}

/// Asks until it is enough. A request that is lost ends the test.
async fn ask(server: SocketAddr, seen: Arc<Seen>) -> Result<(), String> {
    let mut client = Client::new(server);
    let mut first = None;
    while !seen.enough.load(Ordering::Relaxed) {
        let answer = match client.get("/epoch").await {
            Ok(answer) if answer.status == 200 && !answer.last => answer,
            other => {
                seen.lost.store(true, Ordering::Relaxed);
                return Err(format!("{other:?}"));
            }
        };
        seen.requests.fetch_add(1, Ordering::Relaxed);
        if let Err(wrong) = check(&answer.text()) {
            seen.mixes.fetch_add(1, Ordering::Relaxed);
            first.get_or_insert(wrong);
        }
    }
    if let Some(wrong) = first {
        println!("{wrong}");
    }
    Ok(())
}

/// Reloads as quickly as each can be seen, every second one refused, until it is enough: how often.
async fn reload(
    place: &Place,
    child: &Child,
    server: SocketAddr,
    more: &str,
    enough: impl Fn() -> bool,
) -> (u64, u64) {
    let mut client = Client::new(server);
    let (mut number, mut refusals) = (0, 0);
    while !enough() {
        number += 2;
        place.write("http.yaml", &settings(number, more));
        child.hang_up().unwrap();
        let wanted = format!("number {number}\n");
        let seen = async { while client.get("/now").await.unwrap().text() != wanted {} };
        timeout(WITHIN, seen).await.unwrap_or_else(|_| panic!("number {number} was not served"));

        place.write("http.yaml", &refused(number + 1, more));
        let before = child.said().count();
        child.hang_up().unwrap();
        let said = |line: &str| line.contains("reload refused").then_some(());
        child.said().line_after(before, WITHIN, said).await.unwrap();
        refusals += 1;
    }
    (number / 2, refusals)
}

/// Asks and reloads until it is enough, at most for this long.
async fn ask_and_reload(
    name: &str,
    more: &str,
    within: Duration,
    enough: impl Fn(&Seen) -> bool,
) -> Arc<Seen> {
    let place = Place::with(name, &settings(0, more));
    let child = place.run(&["--run-mode", "development"]);
    let server = ready(&child).await;
    let seen = Arc::new(Seen::default());
    let since = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask(server, Arc::clone(&seen)));
    }
    let done = || enough(&seen) || seen.lost.load(Ordering::Relaxed);
    let reloads = reload(&place, &child, server, more, done);
    let (good, refused) = timeout(within, reloads).await.expect("it is not enough in time");
    seen.enough.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap().unwrap();
    }
    println!(
        "{} requests, {good} reloads served, {refused} refused, {} mixes, 0 failed, in {:.1?}",
        seen.requests(),
        seen.mixes(),
        since.elapsed()
    );
    stopped(child).await;
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_across_providers_is_never_of_two_epochs() {
    let wanted = std::env::var("EDGE_EPOCH_REQUESTS").map_or(REQUESTS, |number| number.parse().unwrap());
    let enough = |seen: &Seen| seen.requests() >= wanted || seen.mixes() > 0;
    let seen = ask_and_reload("epochs", "", LONGEST, enough).await;
    assert_eq!(seen.mixes(), 0);
    assert!(seen.requests() >= wanted);
}

/// The twin of the test above, with what it tests switched off: the same clients do see a mix.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_pins_the_same_clients_see_two_epochs_in_one_answer() {
    let seen = ask_and_reload("no-pins", "demo:\n  pin: off\n", 3 * WITHIN, |seen| seen.mixes() > 0).await;
    assert!(seen.mixes() > 0);
}

#[tokio::test]
async fn pins_are_not_switched_off_outside_of_development() {
    let place = Place::with("pins", "listen: 127.0.0.1:0\ndemo:\n  pin: off\n");
    let ended = crate::place::ends(place.start(), 78).await;
    crate::place::said(&ended, "http.yaml:3:8 demo.pin is for --run-mode development only");
}
