//! The provider that counts requests, and says how many there are in a second.

mod counters;
mod rates;
mod text;

pub(crate) use self::counters::Counted;
pub(crate) use self::text::{Limited, Shown};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use mainstay::{
    Daemon, Dep, Dependencies, Provider, Reloadable, RestartPolicy, Result, Runnable, Snapshot, TaskFuture,
    async_trait, task,
};

use self::counters::{Counters, Striped};
use self::rates::{Rates, Window};
use self::text::ShownRoute;
use crate::access_log::AccessLog;
use crate::limits::Limits;
use crate::routes::Routes;

/// The counters, of all requests and of those of each route.
#[derive(Default)]
pub(crate) struct Stats {
    routes: Dep<Routes>,
    log: Dep<AccessLog>,
    limits: Dep<Limits>,
    all: Striped<Counters>,
    by_route: Snapshot<ByRoute>,
    rates: Arc<Mutex<Rates>>,
}

/// The counters of each route, by its path. Those of a path stay what they are through all reloads that have it.
type ByRoute = HashMap<String, Arc<OfRoute>, RandomState>;

/// The counters of one route.
#[derive(Default)]
pub(crate) struct OfRoute(Striped<Counters>);

impl OfRoute {
    pub(crate) fn end(&self, counted: Counted) {
        self.0.end(counted);
    }
}

impl Stats {
    /// A request has begun.
    pub(crate) fn begin(&self) {
        self.all.begin();
    }

    /// It is for this route, which has counters of its own.
    pub(crate) fn route(&self, path: &str) -> Option<Arc<OfRoute>> {
        let of_route = Arc::clone(self.by_route.load().get(path)?);
        of_route.0.begin();
        Some(of_route)
    }

    /// This many bytes of a request's body have come.
    pub(crate) fn receive(&self, bytes: u64) {
        self.all.receive(bytes);
    }

    /// A request has ended.
    pub(crate) fn end(&self, counted: Counted) {
        self.all.end(counted);
    }

    /// What there is to show.
    pub(crate) fn shown(&self) -> Shown {
        let by_route = self.by_route.load();
        let of_route = |(path, of_route): (&String, &Arc<OfRoute>)| ShownRoute {
            path: path.clone(),
            totals: of_route.0.totals(),
            waiting: self.limits.waiting(path),
        };
        let mut routes: Vec<_> = by_route.iter().map(of_route).collect();
        routes.sort_by(|one, other| one.path.cmp(&other.path));
        Shown {
            totals: self.all.totals(),
            rates: *self.rates.lock().unwrap_or_else(PoisonError::into_inner),
            routes,
            limited: self.limits.refused(),
            log_dropped: self.log.dropped(),
            log_failures: self.log.failures(),
        }
    }

    fn derive(&self) {
        let now = self.by_route.try_load();
        let kept = |path: &str| now.as_ref().and_then(|now| now.get(path).cloned()).unwrap_or_default();
        let table = self.routes.load();
        self.by_route.publish(table.paths().map(|path| (path.to_owned(), kept(path))).collect());
    }
}

#[async_trait]
impl Provider<Daemon> for Stats {
    fn name(&self) -> &'static str {
        "stats"
    }

    fn dependencies(&self) -> Dependencies<Daemon> {
        Dependencies::new().dep(&self.routes).dep(&self.log).dep(&self.limits)
    }

    async fn boot(&self, _: &Daemon) -> Result<()> {
        self.derive();
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
impl Reloadable<Daemon> for Stats {
    async fn reload(&self, _: &Daemon) -> Result<()> {
        self.derive();
        Ok(())
    }
}

impl Runnable<Daemon> for Stats {
    fn restart_policy(&self) -> RestartPolicy {
        // Without it the rates are old, and that is all.
        RestartPolicy::on_failure().unlimited().degrade()
    }

    fn run(&self, app: Daemon) -> TaskFuture {
        task(async move |cx| {
            let stats = app.require::<Self>()?;
            let (mut window, mut seconds) = (Window::default(), cx.every(Duration::from_secs(1)));
            while seconds.next().await.is_some() {
                let rates = window.sample(Instant::now(), &stats.all.totals());
                *stats.rates.lock().unwrap_or_else(PoisonError::into_inner) = rates;
            }
            Ok(())
        })
    }
}
