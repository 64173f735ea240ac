//! Readers on several threads against transactions: never two epochs in one read, and it shows when pins are
//! off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use mainstay_sync::snapshot::{Epochs, Snapshot};

use crate::support::ends_within;

const SNAPSHOTS: usize = 16;
const TRANSACTIONS: u64 = 20_000;
const READERS: usize = 4;
/// Some eight seconds of two cores without optimisation.
const LIMIT: Duration = Duration::from_secs(120);

/// How a request reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// `pin.load(&s)`.
    Borrowed,
    /// Plain `load` in the scope of a pin.
    Ambient,
    /// One half in each of the two ways, through a clone.
    Mixed,
    /// Plain `load` and no pin.
    Unpinned,
}

/// A value that says which transaction it belongs to, and whether that was to be committed.
struct Part {
    transaction: u64,
    refused: bool,
}

struct Daemon {
    epochs: Epochs,
    snapshots: Vec<Snapshot<Part>>,
    over: AtomicBool,
    mixes: AtomicU64,
    reads: AtomicU64,
}

impl Daemon {
    /// Half of the snapshots belong to the daemon from the beginning, the others join in a commit.
    fn new() -> Self {
        let part = || Snapshot::new(Part { transaction: 0, refused: false });
        let daemon = Self {
            epochs: Epochs::new(),
            snapshots: (0..SNAPSHOTS).map(|_| part()).collect(),
            over: AtomicBool::new(false),
            mixes: AtomicU64::new(0),
            reads: AtomicU64::new(0),
        };
        daemon.epochs.enter("boot", || {
            for snapshot in &daemon.snapshots[..SNAPSHOTS / 2] {
                snapshot.publish(Part { transaction: 0, refused: false });
            }
        });
        daemon
    }

    /// Stages every snapshot, in an order that differs, and commits if it is not to be refused.
    fn reload(&self, transaction: u64) {
        let refused = transaction % 2 == 1;
        let open = self.epochs.begin();
        open.handle().enter(|| {
            for at in 0..SNAPSHOTS {
                let at = (at * 7 + usize::try_from(transaction).unwrap()) % SNAPSHOTS;
                self.snapshots[at].publish(Part { transaction, refused });
            }
        });
        if refused {
            assert_eq!(open.abort().discarded(), SNAPSHOTS);
        } else {
            assert_eq!(open.commit().published(), SNAPSHOTS);
        }
    }

    fn read(&self, reads: Reads) {
        let part = |part: &Part| {
            assert!(!part.refused, "a part of a reload that was refused is visible");
            part.transaction
        };
        let plain =
            |snapshots: &[Snapshot<Part>]| snapshots.iter().map(|s| part(&s.load())).collect::<Vec<_>>();
        let seen: Vec<u64> = match reads {
            Reads::Unpinned => plain(&self.snapshots),
            Reads::Ambient => self.epochs.pin().enter(|| plain(&self.snapshots)),
            Reads::Borrowed => {
                let pin = self.epochs.pin();
                self.snapshots.iter().map(|snapshot| part(pin.load(snapshot))).collect()
            }
            Reads::Mixed => {
                let pin = self.epochs.pin();
                let clone = pin.clone();
                let (one, other) = self.snapshots.split_at(SNAPSHOTS / 2 - 3);
                let mut seen = clone.enter(|| plain(other));
                seen.extend(one.iter().map(|snapshot| part(pin.load(snapshot))));
                seen
            }
        };
        self.reads.fetch_add(1, Ordering::Relaxed);
        if seen.iter().any(|transaction| *transaction != seen[0]) {
            self.mixes.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Reads on several threads while reloads run, each of a few hundred on a new daemon; until `enough`. Gives
/// the reads and how many of them were of two epochs.
fn readers_against_reloads(reads: [Reads; READERS], enough: impl Fn(u64, u64) -> bool) -> (u64, u64) {
    let (mut transactions, mut total, mut mixes) = (0, 0, 0);
    while !enough(transactions, mixes) {
        let daemon = Arc::new(Daemon::new());
        let readers = reads.map(|reads| {
            let daemon = Arc::clone(&daemon);
            thread::spawn(move || {
                while !daemon.over.load(Ordering::Relaxed) {
                    daemon.read(reads);
                }
            })
        });
        // Readers are there before the first commit, in which half of the snapshots join.
        while daemon.reads.load(Ordering::Relaxed) < 100 {
            thread::yield_now();
        }
        for _ in 0..400 {
            transactions += 1;
            daemon.reload(transactions);
        }
        daemon.over.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().expect("no refused value is seen");
        }
        total += daemon.reads.load(Ordering::Relaxed);
        mixes += daemon.mixes.load(Ordering::Relaxed);
    }
    (total, mixes)
}

#[test]
fn no_pinned_read_is_of_two_epochs() {
    ends_within(LIMIT, || {
        let reads = [Reads::Borrowed, Reads::Ambient, Reads::Mixed, Reads::Borrowed];
        let (reads, mixes) = readers_against_reloads(reads, |transactions, _| transactions >= TRANSACTIONS);
        assert_eq!(mixes, 0, "of {reads} reads");
    });
}

#[test]
fn without_pins_reads_of_two_epochs_are_seen() {
    ends_within(LIMIT, || {
        let (_, mixes) = readers_against_reloads([Reads::Unpinned; READERS], |_, mixes| mixes > 0);
        assert!(mixes > 0);
    });
}
