//! Validate: everybody is asked, before or after the boot as they say, and every failure is reported.

use std::sync::Arc;
use std::time::Duration;

use mainstay_registry::{Deadlines, Validate};
use mainstay_runtime::{Problem, Runtime, Signals};
use mainstay_test::{Blocker, Fault, Log};

use crate::registry;
use crate::support::{A, B, C, fake, hooks, run};

#[tokio::test(start_paused = true)]
async fn everybody_is_asked_and_every_failure_reported() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).validate(Fault::Error("a is not valid")),
        fake::<B>("b", &log).runs(Fault::None),
        fake::<C>("c", &log).validate(Fault::Panic("c panics")),
    ];
    let outcome = run(registry).await;
    assert_eq!(outcome.exit_code(), 78, "{outcome}");
    let failed: Vec<_> = outcome.failures().iter().map(|f| (f.provider(), f.code().id)).collect();
    assert_eq!(failed, [("a", "MS0205"), ("c", "MS0206")]);
    assert_eq!(
        hooks(&log),
        [
            "boot a",
            "boot b",
            "boot c",
            "validate a",
            "validate b",
            "validate c",
            "shutdown c",
            "shutdown b",
            "shutdown a"
        ],
        "nothing ran"
    );
}

#[tokio::test(start_paused = true)]
async fn what_validates_before_the_boot_stops_it_before_anything_was_touched() {
    let log = Log::new();
    let registry = registry![
        fake::<A>("a", &log).validate_when(Validate::BeforeBoot).validate(Fault::Invalid("port 0")),
        fake::<B>("b", &log).validate_when(Validate::Both),
        fake::<C>("c", &log),
    ];
    let outcome = run(registry).await;
    assert_eq!(outcome.exit_code(), 78);
    assert_eq!(hooks(&log), ["validate a", "validate b"]);
}

#[tokio::test(start_paused = true)]
async fn both_is_before_and_after() {
    let log = Log::new();
    let registry = registry![fake::<A>("a", &log).validate_when(Validate::Both)];
    assert_eq!(run(registry).await.exit_code(), 0);
    assert_eq!(hooks(&log), ["validate a", "boot a", "validate a", "shutdown a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validate_that_blocks_is_left_behind_at_its_deadline_and_the_others_are_asked() {
    let (log, blocker) = (Log::new(), Blocker::new());
    let registry = registry![
        fake::<A>("a", &log)
            .validate(Fault::Block(blocker.clone()))
            .deadlines(Deadlines::new().validate(Duration::from_millis(100))),
        fake::<B>("b", &log).validate(Fault::Invalid("b too")),
    ];
    let registry = Arc::new(registry);
    let outcome = Runtime::new(registry, ()).signals(Signals::none()).run().await;
    blocker.release();
    assert_eq!(outcome.failures()[0].problem(), &Problem::Deadline(Duration::from_millis(100)));
    assert!(outcome.failures()[0].seen().unwrap().starts_with("blocks a thread since"), "{outcome}");
    assert_eq!(outcome.failures()[1].provider(), "b");
    assert_eq!(outcome.hooks(), (2, 2));
}
