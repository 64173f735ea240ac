//! Requests that two readers might read in two ways: each is refused, or reaches the upstream in one way only.
//!
//! The cases are the known ones: those of the "HTTP desync" papers (CL.TE, TE.CL and the ways to hide a coding), of
//! RFC 9112, 11.2, of `http-garden` and of `h2csmuggler`. The upstream here reads strictly and panics at the rest.

use std::net::SocketAddr;

use edge::drive::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::place::{Place, WITHIN, before, stopped};
use crate::record::{Record, Seen};

/// What must become of a request.
enum Then {
    /// This status and the end of the connection, and the upstream has seen nothing.
    Refused(u16),
    /// It reaches the upstream as this line with this body, and the connection is kept.
    Passed(&'static str, &'static str),
    /// The same, and the connection is closed behind the answer.
    Last(&'static str, &'static str),
    /// It reaches the upstream as the head of a request that breaks off, or not at all.
    Broken,
}
use Then::{Broken, Last, Passed, Refused};

/// A request with a body of `5\r\nhello\r\n0\r\n\r\n` or of `hello`, below these headers.
fn post(headers: &str, body: &str) -> String {
    format!("POST /demo/a HTTP/1.1\r\nHost: edge\r\n{headers}\r\n\r\n{body}")
}

const CHUNKED: &str = "5\r\nhello\r\n0\r\n\r\n";
const SMUGGLED: &str = "GET /demo/smuggled HTTP/1.1\r\nHost: edge\r\n\r\n";

fn lengths() -> Vec<(String, Then)> {
    let mut cases = vec![
        (post("Content-Length: 5", "hello"), Passed("POST /a", "hello")),
        (post("Content-Length: 5\r\nContent-Length: 5", "hello"), Passed("POST /a", "hello")),
        (post("Content-Length: 5\r\nContent-Length: 6", "hello"), Refused(400)),
        (post("Content-Length: 0\r\nContent-Length: 44", SMUGGLED), Refused(400)),
        // A name that is not it.
        (post("Content_Length: 9\r\nContent-Length: 5", "hello"), Passed("POST /a", "hello")),
    ];
    for wrong in [
        "+5",
        "-5",
        "0x5",
        "5, 5",
        "5,6",
        "5 5",
        "5;",
        "5.0",
        "",
        "18446744073709551616",
        "5\u{b}",
        "\u{665}",
    ] {
        cases.push((post(&format!("Content-Length: {wrong}"), "hello"), Refused(400)));
    }
    cases
}

fn codings() -> Vec<(String, Then)> {
    let both =
        |coding: &str| post(&format!("Content-Length: 5\r\n{coding}"), &format!("0\r\n\r\n{SMUGGLED}"));
    vec![
        (post("Transfer-Encoding: chunked", CHUNKED), Passed("POST /a", "hello")),
        (post("Transfer-Encoding:chunked\t ", CHUNKED), Passed("POST /a", "hello")),
        (post("Transfer-Encoding: CHUNKED", CHUNKED), Passed("POST /a", "hello")),
        // CL.TE and TE.CL: the coding counts, and nothing is read behind it.
        (both("Transfer-Encoding: chunked"), Last("POST /a", "")),
        (
            post(
                &format!("Transfer-Encoding: chunked\r\nContent-Length: {}", SMUGGLED.len()),
                &format!("0\r\n\r\n{SMUGGLED}"),
            ),
            Last("POST /a", ""),
        ),
        (
            post(
                "Transfer-Encoding: chunked\r\nContent-Length: 3",
                &format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len()),
            ),
            Last("POST /a", SMUGGLED),
        ),
        // TE.TE: what hides a coding from one of two readers.
        (both("Transfer-Encoding: xchunked"), Refused(400)),
        (both("Transfer-Encoding: chunkedx"), Refused(400)),
        (both("Transfer-Encoding: chunked, identity"), Refused(400)),
        (both("Transfer-Encoding: identity, chunked"), Refused(501)),
        (both("Transfer-Encoding: gzip, chunked"), Refused(501)),
        (both("Transfer-Encoding: chunked, chunked"), Refused(501)),
        (both("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), Refused(400)),
        (both("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"), Refused(501)),
        (both("Transfer-Encoding: \"chunked\""), Refused(400)),
        (both("Transfer-Encoding: 'chunked'"), Refused(400)),
        (both("Transfer-Encoding:"), Refused(400)),
        (both("Transfer-Encoding : chunked"), Refused(400)),
        (both("Transfer-Encoding\t: chunked"), Refused(400)),
        (both("Transfer-Encoding: chunked\u{b}"), Refused(400)),
        (both("Transfer-Encoding: \u{b}chunked"), Refused(400)),
        (both("Transfer-Encoding: chunked\0"), Refused(400)),
        (both("X: x\r\n Transfer-Encoding: chunked"), Refused(400)),
        (both("X: x\r\n\tTransfer-Encoding: chunked"), Refused(400)),
        (both("Transfer-Encoding:\r\n chunked"), Refused(400)),
        (both("X: x\rTransfer-Encoding: chunked"), Refused(400)),
        // A line may end with its second byte alone (RFC 9112, 2.2); then this is a coding like any other.
        (both("X: x\nTransfer-Encoding: chunked"), Last("POST /a", "")),
        (both("Transfer_Encoding: chunked").replace(SMUGGLED, ""), Passed("POST /a", "0\r\n\r\n")),
        (
            "POST /demo/a HTTP/1.0\r\nHost: edge\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            Refused(400),
        ),
    ]
}

fn chunks() -> Vec<(String, Then)> {
    let body = |body: &str| post("Transfer-Encoding: chunked", body);
    vec![
        (body("5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n"), Passed("POST /a", "hello")),
        (body("005\r\nhello\r\n000\r\n\r\n"), Passed("POST /a", "hello")),
        (body("5\r\nhello\r\n0\r\nX-Trailer: 1\r\nContent-Length: 9\r\n\r\n"), Passed("POST /a", "hello")),
        (body("5\nhello\n0\n\n"), Broken),
        (body("5;a\nb\r\nhello\r\n0\r\n\r\n"), Broken),
        (body("0x5\r\nhello\r\n0\r\n\r\n"), Broken),
        (body("+5\r\nhello\r\n0\r\n\r\n"), Broken),
        (body("-5\r\nhello\r\n0\r\n\r\n"), Broken),
        (body("\r\nhello\r\n0\r\n\r\n"), Broken),
        (body("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"), Broken),
        (body("5\r\nhelloXX\r\n0\r\n\r\n"), Broken),
        (body("5\r\nhello0\r\n\r\n"), Broken),
    ]
}

fn hosts() -> Vec<(String, Then)> {
    let get = |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\n{headers}\r\n\r\n");
    vec![
        (get("/demo/a", "Host: edge\r\nHost: edge"), Refused(400)),
        (get("/demo/a", "Host: edge\r\nHost: other"), Refused(400)),
        (get("/demo/a", "X: 1"), Refused(400)),
        (get("/demo/a", "Host:"), Refused(400)),
        (get("/demo/a", "Host: a b"), Refused(400)),
        (get("/demo/a", "Host: me@edge"), Refused(400)),
        (get("/demo/a", "Host: edge/demo"), Refused(400)),
        (get("/demo/a", "Host: edge, other"), Refused(400)),
        (get("http://edge/demo/a", "Host: edge"), Passed("GET /a", "")),
        (get("http://EDGE/demo/a", "Host: edge"), Passed("GET /a", "")),
        (get("http://other/demo/a", "Host: edge"), Refused(400)),
        (get("http://me@edge/demo/a", "Host: edge"), Refused(400)),
        (get("edge:80", "Host: edge").replacen("GET", "CONNECT", 1), Refused(501)),
    ]
}

fn lines() -> Vec<(String, Then)> {
    let first = |line: &str| format!("{line}\r\nHost: edge\r\n\r\n");
    let header = |header: &str| format!("GET /demo/a HTTP/1.1\r\nHost: edge\r\n{header}\r\n\r\n");
    vec![
        (format!("\r\n{}", first("GET /demo/a HTTP/1.1")), Passed("GET /a", "")),
        (first("GET  /demo/a HTTP/1.1"), Refused(400)),
        (first("GET /demo/a  HTTP/1.1"), Refused(400)),
        (first("GET /demo/a b HTTP/1.1"), Refused(400)),
        (first("GET\t/demo/a HTTP/1.1"), Refused(400)),
        (first("GET /demo/a HTTP/1.1 x"), Refused(400)),
        (first("GET /demo/a HTTP/3.0"), Refused(400)),
        (first("GET /demo/a HTTP/1.2"), Refused(400)),
        (first("GET /demo/a"), Refused(400)),
        (first("G(T /demo/a HTTP/1.1"), Refused(400)),
        (first("GET /demo/a\u{7f} HTTP/1.1"), Refused(400)),
        (first("GET /demo/../smuggled HTTP/1.1"), Refused(400)),
        (first("GET /demo/%2e%2e/smuggled HTTP/1.1"), Refused(400)),
        (first("GET /demo/a%2f..%2f..%2fb HTTP/1.1"), Refused(400)),
        (first("GET /demo/..;/smuggled HTTP/1.1"), Refused(400)),
        (first("GET /demo/a%0d%0ab HTTP/1.1"), Refused(400)),
        (header(": x"), Refused(400)),
        (header("no colon"), Refused(400)),
        (header("X : 1"), Refused(400)),
        (header("X: a\0b"), Refused(400)),
        (header("X: a\rb"), Refused(400)),
        (header("X(: 1"), Refused(400)),
    ]
}

/// Sends it, and reads what comes back: the status of the first answer, and whether the connection ended.
async fn exchanged(edge: SocketAddr, request: &str, kept: bool) -> (u16, String) {
    let mut stream = TcpStream::connect(edge).await.unwrap();
    // A refusal may come, and the connection end, before all of it is written.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    loop {
        match timeout(WITHIN, stream.read(&mut piece)).await.unwrap_or_else(|_| panic!("{request:?} hangs")) {
            Ok(0) | Err(_) => break,
            Ok(read) => answer.extend(&piece[..read]),
        }
        if kept && answer.ends_with(b"\r\n\r\nok") {
            break;
        }
    }
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer)
}

/// Nothing of this kind comes from a gateway, whatever it was sent.
fn clean(seen: &Seen, request: &str) {
    assert!(!seen.line.contains("smuggled"), "{request:?} got through: {seen:?}");
    for name in ["connection", "upgrade", "te", "trailer", "keep-alive", "x-trailer", "http2-settings"] {
        assert!(seen.all(name).is_empty(), "{request:?} made {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_reaches_the_upstream_in_one_way_or_not_at_all() {
    let mut record = Record::start().await;
    let place = Place::with("smuggling", &before(record.address));
    let (child, edge) = place.up().await;
    for (request, then) in [lengths(), codings(), chunks(), hosts(), lines()].into_iter().flatten() {
        let (status, answer) = exchanged(edge, &request, matches!(then, Passed(..))).await;
        assert_eq!(Client::new(edge).get("/demo/behind").await.unwrap().status, 200);
        let seen = record.until("GET /behind").await;
        for seen in &seen {
            clean(seen, &request);
        }
        let lines: Vec<_> = seen.iter().map(|seen| (seen.line.as_str(), seen.body.as_deref())).collect();
        match then {
            Refused(expected) => {
                assert_eq!(status, expected, "{request:?} got {answer:?}");
                assert_eq!(lines, [], "{request:?}");
            }
            Passed(line, body) | Last(line, body) => {
                assert_eq!(status, 200, "{request:?} got {answer:?}");
                assert_eq!(lines, [(line, Some(body.as_bytes()))], "{request:?}");
                assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{request:?} got {answer:?}");
            }
            Broken => {
                assert!(status != 200, "{request:?} got {answer:?}");
                assert!(lines.iter().all(|(_, body)| body.is_none()), "{request:?}: {lines:?}");
            }
        }
    }
    stopped(child).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_around_the_gateway_by_an_upgrade_is_not_opened() {
    let mut record = Record::start().await;
    let place = Place::with("h2c", &before(record.address));
    let (child, edge) = place.up().await;
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk";
    let named = "Connection: close, X-Api-Key, Content-Length\r\nX-Api-Key: 1";
    for headers in [h2c, named] {
        let request = format!("GET /demo/a HTTP/1.1\r\nHost: edge\r\n{headers}\r\n\r\n");
        let (status, _) = exchanged(edge, &request, true).await;
        assert_eq!(status, 200);
        assert_eq!(Client::new(edge).get("/demo/behind").await.unwrap().status, 200);
        let seen = record.until("GET /behind").await;
        assert_eq!(seen.len(), 1);
        clean(&seen[0], &request);
        assert!(seen[0].all("x-api-key").is_empty());
    }
    stopped(child).await;
}
