//! Readiness by the graph, and the status that shows it.

use std::time::Duration;

use mainstay_registry::{Error, ReadyWhen, RestartPolicy};
use mainstay_runtime::{ProviderState, ReadyState, RunContext, RunnableState, runnable};
use mainstay_test::{Fault, Log};

use crate::registry;
use crate::support::{A, B, C, D, E, events, fake, paused};

/// Fails once after 5 s, and comes back when its delay of 12 s is over.
fn comes_back(log: &Log) -> mainstay_test::Fake<A> {
    let delay = Duration::from_secs(20);
    fake::<A>("db", log)
        .run(|cx| async move {
            if cx.generation() == 1 {
                tokio::time::sleep(Duration::from_secs(5)).await;
                return Err(Error::msg("connection refused"));
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        })
        .restart(RestartPolicy::on_failure().initial_delay(delay).max_delay(delay).jitter(0.0))
}

#[tokio::test(start_paused = true)]
async fn a_lost_requirement_makes_dependents_not_ready_and_names_the_root() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        comes_back(&log),
        fake::<B>("cache", &log).requires::<A>(),
        fake::<C>("api", &log).requires::<B>().runs(Fault::None),
        fake::<D>("web", &log).wants::<A>().runs(Fault::None),
        fake::<E>("other", &log).runs(Fault::None),
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    let control = running.control();
    assert_eq!(control.status().ready, ReadyState::Ready);
    tokio::time::sleep(Duration::from_secs(17)).await;
    let status = control.status();
    let ready = |name: &str| status.provider(name).unwrap().ready.clone();
    let line = |name: &str| ready(name).causes()[0].to_string();
    assert_eq!(line("api"), "'api' not ready: 'db' restart 1 to come: connection refused, since 12 s");
    assert_eq!(line("db"), "'db' not ready: restart 1 to come: connection refused, since 12 s");
    assert!(matches!(ready("web"), ReadyState::Degraded(_)), "a lost `wants` degrades");
    assert_eq!(line("web"), "'db' not ready: restart 1 to come: connection refused, since 12 s");
    assert_eq!(ready("other"), ReadyState::Ready);
    assert!(!status.ready.is_ready());
    expect_test::expect![[r"
        run · not ready · up 17 s · epoch 0 · booted in 0 us
          'db' not ready: restart 1 to come: connection refused, since 12 s
          'api' not ready: 'db' restart 1 to come: connection refused, since 12 s
          db    backoff #1      1 restart restart 1 in 8 s; last failure: connection refused
          cache booted                    booted in 0 us
          api   ready   #1 17 s
          other ready   #1 17 s
          web   ready   #1 17 s"]]
    .assert_eq(&status.to_string());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(control.status().ready, ReadyState::Ready);
    let lines: Vec<_> = seen
        .lines()
        .into_iter()
        .filter(|line| line.contains("ready:") || line.contains("ready again"))
        .collect();
    assert_eq!(
        lines,
        [
            "not ready: 'db' not ready: restart 1 to come: connection refused, since 0 us",
            "ready again after 20s"
        ]
    );
    control.shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_failed_for_good_or_was_stopped_degrades_the_whole_unless_somebody_requires_it() {
    for required in [false, true] {
        let log = Log::new();
        let api = fake::<B>("api", &log).runs(Fault::None);
        let api = if required { api.requires::<A>() } else { api };
        let registry = registry![
            fake::<A>("db", &log)
                .run(|_| async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    Err(Error::msg("gone").no_restart())
                })
                .restart(RestartPolicy::always()),
            api,
        ];
        let running = paused(registry).start().await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let status = running.control().status();
        assert_eq!(status.ready.is_ready(), !required, "{status}");
        assert_eq!(status.runnable("db").unwrap().state, RunnableState::Failed);
        let cause =
            if required { "'api' not ready: 'db' failed: gone" } else { "'db' not ready: failed: gone" };
        assert_eq!(status.ready.causes()[0].to_string(), format!("{cause}, since 1 s"));
        running.control().shutdown("done");
        assert_eq!(running.wait().await.exit_code(), 0);
    }
}

/// Its failure for good would only degrade the whole: so does the one that may yet be mended, from the first on.
/// (Fails without the first arm of `is_unready` that looks at the policy.)
#[tokio::test(start_paused = true)]
async fn what_may_degrade_the_whole_degrades_it_while_it_is_restarted_unless_somebody_requires_it() {
    for required in [false, true] {
        let (log, seen) = (Log::new(), Log::new());
        let api = fake::<B>("api", &log).runs(Fault::None);
        let api = if required { api.requires::<A>() } else { api.wants::<A>() };
        let policy = RestartPolicy::on_failure().max_delay(Duration::from_secs(1)).jitter(0.0);
        let registry = registry![
            fake::<A>("db", &log)
                .ready_when(ReadyWhen::Signalled)
                .run(|cx| async move {
                    // The first one is there for a second, those that follow are looking for it until the sixth.
                    if cx.generation() == 1 || cx.generation() == 6 {
                        cx.ready();
                    }
                    let until = if cx.generation() == 6 { 60_000 } else { 1_000 };
                    tokio::time::sleep(Duration::from_millis(until)).await;
                    Err(Error::msg("refused"))
                })
                .restart(policy.unlimited().degrade()),
            api,
        ];
        let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
        let control = running.control();
        let whole = || control.status().ready;
        assert_eq!(whole(), ReadyState::Ready);
        // In backoff; starting again; in backoff again.
        for (until, state) in [(1_050, "backoff"), (1_550, "starting"), (2_200, "backoff")] {
            let left = Duration::from_millis(until).saturating_sub(control.status().uptime);
            tokio::time::sleep(left).await;
            let status = control.status();
            assert_eq!(status.runnable("db").unwrap().state.as_str(), state);
            assert_eq!(matches!(status.ready, ReadyState::Degraded(_)), !required, "{status}");
            assert_eq!(status.ready.causes()[0].root, "db");
        }
        tokio::time::sleep(Duration::from_secs(9)).await;
        assert_eq!(whole(), ReadyState::Ready, "{}", control.status());
        assert_eq!(seen.lines().iter().any(|line| line.starts_with("not ready")), required);
        // An operator's restart is no failure: until it is ready again, neither is the whole.
        let restarting = control.restart("db");
        assert!(!whole().is_ready(), "{}", control.status());
        drop(restarting);
        control.shutdown("done");
        assert_eq!(running.wait().await.exit_code(), 0);
    }
}

/// Readiness is false until every provider does its job, and turns false before anything is stopped.
#[tokio::test(start_paused = true)]
async fn the_whole_is_ready_from_the_last_signal_to_the_first_step_of_the_stop() {
    let (log, seen) = (Log::new(), Log::new());
    let registry = registry![
        fake::<A>("db", &log).ready_when(ReadyWhen::Signalled).run(|cx| async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            cx.ready();
            cx.shutdown_token().cancelled().await;
            Ok(())
        }),
        fake::<B>("api", &log).requires::<A>().runs(Fault::None),
    ];
    let app = tokio::runtime::Handle::current();
    let running = paused(registry).lame_duck(Duration::from_secs(5)).on_event(events(&seen)).run_on(app);
    let control = running.control().clone();
    log.wait_for("run db").await;
    let status = control.status();
    assert!(!status.ready.is_ready(), "{status}");
    assert_eq!(status.runnable("api").unwrap().waits_for, ["db"]);
    seen.wait_for("ready").await;
    assert!(control.status().ready.is_ready());
    let end = control.shutdown("deploy");
    let status = control.status();
    assert!(!status.ready.is_ready(), "not ready at once: {status}");
    assert_eq!(status.runnable("api").unwrap().state, RunnableState::Ready, "and it serves on");
    end.await.unwrap();
    let lines = seen.lines();
    let at = |line: &str| {
        lines.iter().position(|seen| seen == line).unwrap_or_else(|| panic!("{line}: {lines:?}"))
    };
    assert!(at("ready") < at("stop requested by request (deploy)"));
    assert!(at("lame duck") < at("stopping api") && at("stopping api") < at("stopping db"));
    let status = control.status();
    assert_eq!(status.provider("db").unwrap().state, ProviderState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn status_shows_the_boot_as_a_time_line_with_its_critical_path() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("db", &log).boot(Fault::Slow(Duration::from_millis(300))).runs(Fault::None),
        fake::<B>("api", &log).requires::<A>().boot(Fault::Slow(Duration::from_millis(50))),
        fake::<C>("fast", &log).boot(Fault::Slow(Duration::from_millis(20))),
    ];
    let running = paused(registry).start().await.unwrap();
    let status = running.control().status();
    let ms = Duration::from_millis;
    assert_eq!(status.boot_took, Some(ms(350)));
    assert_eq!(status.critical_path, [("db", ms(300)), ("api", ms(50))]);
    let times = |name: &str| {
        let provider = status.provider(name).unwrap();
        (provider.boot_began.unwrap(), provider.boot_took.unwrap())
    };
    assert_eq!(times("db"), (ms(0), ms(300)));
    assert_eq!(times("api"), (ms(300), ms(50)));
    assert_eq!(times("fast"), (ms(0), ms(20)));
    running.control().shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
}

#[tokio::test(start_paused = true)]
async fn status_shows_generation_uptime_restarts_the_last_error_and_the_last_note() {
    let log = Log::new();
    let registry = registry![
        runnable("peer", async |(), cx: RunContext| {
            cx.note(format!("connecting, try {}", cx.generation()));
            tokio::task::yield_now().await;
            if cx.generation() < 3 {
                return Err(Error::msg("refused"));
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        })
        .restart(RestartPolicy::on_failure().jitter(0.0)),
        fake::<A>("a", &log).reload(Fault::None),
    ];
    let running = paused(registry).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let control = running.control();
    let report = control.reload().await.unwrap();
    let status = control.status();
    let peer = status.runnable("peer").unwrap();
    assert_eq!((peer.generation, peer.restarts, peer.uptime), (3, 2, Duration::from_millis(9700)));
    assert_eq!(peer.note.as_deref(), Some("connecting, try 3"));
    assert_eq!(
        peer.last_failure.as_ref().unwrap().to_string().lines().next().unwrap(),
        "error[MS0209]: runnable 'peer' failed: refused"
    );
    assert_eq!(Some(status.epoch), report.epoch);
    assert_eq!(status.last_reload.unwrap().entries.len(), 1);
    control.shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
}

/// Who has no signal to give is ready, who has one is not until it comes, and the whole is what its worst part is.
#[tokio::test(start_paused = true)]
async fn without_a_signal_one_is_ready_with_one_it_is_waited_for_and_the_whole_is_its_worst_part() {
    let signalled = |after: Option<u64>| {
        move |cx: RunContext| async move {
            if let Some(seconds) = after {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                cx.ready();
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        }
    };
    for (after, ready_at) in [(None, None), (Some(3), Some(3))] {
        let (log, seen) = (Log::new(), Log::new());
        let when = if after.is_some() { ReadyWhen::Signalled } else { ReadyWhen::Started };
        let registry = registry![
            fake::<A>("plain", &log),
            fake::<B>("started", &log).runs(Fault::None),
            fake::<C>("other", &log).ready_when(when).run(signalled(after)),
            fake::<D>("lost", &log).runs_at_once(Fault::Recoverable("no route")),
        ];
        let app = tokio::runtime::Handle::current();
        let running = paused(registry).on_event(events(&seen)).run_on(app);
        let control = running.control().clone();
        log.wait_for("run other").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let status = control.status();
        let of = |name: &str| status.provider(name).unwrap().ready.clone();
        assert_eq!((of("plain"), of("started")), (ReadyState::Ready, ReadyState::Ready), "{status}");
        assert!(!matches!(of("lost"), ReadyState::Ready), "{status}");
        assert_eq!(of("other") == ReadyState::Ready, ready_at.is_none(), "{status}");
        assert_eq!(status.ready.is_ready(), ready_at.is_none(), "{status}");
        seen.wait_for("ready").await;
        let status = control.status();
        assert!(matches!(status.ready, ReadyState::Degraded(_)), "the worst of all: {status}");
        assert_eq!(status.uptime.as_secs(), ready_at.unwrap_or(1), "{status}");
        control.shutdown("done").await.unwrap();
    }
}

/// Shown to fail where each part that changes is told.
#[tokio::test(start_paused = true)]
async fn that_the_whole_is_not_ready_is_told_when_the_whole_changes_and_not_with_each_of_its_parts() {
    let (log, seen) = (Log::new(), Log::new());
    let down = |from: u64| {
        move |cx: RunContext| async move {
            if cx.generation() == 1 {
                tokio::time::sleep(Duration::from_secs(from)).await;
                return Err(Error::msg("refused"));
            }
            cx.shutdown_token().cancelled().await;
            Ok(())
        }
    };
    let ten = Duration::from_secs(10);
    let policy = RestartPolicy::on_failure().initial_delay(ten).max_delay(ten).jitter(0.0);
    // Down from 5 to 15, from 8 to 18 and from 30 to 40 s.
    let registry = registry![
        fake::<A>("a", &log).run(down(5)).restart(policy),
        fake::<B>("b", &log).run(down(8)).restart(policy),
        fake::<C>("c", &log).run(down(30)).restart(policy),
    ];
    let running = paused(registry).on_event(events(&seen)).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let told: Vec<_> = seen
        .lines()
        .into_iter()
        .filter(|line| line.starts_with("not ready") || line.starts_with("ready again"))
        .collect();
    assert_eq!(
        told,
        [
            "not ready: 'a' not ready: restart 1 to come: refused, since 0 us",
            "ready again after 13s",
            "not ready: 'c' not ready: restart 1 to come: refused, since 0 us",
            "ready again after 10s",
        ]
    );
    running.control().shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
}
