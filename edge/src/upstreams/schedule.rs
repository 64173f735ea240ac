//! Whose turn it is: smooth weighted round robin, laid out once for those who take part, and then only counted.
//!
//! The rule is nginx's (`ngx_http_upstream_round_robin`): at each turn everybody gains their weight, the richest has the
//! turn and pays the weights of all. With weights 5, 1 and 1 that is `a a b a c a a`, and then the same again: after as
//! many turns as the weights are together everybody has had exactly their own. nginx keeps these riches under a lock;
//! laid out, a turn is one addition, and needs none.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::tried::Tried;

/// The turns of those who take part.
pub(super) struct Schedule {
    /// Who takes part, as bits.
    pub(super) members: Tried,
    turns: Box<[u8]>,
    next: AtomicUsize,
}

impl Schedule {
    /// Lays out the turns of the `members` among those with these weights.
    pub(super) fn of(weights: &[u32], members: Tried) -> Self {
        let taking: Vec<(u8, i64)> = (0..)
            .zip(weights)
            .filter(|(index, _)| members.has(*index))
            .map(|(index, weight)| (index, (*weight).into()))
            .collect();
        let part = taking.iter().fold(0, |part, (_, weight)| divisor(part, *weight)).max(1);
        let all: i64 = taking.iter().map(|(_, weight)| weight / part).sum();
        let mut riches = vec![0; taking.len()];
        let turns = (0..all).filter_map(|_| {
            riches.iter_mut().zip(&taking).for_each(|(riches, (_, weight))| *riches += weight / part);
            // The first of several that are equally rich.
            let richest = (0..riches.len()).rev().max_by_key(|index| riches[*index])?;
            riches[richest] -= all;
            Some(taking[richest].0)
        });
        Self { members, turns: turns.collect(), next: AtomicUsize::new(0) }
    }

    /// Takes the next turn; the first from there on that was not tried has it.
    pub(super) fn take(&self, tried: Tried) -> Option<u8> {
        let turns = &self.turns;
        // Nothing hangs on the order in which two requests take their turns.
        let next = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(turns.len())?;
        turns[next..].iter().chain(&turns[..next]).copied().find(|index| !tried.has(*index))
    }
}

/// The greatest common one; with nothing it is the other.
fn divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turns(schedule: &Schedule, many: usize) -> Vec<u8> {
        (0..many).map(|_| schedule.take(Tried::NONE).unwrap()).collect()
    }

    #[test]
    fn turns_are_those_of_the_books() {
        let schedule = Schedule::of(&[5, 1, 1], Tried::all(3));
        assert_eq!(turns(&schedule, 8), [0, 0, 1, 0, 2, 0, 0, 0]);
        let schedule = Schedule::of(&[20, 10, 30], Tried::NONE.and(0).and(1));
        assert_eq!(turns(&schedule, 6), [0, 1, 0, 0, 1, 0]);
        assert_eq!(Schedule::of(&[1, 1], Tried::NONE).take(Tried::NONE), None);
    }

    proptest! {
        /// Over as many turns as the weights are together, from wherever one begins to count, everybody has exactly their
        /// own.
        #[test]
        fn weights_are_kept_over_any_cycle(
            weights in prop::collection::vec(1_u32..=20, 1..8),
            from in 0_usize..200,
        ) {
            let schedule = Schedule::of(&weights, Tried::all(weights.len()));
            let part = weights.iter().fold(0, |part, weight| divisor(part, i64::from(*weight)));
            let cycle = usize::try_from(i64::from(weights.iter().sum::<u32>()) / part).unwrap();
            turns(&schedule, from);
            let seen = turns(&schedule, cycle);
            for (index, weight) in (0_u8..).zip(&weights) {
                let its = seen.iter().filter(|turn| **turn == index);
                prop_assert_eq!(its.map(|_| 1).sum::<i64>(), i64::from(*weight) / part);
            }
        }

        /// Equal ones have turns that differ by one at most, over any stretch.
        #[test]
        fn equal_ones_take_turns(many in 1_usize..=64, from in 0_usize..100, stretch in 0_usize..300) {
            let schedule = Schedule::of(&vec![7; many], Tried::all(many));
            turns(&schedule, from);
            let mut count = vec![0_usize; many];
            for turn in turns(&schedule, stretch) {
                count[usize::from(turn)] += 1;
            }
            prop_assert!(count.iter().max().unwrap() - count.iter().min().unwrap() <= 1);
        }
    }
}
