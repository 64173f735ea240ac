//! mainstay: a provider's runnable under the runtime, and children of one.
//!
//! Supervised from the runtime's own thread over a multi-thread tokio, and inline in a current-thread one.

use std::sync::Arc;
use std::time::Duration;

use mainstay_registry::{Provider, Registry, RestartPolicy, Result, Runnable, TaskFuture};
use mainstay_runtime::{RunContext, Running, Runtime, Signals, runnable};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Crasher, Crowd, Moment};

impl Provider<()> for Crasher {
    fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
        Some(self)
    }
}

impl Runnable<()> for Crasher {
    fn run(&self, _state: ()) -> TaskFuture {
        let crasher = self.clone();
        Box::pin(async move { Ok(crasher.live()?) })
    }

    fn restart_policy(&self) -> RestartPolicy {
        at_once()
    }
}

/// No delay, and no end of it.
fn at_once() -> RestartPolicy {
    RestartPolicy::on_failure().initial_delay(Duration::ZERO).unlimited()
}

/// A provider's runnable.
pub async fn restart_of_a_runnable(crasher: Crasher) {
    let registry = Registry::new();
    registry.insert(Arc::new(crasher));
    let outcome = runtime(registry).run().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
}

/// A supervised child of a runnable.
pub async fn restart_of_a_child(crasher: Crasher) {
    let done = crasher.clone();
    let registry = keeper(move |cx| {
        let crasher = crasher.clone();
        cx.supervise("crasher", at_once(), move |_cx| {
            let crasher = crasher.clone();
            async move { Ok(crasher.live()?) }
        })?;
        Ok(())
    });
    let running = runtime(registry).start().await.expect("it starts");
    done.done().await;
    stop(running).await;
}

/// Supervised children of one runnable, each with a policy that restarts it.
pub async fn crowd_of_children(crowd: Crowd) {
    let starting = crowd.clone();
    let registry = keeper(move |cx| {
        starting.mark(Moment::Empty);
        for name in starting.names() {
            let crowd = starting.clone();
            cx.supervise(name.clone(), at_once(), move |cx| {
                let crowd = crowd.clone();
                async move {
                    crowd.arrive();
                    cx.shutdown_token().cancelled().await;
                    Ok(())
                }
            })?;
        }
        Ok(())
    });
    start_and_stop(registry, crowd).await;
}

/// Spawned by one runnable; not supervised: the first that fails would fail it.
pub async fn crowd_of_plain_children(crowd: Crowd) {
    let starting = crowd.clone();
    let registry = keeper(move |cx| {
        starting.mark(Moment::Empty);
        for name in starting.names() {
            let (crowd, cx_of_child) = (starting.clone(), cx.clone());
            cx.spawn(name.clone(), async move {
                crowd.arrive();
                cx_of_child.shutdown_token().cancelled().await;
                Ok(())
            });
        }
        Ok(())
    });
    start_and_stop(registry, crowd).await;
}

/// One runnable that starts its children and waits until it is asked to stop.
fn keeper(start: impl Fn(&RunContext) -> Result<()> + Send + Sync + 'static) -> Registry<()> {
    let start = Arc::new(start);
    let keep = move |(), cx: RunContext| {
        let start = Arc::clone(&start);
        async move {
            start(&cx)?;
            cx.shutdown_token().cancelled().await;
            Ok(())
        }
    };
    let registry = Registry::new();
    registry.insert(Arc::new(runnable("keeper", keep)));
    registry
}

async fn start_and_stop(registry: Registry<()>, crowd: Crowd) {
    let running = runtime(registry).start().await.expect("it starts");
    crowd.started().await;
    crowd.mark(Moment::Stopping);
    stop(running).await;
    crowd.mark(Moment::Stopped);
}

async fn stop(running: Running) {
    running.control().shutdown("enough");
    let outcome = running.wait().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
}

fn runtime(registry: Registry<()>) -> Runtime<()> {
    let runtime = Runtime::new(registry, ()).signals(Signals::none());
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => runtime.inline(),
        _ => runtime,
    }
}
