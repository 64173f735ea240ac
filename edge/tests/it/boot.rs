//! How it starts, or does not.

use edge::drive::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::place::{Place, QUIET, WITHIN, ends, ready, said, stopped};

#[tokio::test]
async fn it_speaks_in_its_first_second_and_once_more_at_its_end() {
    let place = Place::with("speaks", QUIET);
    let (child, address) = place.up().await;
    let mut client = Client::new(address);
    for path in ["/", "/status", "/demo/hello", "/nothing"] {
        client.get(path).await.unwrap();
    }
    drop(client);
    let ended = stopped(child).await;
    let starts = [
        "edge 0.",
        "plan   settings → access-log + demo + dns + lock + routes → limits + upstreams → stats → http",
        "boot   ",
        "ready  http://",
        "try    ",
    ];
    for (line, start) in ended.lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert!(ended.lines[2].contains("critical path settings "));
    let last = ended.lines.last().unwrap();
    assert!(last.starts_with("stop SIGTERM · 0 in flight · hooks 10/10 · "), "{last}");
    assert!(last.ends_with(" of 25 s · exit 0"), "{last}");
    assert_eq!(ended.lines.len(), 8, "{}", ended.lines.join("\n"));
}

#[tokio::test]
async fn a_second_start_says_who_holds_the_lock_and_a_killed_one_holds_none() {
    let place = Place::with("lock", QUIET);
    let (first, _) = place.up().await;
    let second = ends(place.start(), 75).await;
    said(&second, &format!("{} is held by process {}", place.path("edge.lock").display(), first.pid()));
    first.kill().unwrap();
    assert_eq!(first.end(WITHIN).await.unwrap().code(), None);
    let (third, _) = place.up().await;
    stopped(third).await;
    assert_eq!(std::fs::read_to_string(place.path("edge.lock")).unwrap(), "");
}

#[tokio::test]
async fn a_bad_file_is_said_with_every_place_and_is_not_worth_a_retry() {
    let place = Place::with("bad", "listen: here\nlimits:\n  header: soon\n");
    let ended = ends(place.start(), 78).await;
    let file = place.path("http.yaml");
    said(&ended, &format!("{}:1:9 'here' is neither an address", file.display()));
    said(&ended, &format!("{}:3:11 'soon' is not a duration", file.display()));
    said(&ended, "register function 'http_yaml' failed");
    said(&ended, "nothing was started");
    assert!(!place.path("edge.lock").exists(), "something was booted all the same");
}

#[tokio::test]
async fn a_check_finds_what_a_boot_would_refuse_and_starts_nothing() {
    let place = Place::with("check", "listen: 127.0.0.1:0\n");
    said(&ends(place.run(&["check"]), 0).await, "no problem found, nothing was started");
    let bad = [
        ("limits:\n  header: soon\n", "2:11 'soon' is not a duration"),
        ("files: nowhere\n", "1:8 files: '"),
        ("routes:\n  /a/: upstream b\n", "2:8 there is no pool 'b'"),
        ("limits:\n  routes:\n    /a/: {inside: 1}\n", "3:19 limits.routes: '/a/' is no route"),
    ];
    for (text, problem) in bad {
        place.write("http.yaml", text);
        let checked = ends(place.run(&["check"]), 78).await;
        said(&checked, &format!("http.yaml:{problem}"));
        said(&ends(place.start(), 78).await, &format!("http.yaml:{problem}"));
    }
    assert!(!place.path("edge.lock").exists(), "something was booted all the same");
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_said_with_its_place() {
    let place = Place::with("no-folder", "listen: 127.0.0.1:0\nfiles: nowhere\n");
    let ended = ends(place.start(), 78).await;
    said(&ended, &format!("{}:2:8 files: '", place.path("http.yaml").display()));
}

#[tokio::test]
async fn the_built_in_port_gives_way_and_says_so() {
    // If somebody else has it, it is taken as well.
    let _taken = TcpListener::bind("127.0.0.1:8080").await;
    let place = Place::empty("port");
    let (child, address) = place.up().await;
    assert!(address.port() > 8080, "{address}");
    let status = Client::new(address).get("/status").await.unwrap().text();
    assert!(status.contains("greeting   hello from edge"), "{status}");
    let ended = stopped(child).await;
    said(&ended, &format!("port 8080 is taken, {} is the next free one", address.port()));
    said(&ended, "built-in http.yaml");
}

#[tokio::test]
async fn a_port_that_somebody_wrote_down_does_not_give_way() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let _taken = TcpListener::bind(taken).await.unwrap();
    let place = Place::with("written", &format!("listen: {taken}\n"));
    let ended = ends(place.start(), 75).await;
    said(
        &ended,
        &format!(
            "provider 'http' failed during boot: {}:1:9 cannot listen on {taken}: ",
            place.path("http.yaml").display()
        ),
    );
    said(&ended, "rolled back http, ");
}

#[tokio::test]
async fn a_hung_boot_is_rolled_back_by_an_interrupt() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let place = Place::with(
        "hung",
        &format!("listen: 127.0.0.1:0\nupstreams:\n  demo:\n    servers: ['{address}']\n    wait: on\n"),
    );
    let child = place.start();
    let (_held, _) = silent.accept().await.unwrap();
    child.interrupt().unwrap();
    let ended = ends(child, 0).await;
    said(&ended, "rolled back ");
    assert!(ended.line("ready").is_none());
}

#[tokio::test]
async fn an_upstream_that_answers_late_is_waited_for() {
    let upstream = Place::with("answers", QUIET);
    let (upstream_child, address) = upstream.up().await;
    let place = Place::with(
        "asks",
        &format!("listen: 127.0.0.1:0\nupstreams:\n  demo:\n    servers: ['{address}']\n    wait: on\n"),
    );
    let child = place.start();
    let own = ready(&child).await;
    let page = Client::new(own).get("/demo/status").await.unwrap().text();
    assert!(page.contains(&format!("process    {}", upstream_child.pid())), "{page}");
    stopped(child).await;
    stopped(upstream_child).await;
}

#[tokio::test]
async fn an_upstream_that_answers_and_hangs_up_has_answered() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = upstream.local_addr().unwrap();
    let place = Place::with(
        "hangs-up",
        &format!("listen: 127.0.0.1:0\nupstreams:\n  demo:\n    servers: ['{address}']\n    wait: on\n"),
    );
    let child = place.start();
    let (mut stream, _) = upstream.accept().await.unwrap();
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        asked.push(stream.read_u8().await.unwrap());
    }
    // The answer and the end of the connection are there together: it is off the processor meanwhile.
    child.pause().unwrap();
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    child.go_on().unwrap();
    ready(&child).await;
    stopped(child).await;
}

#[tokio::test]
async fn the_plan_is_printed_without_starting_anything() {
    let place = Place::with("plan", QUIET);
    let ended = ends(place.run(&["plan"]), 0).await;
    said(&ended, "requires settings, routes, limits, access-log, stats, lock");
    said(&ended, "wants    upstreams");
    said(
        &ended,
        "upstreams/pools, ready when it says so, restart on failure: 100ms x2 up to 1s, unlimited, degraded meanwhile",
    );
    assert!(!place.path("edge.lock").exists());
}
