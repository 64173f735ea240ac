//! Tests of a daemon: one situation, other values, and every fault in every phase.

use std::sync::Arc;

use mainstay::{Phase, prelude::*};
use mainstay_test::{Fault, Harness, lifecycle_matrix};

struct Routes {
    first: &'static str,
    all: Snapshot<Vec<&'static str>>,
}

impl Routes {
    fn of(first: &'static str) -> Arc<Self> {
        Arc::new(Self { first, all: Snapshot::empty() })
    }
}

#[async_trait]
impl Provider<()> for Routes {
    fn name(&self) -> &'static str {
        "routes"
    }
    async fn boot(&self, state: &()) -> Result<()> {
        self.reload(state).await
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<()> for Routes {
    async fn reload(&self, (): &()) -> Result<()> {
        self.all.publish(vec![self.first, "/status"]);
        Ok(())
    }
}

async fn http((): (), cx: RunContext) -> Result<()> {
    cx.shutdown_token().cancelled().await;
    Ok(())
}

fn register(registry: &Registry<()>) {
    registry.insert(Routes::of("/"));
    registry.insert(Arc::new(runnable("http", http).requires::<Routes>()));
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_hangs_is_refused_and_the_old_routes_serve_on() {
    let daemon = Harness::new((), register).fault::<Routes>(Phase::Reload, Fault::Hang).start().await;
    assert!(!daemon.reload().await.is_committed());
    daemon.require_ready();
    daemon.drain().await.require_stopped();
}

#[tokio::test(start_paused = true)]
async fn without_routes_nothing_is_served() {
    let fault = Fault::Error("no routes");
    let daemon = Harness::new((), register).fault::<Routes>(Phase::Boot, fault).start().await;
    assert_eq!(daemon.require_stopped().exit_code(), 75);
    assert_eq!(
        daemon.phases(),
        "\
boot routes failed: no routes
stop requested by failure
shutdown routes
exit 75
"
    );
}

#[tokio::test(start_paused = true)]
async fn other_routes_are_served() {
    let other = Routes::of("/test");
    let daemon = Harness::new((), register).replace(Arc::clone(&other)).start().await;
    assert_eq!(other.all.load()[0], "/test");
    daemon.drain().await.require_stopped();
}

#[test]
fn every_fault_is_survived() {
    lifecycle_matrix(|| {
        let registry = Registry::new();
        register(&registry);
        Runtime::new(registry, ())
    });
}
