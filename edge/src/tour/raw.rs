//! A request by hand, so that it can be left half sent and half answered.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::stage::PATIENCE;

/// One connection with one request.
pub(crate) struct Raw {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Raw {
    /// Connects and sends this much.
    pub(crate) async fn send(server: SocketAddr, bytes: &str) -> Result<Self, String> {
        let mut raw = Self {
            stream: TcpStream::connect(server).await.map_err(|error| error.to_string())?,
            answer: Vec::new(),
        };
        raw.go_on(bytes).await?;
        Ok(raw)
    }

    /// Sends more.
    pub(crate) async fn go_on(&mut self, bytes: &str) -> Result<(), String> {
        self.stream.write_all(bytes.as_bytes()).await.map_err(|error| error.to_string())
    }

    /// Waits until the answer has begun, and is a good one.
    pub(crate) async fn begun(&mut self) -> Result<(), String> {
        let head = async {
            while !self.answer.ends_with(b"\r\n\r\n") {
                self.answer.push(self.stream.read_u8().await?);
            }
            Ok::<_, io::Error>(())
        };
        within(head).await?;
        if self.answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(self.text()) }
    }

    /// Waits until the server ends the connection: everything it said.
    pub(crate) async fn ended(mut self) -> Result<String, String> {
        within(async { self.stream.read_to_end(&mut self.answer).await }).await?;
        Ok(self.text())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.answer).into_owned()
    }
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(format!("nothing came in {PATIENCE:?}")),
    }
}
