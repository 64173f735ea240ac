//! Supervision: what panics or goes away is started again, and costs nobody else anything.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use edge::drive::{Answer, Child, Client, Load};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::place::{Place, QUIET, WITHIN, ready, stopped};

/// How often the upstream is asked whether it is there.
const INTERVAL: Duration = Duration::from_millis(100);

/// What does not need the upstream, asked all the time.
fn load(address: SocketAddr) -> Load {
    Load::start(
        address,
        4,
        vec![
            ("/", Box::new(|answer| answer.status == 200)),
            ("/files/file", Box::new(|answer| answer.body.len() == 100_000)),
            ("/now", Box::new(|answer| answer.text() == "now\n")),
        ],
    )
}

fn settings(upstream: &str) -> String {
    format!(
        "{QUIET}files: public\nroutes:\n  /now: text now\nupstreams:\n  demo:\n    \
         servers: ['{upstream}']\n    check: {{interval: {INTERVAL:?}, rise: 1}}\n"
    )
}

fn front(name: &str, upstream: &str) -> Place {
    let place = Place::with(name, &settings(upstream));
    place.write("public/file", &"x".repeat(100_000));
    place
}

/// Stops the load, of which nothing may have failed.
async fn nothing_failed(load: Load) {
    // On a busy machine a restart may be over before there was a load.
    let enough = async {
        while load.so_far().sent < 50 {
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, enough).await.expect("there is no load");
    let tally = load.stop().await;
    assert_eq!((tally.failed, &tally.failures), (0, &vec![]));
}

async fn status(client: &mut Client) -> String {
    client.get("/status").await.unwrap().text()
}

/// Asks for a path until the answer is as it should be.
async fn until(client: &mut Client, path: &str, right: impl Fn(&Answer) -> bool) -> Answer {
    let asked = async {
        loop {
            let answer = client.get(path).await.unwrap();
            if right(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, asked).await.unwrap_or_else(|_| panic!("{path} did not become what it should be"))
}

#[tokio::test]
async fn a_panic_becomes_generation_2_after_100_ms_with_file_and_line() {
    let place = front("panic", "built-in");
    let (child, address) = place.up().await;
    let (load, mut client) = (load(address), Client::new(address));
    assert_eq!(client.get("/demo/hello").await.unwrap().status, 200);

    assert_eq!(client.post("/demo/panic", bytes::Bytes::new()).await.unwrap().status, 502);
    let since = Instant::now();
    // Its socket is kept: who comes meanwhile waits for the next generation.
    assert_eq!(client.get("/demo/hello").await.unwrap().status, 200);
    let took = since.elapsed();
    // The jitter takes a fifth of it away at most; what it is longer is the machine's.
    assert!((70..1_000).contains(&took.as_millis()), "{took:?}");
    let panicked = |line: &str| line.contains("it is started again").then(|| line.to_owned());
    let line = child.line(WITHIN, panicked).await.unwrap();
    for part in [
        "runnable 'demo' panicked: somebody asked for /panic; it is started again",
        "provider=\"demo\"",
        "generation=1",
        "src/demo/site.rs:",
        "attempt=1",
    ] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    let said = until(&mut client, "/status", |answer| answer.text().contains("run · ready")).await.text();
    let row = said.lines().find(|line| line.starts_with("  demo ")).unwrap();
    assert!(row.contains("ready") && row.contains("#2") && row.contains("1 restart"), "{row}");
    let row = said.lines().find(|line| line.starts_with("  http")).unwrap();
    assert!(row.contains("#1"), "{row}");
    nothing_failed(load).await;
    stopped(child).await;
}

#[tokio::test]
async fn a_killed_upstream_degrades_only_its_route_and_recovers() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let behind = Place::with("behind", &format!("listen: {address}\n"));
    let (upstream, _) = behind.up().await;
    let place = front("front", &address.to_string());
    let (child, server) = place.up().await;
    let (load, mut client) = (load(server), Client::new(server));
    // The one behind passes it on in its turn.
    let passed = "/demo/demo/hello";
    assert_eq!(client.get(passed).await.unwrap().status, 200);

    upstream.kill().unwrap();
    upstream.end(WITHIN).await.unwrap();
    let gone = until(&mut client, passed, |answer| {
        assert!([502, 503].contains(&answer.status.as_u16()), "{}", answer.status);
        answer.status == 503
    });
    let text = gone.await.text();
    assert!(text.starts_with(&format!("the pool 'demo' is down: {address} ")), "{text}");
    let since = Instant::now();
    assert_eq!(client.get(passed).await.unwrap().status, 503);
    assert!(since.elapsed() < Duration::from_millis(500), "{:?}: it was asked all the same", since.elapsed());
    let degraded = "'upstreams' not ready: starting again: ";
    let said = until(&mut client, "/status", |answer| answer.text().contains(degraded)).await.text();
    let cause = format!("\n  {degraded}the pool 'demo' is down: {address} ");
    assert!(
        said.contains("run · degraded · ") && said.contains(&cause) && said.contains(", since "),
        "{said}"
    );

    let upstream = behind.start();
    ready(&upstream).await;
    let since = Instant::now();
    until(&mut client, passed, |answer| answer.status == 200).await;
    // What it is longer than the interval is the machine's.
    assert!(since.elapsed() < INTERVAL + Duration::from_secs(1), "{:?}", since.elapsed());
    let said = status(&mut client).await;
    assert!(said.contains("run · ready · "), "{said}");
    nothing_failed(load).await;
    let ended = stopped(child).await;
    assert!(ended.line("not ready any more").is_none(), "it was to be degraded, no more");
    stopped(upstream).await;
}

#[tokio::test]
async fn an_upstream_that_was_never_there_does_not_hold_the_start_and_is_found_when_it_comes() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let place = front("never", &address.to_string());
    let (child, server) = place.up().await;
    let mut client = Client::new(server);
    until(&mut client, "/demo/hello", |answer| answer.status == 503).await;
    assert_eq!(client.get("/now").await.unwrap().status, 200);
    // A reload to one that is there does not wait for the one that is not.
    let other = Place::with("other", QUIET);
    let (other_child, other_address): (Child, SocketAddr) = other.up().await;
    place.write("http.yaml", &settings(&other_address.to_string()));
    child.hang_up().unwrap();
    until(&mut client, "/demo/demo/hello", |answer| answer.status == 200).await;
    until(&mut client, "/status", |answer| answer.text().contains("run · ready · ")).await;
    stopped(child).await;
    stopped(other_child).await;
}
