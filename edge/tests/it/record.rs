//! An upstream that reads strictly, and writes down what it reads.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::place::WITHIN;

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Method and path.
    pub(crate) line: String,
    /// The lines of its head, names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body without the framing; `None` where it broke off.
    pub(crate) body: Option<Vec<u8>>,
}

impl Seen {
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// An upstream; dropping it ends it.
pub(crate) struct Record {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    count: watch::Receiver<usize>,
    _server: JoinSet<()>,
}

impl Record {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (sender, count) = watch::channel(0);
        let mut server = JoinSet::new();
        let (record, sender) = (Arc::clone(&seen), Arc::new(sender));
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (record, sender) = (Arc::clone(&record), Arc::clone(&sender));
                connections.spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some(request) = read(&mut stream).await {
                        let whole = request.body.is_some();
                        let count = {
                            let mut record = record.lock().unwrap();
                            record.push(request);
                            record.len()
                        };
                        sender.send_replace(count);
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                        if !whole || stream.write_all(answer).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, seen, count, _server: server }
    }

    /// What was seen up to the first request with this line, and forgets it.
    pub(crate) async fn until(&mut self, line: &str) -> Vec<Seen> {
        let there = self.count.wait_for(|_| self.seen.lock().unwrap().iter().any(|seen| seen.line == line));
        timeout(WITHIN, there).await.expect("it does not come").unwrap();
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap());
        assert_eq!(seen.pop().map(|last| last.line).as_deref(), Some(line), "something came behind it");
        seen
    }
}

/// Reads one request as RFC 9112 has it, without mercy; `None` at the end between two.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let first = line(stream).await?;
    let (start, version) = first.rsplit_once(' ').unwrap_or_else(|| panic!("no request: {first:?}"));
    assert_eq!((version, start.split(' ').count()), ("HTTP/1.1", 2), "{first:?}");
    let mut seen = Seen { line: start.to_owned(), headers: Vec::new(), body: None };
    loop {
        let line = line(stream).await?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}"));
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{line:?}");
        seen.headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let (lengths, codings) = (seen.all("content-length"), seen.all("transfer-encoding"));
    assert_eq!(seen.all("host").len(), 1, "{seen:?}");
    seen.body = match (&lengths[..], &codings[..]) {
        ([], []) => Some(Vec::new()),
        ([length], []) => {
            let mut body = vec![0; length.parse().expect("a length")];
            stream.read_exact(&mut body).await.ok().map(|_| body)
        }
        ([], ["chunked"]) => chunked(stream).await,
        _ => panic!("two readers would read this in two ways: {seen:?}"),
    };
    Some(seen)
}

async fn chunked(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream).await?;
        let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("no size: {size:?}"));
        let mut piece = vec![0; size];
        stream.read_exact(&mut piece).await.ok()?;
        body.extend(piece);
        assert_eq!(line(stream).await?, "");
        if size == 0 {
            return Some(body);
        }
    }
}

/// A line that ends with both of its bytes; `None` where the stream ends.
async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    line.truncate(line.len() - 2);
    assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{line:?}");
    Some(String::from_utf8(line).expect("a line of text"))
}
