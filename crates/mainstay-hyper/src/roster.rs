//! The open connections of one server: who they are, and who of them was cut.
//!
//! 1. An entry is in the roster before its task is spawned, so that no stop overlooks it.
//! 2. Whoever leaves it without having ended is counted as cut, with what it was doing: an aborted task cannot say so.
//! 3. A connection is counted as cut once, whoever cuts it first; it is open, or counted, at every moment.
//! 4. Nothing of the listener's or the application's is dropped under the lock.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::drive::End;
use crate::peer::Peer;
use crate::served::{Cut, Served};
use crate::shared::{Shared, Stage, Stream, Tally};

pub(crate) struct Roster {
    pub(crate) tally: Arc<Tally>,
    draining: CancellationToken,
    list: Mutex<List>,
    changed: Notify,
}

#[derive(Default)]
struct List {
    next: u64,
    open: HashMap<u64, Arc<Shared>>,
    cut: Vec<Cut>,
}

/// A connection's place in the roster; it leaves with its drop.
pub(crate) struct Entry {
    number: u64,
    roster: Arc<Roster>,
    shared: Arc<Shared>,
    end: Option<End>,
}

impl Roster {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            tally: Arc::default(),
            draining: CancellationToken::new(),
            list: Mutex::default(),
            changed: Notify::new(),
        })
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(self: &Arc<Self>, peer: Peer, stream: Box<dyn Stream>) -> Entry {
        let shared = Shared::new(peer, stream, &self.tally, &self.draining);
        if self.is_draining() {
            shared.tell(Stage::Stop);
        }
        let mut list = self.list();
        list.next += 1;
        let number = list.next;
        list.open.insert(number, Arc::clone(&shared));
        drop(list);
        Entry { number, roster: Arc::clone(self), shared, end: None }
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.list().open.len()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Completes when somebody has left since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn open(&self) -> Vec<Arc<Shared>> {
        self.list().open.values().map(Arc::clone).collect()
    }

    /// Tells everybody how far the stop is.
    pub(crate) fn tell(&self, stage: Stage) {
        if stage >= Stage::Stop {
            self.draining.cancel();
        }
        for shared in self.open() {
            shared.tell(stage);
        }
    }

    /// Cuts whoever is still there. Their sockets are closed when this returns, whatever their tasks do.
    pub(crate) fn cut(&self) {
        let mut list = self.list();
        let open: Vec<_> = list.open.values().map(Arc::clone).collect();
        list.cut.extend(open.iter().filter_map(|shared| shared.cut(shared.doing())));
        drop(list);
        for shared in open {
            shared.tell(Stage::Cut);
            shared.sever();
        }
    }

    /// What came of it, so far.
    pub(crate) fn report(&self, local: &str) -> Served {
        let list = self.list();
        let mut cut = list.cut.clone();
        let left = list.open.values().map(|shared| Cut {
            peer: shared.peer().clone(),
            age: shared.age(),
            doing: shared.doing(),
            requests: shared.requests(),
        });
        let mut left: Vec<Cut> = left.collect();
        drop(list);
        for names in [&mut cut, &mut left] {
            names.sort_by_key(|cut| std::cmp::Reverse(cut.age));
        }
        let tally = &self.tally;
        Served {
            local: local.to_owned(),
            accepted: tally.accepted.load(Ordering::Relaxed),
            requests: tally.requests.load(Ordering::Relaxed),
            accept_failures: tally.accept_failures.load(Ordering::Relaxed),
            slow_heads: tally.slow_heads.load(Ordering::Relaxed),
            idle: tally.idle.load(Ordering::Relaxed),
            stalled: tally.stalled.load(Ordering::Relaxed),
            panics: tally.panics.load(Ordering::Relaxed),
            cut,
            left,
            ..Served::default()
        }
    }
}

impl Entry {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// It has ended like this.
    pub(crate) fn ends(&mut self, end: End) {
        self.end = Some(end);
    }

    /// Says what it was doing, if it has not ended: before what it held is dropped, since then it does nothing.
    pub(crate) fn is_dropped(&mut self) {
        self.end.get_or_insert_with(|| End::Cut(self.shared.doing()));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.is_dropped();
        let mut list = self.roster.list();
        if let Some(End::Cut(doing)) = self.end {
            list.cut.extend(self.shared.cut(doing));
        }
        let gone = list.open.remove(&self.number);
        drop(list);
        drop(gone);
        self.shared.sever();
        self.roster.changed.notify_one();
    }
}
