//! A table of cases that take turns.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// How often each case has its turn.
const ROUNDS: usize = 21;
/// How long one turn is, about.
const TURN: Duration = Duration::from_millis(3);

/// Runs a case so many times after the barrier, and says how long that took.
type Turn<'a> = Box<dyn Fn(u64, &Barrier) -> Duration + Sync + 'a>;

/// What a case ought to reach.
#[derive(Clone, Copy)]
pub enum Aim<'a> {
    /// At most so many nanoseconds.
    Nanoseconds(f64),
    /// At most so many times the first case of the table, or the one of this name.
    Times(f64, Option<&'a str>),
}

/// Cases that are measured in turns; the first is what the others are compared with.
pub struct Table<'a> {
    title: String,
    threads: usize,
    cases: Vec<Case<'a>>,
}

struct Case<'a> {
    name: &'a str,
    turn: Turn<'a>,
    aims: Vec<Aim<'a>>,
}

impl<'a> Table<'a> {
    /// Starts a table; in each turn this many threads do the same at once.
    pub fn new(title: impl Into<String>, threads: usize) -> Self {
        Self { title: title.into(), threads, cases: Vec::new() }
    }

    /// Adds a case.
    pub fn case<R>(&mut self, name: &'a str, operation: impl Fn() -> R + Sync + 'a) -> &mut Self {
        self.prepared(name, move || (), move |()| operation())
    }

    /// Adds a case of which each thread first prepares something of its own.
    pub fn prepared<P, R>(
        &mut self,
        name: &'a str,
        prepare: impl Fn() -> P + Sync + 'a,
        operation: impl Fn(&mut P) -> R + Sync + 'a,
    ) -> &mut Self {
        let turn: Turn<'a> = Box::new(move |times, together| {
            let mut prepared = prepare();
            together.wait();
            let start = Instant::now();
            for _ in 0..times {
                black_box(operation(black_box(&mut prepared)));
            }
            start.elapsed()
        });
        self.cases.push(Case { name, turn, aims: Vec::new() });
        self
    }

    /// Says what the last case ought to reach.
    pub fn aim(&mut self, aim: Aim<'a>) -> &mut Self {
        self.cases.last_mut().expect("an aim belongs to a case").aims.push(aim);
        self
    }

    /// Measures and prints.
    pub fn print(&self) {
        let times: Vec<u64> = self.cases.iter().map(|case| self.calibrate(case)).collect();
        let mut rounds = vec![Vec::with_capacity(ROUNDS); self.cases.len()];
        for _ in 0..ROUNDS {
            for (at, case) in self.cases.iter().enumerate() {
                rounds[at].push(self.turn(case, times[at]));
            }
        }
        let width = self.cases.iter().map(|case| case.name.chars().count()).max().unwrap_or(0);
        println!("\n{} ({} thread{})", self.title, self.threads, if self.threads == 1 { "" } else { "s" });
        for (case, turns) in self.cases.iter().zip(&rounds) {
            let nanoseconds = median(turns);
            let verdicts: String =
                case.aims.iter().map(|aim| self.verdict(*aim, nanoseconds, turns, &rounds)).collect();
            let ratio = ratio(turns, &rounds[0]);
            println!("  {:width$}  {nanoseconds:8.2} ns  x {ratio:5.2}{verdicts}", case.name);
        }
    }

    fn verdict(&self, aim: Aim<'_>, nanoseconds: f64, turns: &[f64], rounds: &[Vec<f64>]) -> String {
        let (text, met) = match aim {
            Aim::Nanoseconds(limit) => (format!("at most {limit} ns"), nanoseconds <= limit),
            Aim::Times(limit, None) => (format!("at most x {limit}"), ratio(turns, &rounds[0]) <= limit),
            Aim::Times(limit, Some(name)) => {
                let peer = self.cases.iter().position(|case| case.name == name).expect("the peer is a case");
                let ratio = ratio(turns, &rounds[peer]);
                (format!("at most x {limit} of {name}: {ratio:.2}"), ratio <= limit)
            }
        };
        format!("   [{}: {text}]", if met { "met" } else { "MISSED" })
    }

    /// How many times make a turn of the right length.
    fn calibrate(&self, case: &Case<'_>) -> u64 {
        let mut times = 16;
        loop {
            let nanoseconds = self.turn(case, times) * times as f64;
            if nanoseconds >= TURN.as_nanos() as f64 / 2.0 || times > 1 << 28 {
                return times * 2;
            }
            times *= 2;
        }
    }

    /// Nanoseconds for one operation on one thread, while all threads do it.
    fn turn(&self, case: &Case<'_>, times: u64) -> f64 {
        let together = Barrier::new(self.threads);
        let run = || (case.turn)(times, &together);
        let total: Duration = if self.threads == 1 {
            run()
        } else {
            thread::scope(|scope| {
                let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(run)).collect();
                threads.into_iter().map(|thread| thread.join().expect("a case does not panic")).sum()
            })
        };
        total.as_nanos() as f64 / (times as f64 * self.threads as f64)
    }
}

/// The middle one.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn ratio(turns: &[f64], baseline: &[f64]) -> f64 {
    median(&turns.iter().zip(baseline).map(|(turn, baseline)| turn / baseline).collect::<Vec<_>>())
}
