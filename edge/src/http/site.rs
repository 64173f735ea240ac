//! What edge answers: its page, its status, files, and what an upstream says.

use std::fmt::Write as _;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use mainstay::Pinned;
use mainstay::{Control, Loaded, RunContext, Snapshot};
use mainstay_hyper::Served;
use tokio::task::yield_now;

use super::body::{Body, text};
use super::doors::Doors;
use super::exchange::{Books, Exchange};
use super::proxy::Proxy;
use super::serve::Site;
use super::tunnel::{self, Ends};
use super::{files, plain, refuse};
use crate::dns::Dns;
use crate::first_words::Facts;
use crate::mark::Mark;
use crate::routes::{Routes, To};
use crate::settings::{Limits, Reading, SettingsFile};
use crate::stats::Shown;
use crate::upstreams::Upstreams;

/// The page; `{greeting}` and `{version}` are filled in.
const PAGE: &str = include_str!("page.html");

/// The site of edge.
pub(crate) struct Edge {
    /// Read anew for each request, so that a reload is seen by the next one.
    pub(crate) settings: Arc<SettingsFile>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) dns: Arc<Dns>,
    pub(crate) books: Arc<Books>,
    pub(crate) doors: Arc<Snapshot<Doors>>,
    pub(crate) proxy: Proxy,
    pub(crate) facts: Arc<Facts>,
    /// Where the epoch of a request comes from.
    pub(crate) context: RunContext,
    /// Who knows how every provider is.
    pub(crate) control: Control,
    /// Whether a request is answered from one epoch.
    pub(crate) pins: bool,
}

impl Site for Edge {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (mut exchange, asks) = Exchange::begin(&self.books, &self.routes.load(), &request);
        if let Some(refusal) = refuse::refusal(&request) {
            return exchange.answers(refusal.answer());
        }
        let mut answer = match exchange.enter(asks).await {
            Err(refused) => refused.answer(),
            // Whatever the answer reads from here on, it reads of one epoch, whoever published it. A request waits for
            // its place and the body is sent outside of this: an epoch is held no longer than its answer is made.
            Ok(()) if self.pins => self.context.pin().scope(self.route(request)).await,
            Ok(()) => self.route(request).await,
        };
        match answer.extensions_mut().remove::<Ends>() {
            Some(ends) => {
                tunnel::open(&self.context, ends, exchange.switches(&answer));
                answer
            }
            None => exchange.answers(answer),
        }
    }

    fn limits(&self) -> Limits {
        self.settings.load().settings.limits
    }

    fn served(&self, served: &Served) {
        self.facts.cut(served.cut.len());
    }
}

impl Edge {
    async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        let table = self.routes.load();
        match table.find(path) {
            Some((To::Files, file)) => match &self.settings.load().settings.files {
                Some(folder) => files::answer(&folder.value, request.method(), file).await,
                None => plain(StatusCode::NOT_FOUND, "no folder is served: set `files` in http.yaml\n"),
            },
            Some((To::Upstream(pool), rest)) => {
                let path = match request.uri().query() {
                    Some(query) => format!("/{rest}?{query}"),
                    None => format!("/{rest}"),
                };
                let forwarding = self.settings.load().settings.forwarded;
                match self.upstreams.pool(pool) {
                    Some(pool) => {
                        self.proxy.pass(&pool, path, forwarding, self.books.received(request)).await
                    }
                    // Only where a request is not answered from one epoch.
                    None => plain(StatusCode::SERVICE_UNAVAILABLE, format!("there is no pool '{pool}'\n")),
                }
            }
            _ if request.method() != Method::GET && request.method() != Method::HEAD => {
                plain(StatusCode::METHOD_NOT_ALLOWED, "this is only read\n")
            }
            Some((To::Text(text), _)) => plain(StatusCode::OK, format!("{text}\n")),
            None => match path {
                "/" => page(&self.settings.load().settings.greeting),
                "/status" => self.status(&self.settings.load()),
                "/metrics" => metrics(&self.books.stats.shown()),
                "/epoch" => self.epochs().await,
                _ => plain(
                    StatusCode::NOT_FOUND,
                    "edge has /, /status, /metrics, /epoch, and its routes: /files/, /demo/\n",
                ),
            },
        }
    }

    /// What each provider that is crossed has published, in which version, of which epoch. It gives way
    /// between them, as an answer does that asks others: a reload may come in between.
    async fn epochs(&self) -> Response<Body> {
        let mut said = String::new();
        let settings = self.settings.load();
        self.crossed(&mut said, "settings", settings.version(), &settings.mark);
        yield_now().await;
        let routes = self.routes.load();
        self.crossed(&mut said, "routes", routes.version(), &routes.mark);
        yield_now().await;
        let upstreams = self.upstreams.load();
        self.crossed(&mut said, "upstreams", upstreams.version(), &upstreams.mark);
        yield_now().await;
        let doors = self.doors.load();
        self.crossed(&mut said, "http", doors.version(), &doors.mark);
        plain(StatusCode::OK, said)
    }

    fn crossed(&self, said: &mut String, provider: &str, version: u64, mark: &Mark) {
        // The pin of the request; without one, what is in force at this moment.
        let epoch = Pinned::current().map_or_else(|| self.context.pin().epoch(), |pinned| pinned.epoch());
        let _ = writeln!(said, "{provider} epoch {epoch} version {version} {mark}");
    }

    fn status(&self, reading: &Loaded<Reading>) -> Response<Body> {
        let (settings, version) = (&reading.settings, reading.version());
        let said = format!(
            "greeting   {}\nsettings   version {version}\n\
             listening  {}\nin flight  {}\nprocess    {}\n\n{}\nupstreams\n{}\n{}{}\n",
            settings.greeting,
            self.doors.load().said(),
            self.facts.in_flight.count(),
            std::process::id(),
            self.books.stats.shown(),
            self.upstreams.said(),
            section("dns", &self.dns.said()),
            self.control.status(),
        );
        plain(StatusCode::OK, said)
    }
}

/// Lines below their title, if there are any.
fn section(title: &str, lines: &str) -> String {
    if lines.is_empty() { String::new() } else { format!("{title}\n{lines}\n") }
}

/// For Prometheus, in its text format.
fn metrics(shown: &Shown) -> Response<Body> {
    let mut answer = Response::new(text(shown.metrics()));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

fn page(greeting: &str) -> Response<Body> {
    let greeting = greeting.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let page = PAGE.replace("{version}", env!("CARGO_PKG_VERSION")).replace("{greeting}", &greeting);
    let mut answer = Response::new(text(page));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}
