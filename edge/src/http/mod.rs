//! The listeners, and what is served on them.

pub(crate) mod body;
mod doors;
mod exchange;
mod files;
mod frames;
mod headers;
mod inherited;
mod lent;
mod listen;
mod proxy;
mod refuse;
pub(crate) mod serve;
mod site;
mod tunnel;
mod wire;

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use mainstay::{
    Daemon, Deadlines, Dep, Dependencies, Error, Provider, Reloadable, RestartPolicy, Result, ResultExt,
    RunContext, Runnable, SharedState, Snapshot, SuperviseError, Supervised, TaskFuture, async_trait, note,
    task,
};
use tokio_util::sync::CancellationToken;

use self::body::{Body, text};
pub(crate) use self::doors::Door;
use self::doors::{Doors, Open, Sockets};
use self::exchange::Books;
use self::proxy::Proxy;
use self::serve::{Site, serve};
use self::site::Edge;
use crate::access_log::AccessLog;
use crate::dns::{Connect, Dns};
use crate::first_words::Facts;
use crate::limits::Limits;
use crate::lock::Lock;
use crate::routes::Routes;
use crate::settings::{DRAIN, Invalid, Reading, SettingsFile};
use crate::stats::Stats;
use crate::upstreams::Upstreams;

/// The listeners, and what is served on them.
pub(crate) struct Http {
    settings: Dep<SettingsFile>,
    routes: Dep<Routes>,
    upstreams: Dep<Upstreams>,
    dns: Dep<Dns>,
    limits: Dep<Limits>,
    log: Dep<AccessLog>,
    stats: Dep<Stats>,
    facts: Arc<Facts>,
    doors: Arc<Snapshot<Doors>>,
    sockets: Arc<Sockets>,
}

impl Http {
    async fn turn(&self, now: &[Door], reading: &Reading) -> Result<Doors, Invalid> {
        let wanted: Vec<String> = reading.settings.listen.iter().map(|one| one.value.to_string()).collect();
        note(format!("binding {}", wanted.join(", ")));
        doors::turn(now, reading, &self.sockets).await
    }

    pub(crate) fn new(facts: Arc<Facts>) -> Self {
        let (settings, routes, upstreams, dns) = (Dep::new(), Dep::new(), Dep::new(), Dep::new());
        let (limits, log, stats) = (Dep::new(), Dep::new(), Dep::new());
        let (doors, sockets) = (Arc::new(Snapshot::empty()), Arc::default());
        Self { settings, routes, upstreams, dns, limits, log, stats, facts, doors, sockets }
    }
}

#[async_trait]
impl Provider<Daemon> for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn dependencies(&self) -> Dependencies<Daemon> {
        // It serves on without what is behind it: only the routes that lead there do not.
        let own = Dependencies::new().dep(&self.settings).dep(&self.routes).opt_dep(&self.upstreams);
        let own = own.opt_dep(&self.dns).dep(&self.limits).dep(&self.log).dep(&self.stats);
        own.requires::<Lock>()
    }

    fn deadlines(&self) -> Deadlines {
        // Answers that are being written may use what a stop has, less what it keeps for hooks.
        Deadlines::new().stop(DRAIN)
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
        // Where the last generation was not there to do so.
        self.sockets.close();
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
    fn restart_policy(&self) -> RestartPolicy {
        // Without it edge is nothing: after ten failures in a row it ends, for whoever supervises edge.
        RestartPolicy::on_failure()
    }

    fn run(&self, app: Daemon) -> TaskFuture {
        let (sockets, doors) = (Arc::clone(&self.sockets), Arc::clone(&self.doors));
        let in_flight = self.facts.in_flight.clone();
        let facts = Arc::clone(&self.facts);
        let providers = self.settings.arc().zip(self.routes.arc());
        let behind = self.upstreams.arc().zip(self.dns.arc());
        let books = Books::new(self.limits.arc(), self.log.arc(), self.stats.arc(), in_flight);
        task(async move |cx| {
            let Some((((settings, routes), (upstreams, dns)), books)) = providers.zip(behind).zip(books)
            else {
                return Err(Error::msg("it was not planned"));
            };
            let pins = settings.load().settings.pins.value;
            let (proxy, context, control) =
                (Proxy::new(Connect::new(Arc::clone(&dns))), cx.clone(), app.control());
            let site =
                Edge { settings, routes, upstreams, dns, books, doors, proxy, facts, context, control, pins };
            serve_all(&cx, &sockets, &Arc::new(site), app.shutdown_token()).await
        })
    }
}

/// Serves a site on every socket, each until its door is closed, and on all of them until this task is asked to stop.
///
/// Each door is a child with a stop of its own: one that is closed has as long as all of them have in the stop of the
/// process, and one that fails is started again alone. When the process stops (`ends`), the sockets are closed behind
/// their last clients; when only this generation does, the next one finds them, with everybody that the kernel has
/// connected meanwhile.
async fn serve_all<H: Site>(
    cx: &RunContext,
    sockets: &Sockets,
    site: &Arc<H>,
    ends: &CancellationToken,
) -> Result<()> {
    let mut serving: Vec<(Door, Supervised)> = Vec::new();
    let mut sockets_now = sockets.watch();
    loop {
        let open: Vec<(Door, Weak<_>)> = {
            let held = sockets_now.borrow_and_update();
            held.open.iter().map(|open| (open.door.clone(), Arc::downgrade(&open.socket))).collect()
        };
        let closed = serving.extract_if(.., |(door, _)| open.iter().all(|(open, _)| open != door));
        // Its queue is served, and its clients are told that it was their last answer there.
        closed.for_each(|(_, child)| close(cx, child));
        for (door, socket) in open {
            if serving.iter().all(|(served, _)| *served != door) {
                let child = open_door(cx, door.bound, &socket, site)?;
                serving.push((door, child));
            }
        }
        // The sockets outlive this, and so does what changes them.
        if cx.until_shutdown(sockets_now.changed()).await.is_none() {
            break;
        }
    }
    if ends.is_cancelled() {
        // A reload may have been committed just before: whom the kernel has connected since then is answered.
        for Open { door, socket } in sockets.close() {
            if serving.iter().all(|(served, _)| *served != door) {
                let (site, own) = (Arc::clone(site), cx.clone());
                cx.spawn(door.bound.to_string(), async move {
                    serve(&own, &Arc::downgrade(&socket), &site).await
                });
            }
        }
    }
    Ok(())
}

/// Serves on one door from now on.
fn open_door<H: Site>(
    cx: &RunContext,
    bound: SocketAddr,
    socket: &Weak<std::net::TcpListener>,
    site: &Arc<H>,
) -> Result<Supervised> {
    let named = |number: u32| {
        let name = if number == 1 { bound.to_string() } else { format!("{bound} #{number}") };
        let (socket, site) = (Weak::clone(socket), Arc::clone(site));
        cx.supervise(name, RestartPolicy::on_failure(), move |cx| {
            let (socket, site) = (Weak::clone(&socket), Arc::clone(&site));
            async move { serve(&cx, &socket, &site).await }
        })
    };
    // One that was closed, and was opened again before its last client has gone, is there twice.
    let mut numbers = 1..;
    loop {
        match numbers.next().map(named) {
            Some(Err(SuperviseError::NameInUse { .. })) => {}
            Some(supervised) => return supervised.boxed(),
            None => return Err(Error::msg("there are no numbers left")),
        }
    }
}

/// Closes one door behind its last client.
fn close(cx: &RunContext, door: Supervised) {
    let stopped = door.stop();
    cx.spawn(format!("closing {}", door.name()), async move {
        if stopped.await.is_ok() {
            // It may be started again under this name from now on. Where it is gone already, that is so as well.
            let _ = door.remove();
        }
        Ok(())
    });
}

/// An answer in plain text.
pub(crate) fn plain(status: StatusCode, said: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(text(said));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use hyper::Request;
    use hyper::body::Incoming;
    use mainstay::{Registry, Runtime, Signals, runnable};
    use tokio::sync::Notify;

    use super::*;
    use crate::drive::{Client, Failed, Load};
    use crate::settings::{Limits, reading};

    /// Answers with nothing.
    struct Quiet;

    impl Site for Quiet {
        async fn answer(&self, _: Request<Incoming>) -> Response<Body> {
            Response::new(text(""))
        }

        fn limits(&self) -> Limits {
            Limits { header: Duration::from_secs(30), linger: Duration::from_millis(200), drain: DRAIN }
        }
    }

    /// Two sockets, and how often they were served on.
    #[derive(Default)]
    struct Serving {
        sockets: Arc<Sockets>,
        ends: CancellationToken,
        panic: Notify,
        generations: AtomicU64,
    }

    async fn serves(served: Arc<Serving>, cx: RunContext) -> Result<()> {
        served.generations.fetch_add(1, Ordering::SeqCst);
        let site = Arc::new(Quiet);
        tokio::select! {
            ended = serve_all(&cx, &served.sockets, &site, &served.ends) => ended,
            () = served.panic.notified() => panic!("as asked"),
        }
    }

    /// A lifecycle that serves on two sockets.
    async fn serving() -> (mainstay::Running, Arc<Serving>, Vec<SocketAddr>) {
        let served = Arc::new(Serving::default());
        let text = "listen: '127.0.0.1:0'\nalso: ['127.0.0.2:0']\n";
        let doors = doors::turn(&[], &reading(text), &served.sockets).await.unwrap();
        let addresses = doors.all.iter().map(|door| door.bound).collect();
        let registry: Registry<Arc<Serving>> = Registry::new();
        registry.insert(Arc::new(runnable("http", serves).restart(RestartPolicy::on_failure())));
        let runtime = Runtime::new(registry, Arc::clone(&served)).shutdown_token(served.ends.clone());
        (runtime.signals(Signals::none()).start().await.unwrap(), served, addresses)
    }

    /// Fails when a generation that ends gives the sockets up.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_restart_under_load_serves_on_the_same_sockets_and_loses_nothing() {
        let (running, served, addresses) = serving().await;
        let load = |address: &SocketAddr| {
            Load::start(*address, 4, vec![("/", Box::new(|answer| answer.body.is_empty()))])
        };
        let loads: Vec<Load> = addresses.iter().map(load).collect();
        for generation in 2..5 {
            let before: u64 = loads.iter().map(|load| load.so_far().sent).sum();
            running.control().restart("http").await.unwrap();
            assert_eq!(running.control().status().runnable("http").unwrap().generation, generation);
            let mut client = Client::new(addresses[0]);
            while loads.iter().map(|load| load.so_far().sent).sum::<u64>() < before + 100 {
                client.get("/").await.unwrap();
            }
        }
        for load in loads {
            let tally = load.stop().await;
            assert_eq!((tally.failed, tally.failures), (0, vec![]));
        }
        running.control().shutdown("done");
        assert_eq!(running.wait().await.exit_code(), 0);
        assert_eq!(served.generations.load(Ordering::SeqCst), 4);
        for address in addresses {
            assert!(matches!(Client::new(address).get("/").await, Err(Failed::Refused)));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_comes_between_a_panic_and_the_next_generation_waits_and_is_answered() {
        let (running, served, addresses) = serving().await;
        let control = running.control();
        let mut clients = Vec::new();
        for generation in 1..4 {
            served.panic.notify_one();
            while control.status().runnable("http").unwrap().restarts < generation {
                tokio::task::yield_now().await;
            }
            // Nobody serves now, for the time of the delay, and nobody is refused.
            for address in &addresses {
                clients.push(Client::new(*address));
            }
            for client in clients.iter_mut().rev().take(addresses.len()) {
                client.get("/").await.unwrap();
            }
        }
        let failure = control.status().runnable("http").unwrap().last_failure.clone().unwrap();
        let here = failure.panicked_at().unwrap();
        assert!(here.contains("src/http/mod.rs:"), "{here}");
        running.control().shutdown("done");
        assert_eq!(running.wait().await.exit_code(), 0);
        assert_eq!(served.generations.load(Ordering::SeqCst), 4);
    }
}
