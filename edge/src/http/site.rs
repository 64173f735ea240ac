//! What edge answers: its page, its status, files, and what an upstream says.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use mainstay_sync::GuardGroup;

use super::body::{Body, text};
use super::proxy::{Proxy, Target};
use super::serve::Site;
use super::{files, plain};
use crate::settings::Limits;

/// The page; `{greeting}` and `{version}` are filled in.
const PAGE: &str = include_str!("page.html");

/// What a request is answered from; asked anew for each, so that a reload is seen by the next one.
pub(crate) trait Sources: Send + Sync + 'static {
    /// What is in force now.
    fn now(&self) -> Now;
}

/// What is in force for one request.
pub(crate) struct Now {
    /// The settings, and the number of their reading.
    pub(crate) settings: Arc<crate::settings::Settings>,
    /// How often settings were published.
    pub(crate) version: u64,
    /// Where `/demo/` is passed on to.
    pub(crate) upstream: hyper::http::uri::Authority,
}

/// The site of edge.
pub(crate) struct Edge<S> {
    pub(crate) sources: S,
    pub(crate) proxy: Proxy,
    pub(crate) in_flight: GuardGroup,
}

impl<S: Sources> Site for Edge<S> {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let now = self.sources.now();
        let path = request.uri().path();
        if let Some(path) = path.strip_prefix("/files/") {
            return match &now.settings.files {
                Some(folder) => files::answer(&folder.value, request.method(), path).await,
                None => plain(StatusCode::NOT_FOUND, "no folder is served: set `files` in http.yaml\n"),
            };
        }
        if path.starts_with("/demo/") {
            let target = Target { authority: now.upstream, patience: now.settings.upstream.patience };
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let path = path["/demo".len()..].to_owned();
            return self.proxy.pass(target, &path, request).await;
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "this is only read\n");
        }
        match path {
            "/" => page(&now.settings.greeting),
            "/status" => self.status(&now),
            _ => plain(StatusCode::NOT_FOUND, "edge has /, /status, /files/ and /demo/\n"),
        }
    }

    fn limits(&self) -> Limits {
        self.sources.now().settings.limits
    }
}

impl<S> Edge<S> {
    fn status(&self, now: &Now) -> Response<Body> {
        let said = format!(
            "greeting   {}\nsettings   version {}\nupstream   {}\nin flight  {}\nprocess    {}\n",
            now.settings.greeting,
            now.version,
            now.settings.upstream.address.value,
            self.in_flight.count(),
            std::process::id(),
        );
        plain(StatusCode::OK, said)
    }
}

fn page(greeting: &str) -> Response<Body> {
    let greeting = greeting.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let page = PAGE.replace("{version}", env!("CARGO_PKG_VERSION")).replace("{greeting}", &greeting);
    let mut answer = Response::new(text(page));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}
