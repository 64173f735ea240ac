//! Does reading a snapshot cost more than reading the bare `ArcSwap` below it?
//!
//! Measured: `load`, `load_full`, `try_load`, a `Reader`, and a publish, on 1 and 2 threads; beside them, in the same
//! run, the same of arc-swap, and what else one would use: `RwLock<Arc<T>>`, `tokio::sync::watch`.
//!
//! Run: `cargo bench --manifest-path benches/Cargo.toml --bench snapshot`

use std::sync::{Arc, RwLock};

use arc_swap::{ArcSwap, Cache};
use mainstay_benches::{Aim, Table};
use mainstay_sync::Snapshot;
use tokio::sync::watch;

fn main() {
    println!("does reading a snapshot cost more than reading the bare ArcSwap below it?");
    for threads in [1, 2] {
        reading(threads);
    }
    writing();
}

fn reading(threads: usize) {
    let bare = Arc::new(ArcSwap::from_pointee(7_u64));
    let lock = RwLock::new(Arc::new(7_u64));
    let (_sender, watch) = watch::channel(7_u64);
    let snapshot = Snapshot::new(7_u64);
    let mut table = Table::new("reading", threads);
    table
        .case("ArcSwap::load", || **bare.load())
        .case("Snapshot::load", || *snapshot.load())
        .aim(Aim::Times(1.3, None))
        .case("Snapshot::try_load", || snapshot.try_load().map(|loaded| *loaded))
        .case("ArcSwap::load_full", || bare.load_full())
        .case("Snapshot::load_full", || snapshot.load_full())
        .prepared("arc_swap::Cache", || Cache::new(Arc::clone(&bare)), |cache| **cache.load())
        .prepared("Reader::load", || snapshot.reader(), |reader| *reader.load())
        .aim(Aim::Nanoseconds(2.0))
        .case("watch::Receiver::borrow", || *watch.borrow())
        .case("RwLock<Arc<T>>, clone", || Arc::clone(&lock.read().expect("nobody panics")));
    table.print();
}

fn writing() {
    let bare = ArcSwap::from_pointee(7_u64);
    let (sender, _watch) = watch::channel(7_u64);
    let snapshot = Snapshot::new(7_u64);
    let mut table = Table::new("writing", 1);
    table
        .case("ArcSwap::store", || bare.store(Arc::new(8)))
        .case("Snapshot::publish", || snapshot.publish(8))
        .case("watch::Sender::send_replace", || sender.send_replace(8));
    table.print();
}
