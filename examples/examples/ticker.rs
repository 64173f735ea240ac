//! How do I do something every second, never twice at once, also when it takes longer than a second?

use std::time::{Duration, Instant};

use mainstay::prelude::*;

#[derive(clap::Args)]
struct Flags {
    /// From one tick to the next, in milliseconds
    #[arg(long, default_value_t = 1000)]
    every: u64,
}

/// The work: every fourth time it takes two and a half periods, otherwise a quarter of one.
async fn sweep(round: u32, period: Duration) {
    let takes = if round.is_multiple_of(4) { period * 5 / 2 } else { period / 4 };
    tokio::time::sleep(takes).await;
}

/// Ticks come at 0, 1, 2, .. periods. The work of one is over before the next is asked for, so it never overlaps; ticks
/// that came meanwhile are skipped, not made up for, and the beat is kept.
async fn sweeper(app: Daemon, cx: RunContext) -> Result<()> {
    let period = Duration::from_millis(app.args::<Flags>().every);
    let mut ticks = cx.every(period);
    let (start, mut round) = (Instant::now(), 0);
    // `None` is the stop. It ends the wait for a tick, and never cuts the work short.
    while ticks.next().await.is_some() {
        if ticks.skipped() > 0 {
            println!("missed {}", ticks.skipped());
        }
        round += 1;
        println!("begin {round} at tick {}", start.elapsed().as_millis() / period.as_millis());
        cx.note(format!("round {round}")); // what the report says of it, should it hang
        cx.tick(); // and how it is found out: no round for a minute counts as stuck
        sweep(round, period).await;
        println!("end {round}");
    }
    println!("stopped");
    Ok(())
}

fn main() -> Outcome {
    let sweeper = runnable("sweeper", sweeper)
        .restart(RestartPolicy::on_failure())
        .deadlines(Deadlines::new().tick(Duration::from_secs(60)));
    Daemon::builder("ticker").args::<Flags>().insert(sweeper).main()
}
