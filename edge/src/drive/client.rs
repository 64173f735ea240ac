//! A client that keeps its connection, and tells a refusal, a polite end and a failure apart.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// One connection at most, made when it is needed.
pub struct Client {
    server: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
    /// The connection's own work; dropped with the client.
    line: JoinSet<()>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
    /// Whether the server said that this was the last one on its connection.
    pub last: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failed {
    /// Nobody listens. Nothing was sent.
    Refused,
    /// The connection was closed between two requests. Nothing was sent.
    Closed,
    /// A request was sent, or may have been, and its answer is missing or broken off.
    Lost(String),
}

impl Client {
    /// A client of one server, not connected yet.
    pub fn new(server: SocketAddr) -> Self {
        Self { server, sender: None, line: JoinSet::new() }
    }

    /// Asks for a path.
    ///
    /// # Errors
    ///
    /// When there is no whole answer.
    pub async fn get(&mut self, path: &str) -> Result<Answer, Failed> {
        self.send("GET", path, Bytes::new()).await
    }

    /// Sends a body to a path.
    ///
    /// # Errors
    ///
    /// When there is no whole answer.
    pub async fn post(&mut self, path: &str, body: Bytes) -> Result<Answer, Failed> {
        self.send("POST", path, body).await
    }

    /// Puts a body at a path, which twice is what once is.
    ///
    /// # Errors
    ///
    /// When there is no whole answer.
    pub async fn put(&mut self, path: &str, body: Bytes) -> Result<Answer, Failed> {
        self.send("PUT", path, body).await
    }

    /// Closes its connection, if it has one; the next request makes another.
    pub fn hang_up(&mut self) {
        *self = Self::new(self.server);
    }

    async fn send(&mut self, method: &str, path: &str, body: Bytes) -> Result<Answer, Failed> {
        let request = Request::builder().method(method).uri(path).header(HOST, self.server.to_string());
        let request = request.body(Full::new(body)).map_err(|error| Failed::Lost(error.to_string()))?;
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        if sender.ready().await.is_err() {
            return Err(Failed::Closed);
        }
        let answer = match sender.send_request(request).await {
            Ok(answer) => answer,
            // hyper's word for a request that was never written.
            Err(error) if error.is_canceled() => return Err(Failed::Closed),
            Err(error) => return Err(Failed::Lost(error.to_string())),
        };
        let status = answer.status();
        let last = answer.headers().get(CONNECTION).is_some_and(|value| value == "close");
        let body = answer.into_body().collect().await.map_err(|error| Failed::Lost(error.to_string()))?;
        if !last {
            self.sender = Some(sender);
        }
        Ok(Answer { status, body: body.to_bytes(), last })
    }

    async fn connect(&mut self) -> Result<SendRequest<Full<Bytes>>, Failed> {
        let stream = TcpStream::connect(self.server).await.map_err(|_| Failed::Refused)?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| Failed::Lost(error.to_string()))?;
        self.line = JoinSet::new();
        self.line.spawn(async move {
            // What fails here is said to the request that waits for it.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

impl Answer {
    /// Its body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::Closed => f.write_str("the connection was closed between two requests"),
            Self::Lost(why) => write!(f, "request lost: {why}"),
        }
    }
}

impl std::error::Error for Failed {}
