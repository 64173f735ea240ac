//! What does it cost to count one piece of work in flight?
//!
//! Measured: a guard taken and dropped, alone (every drop empties the group) and beside another that stays; beside it,
//! in the same run: one atomic word up and down, `tokio_util`'s `TaskTracker::token`, and continuo's `GuardGroup`.
//!
//! Run: `cargo bench --manifest-path benches/Cargo.toml --bench guard`

use std::sync::atomic::{AtomicUsize, Ordering};

use mainstay_benches::Table;
use mainstay_sync::GuardGroup;
use tokio_util::task::TaskTracker;

fn main() {
    println!("what does it cost to count one piece of work in flight?");
    for threads in [1, 2] {
        let word = AtomicUsize::new(0);
        let (tracker, empty_tracker) = (TaskTracker::new(), TaskTracker::new());
        let (theirs, ours) = (continuo::GuardGroup::new(), GuardGroup::new());
        let (their_held, our_held) = (continuo::GuardGroup::new(), GuardGroup::new());
        let _stay = (their_held.guard(), our_held.guard(), tracker.token());
        let mut table = Table::new("one guard taken and dropped", threads);
        table
            .case("one word, up and down", || {
                word.fetch_add(1, Ordering::Relaxed);
                word.fetch_sub(1, Ordering::AcqRel)
            })
            .case("GuardGroup::guard, held by another", || drop(our_held.guard()))
            .case("GuardGroup::guard", || drop(ours.guard()))
            .case("continuo's, held by another", || drop(their_held.guard()))
            .case("continuo's", || drop(theirs.guard()))
            .case("TaskTracker::token, held by another", || drop(tracker.token()))
            .case("TaskTracker::token", || drop(empty_tracker.token()));
        table.print();
    }
}
