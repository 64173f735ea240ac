//! What a gate promises about time; the clock is paused.

#![allow(clippy::disallowed_methods, reason = "it drives the paused clock and tasks of its own")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mainstay_sync::gate::{Drained, EnterError, Gate};
use tokio::time::{Instant, advance, sleep};

use crate::support::Polled;

const SECOND: Duration = Duration::from_secs(1);
/// A timer of tokio may be this late.
const TICK: Duration = Duration::from_millis(2);

fn about(start: Instant, expected: Duration) {
    let took = start.elapsed();
    assert!(took >= expected && took <= expected + TICK, "{took:?} instead of {expected:?}");
}

#[tokio::test(start_paused = true)]
async fn an_enter_waits_up_to_the_acquire_timeout() {
    let gate = Gate::new(1).acquire_timeout(SECOND);
    let _permit = gate.try_enter().unwrap();
    let start = Instant::now();
    let error = gate.enter().await.unwrap_err();
    about(start, SECOND);
    assert!(matches!(error, EnterError::TimedOut { after: SECOND, .. }));
    assert_eq!(error.to_string(), "the gate was full for 1s");
    assert_eq!(gate.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_who_timed_out_takes_nothing_from_the_others() {
    let gate = Gate::new(1).acquire_timeout(SECOND);
    let permit = gate.try_enter_owned().unwrap();
    let late = tokio::spawn({
        let gate = gate.clone();
        async move { gate.enter().await.map(drop) }
    });
    sleep(SECOND / 2).await;
    let next = tokio::spawn({
        let gate = gate.clone();
        async move { gate.enter().await.map(drop) }
    });
    sleep(SECOND / 2 + TICK).await;
    drop(permit);
    assert!(matches!(late.await.unwrap(), Err(EnterError::TimedOut { .. })));
    assert_eq!(next.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_came_with_the_timeout_counts() {
    let gate = Gate::new(1).acquire_timeout(SECOND);
    let permit = gate.try_enter().unwrap();
    let mut entering = Polled::new(gate.enter());
    assert!(entering.poll().is_pending());
    advance(2 * SECOND).await;
    drop(permit);
    assert!(matches!(entering.poll(), std::task::Poll::Ready(Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn the_acquire_timeout_may_change_and_may_be_nothing_or_for_ever() {
    let gate = Gate::new(1);
    let permit = gate.try_enter_owned().unwrap();
    gate.set_acquire_timeout(Some(Duration::ZERO));
    let start = Instant::now();
    assert!(matches!(gate.enter().await, Err(EnterError::TimedOut { .. })));
    about(start, Duration::ZERO);
    for for_ever in [None, Some(Duration::MAX)] {
        gate.set_acquire_timeout(for_ever);
        let mut entering = Polled::new(gate.enter());
        assert!(entering.poll().is_pending());
        advance(1_000_000 * SECOND).await;
        assert!(entering.poll().is_pending());
    }
    drop(permit);
    assert!(gate.enter().await.is_ok());
}

#[test]
fn a_timeout_without_a_runtime_panics_and_leaves_the_queue_whole() {
    let gate = Gate::new(1).acquire_timeout(SECOND);
    let permit = gate.try_enter().unwrap();
    let failed = catch_unwind(AssertUnwindSafe(|| drop(Polled::new(gate.enter()).poll())));
    assert!(failed.is_err());
    assert_eq!(gate.waiting(), 0);
    drop(permit);
    assert!(gate.try_enter().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_with_the_last_and_not_with_the_deadline() {
    let gate = Gate::unlimited();
    let permit = gate.try_enter_owned().unwrap();
    tokio::spawn(async move {
        permit.draining().await;
        sleep(SECOND).await;
        drop(permit);
    });
    let start = Instant::now();
    assert_eq!(gate.drain(60 * SECOND).await, Drained::All);
    about(start, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_drain_forces_at_the_deadline_and_says_how_many() {
    let gate = Gate::unlimited();
    let (permit, deaf) = (gate.try_enter_owned().unwrap(), gate.try_enter_owned().unwrap());
    let listens = tokio::spawn(async move {
        permit.forced().await;
        assert!(permit.is_forced());
    });
    let start = Instant::now();
    assert_eq!(gate.drain(SECOND).await.left(), 2);
    about(start, SECOND);
    listens.await.unwrap();
    assert_eq!(gate.count(), 1);
    drop(deaf);
    gate.emptied().await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_began_before_the_deadline_was_set_ends_with_it() {
    let gate = Gate::unlimited();
    let permit = gate.try_enter_owned().unwrap();
    let waits = [(); 2].map(|()| {
        let gate = gate.clone();
        tokio::spawn(async move { gate.drained().await })
    });
    sleep(SECOND).await;
    gate.close();
    sleep(SECOND).await;
    let start = Instant::now();
    gate.force_after(SECOND);
    for wait in waits {
        assert_eq!(wait.await.unwrap().left(), 1);
    }
    about(start, SECOND);
    assert_eq!(gate.drained().await.left(), 1, "begun after it was over");
    drop(permit);
}

#[tokio::test(start_paused = true)]
async fn of_several_deadlines_the_earliest_counts() {
    let gate = Gate::unlimited();
    let permit = gate.try_enter_owned().unwrap();
    let start = Instant::now();
    let waiting = tokio::spawn({
        let gate = gate.clone();
        async move { gate.drain(10 * SECOND).await }
    });
    sleep(SECOND).await;
    gate.force_after(2 * SECOND);
    gate.force_after(Duration::MAX);
    gate.force_after(60 * SECOND);
    assert_eq!(waiting.await.unwrap().left(), 1);
    about(start, 3 * SECOND);
    drop(permit);
}

#[tokio::test(start_paused = true)]
async fn those_inside_are_forced_in_time_though_nobody_waits_for_the_drain() {
    let gate = Gate::unlimited();
    let (permit, busy) = (gate.try_enter_owned().unwrap(), gate.try_enter_owned().unwrap());
    drop(gate.drain(SECOND));
    assert!(!busy.is_forced());
    let start = Instant::now();
    permit.forced().await;
    about(start, SECOND);
    assert!(busy.is_forced());
}

#[tokio::test(start_paused = true)]
async fn one_who_cannot_await_asks_the_clock() {
    let gate = Gate::unlimited();
    let busy = gate.try_enter().unwrap();
    gate.force_after(SECOND);
    assert!(!busy.is_forced());
    advance(SECOND).await;
    assert!(busy.is_forced());
}

#[tokio::test(start_paused = true)]
async fn without_a_deadline_a_drain_waits_for_ever() {
    let gate = Gate::unlimited();
    let permit = gate.try_enter().unwrap();
    let mut drain = Polled::new(gate.drain(Duration::MAX));
    assert!(drain.poll().is_pending());
    advance(1_000_000 * SECOND).await;
    assert!(drain.poll().is_pending() && !permit.is_forced());
}
