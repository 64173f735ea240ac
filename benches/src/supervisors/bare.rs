//! Bare tokio: what one writes by hand over a `JoinSet`, and the floor.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::task::{JoinSet, yield_now};
use tokio_util::sync::CancellationToken;

use super::{Crasher, Crowd, Moment};

/// A supervisor that knows which of its tasks has ended, and starts it again.
pub async fn restart(crasher: Crasher) {
    let mut tasks = JoinSet::new();
    let mut names = HashMap::new();
    let start = |tasks: &mut JoinSet<_>, crasher: Crasher| tasks.spawn(async move { crasher.live() }).id();
    names.insert(start(&mut tasks, crasher.clone()), "crasher");
    while let Some(end) = tasks.join_next_with_id().await {
        let (id, failed) = match end {
            Ok((id, result)) => (id, result.is_err()),
            Err(error) => (error.id(), true),
        };
        let name = names.remove(&id).expect("it is one of ours");
        if failed {
            names.insert(start(&mut tasks, crasher.clone()), name);
        }
    }
}

/// No new task, but a loop inside of one that catches: what the error or the panic itself costs.
pub async fn restart_in_a_loop(crasher: Crasher) {
    while !matches!(catch_unwind(AssertUnwindSafe(|| crasher.live())), Ok(Ok(()))) {}
}

/// Spawned, and nothing else known of them: what tokio itself needs for the same future.
pub async fn spawned(crowd: Crowd) {
    let stop = CancellationToken::new();
    crowd.mark(Moment::Empty);
    for _ in crowd.names() {
        let (crowd, stop) = (crowd.clone(), stop.clone());
        tokio::spawn(async move {
            crowd.arrive();
            stop.cancelled().await;
        });
    }
    crowd.started().await;
    crowd.mark(Moment::Stopping);
    stop.cancel();
    while !crowd.is_alone() {
        yield_now().await;
    }
    crowd.mark(Moment::Stopped);
}

/// One token for all of them.
pub async fn crowd(crowd: Crowd) {
    let mut tasks = JoinSet::new();
    let stop = CancellationToken::new();
    crowd.mark(Moment::Empty);
    for _ in crowd.names() {
        let (crowd, stop) = (crowd.clone(), stop.clone());
        tasks.spawn(async move {
            crowd.arrive();
            stop.cancelled().await;
        });
    }
    crowd.started().await;
    crowd.mark(Moment::Stopping);
    stop.cancel();
    while let Some(end) = tasks.join_next().await {
        end.expect("nobody panics");
    }
    drop(tasks);
    crowd.mark(Moment::Stopped);
}

/// A name and a token for each, by which one alone could be found and stopped: the least that a supervised task has.
pub async fn crowd_of_named(crowd: Crowd) {
    let mut tasks = JoinSet::new();
    let mut known = HashMap::new();
    let stop = CancellationToken::new();
    crowd.mark(Moment::Empty);
    for name in crowd.names() {
        let (crowd, own) = (crowd.clone(), stop.child_token());
        let theirs = own.clone();
        let task = tasks.spawn(async move {
            crowd.arrive();
            theirs.cancelled().await;
        });
        known.insert(task.id(), (name, own));
    }
    crowd.started().await;
    crowd.mark(Moment::Stopping);
    stop.cancel();
    while let Some(end) = tasks.join_next_with_id().await {
        let (id, ()) = end.expect("nobody panics");
        known.remove(&id);
    }
    drop((tasks, known));
    crowd.mark(Moment::Stopped);
}
