//! Stop: in reverse, as soon as possible, each step bounded, everything that was cut named.

use std::time::Duration;

use mainstay_registry::{Deadlines, priority};
use mainstay_runtime::{Cut, CutBy, Outcome, Problem, Runtime, Signal, Signals, StopCause};
use mainstay_test::{Fault, Log};
use tokio::time::Instant;

use crate::registry;
use crate::support::{A, B, C, D, E, events, fake, hooks, paused};

/// Runs until ready, then stops, and says how long the stop took.
async fn stopped(runtime: Runtime<()>) -> (Outcome, Duration) {
    let running = runtime.start().await.expect("it starts");
    let began = Instant::now();
    running.control().shutdown("enough");
    (running.wait().await, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn it_stops_in_the_reverse_of_the_order_in_which_it_started() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::None),
        fake::<B>("b", &log).requires::<A>().runs(Fault::None),
        fake::<C>("c", &log).requires::<B>().runs(Fault::None),
    ];
    let (outcome, took) = stopped(paused(registry)).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(took, Duration::ZERO, "as soon as the work ends, never at a timer");
    assert_eq!(
        hooks(&log)[9..],
        ["stop c", "end c", "shutdown c", "stop b", "end b", "shutdown b", "stop a", "end a", "shutdown a"],
        "{:?}",
        log.lines()
    );
    assert_eq!(outcome.stopped(), ["c", "b", "a"]);
    assert_eq!(log.lines()[18..], ["drop c", "drop b", "drop a"]);
}

#[tokio::test(start_paused = true)]
async fn dependents_stop_first_whatever_the_priorities_say() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("dependent", &log).boot_priority(priority::FIRST).requires::<B>(),
        fake::<B>("dependency", &log).boot_priority(priority::LAST),
        fake::<C>("other", &log).runs(Fault::None),
    ];
    let (outcome, _) = stopped(paused(registry)).await;
    assert_eq!(outcome.stopped(), ["other", "dependent", "dependency"]);
}

#[tokio::test(start_paused = true)]
async fn a_runtime_that_was_never_started_stops_by_doing_nothing() {
    let log = Log::new();
    drop(paused(registry![fake::<A>("a", &log).runs(Fault::None)]));
    assert_eq!(hooks(&log), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_failing_or_panicking_shutdown_does_not_keep_the_others_from_theirs() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::None).shutdown(Fault::Error("a stays")),
        fake::<B>("b", &log).requires::<A>().shutdown(Fault::Error("b stays")),
        fake::<C>("c", &log).requires::<B>().shutdown(Fault::None),
    ];
    let (outcome, _) = stopped(paused(registry)).await;
    assert_eq!(outcome.exit_code(), 0, "hooks that fail are listed and do not change the code");
    let failed: Vec<_> = outcome.failures().iter().map(|f| (f.provider(), f.code().id)).collect();
    assert_eq!(failed, [("b", "MS0214"), ("a", "MS0214")]);
    assert_eq!(outcome.hooks(), (1, 3));

    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::None),
        fake::<B>("b", &log).requires::<A>().shutdown(Fault::Panic("boom")),
    ];
    let (outcome, _) = stopped(paused(registry)).await;
    assert_eq!(outcome.exit_code(), 1, "a panic anywhere");
    assert_eq!(outcome.failures()[0].code().id, "MS0215");
    assert_eq!(log.count("shutdown a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_providers_own_destructor_is_named_and_the_others_are_dropped() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::None),
        fake::<B>("b", &log).requires::<A>().on_drop(Fault::Panic("stuck valve")),
    ];
    let (outcome, _) = stopped(paused(registry)).await;
    assert_eq!(outcome.exit_code(), 1);
    assert!(outcome.to_string().contains("provider 'b' panicked during shutdown: stuck valve"), "{outcome}");
    assert_eq!(log.count("drop a"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_independent_stops_at_the_same_time() {
    let log = Log::new();
    let slow = || Fault::Slow(Duration::from_secs(2));
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::Slow(Duration::from_secs(1))).shutdown(slow()),
        fake::<B>("b", &log).runs(Fault::Slow(Duration::from_secs(3))).shutdown(slow()),
        fake::<C>("c", &log).runs(Fault::None).shutdown(slow()),
    ];
    let (outcome, took) = stopped(paused(registry)).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(took.as_secs(), 5, "the longest, not the sum: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_ended_is_neither_asked_nor_waited_for() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("done", &log).runs_at_once(Fault::None),
        fake::<B>("busy", &log).runs(Fault::None),
    ];
    let (outcome, took) = stopped(paused(registry)).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!((log.count("stop done"), log.count("shutdown done")), (0, 1));
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_provider_without_a_task_passes_the_stop_on_to_what_it_requires() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("deep", &log).runs(Fault::None),
        fake::<B>("idle", &log).requires::<A>(),
        fake::<C>("top", &log).requires::<B>().runs(Fault::Slow(Duration::from_secs(1))),
    ];
    let (outcome, _) = stopped(paused(registry)).await;
    assert_eq!(outcome.stopped(), ["top", "idle", "deep"]);
    assert!(log.position("end top").unwrap() < log.position("stop deep").unwrap(), "{:?}", log.lines());
}

#[tokio::test(start_paused = true)]
async fn sigint_sigterm_and_sigquit_are_the_same_stop() {
    for signal in [Signal::Interrupt, Signal::Terminate, Signal::Quit] {
        let log = Log::new();
        let (sender, signals) = Signals::channel();
        let registry = registry![fake::<A>("a", &log).runs(Fault::None)];
        let runtime = Runtime::new(registry, ()).signals(signals).inline();
        let (outcome, ()) = tokio::join!(runtime.run(), async {
            log.wait_for("run a").await;
            sender.send(signal);
        });
        assert_eq!((outcome.exit_code(), outcome.cause()), (0, &StopCause::Signal(signal)));
        assert_eq!(hooks(&log)[2..], ["run a", "stop a", "end a", "shutdown a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ignores_its_stop_is_aborted_and_named_and_the_code_stays() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::None),
        fake::<B>("stubborn", &log).requires::<A>().runs(Fault::Hang),
    ];
    let (outcome, took) = stopped(paused(registry)).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(outcome.forced().len(), 1);
    assert_eq!((outcome.forced()[0].provider, outcome.forced()[0].what), ("stubborn", Cut::Task));
    assert_eq!(outcome.forced()[0].by, CutBy::Deadline);
    // 5 s of its own, its hook, 100 ms of grace.
    assert_eq!(took, Duration::from_millis(5_100));
    let order = hooks(&log);
    let order: Vec<_> = order.iter().skip_while(|line| *line != "stop stubborn").collect();
    assert_eq!(order, ["stop stubborn", "shutdown stubborn", "stop a", "end a", "shutdown a"]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_its_shutdown_hook_stops_is_not_named() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).runs_until_shutdown_hook()];
    let (outcome, took) = stopped(paused(registry)).await;
    assert_eq!(outcome.exit_code(), 0);
    assert!(outcome.forced().is_empty(), "{outcome}");
    assert_eq!(took.as_secs(), 5);
    assert_eq!(log.count("end a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_destructor_that_panics_in_an_aborted_task_is_named_and_the_stop_goes_on() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::None),
        fake::<B>("b", &log).requires::<A>().runs(Fault::HangPanicDrop),
    ];
    let (outcome, _) = stopped(paused(registry)).await;
    assert_eq!(outcome.exit_code(), 1, "a panic anywhere");
    assert!(outcome.to_string().contains("a destructor panics"), "{outcome}");
    assert_eq!(log.count("shutdown a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_hook_past_its_deadline_is_named_and_the_next_one_runs() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::None),
        fake::<B>("b", &log).requires::<A>().shutdown(Fault::Hang),
    ];
    let (outcome, took) = stopped(paused(registry)).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(outcome.failures()[0].problem(), &Problem::Deadline(Duration::from_secs(5)));
    assert_eq!(took.as_secs(), 5);
    assert_eq!(log.count("shutdown a"), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_passes_the_budget_and_who_was_cut_by_it_makes_the_code_124() {
    let log = Log::new();
    let long = Deadlines::new().stop(Duration::from_secs(600)).shutdown(Duration::from_secs(600));
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::Hang).shutdown(Fault::Hang).deadlines(long),
        fake::<B>("b", &log).requires::<A>().runs(Fault::Hang).shutdown(Fault::Hang).deadlines(long),
        fake::<C>("c", &log).requires::<B>().runs(Fault::Error("c could not flush")).deadlines(long),
    ];
    let (outcome, took) = stopped(paused(registry)).await;
    assert_eq!(outcome.exit_code(), 124);
    assert!(took <= Duration::from_millis(25_050), "{took:?}");
    assert!(took >= Duration::from_secs(20), "{took:?}");
    assert_eq!(outcome.failures().len(), 1, "the failures are listed beside: {outcome}");
    assert_eq!((log.count("shutdown a"), log.count("shutdown b"), log.count("shutdown c")), (1, 1, 1));
    assert!(outcome.forced().iter().all(|cut| cut.by == CutBy::Budget), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn hooks_use_what_nobody_has_used_before_they_share_the_reserve() {
    // Seen with a naive share: ten chained hooks of 100 ms were all cut at 50 ms, with 2 s unused.
    let log = Log::new();
    let slow = || Fault::Slow(Duration::from_millis(100));
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::None).shutdown(slow()),
        fake::<B>("b", &log).requires::<A>().shutdown(slow()),
        fake::<C>("c", &log).requires::<B>().shutdown(slow()),
        fake::<D>("d", &log).requires::<C>().shutdown(slow()),
        fake::<E>("e", &log).requires::<D>().shutdown(slow()),
    ];
    let runtime =
        paused(registry).stop_budget(Duration::from_secs(2)).stop_reserve(Duration::from_millis(250));
    let (outcome, took) = stopped(runtime).await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert_eq!(outcome.hooks(), (5, 5));
    assert_eq!(took, Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_forces_the_exit_and_calls_the_hooks_that_are_left_once() {
    let log = Log::new();
    let (sender, signals) = Signals::channel();
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::None),
        fake::<B>("b", &log).requires::<A>().runs(Fault::Hang),
    ];
    let began = Instant::now();
    let runtime = Runtime::new(registry, ()).signals(signals).inline();
    let (outcome, ()) = tokio::join!(runtime.run(), async {
        log.wait_for("run b").await;
        sender.send(Signal::Terminate);
        log.wait_for("stop b").await;
        sender.send(Signal::Interrupt);
    });
    assert_eq!(outcome.exit_code(), 130);
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    assert_eq!((log.count("shutdown a"), log.count("shutdown b")), (1, 1));
    let cut: Vec<_> = outcome.forced().iter().map(|cut| (cut.provider, cut.what, cut.by)).collect();
    assert_eq!(cut, [("b", Cut::Task, CutBy::Signal)], "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_lame_duck_serves_on_before_it_stops_and_a_failure_does_not() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![fake::<A>("a", &log).runs(Fault::None)];
    let (outcome, took) =
        stopped(paused(registry).lame_duck(Duration::from_secs(5)).on_event(events(&seen))).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(took.as_secs(), 5);
    assert!(seen.position("lame duck").unwrap() < seen.position("stopping a").unwrap());

    let log = Log::new();
    let began = Instant::now();
    let registry = registry![fake::<A>("a", &log).runs_at_once(Fault::Error("no"))];
    let outcome = paused(registry).lame_duck(Duration::from_secs(5)).run().await;
    assert_eq!(outcome.exit_code(), 1);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_get_the_same_outcome_late_ones_included() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).runs(Fault::None)];
    let running = paused(registry).start().await.unwrap();
    running.control().shutdown("enough");
    let (first, second) = tokio::join!(running.wait(), running.wait());
    let third = running.wait().await;
    for outcome in [first, second, third] {
        assert_eq!(outcome.cause(), &StopCause::Requested("enough".to_owned()));
        assert_eq!(outcome.exit_code(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_handle_stops_everything_children_too() {
    let (log, seen) = (Log::new(), Log::new());
    let children = log.clone();
    let registry = registry![fake::<A>("a", &log).run(move |cx| {
        let log = children.clone();
        async move {
            let child = cx.clone();
            cx.spawn("child", async move {
                child.shutdown_token().cancelled().await;
                log.push("child stopped");
                Ok(())
            });
            cx.shutdown_token().cancelled().await;
            Ok(())
        }
    })];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    drop(running);
    seen.wait_for("finished 0").await;
    assert_eq!((log.count("child stopped"), log.count("shutdown a")), (1, 1));
    assert_eq!(seen.count("stop requested by dropped"), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_of_run_during_the_boot_rolls_back() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![fake::<A>("a", &log), fake::<B>("b", &log).requires::<A>().boot(Fault::Hang),];
    let run = paused(registry).on_event(events(&seen)).run();
    tokio::select! {
        outcome = run => panic!("it hangs: {outcome}"),
        () = log.wait_for("boot b") => {}
    }
    seen.wait_for("finished 0").await;
    assert_eq!(hooks(&log), ["boot a", "boot b", "shutdown b", "shutdown a"]);
}

#[tokio::test(start_paused = true)]
async fn a_lame_duck_ends_with_its_work() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).run(|_: mainstay_runtime::RunContext| async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    })];
    let (outcome, took) = stopped(paused(registry).lame_duck(Duration::from_secs(5))).await;
    assert_eq!(outcome.exit_code(), 0);
    assert_eq!(took.as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_short_budget_that_nobody_needs_cuts_nobody_and_leaves_the_code_alone() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).runs(Fault::None),
        fake::<B>("b", &log).requires::<A>().runs(Fault::Slow(Duration::from_millis(100))),
        fake::<C>("c", &log).requires::<B>().runs(Fault::None),
    ];
    let (outcome, _) = stopped(paused(registry).stop_budget(Duration::from_millis(300))).await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert!(outcome.forced().is_empty(), "{outcome}");

    // All of it reserved: no task is waited for, but one that ends by itself was not cut.
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).runs(Fault::None)];
    let second = Duration::from_secs(1);
    let (outcome, _) = stopped(paused(registry).stop_budget(second).stop_reserve(second)).await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_wait_was_cut_short_by_the_budget_is_cut_by_the_budget() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).runs(Fault::Hang)];
    let (outcome, _) = stopped(paused(registry).stop_budget(Duration::from_secs(2))).await;
    assert_eq!(outcome.exit_code(), 124, "{outcome}");
    assert_eq!(outcome.forced()[0].by, CutBy::Budget);
    assert!(outcome.to_string().contains("the budget was used up"), "{outcome}");
}
