//! What each thread has pinned last: a pin of the same epoch takes its share without a look at the table.
//!
//! Only a weak hold, so that a thread that is idle keeps no epoch alive. What was pinned last is good for as
//! long as the number of the epoch is not raised, which a writer does *before* it replaces the table: who
//! reads the old number has seen nothing newer. What is kept here takes its number from the table, never from
//! there.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use super::core::Core;
use super::shim::per_thread;
use super::table::Held;
use crate::sync::atomic::Ordering;

struct Recent {
    core: u64,
    epoch: u64,
    stripe: Weak<Held>,
}

per_thread! {
    static RECENT: RefCell<Recent> = RefCell::new(Recent { core: 0, epoch: 0, stripe: Weak::new() });
}

/// This thread's share in the current epoch.
#[inline]
pub(super) fn stripe(core: &Core) -> Arc<Held> {
    // Acquire, of the release that comes before the new table.
    let epoch = core.upcoming.load(Ordering::Acquire);
    let recent = RECENT.try_with(|recent| {
        let recent = recent.borrow();
        (recent.core == core.id && recent.epoch == epoch).then(|| recent.stripe.upgrade()).flatten()
    });
    match recent {
        Ok(Some(stripe)) => stripe,
        _ => new(core),
    }
}

#[cold]
fn new(core: &Core) -> Arc<Held> {
    let stripe = Arc::clone(core.current.load().stripe());
    let recent = Recent { core: core.id, epoch: stripe.epoch, stripe: Arc::downgrade(&stripe) };
    // A thread that ends has none. What was there is only a weak hold: nothing of a user's is dropped with
    // it.
    let _ = RECENT.try_with(|cell| cell.replace(recent));
    stripe
}
