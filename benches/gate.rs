//! Is a gate ahead of tokio's semaphore, with room and at capacity?
//!
//! Measured: one entry and the drop of its permit, borrowed beside borrowed and owned beside owned, at a gate with room
//! (a capacity that is not reached, and none); then 1,000 tasks that queue for one place; beside them, in the same run,
//! `tokio::sync::Semaphore` and, where there is room, continuo's `Gate`. The futures are polled by hand, so nothing but themselves is timed.
//!
//! Caveats: a permit of the semaphore may weigh more than one, and its `acquire` takes from the task's budget; ours has
//! neither. continuo's wakes everybody at each release, so it is left out of the queue, where it would take most of
//! the time.
//!
//! Run: `cargo bench --manifest-path benches/Cargo.toml --bench gate`

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mainstay_benches::{Aim, Table};
use mainstay_sync::Gate;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};

const CAPACITY: usize = 1024;
const WAITERS: usize = 1_000;
const LONG: Duration = Duration::from_secs(60);

fn main() {
    println!("is a gate ahead of tokio's semaphore, with room and at capacity?");
    for threads in [1, 2] {
        at_once(threads);
        owned(threads);
        awaited(threads);
    }
    queueing();
}

/// The output of a future that is ready at once.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("there is room"),
    }
}

fn at_once(threads: usize) {
    let word = AtomicUsize::new(0);
    let semaphore = Semaphore::new(CAPACITY);
    let (gate, unlimited) = (Gate::new(CAPACITY), Gate::unlimited());
    let theirs = continuo::Gate::new(Some(CAPACITY), LONG);
    let mut table = Table::new("enter at once, and leave", threads);
    table
        .case("Semaphore::try_acquire", || semaphore.try_acquire().is_ok())
        .case("Gate::try_enter", || gate.try_enter().is_ok())
        .aim(Aim::Times(1.0, None))
        .case("Gate::try_enter, no limit", || unlimited.try_enter().is_ok())
        .aim(Aim::Times(1.0, None))
        .case("continuo's try_enter (owned)", || theirs.try_enter().is_ok())
        .case("one word, up and down", || {
            word.fetch_add(1, Ordering::Relaxed);
            word.fetch_sub(1, Ordering::AcqRel)
        });
    table.print();
}

fn owned(threads: usize) {
    let semaphore = Arc::new(Semaphore::new(CAPACITY));
    let gate = Gate::new(CAPACITY);
    let mut table = Table::new("enter at once with an owned permit, and leave", threads);
    table
        .case("Semaphore::try_acquire_owned", || Arc::clone(&semaphore).try_acquire_owned().is_ok())
        .case("Gate::try_enter_owned", || gate.try_enter_owned().is_ok())
        .aim(Aim::Times(1.0, None))
        .case("Semaphore::acquire_owned", || ready(Arc::clone(&semaphore).acquire_owned()).is_ok())
        .case("Gate::enter_owned", || ready(gate.enter_owned()).is_ok())
        .aim(Aim::Times(1.0, Some("Semaphore::acquire_owned")));
    table.print();
}

fn awaited(threads: usize) {
    let semaphore = Semaphore::new(CAPACITY);
    let gate = Gate::new(CAPACITY);
    let limited = Gate::new(CAPACITY).acquire_timeout(LONG);
    let theirs = continuo::Gate::new(Some(CAPACITY), LONG);
    let clock = Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    let mut table = Table::new("enter by a future that finds room, and leave", threads);
    table
        .case("Semaphore::acquire", || ready(semaphore.acquire()).is_ok())
        .case("Gate::enter", || ready(gate.enter()).is_ok())
        .aim(Aim::Times(1.0, None))
        .case("Gate::enter, with a timeout", || ready(limited.enter()).is_ok())
        .aim(Aim::Times(1.0, None))
        .prepared("continuo's enter (owned)", || clock.enter(), |_| ready(theirs.enter()).is_ok());
    table.print();
}

/// 1,000 tasks, one place: each goes in, lets the others run, and comes out. The time is of one task.
fn queueing() {
    let semaphore = Arc::new(Semaphore::new(1));
    let (gate, limited) = (Gate::new(1), Gate::new(1).acquire_timeout(LONG));
    let runtime = || Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut table = Table::new(format!("{WAITERS} tasks for one place"), 1);
    table
        .prepared("Semaphore::acquire", runtime, |runtime| {
            crowd(runtime, || {
                let semaphore = Arc::clone(&semaphore);
                async move {
                    let _permit = semaphore.acquire().await.expect("it is open");
                    yield_now().await;
                }
            });
        })
        .prepared("Gate::enter", runtime, |runtime| {
            crowd(runtime, || {
                let gate = gate.clone();
                async move {
                    let _permit = gate.enter().await.expect("it is open");
                    yield_now().await;
                }
            });
        })
        .aim(Aim::Times(1.0, None))
        .prepared("Semaphore::acquire, timeout around", runtime, |runtime| {
            crowd(runtime, || {
                let semaphore = Arc::clone(&semaphore);
                async move {
                    let waiting = tokio::time::timeout(LONG, semaphore.acquire());
                    let _permit = waiting.await.expect("in time").expect("it is open");
                    yield_now().await;
                }
            });
        })
        .prepared("Gate::enter, with a timeout", runtime, |runtime| {
            crowd(runtime, || {
                let gate = limited.clone();
                async move {
                    let _permit = gate.enter().await.expect("it is open");
                    yield_now().await;
                }
            });
        })
        .aim(Aim::Times(1.0, Some("Semaphore::acquire, timeout around")));
    table.print();
}

fn crowd<F: Future<Output = ()> + Send + 'static>(runtime: &Runtime, mut one: impl FnMut() -> F) {
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..WAITERS {
            tasks.spawn(one());
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no task panics");
        }
    });
}
