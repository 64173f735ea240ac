//! The listener, and what is served on it.

pub(crate) mod body;
mod files;
mod line;
mod listen;
mod proxy;
pub(crate) mod serve;
mod site;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use mainstay::{
    Daemon, Deadlines, Dep, Dependencies, Error, Provider, Result, ResultExt, Runnable, TaskFuture,
    async_trait, note, task,
};
use tokio::net::TcpListener;

use self::body::{Body, text};
use self::proxy::Proxy;
use self::serve::serve;
use self::site::Edge;
use crate::first_words::Facts;
use crate::lock::Lock;
use crate::routes::Routes;
use crate::settings::SettingsFile;
use crate::upstream::Upstream;

/// The listener, and what is served on it.
pub(crate) struct Http {
    settings: Dep<SettingsFile>,
    routes: Dep<Routes>,
    upstream: Dep<Upstream>,
    facts: Arc<Facts>,
    listener: Mutex<Option<TcpListener>>,
}

impl Http {
    pub(crate) fn new(facts: Arc<Facts>) -> Self {
        let (settings, routes, upstream) = (Dep::new(), Dep::new(), Dep::new());
        Self { settings, routes, upstream, facts, listener: Mutex::new(None) }
    }
}

#[async_trait]
impl Provider<Daemon> for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn dependencies(&self) -> Dependencies<Daemon> {
        let own = Dependencies::new().dep(&self.settings).dep(&self.routes).dep(&self.upstream);
        own.requires::<Lock>()
    }

    fn deadlines(&self) -> Deadlines {
        // Answers that are being written may use what a stop has, less what it keeps for hooks.
        Deadlines::new().stop(Duration::from_secs(20))
    }

    async fn boot(&self, _: &Daemon) -> Result<()> {
        let reading = self.settings.load();
        let wanted = reading.settings.listen.value;
        note(format!("binding {wanted}"));
        let listener = listen::bind(wanted, &reading.origin)
            .await
            .map_err(|error| Error::msg(format!("cannot listen on {wanted}: {error}")))?;
        self.facts.listens(listener.local_addr()?, wanted, reading.origin.clone());
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
        Ok(())
    }

    async fn shutdown(&self, _: &Daemon) -> Result<()> {
        // Whatever is in flight now was waited for as long as was allowed.
        self.facts.stopped();
        Ok(())
    }

    fn as_runnable(&self) -> Option<&dyn Runnable<Daemon>> {
        Some(self)
    }
}

impl Runnable<Daemon> for Http {
    fn run(&self, _: Daemon) -> TaskFuture {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        let in_flight = self.facts.in_flight.clone();
        let providers = self.settings.arc().zip(self.routes.arc()).zip(self.upstream.arc());
        task(async move |cx| {
            let (Some(listener), Some(((settings, routes), upstream))) = (listener, providers) else {
                return Err(Error::msg("there is no listener: it is bound by the boot, once"));
            };
            let pins = settings.load().settings.pins.value;
            let (proxy, in_flight_now, context) = (Proxy::new(), in_flight.clone(), cx.clone());
            let site = Edge { settings, routes, upstream, proxy, in_flight: in_flight_now, context, pins };
            serve(listener, &Arc::new(site), &in_flight, cx.shutdown_token()).await.boxed()
        })
    }
}

/// An answer in plain text.
pub(crate) fn plain(status: StatusCode, said: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(text(said));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
