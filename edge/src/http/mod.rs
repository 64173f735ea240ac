//! The listeners, and what is served on them.

pub(crate) mod body;
mod doors;
mod files;
mod line;
mod listen;
mod proxy;
pub(crate) mod serve;
mod site;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use mainstay::{
    Daemon, Deadlines, Dep, Dependencies, Error, GuardGroup, Provider, Reloadable, Result, ResultExt,
    Runnable, Snapshot, TaskFuture, async_trait, note, task,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::body::{Body, text};
pub(crate) use self::doors::Door;
use self::doors::{Change, Doors};
use self::proxy::Proxy;
use self::serve::serve;
use self::site::Edge;
use crate::first_words::Facts;
use crate::lock::Lock;
use crate::routes::Routes;
use crate::settings::{Invalid, Reading, SettingsFile};
use crate::upstream::Upstream;

/// The listeners, and what is served on them.
pub(crate) struct Http {
    settings: Dep<SettingsFile>,
    routes: Dep<Routes>,
    upstream: Dep<Upstream>,
    facts: Arc<Facts>,
    doors: Arc<Snapshot<Doors>>,
    tell: UnboundedSender<Change>,
    /// Who serves takes it.
    changes: Mutex<Option<UnboundedReceiver<Change>>>,
}

impl Http {
    async fn turn(&self, now: &[Door], reading: &Reading) -> Result<Doors, Invalid> {
        let wanted: Vec<String> = reading.settings.listen.iter().map(|one| one.value.to_string()).collect();
        note(format!("binding {}", wanted.join(", ")));
        doors::turn(now, reading, &self.tell).await
    }

    pub(crate) fn new(facts: Arc<Facts>) -> Self {
        let (settings, routes, upstream) = (Dep::new(), Dep::new(), Dep::new());
        let (tell, changes) = unbounded_channel();
        let (doors, changes) = (Arc::new(Snapshot::empty()), Mutex::new(Some(changes)));
        Self { settings, routes, upstream, facts, doors, tell, changes }
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
        let doors = self.turn(&[], &reading).await.boxed()?;
        self.facts.listens(doors.all.clone(), reading.origin.clone());
        self.doors.publish(doors);
        Ok(())
    }

    async fn shutdown(&self, _: &Daemon) -> Result<()> {
        // Whatever is in flight now was waited for as long as was allowed.
        self.facts.stopped();
        Ok(())
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }

    fn as_runnable(&self) -> Option<&dyn Runnable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for Http {
    async fn reload(&self, _: &Daemon) -> Result<()> {
        let doors = self.turn(&self.doors.load().all, &self.settings.load()).await.invalid()?;
        self.doors.publish(doors);
        Ok(())
    }
}

impl Runnable<Daemon> for Http {
    fn run(&self, _: Daemon) -> TaskFuture {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner).take();
        let doors = Arc::clone(&self.doors);
        let in_flight = self.facts.in_flight.clone();
        let providers = self.settings.arc().zip(self.routes.arc()).zip(self.upstream.arc());
        task(async move |cx| {
            let (Some(mut changes), Some(((settings, routes), upstream))) = (changes, providers) else {
                return Err(Error::msg("there are no listeners: they are served on once"));
            };
            let pins = settings.load().settings.pins.value;
            let (proxy, in_flight_now, context) = (Proxy::new(), in_flight.clone(), cx.clone());
            let site =
                Edge { settings, routes, upstream, doors, proxy, in_flight: in_flight_now, context, pins };
            serve_all(&mut changes, &Arc::new(site), &in_flight, cx.shutdown_token()).await.boxed()
        })
    }
}

/// Serves a site on every door until `stop`, or until that door is closed.
async fn serve_all(
    changes: &mut UnboundedReceiver<Change>,
    site: &Arc<Edge>,
    in_flight: &GuardGroup,
    stop: &CancellationToken,
) -> io::Result<()> {
    let mut open: Vec<(Door, CancellationToken)> = Vec::new();
    let mut servers = JoinSet::new();
    let mut make = |servers: &mut JoinSet<io::Result<()>>, change| match change {
        Change::Open(door, listener) => {
            let (site, in_flight, stop) = (Arc::clone(site), in_flight.clone(), stop.child_token());
            open.push((door, stop.clone()));
            servers.spawn(async move { serve(listener, &site, &in_flight, &stop).await });
        }
        Change::Close(door) => {
            // Its queue is served, and its clients are told that it was their last answer there.
            for (_, stop) in open.extract_if(.., |(other, _)| *other == door) {
                stop.cancel();
            }
        }
    };
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = servers.join_next() => ended??,
            Some(change) = changes.recv() => make(&mut servers, change),
        }
    }
    // A reload may have been committed just before: whom the kernel has connected since then is answered.
    changes.close();
    while let Ok(change) = changes.try_recv() {
        make(&mut servers, change);
    }
    while let Some(ended) = servers.join_next().await {
        ended??;
    }
    Ok(())
}

/// An answer in plain text.
pub(crate) fn plain(status: StatusCode, said: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(text(said));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
