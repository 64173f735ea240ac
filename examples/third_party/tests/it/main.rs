//! The conformance test: the provider survives every fault in every phase, whatever the application's state is.

use std::path::PathBuf;
use std::sync::Arc;

use mainstay::{Daemon, Registry, Runtime, SharedState, runnable};
use mainstay_test::LifecycleMatrix;
use presence::Presence;
use tokio_util::sync::CancellationToken;

/// A folder for one test, beside the test's binary: what is left in it is a violation.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("presence-{name}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A state that has nothing in common with anybody's.
#[derive(Clone)]
struct App {
    registry: Arc<Registry<App>>,
    stop: CancellationToken,
}

impl SharedState for App {
    fn registry(&self) -> &Registry<App> {
        &self.registry
    }
    fn shutdown_token(&self) -> &CancellationToken {
        &self.stop
    }
}

#[test]
fn it_conforms_under_a_state_of_its_own() {
    let folder = folder("own");
    let make = || {
        let app = App { registry: Arc::default(), stop: CancellationToken::new() };
        app.registry.insert(Arc::new(Presence::in_folder(&folder)));
        app.registry.insert(Arc::new(runnable("work", async |_: App, cx| {
            cx.shutdown_token().cancelled().await;
            Ok(())
        })));
        Runtime::new(Arc::clone(&app.registry), app)
    };
    LifecycleMatrix::new(make).watch(&folder).run();
}

#[test]
fn it_conforms_under_the_daemon() {
    let folder = folder("daemon");
    LifecycleMatrix::new(|| Daemon::builder("test").insert(Presence::in_folder(&folder)))
        .watch(&folder)
        .run();
}
