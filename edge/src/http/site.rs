//! What edge answers: its page, its status, files, and what an upstream says.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use mainstay::GuardGroup;

use super::body::{Body, text};
use super::proxy::{Proxy, Target};
use super::serve::Site;
use super::{files, plain};
use crate::settings::{Limits, Settings, SettingsFile};
use crate::upstream::Upstream;

/// The page; `{greeting}` and `{version}` are filled in.
const PAGE: &str = include_str!("page.html");

/// The site of edge.
pub(crate) struct Edge {
    /// Read anew for each request, so that a reload is seen by the next one.
    pub(crate) settings: Arc<SettingsFile>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) proxy: Proxy,
    pub(crate) in_flight: GuardGroup,
}

impl Site for Edge {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let reading = self.settings.load();
        let settings = &reading.settings;
        let path = request.uri().path();
        if let Some(path) = path.strip_prefix("/files/") {
            return match &settings.files {
                Some(folder) => files::answer(&folder.value, request.method(), path).await,
                None => plain(StatusCode::NOT_FOUND, "no folder is served: set `files` in http.yaml\n"),
            };
        }
        if path.starts_with("/demo/") {
            let target =
                Target { authority: self.upstream.authority(settings), patience: settings.upstream.patience };
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let path = path["/demo".len()..].to_owned();
            return self.proxy.pass(target, &path, request).await;
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "this is only read\n");
        }
        match path {
            "/" => page(&settings.greeting),
            "/status" => self.status(settings, reading.version()),
            _ => plain(StatusCode::NOT_FOUND, "edge has /, /status, /files/ and /demo/\n"),
        }
    }

    fn limits(&self) -> Limits {
        self.settings.load().settings.limits
    }
}

impl Edge {
    fn status(&self, settings: &Settings, version: u64) -> Response<Body> {
        let said = format!(
            "greeting   {}\nsettings   version {version}\nupstream   {}\nin flight  {}\nprocess    {}\n",
            settings.greeting,
            settings.upstream.address.value,
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
