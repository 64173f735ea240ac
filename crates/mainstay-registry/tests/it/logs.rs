//! What is said to `tracing`: one line for each thing, and a span around each runnable.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use mainstay_registry::{NamedRunnable, Provider, Registry, Runnable, TaskFuture};
use tokio::task::JoinSet;
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

use crate::support::{Log, Node, Spec, insert, nodes, without_lines};

/// Writes down each event with its level and fields, and each new span.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn subscribe(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }
}

struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, span: &tracing::span::Attributes<'_>, _: &tracing::Id, _: Context<'_, S>) {
        let mut fields = Fields(format!("{} span {}", span.metadata().level(), span.metadata().name()));
        span.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields(event.metadata().level().to_string());
        if let Some(span) = context.event_span(event) {
            let _ = write!(fields.0, " in {}", span.name());
        }
        event.record(&mut fields);
        self.0.lock().unwrap().push(without_lines(&fields.0));
    }
}

#[test]
fn a_duplicate_is_one_warning() {
    let (lines, registry) = (Lines::default(), nodes([Spec::new("a")]));
    let _guard = lines.subscribe();
    registry.insert(Arc::new(Node::<0>::default()));
    let [line] = &lines.take()[..] else { panic!("not one line") };
    assert_eq!(
        line,
        "WARN message=a second registration of the type was skipped, the first one stays code=\"MS0104\" error=MS0104: `it::support::Node<0>` is registered \
         already, at support.rs:#; the one at logs.rs:# was refused"
    );
}

#[test]
fn what_comes_after_the_seal_is_named_in_a_warning() {
    let (lines, registry) = (Lines::default(), nodes([Spec::new("a")]));
    registry.seal().unwrap();
    let _guard = lines.subscribe();
    insert(&registry, 1, Spec::new("b"));
    let [line] = &lines.take()[..] else { panic!("not one line") };
    assert!(line.starts_with("WARN message=registered after the plan"), "{line}");
    assert!(line.contains("type=\"it::support::Node<1>\"") && line.contains("support.rs"), "{line}");
}

#[tokio::test]
async fn a_failed_boot_is_logged_once() {
    let (lines, registry) = (Lines::default(), nodes([Spec::new("a").failing("boot")]));
    let _guard = lines.subscribe();
    registry.boot_all(&Log::default()).await.unwrap_err();
    assert_eq!(
        lines.take(),
        ["ERROR message=hook failed provider=\"a\" phase=\"boot\" \
             error=provider 'a' failed during boot: no boot"]
    );
}

#[tokio::test]
async fn failures_of_shutdown_and_reload_are_logged() {
    let (lines, registry) = (Lines::default(), nodes([Spec::new("a").failing("shutdown")]));
    insert(&registry, 1, Spec::new("b").failing("reload"));
    let _guard = lines.subscribe();
    registry.shutdown_all(&Log::default()).await.unwrap();
    registry.reload_all(&Log::default()).await.unwrap();
    assert_eq!(
        lines.take(),
        [
            "ERROR message=hook failed provider=\"a\" phase=\"shutdown\" error=no shutdown",
            "ERROR message=hook failed provider=\"b\" phase=\"reload\" error=reload of 'b' failed: no reload",
        ]
    );
}

#[tokio::test]
async fn a_walk_without_a_plan_says_so() {
    let (lines, registry) = (Lines::default(), nodes([Spec::new("a").requires(0)]));
    let _guard = lines.subscribe();
    registry.shutdown_all(&Log::default()).await.unwrap();
    let [line] = &lines.take()[..] else { panic!("not one line") };
    assert!(line.starts_with("WARN message=no plan is possible: going by priority and name"), "{line}");
    assert!(line.contains("phase=\"shutdown\" code=\"MS0102\""), "{line}");
}

/// Says something while it runs.
struct Talking(&'static str);
impl Provider<()> for Talking {
    fn name(&self) -> &'static str {
        self.0
    }
    fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
        Some(self)
    }
}
impl Runnable<()> for Talking {
    fn run(&self, (): ()) -> TaskFuture {
        Box::pin(async {
            tracing::info!("working");
            Ok(())
        })
    }
}

#[tokio::test]
async fn each_runnable_is_in_a_span_that_names_its_provider() {
    let (lines, registry) = (Lines::default(), Registry::<()>::new());
    registry.insert(Arc::new(Talking("ticker")));
    let _guard = lines.subscribe();
    let mut set = JoinSet::new();
    assert_eq!(registry.run_all((), &mut set), 1);
    set.join_all().await;
    assert_eq!(lines.take(), ["DEBUG span provider provider=\"ticker\"", "INFO in provider message=working"]);
}

/// Has named runnables alone.
struct Named(Talking);
impl Provider<()> for Named {
    fn name(&self) -> &'static str {
        "named"
    }
    fn runnables(&self) -> Vec<NamedRunnable<'_, ()>> {
        vec![NamedRunnable::new("one", &self.0)]
    }
}

#[tokio::test]
async fn named_runnables_are_left_to_the_runtime_with_a_warning() {
    let (lines, registry) = (Lines::default(), Registry::<()>::new());
    registry.insert(Arc::new(Named(Talking("unused"))));
    let _guard = lines.subscribe();
    assert_eq!(registry.run_all((), &mut JoinSet::new()), 0);
    let [line] = &lines.take()[..] else { panic!("not one line") };
    assert!(line.contains("provider=\"named\""), "{line}");
}
