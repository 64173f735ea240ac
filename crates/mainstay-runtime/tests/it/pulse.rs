//! The pulse of the application's runtime: a wedge is noticed from outside, and an idle process is none.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mainstay_runtime::{EventKind, RunContext, Runtime, Signals, runnable};
use mainstay_test::{Blocker, Fault, Log};

use crate::registry;
use crate::support::{A, fake};

#[test]
fn a_wedged_runtime_is_noticed_within_a_second_and_every_last_note_is_told() {
    for workers in [0, 1, 2] {
        let app = match workers {
            0 => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            n => tokio::runtime::Builder::new_multi_thread().worker_threads(n).enable_all().build().unwrap(),
        };
        let handle = app.handle().clone();
        std::thread::spawn(move || app.block_on(std::future::pending::<()>()));
        let blocker = Blocker::new();
        let (sender, wedged) = mpsc::channel();
        let block = |name: &'static str, note: &'static str| {
            let held = blocker.clone();
            move |(), cx: RunContext| {
                let held = held.clone();
                async move {
                    cx.note(note);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    let _ = name;
                    held.block();
                    cx.shutdown_token().cancelled().await;
                    Ok(())
                }
            }
        };
        let registry = registry![
            runnable("one", block("one", "reading /dev/slow")),
            runnable("two", {
                let inner = block("two", "asking dns");
                move |state, cx| inner(state, cx)
            }),
            runnable("quiet", async |(), cx: RunContext| {
                cx.note("serving 3 clients");
                cx.shutdown_token().cancelled().await;
                Ok(())
            }),
        ];
        let began = Instant::now();
        let runtime =
            Runtime::new(registry, ()).signals(Signals::none()).on_event(move |event| match &event.kind {
                EventKind::Wedged { running, .. } => {
                    let lines: Vec<String> = running
                        .iter()
                        .map(|one| format!("{}: {}", one.name, one.seen.as_deref().unwrap()))
                        .collect();
                    let _ = sender.send((event.at, lines));
                }
                EventKind::Unwedged { .. } => {
                    let _ = sender.send((event.at, Vec::new()));
                }
                _ => {}
            });
        let running = runtime.run_on(handle);
        let (at, lines) = wedged.recv_timeout(Duration::from_secs(10)).expect("a wedge is noticed");
        // Within 0.8 s by the pulse's own clock (its unit tests); how late its thread is run is the machine's.
        assert!(at - began < Duration::from_secs(5), "{:?}", at - began);
        let all = lines.join("\n");
        assert!(all.contains("quiet: last note: \"serving 3 clients\""), "{workers}: {all}");
        assert!(all.contains("blocks a thread since"), "{workers}: {all}");
        let status = running.control().status();
        assert!(status.wedged.is_some(), "{status}");
        blocker.release();
        let (_, none) = wedged.recv_timeout(Duration::from_secs(10)).expect("and that it is over");
        assert!(none.is_empty());
        running.control().shutdown("done");
        let outcome = running.wait();
        assert_eq!(outcome.exit_code(), 0, "{outcome}");
    }
}

/// The whole minute is for `MAINSTAY_IDLE_SECONDS=60`; each run of the suite takes three seconds.
#[test]
fn an_idle_runtime_raises_no_false_alarm() {
    let seconds = std::env::var("MAINSTAY_IDLE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let app = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let log = Log::new();
    let (sender, wedged) = mpsc::channel();
    let runtime = Runtime::new(registry![fake::<A>("a", &log).runs(Fault::None)], ());
    let runtime = runtime.signals(Signals::none()).on_event(move |event| {
        if matches!(event.kind, EventKind::Wedged { .. }) {
            let _ = sender.send(Arc::new(event.clone()));
        }
    });
    let running = runtime.run_on(app.handle().clone());
    let alarm = wedged.recv_timeout(Duration::from_secs(seconds));
    assert_eq!(alarm.err(), Some(mpsc::RecvTimeoutError::Timeout), "a false alarm");
    running.control().shutdown("done");
    assert_eq!(running.wait().exit_code(), 0);
}
