//! What a pin has met of snapshots that do not belong to its daemon: the value of the first read, for each.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use super::table::Held;
use crate::sync::{Mutex, lock};

/// The first reads of one pin and all its clones, as a list that only grows: what was found is borrowed.
pub(super) struct Memo {
    pin: u64,
    /// The stripe of the pin, where this memo is listed.
    stripe: Arc<Held>,
    first: OnceLock<Box<Met>>,
}

struct Met {
    id: u64,
    held: Arc<Held>,
    next: OnceLock<Box<Met>>,
}

/// The memos of the pins of one stripe. A pin has none until it meets a foreign snapshot; its clones and the
/// scopes that it is ambient in find it here by the pin's number, so that a pin costs nothing for it.
#[derive(Default)]
pub(super) struct Memos {
    listed: Mutex<HashMap<u64, Weak<Memo>>>,
}

impl Memo {
    /// The memo of the pin with this number.
    pub(super) fn of(pin: u64, stripe: &Arc<Held>) -> Arc<Self> {
        let mut listed = lock(&stripe.memos().listed);
        if let Some(memo) = listed.get(&pin).and_then(Weak::upgrade) {
            return memo;
        }
        let memo = Arc::new(Self { pin, stripe: Arc::clone(stripe), first: OnceLock::new() });
        listed.insert(pin, Arc::downgrade(&memo));
        memo
    }

    /// What was read of the snapshot `id` first; if nothing was, what `read` gives now. The table is one of
    /// one value.
    pub(super) fn first(&self, id: u64, read: impl Fn() -> Arc<Held>) -> &Arc<Held> {
        let mut at = &self.first;
        let mut mine = None;
        loop {
            match at.get() {
                Some(met) if met.id == id => return &met.held,
                Some(met) => at = &met.next,
                None => {
                    let met = mine
                        .take()
                        .unwrap_or_else(|| Box::new(Met { id, held: read(), next: OnceLock::new() }));
                    // Another thread may have been here in between. Then the next turn looks at what it
                    // wrote.
                    mine = at.set(met).err();
                }
            }
        }
    }
}

/// Leaves the list of its stripe, and goes entry by entry, not by a recursion as deep as the list.
impl Drop for Memo {
    fn drop(&mut self) {
        lock(&self.stripe.memos().listed).remove(&self.pin);
        let mut next = self.first.take();
        while let Some(mut met) = next {
            next = met.next.take();
        }
    }
}
