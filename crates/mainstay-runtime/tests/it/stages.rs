//! The stop as a whole: its stages, who shares which time, what races with it, and what is said of its reason.

use std::sync::Arc;
use std::time::Duration;

use mainstay_registry::{Deadlines, Error};
use mainstay_runtime::{Cut, CutBy, RunContext, Runtime, Signal, Signals, runnable};
use mainstay_test::{Fault, Log};
use tokio::time::Instant;

use crate::registry;
use crate::support::{A, B, C, D, E, events, fake, paused};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_diamond_stops_its_two_sides_at_the_same_time_between_its_ends() {
    let log = Log::new();
    let slow = || Fault::Slow(2 * SECOND);
    let registry = registry![
        fake::<A>("a", &log).runs(slow()),
        fake::<B>("b", &log).requires::<A>().runs(slow()),
        fake::<C>("c", &log).requires::<A>().runs(slow()),
        fake::<D>("d", &log).requires::<B>().requires::<C>().runs(slow()),
    ];
    let running = paused(registry).start().await.unwrap();
    log.take();
    running.control().shutdown("done");
    let outcome = running.wait().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert_eq!(outcome.stop_took(), 6 * SECOND, "three stages of 2 s");
    let lines = log.lines();
    let at = |line: &str| lines.iter().position(|seen| seen == line).unwrap();
    for side in ["b", "c"] {
        assert!(at("shutdown d") < at(&format!("stop {side}")), "{lines:?}");
        assert!(at(&format!("shutdown {side}")) < at("stop a"), "{lines:?}");
    }
    assert!(at("stop b") < at("end c") && at("stop c") < at("end b"), "{lines:?}");
}

/// Shown to fail with a deadline that is not looked at: both are cut by the budget then, or too late.
#[tokio::test(start_paused = true)]
async fn two_that_ignore_their_stop_take_the_longer_of_their_deadlines_and_not_the_sum() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("base", &log).runs(Fault::None),
        fake::<B>("one", &log).requires::<A>().runs(Fault::Hang).deadlines(Deadlines::new().stop(SECOND)),
        fake::<C>("five", &log)
            .requires::<A>()
            .runs(Fault::Hang)
            .deadlines(Deadlines::new().stop(5 * SECOND)),
    ];
    let running = paused(registry).start().await.unwrap();
    running.control().shutdown("done");
    let outcome = running.wait().await;
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert_eq!(outcome.stop_took(), Duration::from_millis(5_100), "{outcome}");
    let mut cut: Vec<_> = outcome.forced().iter().map(|cut| (cut.provider, cut.by)).collect();
    cut.sort_unstable_by_key(|cut| cut.0);
    assert_eq!(cut, [("five", CutBy::Deadline), ("one", CutBy::Deadline)]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_deadline_of_nothing_leaves_only_the_grace_and_one_of_for_ever_only_the_budget() {
    for (deadline, took, code, by) in [
        (Duration::ZERO, Duration::from_millis(100), 0, CutBy::Deadline),
        // The hooks keep their reserve of 5 s, of which the grace takes its part.
        (Duration::MAX, Duration::from_millis(20_100), 124, CutBy::Budget),
    ] {
        let log = Log::new();
        let registry =
            registry![fake::<A>("deaf", &log).runs(Fault::Hang).deadlines(Deadlines::new().stop(deadline))];
        let running = paused(registry).start().await.unwrap();
        running.control().shutdown("done");
        let outcome = running.wait().await;
        assert_eq!((outcome.stop_took(), outcome.exit_code()), (took, code), "{outcome}");
        let cut = &outcome.forced()[0];
        assert_eq!((cut.provider, cut.what, cut.by), ("deaf", Cut::Task, by), "{outcome}");
        assert_eq!(log.count("shutdown deaf"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_whose_stop_runs_out_of_its_budget_is_124_and_the_cause_comes_first() {
    let log = Log::new();
    let long = Deadlines::new().stop(600 * SECOND);
    let registry = registry![
        fake::<A>("deaf", &log).runs(Fault::Hang).deadlines(long),
        fake::<B>("late", &log).requires::<A>().runs(Fault::Error("could not flush")),
        fake::<C>("zz", &log).runs_at_once(Fault::Error("the disk is gone")),
    ];
    let outcome = paused(registry).run().await;
    assert_eq!(outcome.exit_code(), 124, "{outcome}");
    let failed: Vec<_> = outcome.failures().iter().map(mainstay_runtime::Failure::provider).collect();
    assert_eq!(failed, ["zz", "late"], "{outcome}");
    assert!(outcome.stop_took() <= 25 * SECOND, "{outcome}");
    let report = outcome.to_string();
    let place = |text: &str| report.find(text).unwrap_or_else(|| panic!("no {text} in {report}"));
    assert!(place("the disk is gone") < place("could not flush"));
    assert!(place("could not flush") < place("forced      runnable of 'deaf'"), "{report}");
}

/// At the very moment of the stop, before it, and after it: each end is told once, with its own reason.
#[tokio::test(start_paused = true)]
async fn tasks_that_end_by_themselves_at_the_moment_of_the_stop_are_told_once_each() {
    for stop_at in [999, 1000, 1001] {
        let (log, seen) = (Log::new(), Log::new());
        let at = |fault: Fault| {
            move |_: RunContext| {
                let fault = fault.clone();
                async move {
                    tokio::time::sleep(SECOND).await;
                    match fault {
                        Fault::Error(text) => Err(Error::msg(text)),
                        Fault::Panic(text) => panic!("{text}"),
                        _ => Ok(()),
                    }
                }
            }
        };
        let registry = registry![
            fake::<A>("fine", &log).run(at(Fault::None)),
            fake::<B>("fails", &log).run(at(Fault::Error("refused"))),
            fake::<C>("panics", &log).run(at(Fault::Panic("boom"))),
            fake::<D>("also", &log).requires::<B>().run(at(Fault::Error("refused as well"))),
            fake::<E>("serves", &log).runs(Fault::None),
        ];
        let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
        let control = running.control();
        tokio::time::sleep(Duration::from_millis(stop_at)).await;
        control.shutdown("now");
        let outcome = running.wait().await;
        let mut failed: Vec<_> = outcome
            .failures()
            .iter()
            .map(|failure| (failure.provider(), failure.problem().clone()))
            .map(|(provider, problem)| {
                format!("{provider} {}", matches!(problem, mainstay_runtime::Problem::Panic(_)))
            })
            .collect();
        failed.sort();
        assert_eq!(failed, ["also false", "fails false", "panics true"], "{stop_at}: {outcome}");
        assert_eq!(outcome.hooks(), (5, 5), "{stop_at}: {outcome}");
        assert!(outcome.forced().is_empty(), "{stop_at}: {outcome}");
        assert_eq!(
            (log.count("end fine"), seen.count("ended fine")),
            (1, 1),
            "{stop_at}: {:?}",
            seen.lines()
        );
        for line in ["also", "fails", "panics", "fine", "serves"] {
            assert_eq!(seen.count(&format!("stopped {line}")), 1, "{stop_at}");
            assert_eq!(log.count(&format!("shutdown {line}")), 1, "{stop_at}");
        }
    }
}

/// The same on real threads, where the moments really race.
#[test]
fn ends_that_race_with_the_stop_on_real_threads_are_told_once_each() {
    let app = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for round in 0..60_u32 {
        let log = Log::new();
        let go = Arc::new(tokio::sync::Barrier::new(4));
        let at = |result: fn() -> mainstay_registry::Result<()>| {
            let go = Arc::clone(&go);
            move |_: RunContext| {
                let go = Arc::clone(&go);
                async move {
                    go.wait().await;
                    result()
                }
            }
        };
        let registry = registry![
            fake::<A>("fine", &log).run(at(|| Ok(()))),
            fake::<B>("fails", &log).run(at(|| Err(Error::msg("refused")))),
            fake::<C>("panics", &log).run(at(|| panic!("boom"))),
            fake::<D>("serves", &log).runs(Fault::None),
        ];
        let running = Runtime::new(registry, ()).signals(Signals::none()).run_on(app.handle().clone());
        let control = running.control().clone();
        app.block_on(async {
            go.wait().await;
            for _ in 0..round % 20 {
                tokio::task::yield_now().await;
            }
            control.shutdown("now");
        });
        let outcome = running.wait();
        let count = |name: &str| outcome.failures().iter().filter(|one| one.provider() == name).count();
        assert_eq!((count("fails"), count("panics"), outcome.failures().len()), (1, 1, 2), "{outcome}");
        assert_eq!((outcome.hooks(), outcome.forced().len()), ((4, 4), 0), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_reason_of_a_stop_is_told_before_its_first_hook_and_decides_the_code() {
    enum By {
        Signal,
        Request,
        Failure,
        Completion,
    }
    for (by, said, code) in [
        (By::Signal, "stop requested by SIGTERM", 0),
        (By::Request, "stop requested by request (deploy)", 0),
        (By::Failure, "stop requested by failure", 1),
        (By::Completion, "stop requested by completed", 0),
    ] {
        let (log, seen) = (Log::new(), Log::new());
        let end = match by {
            By::Failure => Fault::Error("the disk is gone"),
            _ => Fault::None,
        };
        let (by_itself, holds) = (
            matches!(by, By::Failure | By::Completion),
            matches!(by, By::Signal | By::Request | By::Failure),
        );
        let job = fake::<A>("job", &log);
        let job = if by_itself { job.runs_at_once(end) } else { job.runs(end) };
        let web = fake::<B>("web", &log);
        let web = if holds { web.runs(Fault::None) } else { web };
        let (sender, signals) = Signals::channel();
        let runtime = Runtime::new(registry![job, web], ()).signals(signals).inline().on_event(events(&seen));
        let running = runtime.run_on(tokio::runtime::Handle::current());
        let control = running.control().clone();
        log.wait_for("run job").await;
        match by {
            By::Signal => sender.send(Signal::Terminate),
            By::Request => drop(control.shutdown("deploy")),
            By::Failure | By::Completion => {}
        }
        seen.wait_for(&format!("finished {code}")).await;
        let lines = seen.lines();
        let at = |line: &str| {
            lines.iter().position(|seen| seen == line).unwrap_or_else(|| panic!("{line}: {lines:?}"))
        };
        assert!(at(said) < at("stopping job") && at(said) < at("stopping web"), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("stop requested")).count(), 1, "{lines:?}");
    }
}

/// A task asks while the stop it asked for goes on: refused at once, and nothing hangs.
#[tokio::test(start_paused = true)]
async fn whoever_asks_a_stopping_lifecycle_is_answered_at_once() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("db", &log).runs(Fault::None).reload(Fault::None),
        fake::<B>("slow", &log).requires::<A>().runs(Fault::Slow(3 * SECOND)),
        runnable("job", async |(), cx: RunContext| {
            cx.shutdown_token().cancelled().await;
            Ok(())
        }),
    ];
    let running = paused(registry).start().await.unwrap();
    let control = running.control();
    let end = control.shutdown("done");
    log.wait_for("stop slow").await;
    let began = Instant::now();
    for name in ["db", "slow", "job"] {
        let answers = [control.start(name).await, control.stop(name).await, control.restart(name).await];
        for answer in answers {
            assert_eq!(answer.unwrap_err(), mainstay_runtime::ControlError::Closed, "{name}");
        }
    }
    assert!(control.reload().await.is_err());
    assert_eq!(control.status().phase, mainstay_registry::Phase::Stop);
    assert_eq!(began.elapsed(), Duration::ZERO);
    end.await.unwrap();
    assert_eq!(running.wait().await.exit_code(), 0);
    for answer in [control.start("db").await, control.stop("db").await, control.restart("db").await] {
        assert_eq!(answer.unwrap_err(), mainstay_runtime::ControlError::Closed, "after the end as well");
    }
}
