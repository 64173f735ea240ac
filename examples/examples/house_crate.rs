//! How do I give forty daemons the log, metrics and defaults of their house in one line? By a builder of its own.

use std::time::Duration;

use mainstay::prelude::*;

/// The house's crate. Its function returns a [`DaemonBuilder`](mainstay::DaemonBuilder): all that a daemon is.
mod house {
    use std::fmt::Write as _;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::time::Duration;

    use axum::{Router, http::StatusCode, routing::get};
    use mainstay::{DaemonBuilder, Event, EventKind, prelude::*};
    use tracing::info;

    /// Flags that every daemon of the house has.
    #[derive(clap::Args)]
    struct Flags {
        /// Where operators look: /metrics, /status, /ready
        #[arg(long, default_value = "127.0.0.1:9000")]
        admin: SocketAddr,
    }

    /// What is counted in every daemon, without a line of its own.
    #[derive(Clone, Default)]
    struct Metrics(Arc<Counts>);

    #[derive(Default)]
    struct Counts {
        reloads: AtomicU64,
        restarts: AtomicU64,
        failures: AtomicU64,
    }

    impl Metrics {
        fn count(&self, event: &Event) {
            match &event.kind {
                EventKind::Reloaded(_) => self.0.reloads.fetch_add(1, Relaxed),
                EventKind::Restarting { .. } => self.0.restarts.fetch_add(1, Relaxed),
                EventKind::Failed(_) => self.0.failures.fetch_add(1, Relaxed),
                _ => 0,
            };
        }

        fn text(&self, name: &str) -> String {
            let Counts { reloads, restarts, failures } = &*self.0;
            let mut text = String::new();
            for (what, count) in [("reloads", reloads), ("restarts", restarts), ("failures", failures)] {
                let _ = writeln!(text, "house_{what}_total{{daemon=\"{name}\"}} {}", count.load(Relaxed));
            }
            text
        }
    }

    async fn admin(app: Daemon, cx: RunContext) -> Result<()> {
        let (metrics, name) = (app.require::<Metrics>()?, app.name().to_owned());
        let (control, probe) = (app.control(), app.control());
        let router = Router::new()
            .route("/metrics", get(async move || metrics.text(&name)))
            .route("/status", get(async move || control.status().to_string()))
            .route("/ready", get(async move || status_code(probe.status().ready.is_ready())));
        let listener = tokio::net::TcpListener::bind(app.args::<Flags>().admin).await?;
        info!("admin on http://{}", listener.local_addr()?);
        mainstay_hyper::serve(&cx, listener, router).await?;
        Ok(())
    }

    fn status_code(ready: bool) -> StatusCode {
        if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
    }

    /// A daemon as the house has them; the rest is the daemon's own, and may overrule what is set here.
    pub(crate) fn daemon(name: &str) -> DaemonBuilder {
        let metrics = Metrics::default();
        let counts = metrics.clone();
        Daemon::builder(name)
            .version(env!("CARGO_PKG_VERSION"))
            .log_default("info,house_crate=debug")
            .args::<Flags>()
            .insert_value(metrics)
            // It is started before the daemon's own and stopped after them, so that operators can watch both.
            .insert(runnable("admin", admin).boot_priority(priority::FIRST).run_priority(priority::FIRST))
            .runtime(move |runtime| {
                let deadlines = Deadlines::new().boot(Duration::from_secs(10)).stop(Duration::from_secs(8));
                let runtime = runtime.deadlines(deadlines).stop_budget(Duration::from_secs(20));
                runtime.on_event(move |event| counts.count(event))
            })
    }
}

/// One of the forty: it bills, and fails now and then.
async fn billing(_app: Daemon, cx: RunContext) -> Result<()> {
    tracing::debug!(generation = cx.generation(), "billing");
    let mut ticks = cx.every(Duration::from_millis(50));
    while ticks.next().await.is_some() {
        if cx.generation() < 3 {
            return Err(Error::msg("the bank does not answer"));
        }
    }
    Ok(())
}

fn main() -> Outcome {
    house::daemon("billing").insert(runnable("billing", billing).restart(RestartPolicy::on_failure())).main()
}
