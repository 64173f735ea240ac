//! A request is sent again only where it was surely not processed, or where twice is once.
//!
//! What comes after each case is another request, so whatever was sent twice would be found in front of it. Each half of
//! the rule was switched off once (the method, the body, the idle connection, the byte that was heard, the body that comes
//! back), and each time the test of it failed.

use bytes::Bytes;
use edge::drive::{Answer, Client, Failed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::place::{Place, WITHIN, before, stopped};

/// An upstream that does what it is told, one connection at a time.
struct Scripted(TcpListener);

impl Scripted {
    async fn accepts(&self) -> Line {
        Line(timeout(WITHIN, self.0.accept()).await.expect("nobody connects").unwrap().0)
    }

    /// What comes next, on a new connection, is `/third`.
    async fn answers_the_third(&self) -> Line {
        let mut line = self.accepts().await;
        assert_eq!(line.hears(0).await, "GET /third HTTP/1.1");
        line.answers().await;
        line
    }
}

struct Line(TcpStream);

impl Line {
    /// Reads a request, with a body of this length.
    async fn hears(&mut self, body: usize) -> String {
        let mut request = Vec::new();
        let read = async {
            while !request.ends_with(b"\r\n\r\n") {
                request.push(self.0.read_u8().await.unwrap());
            }
            let head = request.len();
            request.resize(head + body, 0);
            self.0.read_exact(&mut request[head..]).await.unwrap();
        };
        timeout(WITHIN, read).await.expect("nothing comes");
        let text = String::from_utf8(request).unwrap();
        text.lines().next().unwrap().to_owned()
    }

    async fn says(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn answers(&mut self) {
        self.says("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine").await;
    }

    /// Everything that is still read.
    async fn hears_to_the_end(mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = timeout(WITHIN, self.0.read_to_end(&mut rest)).await.expect("it is not closed");
        String::from_utf8(rest).unwrap()
    }

    /// Whether anything more is read.
    async fn hears_no_more(mut self) {
        match timeout(WITHIN, self.0.read(&mut [0])).await.expect("it is not closed") {
            Ok(0) | Err(_) => {}
            Ok(_) => panic!("something more was sent"),
        }
    }
}

/// An edge before an upstream that has answered one request, and keeps its connection.
struct Kept {
    _place: Place,
    child: edge::drive::Child,
    client: Client,
    upstream: Scripted,
    line: Line,
}

async fn kept(name: &str) -> Kept {
    let upstream = Scripted(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = upstream.0.local_addr().unwrap();
    let place = Place::with(name, &before(address));
    let (child, edge) = place.up().await;
    let mut client = Client::new(edge);
    let serves = async {
        let mut line = upstream.accepts().await;
        line.hears(0).await;
        line.answers().await;
        line
    };
    let (answer, line) = tokio::join!(client.get("/demo/first"), serves);
    assert_eq!(answer.unwrap().text(), "fine");
    Kept { _place: place, child, client, upstream, line }
}

fn gave_up(answer: &Answer) {
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(answer.text().contains("broke off"), "{}", answer.text());
}

#[tokio::test]
async fn what_may_be_repeated_is_sent_again_when_an_idle_connection_ends_without_a_byte() {
    let Kept { child, mut client, upstream, mut line, .. } = kept("again").await;
    let serves = async {
        assert_eq!(line.hears(0).await, "GET /second HTTP/1.1");
        drop(line);
        let mut line = upstream.accepts().await;
        assert_eq!(line.hears(0).await, "GET /second HTTP/1.1");
        line.answers().await;
        line
    };
    let (answer, line) = tokio::join!(client.get("/demo/second"), serves);
    assert_eq!(answer.unwrap().text(), "fine");
    stopped(child).await;
    line.hears_no_more().await;
}

#[tokio::test]
async fn what_may_not_be_repeated_is_sent_once() {
    let Kept { child, mut client, upstream, mut line, .. } = kept("once").await;
    for body in ["body", ""] {
        let serves = async {
            assert_eq!(line.hears(body.len()).await, "POST /second HTTP/1.1");
            drop(line);
            upstream.answers_the_third().await
        };
        let asks = async {
            gave_up(&client.post("/demo/second", Bytes::from(body)).await.unwrap());
            assert_eq!(client.get("/demo/third").await.unwrap().text(), "fine");
        };
        ((), line) = tokio::join!(asks, serves);
    }
    drop(line);
    stopped(child).await;
}

/// A PUT may be repeated, but its body is gone with the connection that it was sent on.
#[tokio::test]
async fn what_may_be_repeated_is_not_where_it_has_a_body_that_was_sent() {
    let Kept { child, mut client, upstream, mut line, .. } = kept("put").await;
    // All of it was read, or its head alone: what was not read is answered with a reset, and not with an end.
    for read in [4, 0] {
        let serves = async {
            assert_eq!(line.hears(read).await, "PUT /second HTTP/1.1");
            drop(line);
            upstream.answers_the_third().await
        };
        let asks = async {
            gave_up(&client.put("/demo/second", Bytes::from("body")).await.unwrap());
            assert_eq!(client.get("/demo/third").await.unwrap().text(), "fine");
        };
        ((), line) = tokio::join!(asks, serves);
    }
    drop(line);
    stopped(child).await;
}

/// Which of the two edge learns first, when it may run again, is the machine's to say: that the connection has ended, and
/// then nothing of the request is lost; or that there is a request, and then nobody can say what has become of it. The
/// upstream still reads, and counts.
#[tokio::test]
async fn a_body_that_comes_as_its_connection_ends_is_seen_once_at_most() {
    for turn in 0..4 {
        let Kept { child, mut client, upstream, mut line, _place } = kept(&format!("ends-{turn}")).await;
        child.pause().unwrap();
        line.0.shutdown().await.unwrap();
        let serves = async {
            let mut new = upstream.accepts().await;
            let mut seen = 0;
            let mut asked = new.hears(0).await;
            if asked == "PUT /second HTTP/1.1" {
                new.0.read_exact(&mut [0; 4]).await.unwrap();
                new.answers().await;
                (seen, asked) = (1, new.hears(0).await);
            }
            assert_eq!(asked, "GET /third HTTP/1.1");
            new.answers().await;
            seen
        };
        let asks = async {
            let put = client.put("/demo/second", Bytes::from("body"));
            let go_on = async {
                // Until it is written.
                for _ in 0..10 {
                    yield_now().await;
                }
                child.go_on().unwrap();
            };
            let (answer, ()) = tokio::join!(put, go_on);
            assert_eq!(client.get("/demo/third").await.unwrap().text(), "fine");
            answer.unwrap()
        };
        let (answer, new, old) = tokio::join!(asks, serves, line.hears_to_the_end());
        let old = old.matches("PUT /second").count();
        if answer.status == 200 {
            assert_eq!((old, new), (0, 1));
        } else {
            gave_up(&answer);
            assert!(old <= 1 && new == 0, "it was seen {old} times and {new} times");
        }
        stopped(child).await;
    }
}

#[tokio::test]
async fn a_byte_of_an_answer_is_an_answer() {
    let Kept { child, mut client, upstream, mut line, .. } = kept("byte").await;
    let serves = async {
        assert_eq!(line.hears(0).await, "GET /second HTTP/1.1");
        line.says("H").await;
        drop(line);
        upstream.answers_the_third().await;
    };
    let asks = async {
        gave_up(&client.get("/demo/second").await.unwrap());
        assert_eq!(client.get("/demo/third").await.unwrap().text(), "fine");
    };
    tokio::join!(asks, serves);
    stopped(child).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_in_the_middle_is_cut_and_not_asked_for_again() {
    let Kept { child, mut client, upstream, mut line, .. } = kept("middle").await;
    let serves = async {
        assert_eq!(line.hears(0).await, "GET /second HTTP/1.1");
        line.says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
        drop(line);
        upstream.answers_the_third().await;
    };
    let asks = async {
        assert!(matches!(client.get("/demo/second").await, Err(Failed::Lost(_))));
        assert_eq!(client.get("/demo/third").await.unwrap().text(), "fine");
    };
    tokio::join!(asks, serves);
    stopped(child).await;
}

#[tokio::test]
async fn a_body_that_nobody_has_begun_to_read_goes_to_the_next_server() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let upstream = Scripted(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let settings = before(nobody).replace("']", &format!("', '{}']", upstream.0.local_addr().unwrap()));
    let place = Place::with("next", &settings);
    let (child, edge) = place.up().await;
    let mut client = Client::new(edge);
    let serves = async {
        let mut line = upstream.accepts().await;
        for _ in 0..2 {
            assert_eq!(line.hears(4).await, "POST /a HTTP/1.1");
            line.answers().await;
        }
        line
    };
    let asks = async {
        // One of the two has its turn at the first one.
        for _ in 0..2 {
            assert_eq!(client.post("/demo/a", Bytes::from("body")).await.unwrap().text(), "fine");
        }
    };
    let (_line, ()) = tokio::join!(serves, asks);
    stopped(child).await;
}

#[tokio::test]
async fn a_fresh_connection_that_ends_is_no_idle_one() {
    let Kept { child, mut client, upstream, mut line, .. } = kept("fresh").await;
    let serves = async {
        assert_eq!(line.hears(0).await, "GET /second HTTP/1.1");
        drop(line);
        let mut line = upstream.accepts().await;
        assert_eq!(line.hears(0).await, "GET /second HTTP/1.1");
        drop(line);
        upstream.answers_the_third().await;
    };
    let asks = async {
        gave_up(&client.get("/demo/second").await.unwrap());
        assert_eq!(client.get("/demo/third").await.unwrap().text(), "fine");
    };
    tokio::join!(asks, serves);
    stopped(child).await;
}

#[tokio::test]
async fn a_connection_that_ends_at_its_first_request_is_no_idle_one() {
    let Kept { child, mut client, upstream, mut line, .. } = kept("first").await;
    line.0.shutdown().await.unwrap();
    line.hears_no_more().await;
    let serves = async {
        let mut line = upstream.accepts().await;
        assert_eq!(line.hears(0).await, "GET /second HTTP/1.1");
        drop(line);
        upstream.answers_the_third().await;
    };
    let asks = async {
        gave_up(&client.get("/demo/second").await.unwrap());
        assert_eq!(client.get("/demo/third").await.unwrap().text(), "fine");
    };
    tokio::join!(asks, serves);
    stopped(child).await;
}

#[tokio::test]
async fn a_connection_that_ended_while_it_was_idle_costs_nothing_not_even_a_request_with_a_body() {
    let Kept { child, mut client, upstream, mut line, .. } = kept("idle").await;
    // Closed on the other side as well: edge has seen it.
    line.0.shutdown().await.unwrap();
    line.hears_no_more().await;
    let serves = async {
        let mut line = upstream.accepts().await;
        assert_eq!(line.hears(4).await, "POST /second HTTP/1.1");
        line.answers().await;
    };
    let asks = async {
        assert_eq!(client.post("/demo/second", Bytes::from("body")).await.unwrap().text(), "fine");
    };
    tokio::join!(asks, serves);
    stopped(child).await;
}
