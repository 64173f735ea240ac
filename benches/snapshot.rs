//! Does reading a snapshot cost more than reading the bare `ArcSwap` below it, and what does a consistent set of them
//! cost a request?
//!
//! Measured, on 1 and 2 threads: `load`, `load_full`, `try_load` of a snapshot that stands alone and of one that
//! belongs to a daemon, a `Reader`, a pin, and a pin with three loads, borrowed and ambient; what a publish, staging and
//! a commit cost, with 1 to 1,000 snapshots. Beside them, in the same run: the same of arc-swap, borrowed with borrowed
//! and owned with owned, and what else one would use: `RwLock<Arc<T>>`, `tokio::sync::watch`.
//!
//! Run: `cargo bench --manifest-path benches/Cargo.toml --bench snapshot`

use std::sync::{Arc, RwLock};

use arc_swap::{ArcSwap, Cache};
use mainstay_benches::{Aim, Table};
use mainstay_sync::{Epochs, Pinned, Snapshot};
use tokio::sync::watch;

fn main() {
    println!("does reading a snapshot cost more than reading the bare ArcSwap below it?");
    for threads in [1, 2] {
        reading(threads);
    }
    for threads in [1, 2] {
        pinning(threads);
    }
    writing();
    for snapshots in [1, 16, 100, 1000] {
        committing(snapshots);
    }
}

/// Snapshots that belong to the daemon of these epochs.
fn members(epochs: &Epochs, count: usize) -> Vec<Snapshot<u64>> {
    let snapshots: Vec<_> = (0..count).map(|_| Snapshot::new(0)).collect();
    let open = epochs.begin();
    open.handle().enter(|| snapshots.iter().for_each(|snapshot| snapshot.publish(7)));
    assert_eq!(open.commit().published(), count);
    snapshots
}

fn reading(threads: usize) {
    let bare = Arc::new(ArcSwap::from_pointee(7_u64));
    let lock = RwLock::new(Arc::new(7_u64));
    let (_sender, watch) = watch::channel(7_u64);
    let alone = Snapshot::new(7_u64);
    let epochs = Epochs::new();
    let member = &members(&epochs, 16)[7];
    let elsewhere = Epochs::new().begin();
    let staged = Snapshot::new(7_u64);
    elsewhere.handle().enter(|| staged.publish(8));
    let mut table = Table::new("reading", threads);
    table
        .case("ArcSwap::load", || **bare.load())
        .case("Snapshot::load, a daemon's", || *member.load())
        .aim(Aim::Times(1.3, None))
        .case("Snapshot::load, alone", || *alone.load())
        .aim(Aim::Times(1.3, None))
        .case("Snapshot::load, staged by another", || *staged.load())
        .case("Snapshot::try_load", || alone.try_load().map(|loaded| *loaded))
        .case("ArcSwap::load_full", || bare.load_full())
        .case("Snapshot::load_full", || member.load_full())
        .aim(Aim::Times(1.3, Some("ArcSwap::load_full")))
        .prepared("arc_swap::Cache", || Cache::new(Arc::clone(&bare)), |cache| **cache.load())
        .prepared("Reader::load", || member.reader(), |reader| *reader.load())
        .aim(Aim::Nanoseconds(2.0))
        .case("watch::Receiver::borrow", || *watch.borrow())
        .case("RwLock<Arc<T>>, clone", || Arc::clone(&lock.read().expect("nobody panics")));
    table.print();
}

fn pinning(threads: usize) {
    let bare: Vec<_> = (0..3).map(|_| ArcSwap::from_pointee(7_u64)).collect();
    let epochs = Epochs::new();
    let snapshots = members(&epochs, 16);
    let three = || [&snapshots[2], &snapshots[7], &snapshots[12]];
    let borrowed = |pin: &Pinned| three().iter().map(|snapshot| *pin.load(snapshot)).sum::<u64>();
    let plain = || three().iter().map(|snapshot| *snapshot.load()).sum::<u64>();
    let mut table = Table::new("reading three of one epoch", threads);
    table
        .case("3 x ArcSwap::load", || bare.iter().map(|bare| **bare.load()).sum::<u64>())
        .case("3 x Snapshot::load, not of one epoch", plain)
        .case("pin", || epochs.pin())
        .prepared("3 x Pinned::load", || epochs.pin(), |pin| borrowed(pin))
        .case("pin, 3 x Pinned::load", || borrowed(&epochs.pin()))
        .aim(Aim::Times(1.1, None))
        .case("pin, into_enter, 3 x Snapshot::load", || epochs.pin().into_enter(plain))
        .aim(Aim::Times(2.0, None))
        .case("pin, enter, 3 x Snapshot::load", || epochs.pin().enter(plain))
        .aim(Aim::Times(2.0, None));
    table.print();
}

fn writing() {
    let bare = ArcSwap::from_pointee(7_u64);
    let (sender, _watch) = watch::channel(7_u64);
    let snapshot = Snapshot::new(7_u64);
    let mut table = Table::new("writing", 1);
    table
        .case("ArcSwap::store", || bare.store(Arc::new(8)))
        .case("Snapshot::publish, alone", || snapshot.publish(8))
        .case("watch::Sender::send_replace", || sender.send_replace(8));
    table.print();
}

fn committing(count: usize) {
    let bare: Vec<_> = (0..count).map(|_| ArcSwap::from_pointee(7_u64)).collect();
    let epochs = Epochs::new();
    let snapshots = members(&epochs, count);
    let stage = || {
        let open = epochs.begin();
        open.handle().enter(|| snapshots.iter().for_each(|snapshot| snapshot.publish(8)));
        open
    };
    let mut table = Table::new(format!("writing {count} of one epoch"), 1);
    table
        .case("ArcSwap::store, each", || bare.iter().for_each(|bare| bare.store(Arc::new(8))))
        .case("begin, stage all, abort", || stage().abort())
        .case("begin, stage all, commit", || stage().commit())
        .case("publish one at once", || snapshots[0].publish(8));
    table.print();
    commit_alone(count, stage);
}

/// The commit without the staging, which a case of a table cannot leave out.
fn commit_alone(count: usize, stage: impl Fn() -> mainstay_sync::Open) {
    let mut times: Vec<f64> = (0..301)
        .map(|_| {
            let open = stage();
            let start = std::time::Instant::now();
            let committed = std::hint::black_box(open.commit());
            let took = start.elapsed();
            assert_eq!(committed.published(), count);
            took.as_nanos() as f64 / 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let verdict = match count {
        100 if median < 20.0 => "   [met: below 20 us]",
        100 => "   [MISSED: below 20 us]",
        _ => "",
    };
    println!(
        "  commit alone  {median:8.2} us, 99 of 100 within {:.2} us{verdict}",
        times[times.len() * 99 / 100]
    );
}
