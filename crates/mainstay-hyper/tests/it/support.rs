//! A server under a runtime, a site with every kind of answer, and clients made of bare sockets.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONNECTION, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use mainstay_hyper::{Connection, Listen, Peer, ServeError, Served, Server, service_fn};
use mainstay_registry::{Deadlines, Registry};
use mainstay_runtime::{Outcome, RunContext, Running, Runtime, Signals, runnable};
use mainstay_test::Blocker;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// Longer than anything here takes, shorter than a test that hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// More than a client can have in its buffers without reading.
pub const BIG: usize = 64 << 20;

pub type Body = UnsyncBoxBody<Bytes, Infallible>;

pub fn text(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed_unsync()
}

/// Pieces of a kilobyte each, as many as are read.
fn pieces() -> Body {
    let piece = || Ok(Frame::data(Bytes::from_static(&[7; 1024])));
    StreamBody::new(futures_util::stream::repeat_with(piece)).boxed_unsync()
}

/// What the tests and the handlers tell each other.
#[derive(Clone)]
pub struct Site {
    /// A permit for each request whose handler was entered.
    pub entered: Arc<Semaphore>,
    /// A permit lets one `/wait` go on.
    pub go: Arc<Semaphore>,
    /// What `/block` blocks its thread with.
    pub blocker: Blocker,
    /// What the owners of upgraded connections saw at last.
    pub saw: Arc<Mutex<Vec<String>>>,
}

impl Site {
    pub fn new() -> Self {
        Self {
            entered: Arc::new(Semaphore::new(0)),
            go: Arc::new(Semaphore::new(0)),
            blocker: Blocker::new(),
            saw: Arc::default(),
        }
    }

    /// Waits until so many requests more have been entered.
    pub async fn entered(&self, requests: u32) {
        within(self.entered.acquire_many(requests)).await.unwrap().forget();
    }

    pub async fn answer(self, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        self.entered.add_permits(1);
        let connection = request.extensions().get::<Connection>().expect("every request has it").clone();
        match request.uri().path().to_owned().as_str() {
            "/wait" => self.go.acquire().await.unwrap().forget(),
            "/until-stop" => connection.draining().await,
            "/never" => std::future::pending().await,
            "/block" => self.blocker.block(),
            "/panic" => panic!("as asked"),
            "/pieces" => return Ok(Response::new(pieces())),
            "/big" => return Ok(Response::new(text(vec![7; BIG]))),
            "/echo" => {
                let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
                return Ok(Response::new(text(body.unwrap_or_default())));
            }
            "/peer" => return Ok(Response::new(text(connection.peer().to_string()))),
            "/polite" | "/deaf" => {
                let polite = request.uri().path() == "/polite";
                let upgrade = hyper::upgrade::on(&mut request);
                tokio::spawn(async move {
                    let mut line = TokioIo::new(upgrade.await.unwrap());
                    let mut buffer = [0; 64];
                    loop {
                        tokio::select! {
                            () = connection.draining(), if polite => {
                                line.write_all(b"goodbye").await.unwrap();
                                return;
                            }
                            read = line.read(&mut buffer) => match read {
                                Ok(0) => return self.saw.lock().unwrap().push("the end".to_owned()),
                                Ok(read) => line.write_all(&buffer[..read]).await.unwrap(),
                                Err(error) => return self.saw.lock().unwrap().push(format!("{:?}", error.kind())),
                            },
                        }
                    }
                });
                let response = Response::builder()
                    .status(StatusCode::SWITCHING_PROTOCOLS)
                    .header(CONNECTION, "upgrade")
                    .header(UPGRADE, "echo");
                return Ok(response.body(text("")).unwrap());
            }
            _ => {}
        }
        Ok(Response::new(text("hello")))
    }
}

/// A server that runs.
pub struct Up {
    pub address: SocketAddr,
    pub site: Site,
    pub running: Running,
    served: mpsc::UnboundedReceiver<Result<Served, ServeError>>,
}

/// What came of it.
pub struct Down {
    pub served: Served,
    pub outcome: Outcome,
    pub took: Duration,
}

/// A server on a TCP socket, under a runtime of its own on the real clock.
pub async fn up(server: Server) -> Up {
    up_with(server, Deadlines::new()).await
}

pub async fn up_with(server: Server, deadlines: Deadlines) -> Up {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    up_on(server, deadlines, listener, address).await
}

pub async fn up_on<L: Listen>(server: Server, deadlines: Deadlines, listener: L, address: SocketAddr) -> Up {
    let site = Site::new();
    let (runtime, served) = runtime(server, &site, deadlines, listener);
    let running = runtime.start().await.unwrap();
    Up { address, site, running, served }
}

/// The same, with its supervisor on the thread of the test.
pub async fn up_inline(server: Server) -> Up {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = Site::new();
    let (runtime, served) = runtime(server, &site, Deadlines::new(), listener);
    let running = runtime.inline().start().await.unwrap();
    Up { address, site, running, served }
}

/// The runtime, not started yet.
pub fn runtime<L: Listen>(
    server: Server,
    site: &Site,
    deadlines: Deadlines,
    listener: L,
) -> (Runtime<()>, mpsc::UnboundedReceiver<Result<Served, ServeError>>) {
    let (send, served) = mpsc::unbounded_channel();
    let (listener, site) = (Mutex::new(Some(listener)), site.clone());
    let http = runnable("http", move |(), cx: RunContext| {
        let listener = listener.lock().unwrap().take().expect("it is started once");
        let (server, send, site) = (server.clone(), send.clone(), site.clone());
        async move {
            let site = service_fn(move |request| site.clone().answer(request));
            let served = server.serve(&cx, listener, site).await;
            // Nobody may be there to hear it any more.
            let _ = send.send(served);
            Ok(())
        }
    });
    let registry: Registry<()> = Registry::new();
    registry.insert(Arc::new(http.deadlines(deadlines)));
    (Runtime::new(registry, ()).signals(Signals::none()), served)
}

impl Up {
    /// Asks for the stop, and does not wait.
    pub fn ask(&self) {
        self.running.control().shutdown("enough");
    }

    /// Asks for the stop, and waits until everything is over.
    pub async fn down(mut self) -> Down {
        let since = Instant::now();
        self.ask();
        let served = self.served().await;
        let took = since.elapsed();
        Down { served, outcome: within(self.running.wait()).await, took }
    }

    /// What came of it, where somebody else has ended it.
    pub async fn served(&mut self) -> Served {
        within(self.served.recv()).await.expect("it ended by itself").unwrap()
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection that has sent this.
    pub async fn sent(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// The note of the task.
    pub fn note(&self) -> String {
        let status = self.running.control().status();
        status.providers[0].runnables[0].note.clone().unwrap_or_default()
    }
}

/// What takes longer hangs.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it hangs")
}

/// Yields until it is so.
pub async fn becomes(what: impl Fn() -> bool) {
    within(async {
        while !what() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}

/// Reads up to the end of a head.
pub async fn head<S: AsyncReadExt + Unpin>(stream: &mut S) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.expect("the head ends"));
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

/// Reads the answer `hello`, and returns its head.
pub async fn hello<S: AsyncReadExt + Unpin>(stream: &mut S) -> String {
    let head = head(stream).await;
    let mut body = [0; 5];
    within(stream.read_exact(&mut body)).await.unwrap();
    assert_eq!(&body, b"hello");
    head
}

/// Whether it ends, with nothing more to read.
pub async fn ends<S: AsyncReadExt + Unpin>(stream: &mut S) {
    match within(stream.read(&mut [0])).await {
        Ok(0) | Err(_) => {}
        Ok(_) => panic!("there is more to read"),
    }
}

/// A listener without sockets, for a paused clock.
pub struct Memory {
    coming: mpsc::UnboundedReceiver<io::Result<DuplexStream>>,
}

/// The clients' side of it.
#[derive(Clone)]
pub struct Clients {
    going: mpsc::UnboundedSender<io::Result<DuplexStream>>,
}

pub fn memory() -> (Clients, Memory) {
    let (going, coming) = mpsc::unbounded_channel();
    (Clients { going }, Memory { coming })
}

impl Clients {
    pub fn connect(&self) -> DuplexStream {
        let (theirs, ours) = tokio::io::duplex(1024);
        self.going.send(Ok(theirs)).unwrap();
        ours
    }

    pub fn fail(&self, error: io::Error) {
        self.going.send(Err(error)).unwrap();
    }
}

impl Listen for Memory {
    type Io = DuplexStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(DuplexStream, Peer)>> {
        let next = std::task::ready!(self.coming.poll_recv(cx));
        // Nobody is left who could connect.
        next.map_or(Poll::Pending, |next| Poll::Ready(next.map(|stream| (stream, Peer::named("memory")))))
    }

    fn local(&self) -> String {
        "memory".to_owned()
    }
}

/// A server on the paused clock of the test.
pub async fn paused(server: Server) -> (Clients, Up) {
    paused_with(server, Deadlines::new()).await
}

pub async fn paused_with(server: Server, deadlines: Deadlines) -> (Clients, Up) {
    let (clients, listener) = memory();
    let site = Site::new();
    let (runtime, served) = runtime(server, &site, deadlines, listener);
    let running = runtime.inline().start().await.unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    (clients, Up { address, site, running, served })
}

/// The log lines of this process so far, which more than one test may write.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Collects them, from the first call on.
    pub fn collected() -> Self {
        static LINES: OnceLock<Lines> = OnceLock::new();
        let collect = || {
            let lines = Self::default();
            let sink = lines.clone();
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || sink.clone()).init();
            lines
        };
        LINES.get_or_init(collect).clone()
    }

    /// The first line with all of these in it.
    pub fn with(&self, words: &[&str]) -> Option<String> {
        let text = String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned();
        text.lines().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
    }
}

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
