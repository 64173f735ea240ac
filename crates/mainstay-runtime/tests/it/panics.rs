//! The places of panics: found where it was this panic, and never lent to another.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};

use mainstay_registry::{Provider, Result};
use mainstay_runtime::{Failure, Outcome, RunContext, runnable};

use crate::registry;
use crate::support::run;

/// The one failure of a run of this task, and the line of its panic.
async fn task(code: fn()) -> (Failure, Option<String>) {
    let body = move |(), _cx: RunContext| async move {
        code();
        Ok(())
    };
    of(&run(registry![runnable("task", body)]).await)
}

fn of(outcome: &Outcome) -> (Failure, Option<String>) {
    let [failure] = outcome.failures() else { panic!("{outcome}") };
    let place = failure.panicked_at().map(str::to_owned);
    let shown = failure.to_string();
    match &place {
        Some(place) => assert!(shown.contains(&format!("\n  at          {place}")), "{shown}"),
        None => assert!(!shown.contains("\n  at "), "{shown}"),
    }
    (failure.clone(), place)
}

fn here(line: u32) -> String {
    format!("crates/mainstay-runtime/tests/it/panics.rs:{line}:")
}

fn assert_at(place: Option<&String>, line: u32) {
    let place = place.expect("it has a place");
    assert!(place.starts_with(&here(line)), "{place}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_shown_with_the_place_where_it_happened() {
    let line = line!() + 1;
    let (failure, place) = task(|| panic!("boom {}", 1)).await;
    assert_at(place.as_ref(), line);
    let shown = failure.to_string();
    let site = shown.lines().last().unwrap();
    assert_eq!(
        shown.replace(&place.unwrap(), "PLACE").replace(site, "  registered  SITE"),
        "error[MS0210]: runnable 'task' panicked: boom 1\n  \
         at          PLACE\n  \
         registered  SITE"
    );
}

#[tokio::test(start_paused = true)]
async fn every_hook_that_panics_has_a_place() {
    struct Boots;
    #[async_trait::async_trait]
    impl Provider<()> for Boots {
        async fn boot(&self, (): &()) -> Result<()> {
            tokio::task::yield_now().await;
            panic!("boot")
        }
    }
    assert_at(of(&run(registry![Boots]).await).1.as_ref(), line!() - 3);

    struct Validates;
    impl Provider<()> for Validates {
        fn validate(&self, (): &()) -> Result<()> {
            panic!("validate")
        }
    }
    assert_at(of(&run(registry![Validates]).await).1.as_ref(), line!() - 3);

    struct ShutsDown;
    #[async_trait::async_trait]
    impl Provider<()> for ShutsDown {
        async fn shutdown(&self, (): &()) -> Result<()> {
            panic!("shutdown")
        }
    }
    assert_at(of(&run(registry![ShutsDown]).await).1.as_ref(), line!() - 3);

    struct Drops;
    impl Provider<()> for Drops {}
    impl Drop for Drops {
        fn drop(&mut self) {
            panic!("drop")
        }
    }
    assert_at(of(&run(registry![Drops]).await).1.as_ref(), line!() - 3);

    struct Held;
    impl Drop for Held {
        fn drop(&mut self) {
            panic!("drop of what a future held")
        }
    }
    let body = async move |(), cx: RunContext| {
        let held = Held;
        let child = cx.spawn("child", async move {
            let _held = held;
            std::future::pending().await
        });
        tokio::task::yield_now().await;
        child.abort();
        cx.shutdown_token().cancelled().await;
        Ok(())
    };
    assert_at(of(&run(registry![runnable("held", body)]).await).1.as_ref(), line!() - 14);
}

/// Fails when the last panic that was seen is taken, whatever it said.
#[tokio::test(start_paused = true)]
async fn a_panic_that_user_code_has_caught_itself_lends_its_place_to_nobody() {
    let caught = |text: &'static str| catch_unwind(AssertUnwindSafe(|| panic!("{text}"))).unwrap_err();
    drop(caught("before the first"));
    let (_, place) = task(|| {
        let _ = catch_unwind(|| panic!("an old one"));
        resume_unwind(Box::new("no hook is run for this"));
    })
    .await;
    assert_eq!(place, None);

    let line = line!() + 2;
    let (failure, place) = task(|| {
        let own = catch_unwind(|| panic!("its own")).unwrap_err();
        let _ = catch_unwind(|| panic!("another"));
        resume_unwind(own);
    })
    .await;
    assert!(failure.to_string().contains("panicked: its own"));
    assert_at(place.as_ref(), line);

    let (_, place) = task(|| {
        let other = std::thread::spawn(|| panic!("on another thread")).join().unwrap_err();
        resume_unwind(other);
    })
    .await;
    assert_eq!(place, None);

    let line = line!() + 1;
    let (failure, place) = task(|| panic_any(7)).await;
    assert!(failure.to_string().contains("a payload that is not text"), "{failure}");
    assert_at(place.as_ref(), line);
}

/// Fails when the last panic that was seen is taken, whatever it said: a destructor that panics and catches it, while the thread unwinds: the first panic is the one that is shown.
#[tokio::test(start_paused = true)]
async fn a_panic_inside_of_the_unwinding_of_another_does_not_take_its_place() {
    struct Catches;
    impl Drop for Catches {
        fn drop(&mut self) {
            let _ = catch_unwind(|| panic!("inside"));
            let _ = Failure::catch("inside", mainstay_registry::Phase::Register, || panic!("deeper"));
        }
    }
    let line = line!() + 3;
    let (failure, place) = task(|| {
        let _catches = Catches;
        panic!("the first")
    })
    .await;
    assert!(failure.to_string().contains("panicked: the first"), "{failure}");
    assert_at(place.as_ref(), line);
}
