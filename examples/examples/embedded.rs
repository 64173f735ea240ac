//! How do I run a lifecycle inside somebody else's process, which has its own signals and goes on without it?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mainstay::{Running, Signals, prelude::*};
use tokio::signal::unix::{SignalKind, signal};

/// The part with a lifecycle: a counter, and what counts.
#[derive(Default)]
struct Counter(AtomicU64);

#[async_trait]
impl Provider<()> for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    async fn shutdown(&self, _state: &()) -> Result<()> {
        println!("counted to {}", self.0.load(Ordering::Relaxed));
        Ok(())
    }
}

async fn counting(counter: Arc<Counter>, cx: RunContext) -> Result<()> {
    let mut ticks = cx.every(Duration::from_millis(10));
    while ticks.next().await.is_some() {
        counter.0.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Door 3: it boots and is ready when this returns. It takes no signal, prints no report and ends no process.
async fn start() -> Result<Running, Outcome> {
    let (registry, counter) = (Registry::new(), Arc::new(Counter::default()));
    registry.insert(Arc::clone(&counter));
    let count = runnable("counting", move |(), cx| counting(Arc::clone(&counter), cx));
    registry.insert(Arc::new(count.requires::<Counter>()));
    Runtime::new(registry, ()).signals(Signals::none()).start().await
}

async fn stop(running: Running) {
    running.control().shutdown("the host has said so");
    println!("the part ended with {}", running.wait().await.exit_code());
}

/// When it ends by itself. What never was never does.
async fn end_of(part: Option<&Running>) -> Outcome {
    match part {
        Some(running) => running.wait().await,
        None => std::future::pending().await,
    }
}

/// Somebody else's process, with signals of its own: USR1 switches the part on and off, TERM ends the host.
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut switch = signal(SignalKind::user_defined1())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut part = None;
    println!("the host is there");
    loop {
        tokio::select! {
            _ = switch.recv() => match part.take() {
                Some(running) => stop(running).await,
                None => match start().await {
                    Ok(running) => {
                        println!("the part is ready");
                        part = Some(running);
                    }
                    // The start has failed and was rolled back. The host lives on.
                    Err(outcome) => println!("no part: {outcome}"),
                },
            },
            outcome = end_of(part.as_ref()) => {
                println!("the part has ended by itself: {outcome}");
                part = None;
            }
            _ = terminate.recv() => break,
        }
    }
    if let Some(running) = part {
        stop(running).await;
    }
    println!("the host is gone");
    Ok(())
}
