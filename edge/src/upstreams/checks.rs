//! The active checks: a child for each server, named `pool/server`, that asks whether it is there.

use std::sync::Arc;

use mainstay::{Daemon, RestartPolicy, Result, ResultExt, RunContext, Runnable, TaskFuture, task};
use tokio::time::{Instant, sleep_until, timeout};

use super::Upstreams;
use super::ask::ask;
use super::pools::Pools;
use super::server::{Server, Turned};
use crate::follow::follow;

/// The runnable whose children they are.
pub(super) struct Checks;

impl Runnable<Daemon> for Checks {
    fn restart_policy(&self) -> RestartPolicy {
        RestartPolicy::on_failure().unlimited().degrade()
    }

    fn run(&self, app: Daemon) -> TaskFuture {
        task(async move |cx| {
            let upstreams = app.require::<Upstreams>()?;
            let begin = |name: String, server: Arc<Server>| {
                let (upstreams, policy) = (Arc::clone(&upstreams), RestartPolicy::on_failure().unlimited());
                let pool = name.split_once('/').map(|(pool, _)| Arc::from(pool)).unwrap_or_default();
                let body =
                    move |cx| check(Arc::clone(&upstreams), Arc::clone(&pool), Arc::clone(&server), cx);
                cx.supervise(name, policy, body).map(drop).boxed()
            };
            follow(&cx, &upstreams.pools, Pools::checked, begin).await
        })
    }
}

/// Asks one server, every interval, until it is to stop. How often and what for is read anew each time.
async fn check(upstreams: Arc<Upstreams>, pool: Arc<str>, server: Arc<Server>, cx: RunContext) -> Result<()> {
    let connect = upstreams.connect()?;
    let checked = async {
        loop {
            let began = Instant::now();
            let Some(check) = upstreams.load().get(&pool).map(|pool| pool.check.clone()) else { return };
            let found = match timeout(check.timeout, ask(&connect, &server.authority, &check.path)).await {
                Ok(found) => found,
                Err(_) => Err(format!("no answer in {:?}", check.timeout)),
            };
            if let Some(turned) = server.checked(found, &check) {
                match turned {
                    Turned::Up => tracing::warn!(%pool, server = %server.authority, "up"),
                    Turned::Down => {
                        tracing::warn!(%pool, server = %server.authority, "down: {}", server.why_down());
                    }
                }
                upstreams.turned.send_replace(());
            }
            cx.note(server.said(true, Instant::now()));
            loop {
                // Noted first: a reload may change the interval while this sleeps.
                let changed = upstreams.pools.changed();
                let Some(interval) = upstreams.load().get(&pool).and_then(|pool| pool.check.interval) else {
                    return;
                };
                tokio::select! {
                    () = sleep_until(began + interval) => break,
                    _ = changed => {}
                }
            }
        }
    };
    let _ = cx.until_shutdown(checked).await;
    Ok(())
}
