//! The application's tokio runtime, which nobody waits for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use mainstay_runtime::Outcome;
use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::codes;

/// Makes the builder of the application's runtime.
pub(super) type MakeTokio = Box<dyn FnOnce() -> Builder>;

/// The application's tokio runtime. Dropping it gives it up: its threads are not waited for.
pub(super) struct Application {
    handle: Handle,
    threads: Threads,
}

enum Threads {
    /// It has workers of its own.
    Workers(Option<Runtime>),
    /// A current-thread runtime, driven by one thread until the guard is dropped.
    Driver { _until: DropGuard },
}

impl Application {
    /// Builds it as the application says.
    pub(super) fn build(make: Option<MakeTokio>) -> Result<Self, Outcome> {
        let built = catch_unwind(AssertUnwindSafe(|| match make {
            Some(make) => make().build(),
            None => Builder::new_multi_thread().enable_all().build(),
        }));
        let runtime = match built {
            Ok(Ok(runtime)) => runtime,
            Ok(Err(error)) => return Err(refused(&error.to_string())),
            // The panic's own text is on standard error already.
            Err(panic) => {
                std::mem::forget(panic);
                return Err(refused("the function that makes its builder panicked"));
            }
        };
        let handle = runtime.handle().clone();
        let threads = match handle.runtime_flavor() {
            RuntimeFlavor::CurrentThread => drive(runtime).map_err(|error| refused(&error.to_string()))?,
            _ => Threads::Workers(Some(runtime)),
        };
        Ok(Self { handle, threads })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        if let Threads::Workers(runtime) = &mut self.threads
            && let Some(runtime) = runtime.take()
        {
            runtime.shutdown_background();
        }
    }
}

/// Only inside `block_on` does a current-thread runtime run its tasks. What it blocks on here is not the
/// work but the end of it, and it does so on a thread that nobody joins.
fn drive(runtime: Runtime) -> std::io::Result<Threads> {
    let until = CancellationToken::new();
    let end = until.clone();
    thread::Builder::new().name("application".to_owned()).spawn(move || {
        runtime.block_on(end.cancelled());
        runtime.shutdown_background();
    })?;
    Ok(Threads::Driver { _until: until.drop_guard() })
}

fn refused(why: &str) -> Outcome {
    let code = codes::NO_TOKIO_RUNTIME;
    let text = format!("error[{code}]: the application's tokio runtime could not be built: {why}");
    Outcome::refused(format!("{text}\n  nothing was started"), 1)
}
