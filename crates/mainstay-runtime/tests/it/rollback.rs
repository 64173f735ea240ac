//! Rollback: a start that does not finish is undone, for every boot that was attempted and for no other.

use std::time::Duration;

use mainstay_registry::Deadlines;
use mainstay_runtime::{Runtime, Signal, Signals, StopCause};
use mainstay_test::{Fault, Log};
use tokio::time::Instant;

use crate::registry;
use crate::support::{A, B, C, D, E, events, fake, hooks, paused, run};

#[tokio::test(start_paused = true)]
async fn a_failed_boot_rolls_back_in_reverse_and_touches_nobody_else() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log),
        fake::<B>("b", &log).requires::<A>(),
        fake::<C>("c", &log).requires::<B>().boot(Fault::Error("no")),
        fake::<D>("d", &log).requires::<C>(),
        fake::<E>("e", &log).requires::<D>(),
    ];
    let outcome = run(registry).await;
    assert_eq!(outcome.exit_code(), 75);
    assert_eq!(hooks(&log), ["boot a", "boot b", "boot c", "shutdown c", "shutdown b", "shutdown a"]);
    assert_eq!(outcome.stopped(), ["c", "b", "a"]);
    assert_eq!(outcome.hooks(), (3, 3));
    assert!(outcome.to_string().contains("rolled back c, b, a"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn when_the_rollback_fails_too_both_are_reported_the_start_first() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).shutdown(Fault::Error("cannot let go")),
        fake::<B>("b", &log).requires::<A>().boot(Fault::Error("no route")),
    ];
    let outcome = run(registry).await;
    let failed: Vec<_> = outcome.failures().iter().map(|f| (f.provider(), f.phase().as_str())).collect();
    assert_eq!(failed, [("b", "boot"), ("a", "shutdown")]);
    assert_eq!(outcome.exit_code(), 75, "the cause decides");
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_failed_start_are_exactly_these() {
    let (log, seen) = (Log::new(), Log::new());
    let registry =
        registry![fake::<A>("a", &log), fake::<B>("b", &log).requires::<A>().boot(Fault::Error("no"))];
    paused(registry).on_event(events(&seen)).run().await.into_result().unwrap_err();
    assert_eq!(
        seen.lines(),
        [
            "planned",
            "booting a",
            "booted a",
            "booting b",
            "failed b boot",
            "stop requested by failure",
            "rolling back",
            "stopping b",
            "stopped b",
            "stopping a",
            "stopped a",
            "finished 75",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_rollback_has_a_budget_of_its_own_when_the_boot_has_used_up_all_of_its_own() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).shutdown(Fault::Slow(Duration::from_secs(2))),
        fake::<B>("b", &log).requires::<A>().boot(Fault::Hang),
    ];
    let outcome = paused(registry).boot_budget(Duration::from_millis(100)).run().await;
    assert_eq!(outcome.exit_code(), 75);
    assert_eq!(outcome.hooks(), (2, 2), "the slow hook had the time that it needed: {outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_hangs_ends_with_its_budget() {
    let log = Log::new();
    let slow = Deadlines::new().shutdown(Duration::from_secs(600));
    let registry = registry![
        fake::<A>("a", &log).shutdown(Fault::Hang).deadlines(slow),
        fake::<B>("b", &log).requires::<A>().shutdown(Fault::Hang).deadlines(slow),
        fake::<C>("c", &log).requires::<B>().boot(Fault::Error("no")),
    ];
    let began = Instant::now();
    let outcome = paused(registry).rollback_budget(Duration::from_secs(3)).run().await;
    assert!(began.elapsed() <= Duration::from_millis(3_100), "{:?}", began.elapsed());
    assert_eq!(outcome.exit_code(), 124, "{outcome}");
    assert_eq!(outcome.forced().len(), 2, "{outcome}");
    assert_eq!(log.count("shutdown a"), 1, "the first of the chain had its share of the reserve");
}

#[tokio::test(start_paused = true)]
async fn a_signal_during_the_boot_cancels_it_rolls_back_and_exits_0() {
    let log = Log::new();
    let (sender, signals) = Signals::channel();
    let registry = registry![
        fake::<A>("a", &log),
        fake::<B>("b", &log).requires::<A>().boot(Fault::Slow(Duration::from_secs(20))),
        fake::<C>("c", &log).requires::<B>(),
    ];
    let began = Instant::now();
    let runtime = Runtime::new(registry, ()).signals(signals).inline();
    let (outcome, ()) = tokio::join!(runtime.run(), async {
        log.wait_for("boot b").await;
        sender.send(Signal::Terminate);
    });
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(outcome.cause(), &StopCause::Signal(Signal::Terminate), "cancelled, not timed out");
    assert!(outcome.failures().is_empty(), "{outcome}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(hooks(&log), ["boot a", "boot b", "shutdown b", "shutdown a"]);
    assert!(outcome.to_string().contains("rolled back by SIGTERM"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_during_the_rollback_forces_the_exit() {
    let log = Log::new();
    let (sender, signals) = Signals::channel();
    let registry = registry![
        fake::<A>("a", &log),
        fake::<B>("b", &log).requires::<A>().boot(Fault::Hang).shutdown(Fault::Hang),
    ];
    let began = Instant::now();
    let runtime = Runtime::new(registry, ()).signals(signals).inline();
    let (outcome, ()) = tokio::join!(runtime.run(), async {
        log.wait_for("boot b").await;
        sender.send(Signal::Interrupt);
        log.wait_for("shutdown b").await;
        sender.send(Signal::Terminate);
    });
    assert_eq!(outcome.exit_code(), 128 + 15);
    assert_eq!(outcome.forced_by(), Some(Signal::Terminate));
    assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
    assert_eq!(log.count("shutdown a"), 1, "hooks that were not called yet are called once");
}

#[tokio::test(start_paused = true)]
async fn the_first_signal_during_a_rollback_with_another_cause_changes_nothing() {
    let log = Log::new();
    let (sender, signals) = Signals::channel();
    let registry = registry![
        fake::<A>("a", &log),
        fake::<B>("b", &log)
            .requires::<A>()
            .boot(Fault::Error("no"))
            .shutdown(Fault::Slow(Duration::from_secs(2))),
    ];
    let runtime = Runtime::new(registry, ()).signals(signals).inline();
    let (outcome, ()) = tokio::join!(runtime.run(), async {
        log.wait_for("shutdown b").await;
        sender.send(Signal::Terminate);
    });
    assert_eq!(outcome.exit_code(), 75);
    assert_eq!(outcome.hooks(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn hup_and_usr1_are_refused_with_a_line_while_it_boots() {
    let (log, seen) = (Log::new(), Log::new());
    let (sender, signals) = Signals::channel();
    let registry =
        registry![fake::<A>("a", &log).boot(Fault::Slow(Duration::from_secs(1))).reload(Fault::None)];
    let runtime = Runtime::new(registry, ()).signals(signals).inline().on_event(events(&seen));
    let (outcome, ()) = tokio::join!(runtime.run(), async {
        log.wait_for("boot a").await;
        sender.send(Signal::Hangup);
        sender.send(Signal::User1);
        seen.wait_for("refused SIGUSR1 in boot").await;
    });
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(seen.count("refused SIGHUP in boot"), 1);
    assert_eq!(log.count("reload a"), 0);
}
