//! What does a supervised task weigh, over what tokio needs for the same future?
//!
//! Counted by the global allocator: the bytes that were asked for, once 100,000 tasks wait for their token and each has
//! been polled, less those before the first one; what the allocator of the system adds to each of them is not seen.
//! Bare tokio spawns the same future; the names are there before, and who keeps them keeps copies.
//!
//! Also: how many allocations that is, and what is left of each when all have been stopped.
//!
//! Run: `cargo bench --manifest-path benches/Cargo.toml --bench memory`

use std::alloc::System;
use std::sync::{Arc, Mutex};

use mainstay_benches::supervisors::{CONTENDERS, Crowd, Moment, Whose, Work, bare};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::runtime::{Builder, Runtime as Tokio};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TASKS: usize = 100_000;
/// What a supervised task may weigh over tokio's own.
const AIM: f64 = 512.0;

fn main() {
    println!("what does a supervised task weigh, over what tokio needs for the same future?");
    let tokio = Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    println!("\n{TASKS} tasks that wait for their token, bytes of each");
    println!(
        "  {:<26} {:>10} {:>12} {:>12} {:>12}",
        "", "waiting", "over tokio's", "allocations", "left after"
    );
    let spawned = weigh(&tokio, |crowd| Box::pin(bare::spawned(crowd)));
    print("tokio::spawn", spawned, spawned, "");
    for contender in CONTENDERS {
        let Some(crowd) = contender.crowd else { continue };
        let weight = weigh(&tokio, crowd);
        let verdict = match contender.whose {
            Whose::OursToMeet if weight.waiting - spawned.waiting <= AIM => {
                "   [met: at most 512 over tokio's]"
            }
            Whose::OursToMeet => "   [MISSED: at most 512 over tokio's]",
            _ => "",
        };
        print(contender.name, weight, spawned, verdict);
    }
}

fn print(name: &str, weight: Weight, spawned: Weight, verdict: &str) {
    let over = weight.waiting - spawned.waiting;
    println!(
        "  {name:<26} {:>10.1} {over:>12.1} {:>12.2} {:>12.1}{verdict}",
        weight.waiting, weight.allocations, weight.left
    );
}

/// What each of them weighs.
#[derive(Clone, Copy)]
struct Weight {
    waiting: f64,
    allocations: f64,
    left: f64,
}

fn weigh(tokio: &Tokio, crowd: fn(Crowd) -> Work) -> Weight {
    // A first turn leaves what is kept for the next ones: the runtime's queue, tables that never shrink.
    moments(tokio, crowd, TASKS);
    let moments = moments(tokio, crowd, TASKS);
    let at = |moment| moments.iter().find(|(marked, ..)| *marked == moment).expect("it is marked");
    let (empty, started, stopped) = (at(Moment::Empty), at(Moment::Started), at(Moment::Stopped));
    let each = |bytes: usize, before: usize| (bytes as f64 - before as f64) / TASKS as f64;
    Weight {
        waiting: each(started.1, empty.1),
        allocations: each(started.2, empty.2),
        left: each(stopped.1, empty.1),
    }
}

/// The bytes and allocations that live at each moment.
fn moments(tokio: &Tokio, crowd: fn(Crowd) -> Work, size: usize) -> Vec<(Moment, usize, usize)> {
    let moments = Arc::new(Mutex::new(Vec::with_capacity(4)));
    let marked = Arc::clone(&moments);
    let work = crowd(Crowd::new(size, move |moment| {
        let (bytes, allocations) = live();
        marked.lock().expect("nothing panics under it").push((moment, bytes, allocations));
    }));
    tokio.block_on(async { tokio::spawn(work).await.expect("a contender does not panic") });
    moments.lock().expect("the same").clone()
}

fn live() -> (usize, usize) {
    let stats = ALLOCATOR.stats();
    (stats.bytes_allocated - stats.bytes_deallocated, stats.allocations - stats.deallocations)
}
