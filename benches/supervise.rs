//! What does supervision cost: from a crash to the next generation, and to start and stop ten thousand tasks?
//!
//! Measured, on a multi-thread tokio with two workers and on a current-thread one, beside bare tokio (a supervisor
//! written by hand over a `JoinSet`), tokio-graceful-shutdown, task-supervisor and ractor-supervisor, which take turns
//! in each round:
//! - restart without delay: from the moment before a task returns an error, or panics, to the first poll of its next
//!   generation. The hook that prints panics is replaced by one that ignores these, for everybody. What a panic itself
//!   costs (some microseconds, more with each frame that it unwinds) is seen in the bare loop that catches it.
//! - start: from the first call until each of n tasks has been polled; stop: from the call until all are gone. Every
//!   task waits for its token.
//!
//! Of a turn with many restarts its median counts, and what is printed is the median of the rounds; so with starts and
//! stops. A ratio is the median of the ratios of each round.
//!
//! Run: `cargo bench --manifest-path benches/Cargo.toml --bench supervise`; with `-- restart` or `-- crowd` only that.

use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mainstay_benches::supervisors::{
    CONTENDERS, Contender, Crash, Crasher, Crowd, Moment, Whose, Work, say_nothing_of_crashes,
};
use tokio::runtime::{Builder, Runtime as Tokio};

/// How often everybody has its turn with restarts.
const ROUNDS: usize = 21;
/// What one turn with restarts may take, about.
const TURN: Duration = Duration::from_millis(20);
/// What ours may take from an error to the next generation, and from a panic.
const AFTER_ERROR: Duration = Duration::from_micros(2);
const AFTER_PANIC: Duration = Duration::from_micros(5);
/// What ours may take to start and to stop, times the bare one.
const CROWD: f64 = 1.8;

fn main() {
    say_nothing_of_crashes();
    println!(
        "what does supervision cost: from a crash to the next generation, and to start and stop n tasks?"
    );
    let only: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |what: &str| only.is_empty() || only.iter().any(|only| only == what);
    for tokio in [two_workers(), current_thread()] {
        if wanted("restart") {
            restarts(&tokio, Crash::Error, AFTER_ERROR);
            restarts(&tokio, Crash::Panic, AFTER_PANIC);
        }
        if wanted("crowd") {
            crowds(&tokio, 10_000, 11);
            crowds(&tokio, 100_000, 5);
        }
    }
}

/// A runtime, and what to call it.
type Named = (Tokio, &'static str);

fn two_workers() -> Named {
    let tokio = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    (tokio.expect("a runtime can be built"), "two workers")
}

fn current_thread() -> Named {
    (Builder::new_current_thread().enable_all().build().expect("the same"), "current thread, ours inline")
}

fn restarts((tokio, called): &Named, crash: Crash, aim: Duration) {
    let able = able(|contender| contender.restart);
    let turn = |restart: fn(Crasher) -> Work, times| {
        let crasher = Crasher::new(crash, times);
        work(tokio, restart(crasher.clone()));
        crasher.waits()
    };
    let times: Vec<usize> = able.iter().map(|(_, restart)| fitting(&turn(*restart, 4))).collect();
    let mut rounds = vec![Vec::new(); able.len()];
    let mut all = vec![Vec::new(); able.len()];
    for _ in 0..ROUNDS {
        for (at, (_, restart)) in able.iter().enumerate() {
            let waits: Vec<f64> = turn(*restart, times[at]).iter().map(Duration::as_secs_f64).collect();
            rounds[at].push(median(&waits));
            all[at].extend(waits);
        }
    }
    let after = if crash == Crash::Error { "an error" } else { "a panic" };
    println!("\nrestart without delay after {after} ({called})");
    println!("  {:<26} {:>12} {:>12} {:>12} {:>8}", "", "median", "p99", "ratio", "restarts");
    for (at, (contender, _)) in able.iter().enumerate() {
        let (wait, slow) = (median(&rounds[at]), percentile(&all[at], 99));
        let verdict = if contender.whose == Whose::OursToMeet { verdict(wait, aim) } else { String::new() };
        let ratio = ratio(&rounds[at], &rounds[0]);
        println!(
            "  {:<26} {} {} x {ratio:>10.2} {:>8}{verdict}",
            contender.name,
            micros(wait),
            micros(slow),
            all[at].len()
        );
    }
}

/// Who does it, and how.
fn able<W>(what: fn(&Contender) -> Option<W>) -> Vec<(&'static Contender, W)> {
    CONTENDERS.iter().filter_map(|contender| Some((contender, what(contender)?))).collect()
}

/// How many restarts make a turn of the right length.
fn fitting(waits: &[Duration]) -> usize {
    // The first ones are cold: the fastest says most.
    let fastest = waits.iter().min().map_or(1, Duration::as_nanos).max(1);
    usize::try_from(TURN.as_nanos() / fastest).unwrap_or(usize::MAX).clamp(5, 4_000)
}

fn crowds((tokio, called): &Named, n: usize, rounds: usize) {
    let able = able(|contender| contender.crowd);
    let mut starts = vec![Vec::new(); able.len()];
    let mut stops = vec![Vec::new(); able.len()];
    for _ in 0..rounds {
        for (at, (_, crowd)) in able.iter().enumerate() {
            let moments = Arc::new(Mutex::new(HashMap::new()));
            let marked = Arc::clone(&moments);
            work(
                tokio,
                crowd(Crowd::new(n, move |moment| {
                    let now = Instant::now();
                    marked.lock().expect("nothing panics under it").insert(moment, now);
                })),
            );
            let moments = moments.lock().expect("the same");
            starts[at].push((moments[&Moment::Started] - moments[&Moment::Empty]).as_secs_f64());
            stops[at].push((moments[&Moment::Stopped] - moments[&Moment::Stopping]).as_secs_f64());
        }
    }
    println!("\n{n} tasks that wait for their token ({called}, {rounds} rounds)");
    println!("  {:<26} {:>12} {:>9} {:>12} {:>9}", "", "start", "ratio", "stop", "ratio");
    for (at, (contender, _)) in able.iter().enumerate() {
        let (start, stop) = (ratio(&starts[at], &starts[0]), ratio(&stops[at], &stops[0]));
        let verdict = if contender.whose == Whose::OursToMeet { times(start, stop) } else { String::new() };
        println!(
            "  {:<26} {:>9.2} ms x {start:>7.2} {:>9.2} ms x {stop:>7.2}{verdict}",
            contender.name,
            median(&starts[at]) * 1e3,
            median(&stops[at]) * 1e3
        );
    }
}

/// Does the work in a task, as all of it would be in a program.
fn work(tokio: &Tokio, work: Work) {
    tokio.block_on(async { tokio::spawn(work).await.expect("a contender does not panic") });
}

fn verdict(seconds: f64, aim: Duration) -> String {
    format!("   [{}: at most {aim:?}]", if seconds <= aim.as_secs_f64() { "met" } else { "MISSED" })
}

fn times(start: f64, stop: f64) -> String {
    let met = |ratio| if ratio <= CROWD { "met" } else { "MISSED" };
    format!("   [start {}, stop {}: at most x {CROWD}]", met(start), met(stop))
}

fn micros(seconds: f64) -> String {
    format!("{:>9.2} us", seconds * 1e6)
}

fn ratio(rounds: &[f64], baseline: &[f64]) -> f64 {
    median(&rounds.iter().zip(baseline).map(|(round, baseline)| round / baseline).collect::<Vec<_>>())
}

fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

fn percentile(values: &[f64], part: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) * part / 100]
}
