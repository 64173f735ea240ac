//! The flight recorder: the last events, always at hand, at the cost of a copy.

use super::Event;

/// So many events are kept.
pub(super) const KEPT: usize = 256;

/// A fixed ring. It allocates when it is made, and then never again.
pub(super) struct Record {
    events: Vec<Event>,
    /// Where the next one goes: once the ring is full, the place of the oldest.
    next: usize,
}

impl Record {
    pub(super) fn new() -> Self {
        Self { events: Vec::with_capacity(KEPT), next: 0 }
    }

    /// Keeps an event in the place of the oldest, which is dropped there: moving it out costs more than all the rest.
    #[inline]
    pub(super) fn push(&mut self, event: Event) {
        if let Some(oldest) = self.events.get_mut(self.next) {
            *oldest = event;
            self.next = (self.next + 1) % KEPT;
        } else {
            self.events.push(event);
            // The first place again, once the last one is taken.
            self.next = self.events.len() % KEPT;
        }
    }

    /// What is kept, oldest first.
    pub(super) fn to_vec(&self) -> Vec<Event> {
        let (newer, older) = self.events.split_at(self.next.min(self.events.len()));
        older.iter().chain(newer).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::EventKind;
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn the_last_events_are_kept_in_order_and_nothing_is_allocated_for_them() {
        let mut record = Record::new();
        let at = Clock::Real.now();
        let room = record.events.capacity();
        for number in 1..=3 * KEPT as u64 + 7 {
            record.push(Event { at, number, kind: EventKind::Reloading });
            let kept = record.to_vec();
            let last: Vec<u64> = kept.iter().map(|event| event.number).collect();
            let first = number.saturating_sub(KEPT as u64) + 1;
            assert_eq!(last, (first..=number).collect::<Vec<_>>());
        }
        assert_eq!(record.events.capacity(), room);
    }
}
