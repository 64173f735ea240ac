//! Pools behind a real edge: whose turn it is, who is down, who is left out, and where a name leads to.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use edge::drive::{Answer, Child, Client, Load, NameServer, Says};
use tokio::time::timeout;

use crate::place::{Place, QUIET, WITHIN, ends, said, stopped};
use crate::servers::{CHECK, Server};

/// How often servers are asked whether they are there.
const INTERVAL: Duration = Duration::from_millis(50);

fn settings(servers: &str, more: &str) -> String {
    format!(
        "{QUIET}routes:\n  /a/: upstream a\n  /now: text now\nupstreams:\n  a:\n    servers: [{servers}]\n    \
         check: {{path: {CHECK}, interval: {INTERVAL:?}, rise: 1, fall: 2}}\n{more}"
    )
}

async fn get(client: &mut Client) -> u16 {
    client.get("/a/b").await.unwrap().status.as_u16()
}

async fn until(client: &mut Client, path: &str, right: impl Fn(&Answer) -> bool) -> String {
    let asked = async {
        loop {
            let answer = client.get(path).await.unwrap();
            if right(&answer) {
                return answer.text();
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, asked).await.unwrap_or_else(|_| panic!("{path} did not become what it should be"))
}

/// Waits until this is in the status.
async fn status(client: &mut Client, part: &str) -> String {
    until(client, "/status", |answer| answer.text().contains(part)).await
}

/// Waits until a count has grown by so many.
async fn more(count: impl Fn() -> u64, many: u64) {
    let wanted = count() + many;
    let grown = async {
        while count() < wanted {
            tokio::task::yield_now().await;
        }
    };
    timeout(WITHIN, grown).await.expect("it is not asked");
}

#[tokio::test]
async fn requests_are_shared_by_weight_and_each_server_is_checked() {
    let (one, two) = (Server::start().await, Server::start().await);
    let servers = format!("'{} weight 3', '{}'", one.address, two.address);
    let place = Place::with("weights", &settings(&servers, ""));
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    for _ in 0..40 {
        assert_eq!(get(&mut client).await, 200);
    }
    assert_eq!((one.requests(), two.requests()), (30, 10));
    more(|| one.checks(), 3).await;
    more(|| two.checks(), 3).await;
    let said = status(&mut client, "2 of 2 children run").await;
    for line in [format!("\n  a/{} weight 3  up\n", one.address), format!("\n  a/{}  up\n", two.address)] {
        assert!(said.contains(&line), "{said}");
    }
    stopped(child).await;
}

#[tokio::test]
async fn a_server_that_goes_away_costs_no_request_and_is_taken_back_when_it_comes() {
    let (one, two) = (Server::start().await, Server::start().await);
    let servers = format!("'{}', '{}'", one.address, two.address);
    let place = Place::with("goes", &settings(&servers, ""));
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    more(|| two.checks(), 1).await;
    let gone = two.address;
    // Nothing is in flight there: what was sent to one that goes away is lost, and not sent again.
    drop(two);
    let load = Load::start(address, 4, vec![("/a/b", Box::new(|answer| answer.status == 200))]);
    status(&mut client, &format!("a/{gone}  down: ")).await;
    // It is known to be down: nobody is sent there and on again.
    let before = one.requests();
    while one.requests() < before + 20 {
        assert_eq!(get(&mut client).await, 200);
    }
    let two = Server::at(gone).await;
    more(|| two.requests(), 3).await;
    let tally = load.stop().await;
    assert_eq!((tally.failed, &tally.failures), (0, &vec![]));
    assert!(status(&mut client, "run · ready").await.contains(&format!("a/{gone}  up")));
    stopped(child).await;
}

#[tokio::test]
async fn a_check_is_failed_by_a_bad_status_and_a_pool_that_is_down_says_so_on_its_routes_only() {
    let one = Server::start().await;
    let place = Place::with("down", &settings(&format!("'{}'", one.address), ""));
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    assert_eq!(get(&mut client).await, 200);
    one.checks_are(500);
    let down = until(&mut client, "/a/b", |answer| answer.status == 503).await;
    assert_eq!(down, format!("the pool 'a' is down: {} answers 500 Internal Server Error\n", one.address));
    let before = one.requests();
    assert_eq!((get(&mut client).await, one.requests()), (503, before));
    for (path, status) in [("/now", 200), ("/demo/hello", 200)] {
        assert_eq!(client.get(path).await.unwrap().status, status);
    }
    // After the delay of its restart it waits for the pool.
    status(&mut client, &format!("'upstreams' not ready: starting again: {}", down.trim_end())).await;
    assert!(status(&mut client, "run · degraded").await.contains("a/"));
    one.checks_are(204);
    until(&mut client, "/a/b", |answer| answer.status == 200).await;
    status(&mut client, "run · ready").await;
    stopped(child).await;
}

#[tokio::test]
async fn who_fails_at_requests_is_left_out_and_asked_again_after_its_time() {
    let (one, two) = (Server::start().await, Server::start().await);
    let servers = format!("'{}', '{}'", one.address, two.address);
    let place = Place::with("out", &settings(&servers, "    eject: {failures: 3, time: 500ms}\n"));
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    two.requests_are(503);
    let since = Instant::now();
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(get(&mut client).await);
    }
    if since.elapsed() < Duration::from_millis(500) {
        // Two takes every second turn until it has failed three times.
        assert_eq!(answers.iter().filter(|status| **status == 503).count(), 3, "{answers:?}");
        assert_eq!((one.requests(), two.requests()), (17, 3));
    }
    let left_out =
        |line: &str| line.contains("left out for 500ms: 3 requests in a row have failed").then_some(());
    child.line(WITHIN, left_out).await.unwrap();
    two.requests_are(200);
    let before = two.requests();
    let asked = async {
        while two.requests() == before {
            assert_eq!(get(&mut client).await, 200);
        }
    };
    timeout(WITHIN, asked).await.expect("it is left out for ever");
    assert!(since.elapsed() >= Duration::from_millis(500), "{:?}", since.elapsed());
    stopped(child).await;
}

async fn reloaded(place: &Place, child: &Child, client: &mut Client, settings: &str, part: &str) {
    place.write("http.yaml", settings);
    child.hang_up().unwrap();
    status(client, part).await;
}

#[tokio::test]
async fn a_reload_adds_and_removes_servers_and_refuses_a_route_to_no_pool() {
    let (one, two) = (Server::start().await, Server::start().await);
    let first = settings(&format!("'{}'", one.address), "");
    let place = Place::with("pools", &first);
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    let both = settings(&format!("'{}', '{}'", two.address, one.address), "");
    reloaded(&place, &child, &mut client, &both, "2 of 2 children run").await;
    for _ in 0..10 {
        assert_eq!(get(&mut client).await, 200);
    }
    assert_eq!((one.requests(), two.requests()), (5, 5));

    place.write("http.yaml", &first.replace("upstream a\n", "upstream aa\n  /b/: upstream dem\n"));
    child.hang_up().unwrap();
    let refused = |line: &str| line.contains("reload of 'routes' failed").then(|| line.to_owned());
    let line = child.line(WITHIN, refused).await.unwrap();
    for part in [
        "http.yaml:3:8 there is no pool 'aa', only a, demo",
        "http.yaml:4:8 there is no pool 'dem': is it demo?",
    ] {
        assert!(line.contains(part) || child.said().to_string().contains(part), "no {part} in {line}");
    }
    assert_eq!(get(&mut client).await, 200);

    reloaded(&place, &child, &mut client, &first, "1 of 1 children run").await;
    // A check that was on its way then has arrived when the other one was asked again.
    more(|| one.checks(), 2).await;
    let checks = two.checks();
    for _ in 0..10 {
        assert_eq!(get(&mut client).await, 200);
    }
    more(|| one.checks(), 3).await;
    // The one between them was two's turn.
    assert_eq!((one.requests(), two.requests(), two.checks()), (5 + 10, 5 + 1, checks));
    stopped(child).await;
}

#[tokio::test]
async fn a_boot_that_waits_for_a_pool_needs_one_good_server_of_it() {
    let (one, two) = (Server::start().await, Server::start().await);
    one.checks_are(500);
    let servers = format!("'{}', '{}'", one.address, two.address);
    let place = Place::with("waits", &settings(&servers, "    wait: on\n"));
    let (child, _) = place.up().await;
    stopped(child).await;
    two.checks_are(404);
    let ended = ends(place.start(), 75).await;
    said(&ended, "no server of the pool 'a' answers: ");
    said(&ended, &format!("{} answers 404 Not Found", two.address));
}

/// With a TTL of a second, on the real clock: that is the floor.
#[tokio::test]
async fn a_name_that_moves_is_followed_and_one_that_nobody_answers_for_is_kept() {
    let names = NameServer::start().await.unwrap();
    let one = Server::start().await;
    let two = Server::at(SocketAddr::new([127, 0, 0, 2].into(), one.address.port())).await;
    names.addresses(&[1], 1);
    let servers = format!("'db.test:{}'", one.address.port());
    let settings = settings(&servers, &format!("dns: {{servers: ['{}']}}\n", names.address()));
    let place = Place::with("names", &settings);
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    for _ in 0..10 {
        assert_eq!(get(&mut client).await, 200);
    }
    // No request asks: only the boot has.
    assert_eq!((one.requests(), two.requests()), (10, 0));
    let asked = names.asked();
    assert!(asked <= 3, "{asked}");
    names.addresses(&[2], 1);
    let moved = async {
        while two.requests() == 0 {
            assert_eq!(get(&mut client).await, 200);
        }
    };
    timeout(WITHIN, moved).await.expect("the name is not followed");
    names.says(Says::NoSuchName);
    status(&mut client, "127.0.0.2, stale for ").await;
    let before = two.requests();
    assert_eq!((get(&mut client).await, two.requests()), (200, before + 1));
    stopped(child).await;
}

#[tokio::test]
async fn a_name_that_is_never_answered_degrades_its_routes_only() {
    let names = NameServer::start().await.unwrap();
    names.says(Says::NoSuchName);
    let settings = settings("'db.test:80'", &format!("dns: {{servers: ['{}']}}\n", names.address()));
    let place = Place::with("no-name", &settings);
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    let down = until(&mut client, "/a/b", |answer| answer.status == 503).await;
    assert!(down.starts_with("the pool 'a' is down: db.test:80 db.test: no address: "), "{down}");
    assert_eq!(client.get("/now").await.unwrap().status, 200);
    stopped(child).await;
}
