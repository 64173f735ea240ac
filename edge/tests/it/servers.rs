//! A server to pass requests on to: it answers as it is told, and counts requests and checks apart.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What is asked for by checks, and by nobody else.
pub(crate) const CHECK: &str = "/up";

/// One server. Dropping it closes its socket and ends its connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    told: Arc<Told>,
    _task: JoinSet<()>,
}

/// What it answers, by status, and what it has answered.
struct Told {
    check: AtomicU64,
    request: AtomicU64,
    checks: AtomicU64,
    requests: AtomicU64,
}

impl Server {
    /// One that answers everything well.
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (check, request) = (AtomicU64::new(200), AtomicU64::new(200));
        let (checks, requests) = (AtomicU64::new(0), AtomicU64::new(0));
        let told = Arc::new(Told { check, request, checks, requests });
        let its = Arc::clone(&told);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream, Arc::clone(&its)));
            }
        });
        Self { address, told, _task: task }
    }

    /// Answers checks with this status from now on.
    pub(crate) fn checks_are(&self, status: u16) {
        self.told.check.store(status.into(), Ordering::SeqCst);
    }

    /// Answers requests with this status from now on.
    pub(crate) fn requests_are(&self, status: u16) {
        self.told.request.store(status.into(), Ordering::SeqCst);
    }

    pub(crate) fn checks(&self) -> u64 {
        self.told.checks.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.told.requests.load(Ordering::SeqCst)
    }
}

/// Answers one request, and closes: where the next one goes is decided anew.
async fn answer(mut stream: TcpStream, told: Arc<Told>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let is_check = head.starts_with(format!("GET {CHECK} ").as_bytes());
    let (count, status) =
        if is_check { (&told.checks, &told.check) } else { (&told.requests, &told.request) };
    count.fetch_add(1, Ordering::SeqCst);
    let status = status.load(Ordering::SeqCst);
    let answer = format!("HTTP/1.1 {status} As Told\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
}
