//! Asks a large set of members to stop, a part at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Generation;
use crate::context::members::Members;
use crate::context::{Alarm, Host, Ring};

/// So long may a task of the runtime take to ask some of the members to stop.
const PATIENCE: Duration = Duration::from_millis(10);

impl Generation {
    /// From a task of the runtime, where each is woken at half the cost, and ends while it is in the cache. The
    /// supervisor takes over when that does not get on, as when all workers are blocked.
    pub(super) fn ask_the_others(self: Arc<Self>) {
        let Some(host) = self.host().cloned() else { return };
        self.look_after_the_asking(&host);
        host.handle().spawn(async move {
            while self.members().and_then(Members::ask_some).is_some() {
                tokio::task::yield_now().await;
            }
        });
    }

    fn look_after_the_asking(self: &Arc<Self>, host: &Arc<dyn Host>) {
        let asked = self.members().map_or(0, Members::asked);
        let who: Arc<dyn Alarm> = Arc::<Self>::clone(self);
        host.alarm(self.root().now() + PATIENCE, Ring::Asking.key(asked as u64), Arc::downgrade(&who));
    }

    /// Looks whether those that end were asked, and some more since the last look.
    fn asks_on(self: Arc<Self>, before: u64) {
        let (Some(host), Some(members)) = (self.host(), self.members()) else { return };
        let host = Arc::clone(host);
        if members.all_were_asked() {
            return;
        }
        if members.asked() as u64 != before {
            self.look_after_the_asking(&host);
            return;
        }
        // Who waits may be a task of any executor, and this is the supervision thread.
        host.call(Box::new(move || while self.members().and_then(Members::ask_some).is_some() {}));
    }
}

impl Alarm for Generation {
    fn rings(self: Arc<Self>, key: u64, now: Instant) {
        match Ring::of(key) {
            (Ring::Asking, before) => self.asks_on(before),
            (ring, number) => {
                if let Some(entry) = self.entry() {
                    entry.rings(ring, number, now);
                }
            }
        }
    }
}
