//! The daemon that this binary is when it starts itself again: providers, a runtime and a door by command
//! line.

use std::io::Write as _;
use std::process::{ExitCode, Termination as _};
use std::sync::Arc;
use std::sync::mpsc;

use mainstay_registry::Registry;
use mainstay_runtime::{Event, EventKind, Outcome, ReloadResult, Runtime};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

use crate::probe::{Words, block, register, say};

/// The first text says what runtime and which door, the others which providers.
pub(crate) fn main(texts: &[String]) -> ExitCode {
    let words = Words::of(&texts[0]);
    let threads: usize = words.get("threads").map_or(2, |threads| threads.parse().expect("a number"));
    let tokio = match threads {
        0 => Builder::new_current_thread().enable_all().build(),
        threads => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    };
    let tokio = tokio.expect("a tokio runtime");
    let handle = tokio.handle().clone();
    if words.get("stderr") == Some("full") {
        let (sender, locked) = mpsc::channel();
        std::thread::spawn(move || fill_stderr(&sender));
        let _ = locked.recv();
    }
    // Made before the door, so that a daemon may block threads and call itself ready when they are.
    let (ready, is_ready) = (Arc::new(Notify::new()), mpsc::channel());
    let blocked = (words.get("blocked") == Some("ready")).then(|| (handle.clone(), threads.max(1)));
    let notify = (Arc::clone(&ready), is_ready.0);
    let registry = Registry::new();
    register(&registry, &texts[1..]);
    let runtime = tuned(Runtime::new(registry, ()), &words).on_event(move |event| {
        if matches!(event.kind, EventKind::Ready { .. }) {
            if let Some((handle, threads)) = &blocked {
                block_workers(handle, *threads);
            }
            notify.0.notify_one();
            let _ = notify.1.send(());
        }
        print_event(event);
    });
    if words.get("blocked") == Some("start") && threads > 0 {
        block_workers(&handle, threads);
    }
    if words.get("spawn-blocking").is_some() {
        let (sender, begun) = mpsc::channel();
        handle.spawn_blocking(move || {
            let _ = sender.send(());
            block()
        });
        let _ = begun.recv();
    }
    let place = Place { words, threads, tokio, ready, is_ready: is_ready.1 };
    place.enter(runtime)
}

/// What a door is entered with.
struct Place {
    words: Words,
    threads: usize,
    tokio: tokio::runtime::Runtime,
    ready: Arc<Notify>,
    is_ready: mpsc::Receiver<()>,
}

impl Place {
    fn enter(self, runtime: Runtime<()>) -> ExitCode {
        let leave = self.words.get("leave").unwrap_or("exit");
        match self.words.get("door").unwrap_or("run") {
            "run" => self.tokio.block_on(async { left(leave, runtime.run().await) }).report(),
            "start" => {
                let hook = self.words.get("hook");
                left(leave, self.tokio.block_on(started(runtime, hook))).report()
            }
            "run-on" => self.run_on(runtime),
            "dropped" => {
                self.tokio.block_on(async {
                    tokio::select! {
                        outcome = runtime.run() => { let _ = outcome; }
                        () = self.ready.notified() => {}
                    }
                });
                say("dropped");
                block()
            }
            // The application's runtime is gone in the middle of the run.
            "gone" => {
                let run_on = runtime.run_on(self.tokio.handle().clone());
                let _ = self.is_ready.recv();
                self.tokio.shutdown_background();
                say("gone");
                run_on.wait().report()
            }
            // The same, with the future of `run` on it.
            "gone-with-run" => {
                self.tokio.spawn(runtime.run());
                let _ = self.is_ready.recv();
                self.tokio.shutdown_background();
                say("gone");
                block()
            }
            door => panic!("there is no door `{door}`"),
        }
    }

    /// Waits in a plain thread, as the facade's door does; a current-thread runtime is driven by another.
    fn run_on(self, runtime: Runtime<()>) -> ExitCode {
        let handle = self.tokio.handle().clone();
        if self.threads > 0 {
            let outcome = runtime.run_on(handle).wait();
            self.tokio.shutdown_background();
            return outcome.report();
        }
        let (sender, driven) = mpsc::channel();
        std::thread::spawn(move || {
            self.tokio.block_on(async {
                let _ = sender.send(self.words.get("blocked"));
                std::future::pending::<()>().await;
            });
        });
        if driven.recv() == Ok(Some("start")) {
            block_workers(&handle, 1);
        }
        runtime.run_on(handle).wait().report()
    }
}

async fn started(runtime: Runtime<()>, hook: Option<&str>) -> Outcome {
    match runtime.start().await {
        Ok(running) => {
            // Later than the runtime's own.
            match hook {
                Some("own") => std::panic::set_hook(Box::new(|_| say("own hook"))),
                Some("chained") => {
                    let before = std::panic::take_hook();
                    std::panic::set_hook(Box::new(move |info| {
                        say("own hook");
                        before(info);
                    }));
                }
                _ => {}
            }
            say("started");
            running.wait().await
        }
        Err(outcome) => {
            say("not started");
            outcome
        }
    }
}

fn tuned(mut runtime: Runtime<()>, words: &Words) -> Runtime<()> {
    if let Some(budget) = words.millis("boot-budget") {
        runtime = runtime.boot_budget(budget);
    }
    if let Some(budget) = words.millis("stop-budget") {
        runtime = runtime.stop_budget(budget);
    }
    if let Some(reserve) = words.millis("stop-reserve") {
        runtime = runtime.stop_reserve(reserve);
    }
    if let Some(budget) = words.millis("rollback-budget") {
        runtime = runtime.rollback_budget(budget);
    }
    if let Some(delay) = words.millis("lame-duck") {
        runtime = runtime.lame_duck(delay);
    }
    if let Some(patience) = words.millis("stuck") {
        runtime = runtime.exit_when_stuck(patience);
    }
    if words.get("inline").is_some() {
        runtime = runtime.inline();
    }
    runtime
}

/// How `main` goes on with the outcome.
fn left(how: &str, outcome: Outcome) -> Outcome {
    say("outcome");
    match how {
        "exit" => outcome.exit(),
        "return" => outcome,
        "stuck" => block(),
        how => panic!("there is no way `{how}` to leave"),
    }
}

/// Blocks every worker, and returns when they are.
fn block_workers(handle: &Handle, threads: usize) {
    let (sender, blocked) = mpsc::channel();
    for _ in 0..threads {
        let sender = sender.clone();
        handle.spawn(async move {
            let _ = sender.send(());
            block()
        });
        // One after the other: a worker that took two at once would block with the second in its queue.
        let _ = blocked.recv();
    }
    say("blocked");
}

/// Writes until the pipe is full, and holds the lock of standard error from then on.
fn fill_stderr(locked: &mpsc::Sender<()>) {
    let mut stderr = std::io::stderr().lock();
    let _ = locked.send(());
    loop {
        let _ = stderr.write_all(&[b'x'; 4096]);
    }
}

fn print_event(event: &Event) {
    let line = match &event.kind {
        EventKind::BootFinished { .. } => "booted".to_owned(),
        EventKind::Ready { .. } => "ready".to_owned(),
        EventKind::Recoverable(failure) => format!("recoverable: {failure}"),
        EventKind::Rescued { provider, phase } => format!("rescued {phase} of {provider}"),
        EventKind::Reloaded(report) => {
            for (provider, result) in &report.entries {
                match result {
                    ReloadResult::Reloaded { .. } => say(&format!("event: {provider} reloaded")),
                    ReloadResult::Refused(failure) => say(&format!("event: {provider} refused: {failure}")),
                    ReloadResult::Skipped { because } => {
                        say(&format!("event: {provider} skipped because of {because}"));
                    }
                    _ => {}
                }
            }
            format!("reload {}", if report.is_committed() { "done" } else { "refused" })
        }
        EventKind::ReloadAborted => "reload aborted".to_owned(),
        EventKind::SignalRefused { signal, phase } => format!("{signal} refused in {phase}"),
        EventKind::Reopening => "reopening".to_owned(),
        EventKind::StopRequested { cause } => format!("stopping: {cause}"),
        EventKind::LameDuck { .. } => "lame duck".to_owned(),
        EventKind::RollingBack => "rolling back".to_owned(),
        EventKind::Finished { exit_code, .. } => format!("finished {exit_code}"),
        _ => return,
    };
    say(&format!("event: {line}"));
}
