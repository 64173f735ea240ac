//! What does it cost to plan and boot n providers that do nothing, and does it grow with n alone?
//!
//! Measured: the plan alone, and the registry's own walk (`boot_all`, which plans), of 100, 1,000 and 5,000 providers
//! of distinct types; beside it, in the same run, continuo's `boot_all` of the same types.
//!
//! Run: `cargo bench --manifest-path benches/Cargo.toml --bench boot`

use std::hint::black_box;
use std::time::{Duration, Instant};

use mainstay_benches::many::{Many, up_to_1_000, up_to_5_000, up_to_100};
use mainstay_benches::median;
use mainstay_registry::Registry;

/// What a walk over 5,000 may take.
const AIM: Duration = Duration::from_millis(5);

fn main() {
    println!(
        "what does it cost to plan and boot n providers that do nothing, and does it grow with n alone?"
    );
    println!(
        "\n  {:>6}  {:>22}  {:>22}  {:>22}  {:>7}",
        "n", "plan", "boot_all", "continuo's boot_all", "ratio"
    );
    let tokio = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
    row(&tokio, 100, 15, up_to_100, up_to_100);
    row(&tokio, 1_000, 9, up_to_1_000, up_to_1_000);
    row(&tokio, 5_000, 3, up_to_5_000, up_to_5_000);
}

fn row(
    tokio: &tokio::runtime::Runtime,
    n: usize,
    rounds: usize,
    fill: fn(&mut Registry<()>),
    fill_theirs: fn(&mut continuo::Registry<()>),
) {
    let (mut plans, mut walks, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let registry = filled(fill);
        plans.push(seconds(|| assert_eq!(black_box(registry.plan()).expect("a plan").providers().len(), n)));
        let registry = filled(fill);
        walks.push(seconds(|| tokio.block_on(registry.boot_all(&())).expect("nothing fails")));
        let registry = filled(fill_theirs);
        theirs.push(seconds(|| tokio.block_on(registry.boot_all(&())).expect("nothing fails")));
    }
    let (plan, walk, their) = (median(&plans), median(&walks), median(&theirs));
    let verdict = match (n, walk <= AIM.as_secs_f64()) {
        (5_000, true) => "   [met: at most 5 ms]",
        (5_000, false) => "   [MISSED: at most 5 ms]",
        _ => "",
    };
    let shown = |all: f64| format!("{:9.3} ms {:6.2} us/n", all * 1e3, all * 1e6 / n as f64);
    println!("  {n:>6}  {}  {}  {}  {:>7.0}{verdict}", shown(plan), shown(walk), shown(their), their / walk);
}

fn filled<M: Many + Default>(fill: fn(&mut M)) -> M {
    let mut many = M::default();
    fill(&mut many);
    many
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
