//! A `DaemonBuilder` under the test kit, and the lints of its development mode.

use std::sync::{Arc, Mutex};

use mainstay::prelude::*;
use mainstay::{DaemonBuilder, EventKind};
use mainstay_test::{Harness, LifecycleMatrix};

#[derive(Default)]
struct Greeting(Snapshot<String>);

#[async_trait]
impl Provider<Daemon> for Greeting {
    fn name(&self) -> &'static str {
        "greeting"
    }
    async fn boot(&self, app: &Daemon) -> Result<()> {
        self.0.publish(format!("hello from {}", app.name()));
        Ok(())
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<Daemon>> {
        Some(self)
    }
}

#[async_trait]
impl Reloadable<Daemon> for Greeting {
    async fn reload(&self, app: &Daemon) -> Result<()> {
        self.boot(app).await
    }
}

async fn http(_app: Daemon, cx: RunContext) -> Result<()> {
    cx.shutdown_token().cancelled().await;
    Ok(())
}

fn greeter() -> DaemonBuilder {
    Daemon::builder("greeter")
        .insert(Greeting::default())
        .insert(runnable("http", http).requires::<Greeting>())
}

/// The state takes part in the reload: its own hook gets faults as well.
#[test]
fn a_builder_goes_through_the_matrix() {
    let report = LifecycleMatrix::new(greeter).find();
    assert!(report.violations.is_empty(), "{report}");
    assert!(report.scenarios > 60, "{}", report.scenarios);
}

#[tokio::test(start_paused = true)]
async fn a_builder_goes_into_the_harness() {
    let daemon = Harness::of(greeter()).start().await;
    daemon.require_ready().drain().await.require_stopped();
}

#[tokio::test(start_paused = true)]
async fn a_builder_replaces_what_is_registered_in_any_way_and_nothing_else() {
    let by_function = || {
        Daemon::builder("greeter").insert(runnable("http", http)).register(|app| {
            app.registry().try_insert(Arc::new(Greeting::default()))?;
            Ok(())
        })
    };
    for greeter in [greeter(), by_function()] {
        let mine = Arc::new(Greeting::default());
        let daemon = Harness::of(greeter.replace(Arc::clone(&mine))).start().await;
        assert_eq!(*mine.0.load(), "hello from greeter", "it was booted");
        daemon.require_ready().drain().await.require_stopped();
    }
    let nothing = Daemon::builder("greeter").replace(Arc::new(Greeting::default()));
    let refused = nothing.runtime_from(["greeter"]).unwrap_err();
    assert_eq!(refused.exit_code(), 78);
    let text = refused.to_string();
    assert!(text.contains("nothing is replaced") && text.contains("daemon.rs:"), "{text}");
}

fn lints_in(mode: &str) -> (Runtime<Daemon>, Arc<Mutex<Vec<&'static str>>>) {
    let builder = greeter().register(|app| {
        assert!(app.get::<Greeting>().is_some());
        Ok(())
    });
    let runtime = builder.runtime_from(["greeter", "--run-mode", mode]).unwrap();
    let found = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&found);
    let runtime = runtime.signals(Signals::none()).inline().shutdown_on(async {}).on_event(move |event| {
        if let EventKind::Lint(lint) = &event.kind {
            said.lock().unwrap().push(lint.code.id);
        }
    });
    (runtime, found)
}

#[tokio::test(start_paused = true)]
async fn lints_are_on_in_development_and_off_in_production() {
    for (mode, expected) in [("development", vec!["MS0601"]), ("production", vec![])] {
        let (runtime, found) = lints_in(mode);
        assert_eq!(runtime.run().await.exit_code(), 0);
        assert_eq!(*found.lock().unwrap(), expected, "{mode}");
    }
}
