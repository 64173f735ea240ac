//! Supervised children: a set inside of one generation of a task.

#![allow(clippy::no_effect_underscore_binding, reason = "what a future holds for as long as it lives")]

mod control;
mod ends;
mod limits;
mod nested;
mod set;
mod spans;
mod stop;
mod threads;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use mainstay_registry::{Error, Registry, RestartPolicy, Result};
use mainstay_runtime::{ChildState, Outcome, RunContext, Supervised};
use mainstay_test::Log;

use crate::registry;
use crate::support::{A, B, events, fake, paused};

pub(crate) const NO_JITTER: RestartPolicy = RestartPolicy::on_failure().jitter(0.0);
pub(crate) const AT_ONCE: RestartPolicy =
    RestartPolicy::on_failure().initial_delay(Duration::ZERO).unlimited();

pub(crate) type Way = fn() -> Result<()>;
pub(crate) type Ending = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

pub(crate) fn fails() -> Result<()> {
    Err(Error::msg("refused"))
}

pub(crate) fn panics() -> Result<()> {
    panic!("boom")
}

#[allow(clippy::unnecessary_wraps, reason = "one of the ways to end")]
pub(crate) fn fine() -> Result<()> {
    Ok(())
}

/// Waits until it is asked to stop.
pub(crate) async fn waits(cx: RunContext) -> Result<()> {
    cx.shutdown_token().cancelled().await;
    Ok(())
}

/// Does not care.
pub(crate) async fn ignores(_: RunContext) -> Result<()> {
    std::future::pending().await
}

/// Ends in these ways, one generation after the other, and then waits for its stop.
pub(crate) fn ends(ways: &'static [Way]) -> impl FnMut(RunContext) -> Ending + Send + 'static {
    move |cx| {
        Box::pin(async move {
            match ways.get(usize::try_from(cx.generation()).unwrap() - 1) {
                Some(way) => way(),
                None => waits(cx).await,
            }
        })
    }
}

/// Lets everything that can run without time passing run.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn state(child: &Supervised) -> Option<ChildState> {
    child.status().map(|status| status.state)
}

/// A provider 'a' whose task is this body; what it supervises ends with it. Beside it 'b' runs while 'a' does.
pub(crate) fn keeper<F, Fut>(log: &Log, body: F) -> Registry<()>
where
    F: Fn(RunContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let body = move |cx| {
        let body = body(cx);
        async move {
            body.await;
            Ok(())
        }
    };
    registry![fake::<A>("a", log).run(body), fake::<B>("b", log)]
}

/// Runs it on paused time, and returns what was said.
pub(crate) async fn keep<F, Fut>(body: F) -> (Outcome, Vec<String>)
where
    F: Fn(RunContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (log, said) = (Log::new(), Log::new());
    let outcome = paused(keeper(&log, body)).on_event(events(&said)).run().await;
    assert_eq!(outcome.hooks(), (2, 2), "whatever happens, every hook is called: {outcome}");
    (outcome, said.lines())
}

/// The same, where nothing is to go wrong.
pub(crate) async fn keep_well<F, Fut>(body: F) -> Vec<String>
where
    F: Fn(RunContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (outcome, said) = keep(body).await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert!(outcome.failures().is_empty() && outcome.forced().is_empty(), "{outcome}");
    said
}

/// The lines about children.
pub(crate) fn of_children(said: &[String]) -> Vec<&str> {
    let of = |line: &&str| line.starts_with("restarting") || line.starts_with("child failed");
    said.iter().map(String::as_str).filter(of).collect()
}
