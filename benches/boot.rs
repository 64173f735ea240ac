//! What does it cost to plan and boot n providers that do nothing, and does it grow with n alone?
//!
//! Measured, for 100, 1,000 and 5,000 providers of distinct types:
//! - the plan alone, and the registry's own walk (`boot_all`, which plans); beside it, in the same run, continuo's
//!   `boot_all` of the same types;
//! - the runtime, which isolates each hook and can cancel it: from `start` until it is ready (plan, boot, validate),
//!   and the whole run (that, every shutdown hook, and the ordered drop); supervised from its own thread over a
//!   multi-thread tokio, and inline in a current-thread one; beside it, in the same run, the walk.
//!
//! What is printed is the fastest of the rounds, which take turns: a boot happens once, so what disturbs it only adds.
//!
//! Run: `cargo bench --manifest-path benches/Cargo.toml --bench boot`; to optimise the empty hooks as well, which takes
//! five minutes to compile, with `--config profile.bench.package.mainstay-bench-types.opt-level=3`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mainstay_bench_types as types;
use mainstay_registry::Registry;
use mainstay_runtime::{Runtime, Signals};
use tokio::runtime::{Builder, Runtime as Tokio};

/// What a walk over 5,000 may take.
const WALK: Duration = Duration::from_millis(5);
/// What the boot of one provider under the runtime may take.
const BOOT: Duration = Duration::from_micros(3);

type Fill<R> = fn(&mut R);

fn main() {
    println!(
        "what does it cost to plan and boot n providers that do nothing, and does it grow with n alone?"
    );
    let single = Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    let multi = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("the same");

    println!("\n  {:>5} {:>22} {:>22} {:>22} {:>7}", "n", "plan", "boot_all", "continuo's boot_all", "ratio");
    walk(&single, 100, 15, types::ours_100, types::theirs_100);
    walk(&single, 1_000, 9, types::ours_1_000, types::theirs_1_000);
    walk(&single, 5_000, 3, types::ours_5_000, types::theirs_5_000);

    println!(
        "\n  {:>5} {:>22} {:>22} {:>22} {:>22} {:>22}",
        "n", "boot_all", "until ready", "whole run", "inline, until ready", "inline, whole run"
    );
    runtime(&multi, &single, 100, 25, types::ours_100);
    runtime(&multi, &single, 1_000, 15, types::ours_1_000);
    runtime(&multi, &single, 5_000, 11, types::ours_5_000);
}

fn walk(
    tokio: &Tokio,
    n: usize,
    rounds: usize,
    ours: Fill<Registry<()>>,
    theirs: Fill<continuo::Registry<()>>,
) {
    let (mut plans, mut walks, mut their_walks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let registry = filled(ours);
        plans.push(seconds(|| assert_eq!(black_box(registry.plan()).expect("a plan").providers().len(), n)));
        walks.push(walked(tokio, ours));
        let registry = filled(theirs);
        their_walks.push(seconds(|| tokio.block_on(registry.boot_all(&())).expect("nothing fails")));
    }
    let ratio = fastest(&their_walks) / fastest(&walks);
    let verdict = if n == 5_000 { verdict(fastest(&walks), WALK) } else { String::new() };
    println!(
        "  {n:>5} {} {} {} {ratio:>7.0}{verdict}",
        shown(n, &plans),
        shown(n, &walks),
        shown(n, &their_walks)
    );
}

fn runtime(multi: &Tokio, single: &Tokio, n: usize, rounds: usize, ours: Fill<Registry<()>>) {
    let (mut walks, mut thread, mut inline) =
        (Vec::new(), (Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for _ in 0..rounds {
        walks.push(walked(single, ours));
        let (ready, whole) = run(multi, |runtime| runtime, ours);
        thread.0.push(ready);
        thread.1.push(whole);
        let (ready, whole) = run(single, Runtime::inline, ours);
        inline.0.push(ready);
        inline.1.push(whole);
    }
    println!(
        "  {n:>5} {} {} {} {} {}{}",
        shown(n, &walks),
        shown(n, &thread.0),
        shown(n, &thread.1),
        shown(n, &inline.0),
        shown(n, &inline.1),
        verdict(fastest(&thread.0) / n as f64, BOOT)
    );
}

fn walked(tokio: &Tokio, fill: Fill<Registry<()>>) -> f64 {
    let registry = filled(fill);
    seconds(|| tokio.block_on(registry.boot_all(&())).expect("nothing fails"))
}

/// Seconds until it is ready, and until it is over.
fn run(tokio: &Tokio, tune: fn(Runtime<()>) -> Runtime<()>, fill: Fill<Registry<()>>) -> (f64, f64) {
    let runtime = tune(Runtime::new(filled(fill), ()).signals(Signals::none()));
    tokio.block_on(async move {
        let start = Instant::now();
        let running = runtime.start().await.expect("nothing fails");
        let ready = start.elapsed();
        let outcome = running.wait().await;
        assert_eq!(outcome.exit_code(), 0, "{outcome}");
        (ready.as_secs_f64(), start.elapsed().as_secs_f64())
    })
}

fn verdict(seconds: f64, aim: Duration) -> String {
    format!("   [{}: at most {aim:?}]", if seconds <= aim.as_secs_f64() { "met" } else { "MISSED" })
}

fn shown(n: usize, rounds: &[f64]) -> String {
    let all = fastest(rounds);
    format!("{:9.3} ms {:6.2} us/n", all * 1e3, all * 1e6 / n as f64)
}

fn fastest(rounds: &[f64]) -> f64 {
    rounds.iter().copied().fold(f64::INFINITY, f64::min)
}

fn filled<R: Default>(fill: Fill<R>) -> R {
    let mut registry = R::default();
    fill(&mut registry);
    registry
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
