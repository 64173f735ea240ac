//! How do I flush traces last at a stop, and exit on time also when the collector hangs?

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use mainstay::prelude::*;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing::{Instrument as _, info_span};
use tracing_subscriber::{Layer as _, filter::LevelFilter};

/// Where the exporter of opentelemetry-otlp would stand: a connection for each batch, a line for each span.
#[derive(Debug)]
struct Collector(String);

impl Collector {
    fn send(&self, lines: &str) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(&self.0)?;
        stream.write_all(lines.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_end(&mut Vec::new())?; // it has taken them when it closes
        Ok(())
    }
}

impl SpanExporter for Collector {
    /// Called on a thread that the SDK has for the batches, so it may block.
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let lines: String = batch.iter().flat_map(|span| [&*span.name, "\n"]).collect();
        self.send(&lines).map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
    }
}

/// The lifecycle of all that.
struct Traces(SdkTracerProvider);

#[async_trait]
impl Provider<Daemon> for Traces {
    fn name(&self) -> &'static str {
        "traces"
    }

    /// Who boots first is shut down last, when nobody is left who could still make a span.
    fn boot_priority(&self) -> Option<u8> {
        Some(priority::FIRST)
    }

    /// No longer than this, whatever the collector does; the report then names it.
    fn deadlines(&self) -> Deadlines {
        Deadlines::new().shutdown(Duration::from_secs(1))
    }

    /// The flush blocks its thread, so it gets one of its own; at the deadline it is left there, and holds nobody.
    async fn shutdown(&self, _app: &Daemon) -> Result<()> {
        note("flushing");
        let traces = self.0.clone();
        match tokio::task::spawn_blocking(move || traces.shutdown()).await? {
            Ok(()) | Err(OTelSdkError::AlreadyShutdown) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Somebody who makes a span in the very hook of its shutdown.
struct Cache;

#[async_trait]
impl Provider<Daemon> for Cache {
    fn name(&self) -> &'static str {
        "cache"
    }

    async fn shutdown(&self, _app: &Daemon) -> Result<()> {
        tokio::task::yield_now().instrument(info_span!("cache saved")).await;
        Ok(())
    }
}

async fn work(_app: Daemon, cx: RunContext) -> Result<()> {
    let mut ticks = cx.every(Duration::from_millis(20));
    for number in 1_u64.. {
        if ticks.next().await.is_none() {
            break;
        }
        async { println!("job {number}") }.instrument(info_span!("job", number)).await;
    }
    Ok(())
}

fn main() -> Outcome {
    let collector = std::env::var("COLLECTOR").unwrap_or("127.0.0.1:4318".into());
    let traces = SdkTracerProvider::builder().with_batch_exporter(Collector(collector)).build();
    let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("otel"));
    Daemon::builder("otel")
        .log_layer(spans.with_filter(LevelFilter::INFO))
        .insert(Traces(traces))
        .insert(Cache)
        .insert(runnable("work", work))
        .main()
}
