//! What a pin finds of snapshots that joined the daemon after it was taken.
//!
//! A list that grows at its end and is held at its middle: every table holds the node that was last when it
//! was made. A join writes the value from before it into that node and adds an empty one, which the next
//! tables hold. So an old pin walks forward to the value that it ought to read, and a node goes with the last
//! table older than its join.

use std::sync::{Arc, OnceLock};

use super::table::Held;

/// One place in the list; empty until something joins.
#[derive(Default)]
pub(super) struct Joins {
    next: OnceLock<Joined>,
}

struct Joined {
    id: u64,
    before: Arc<Held>,
    then: Arc<Joins>,
}

impl Joins {
    /// Notes that the snapshot `id` joins, and what it was before; gives the node for tables that have a slot
    /// for it.
    ///
    /// Only for whoever has the writer's turn, and only at the end of the list.
    pub(super) fn note(&self, id: u64, before: Arc<Held>) -> Arc<Self> {
        let then = Arc::new(Self::default());
        let noted = self.next.set(Joined { id, before, then: Arc::clone(&then) });
        assert!(noted.is_ok(), "only the last node is written");
        then
    }

    /// The value that the snapshot `id` had before it joined, if it joined later than this.
    pub(super) fn find(&self, id: u64) -> Option<&Arc<Held>> {
        let mut at = self.next.get();
        while let Some(joined) = at {
            if joined.id == id {
                return Some(&joined.before);
            }
            at = joined.then.next.get();
        }
        None
    }
}

/// A long list goes node by node, not by a recursion as deep as the list.
impl Drop for Joins {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(joined) = next {
            let Joined { before, then, .. } = joined;
            next = Arc::into_inner(then).and_then(|mut node| node.next.take());
            drop(before);
        }
    }
}
