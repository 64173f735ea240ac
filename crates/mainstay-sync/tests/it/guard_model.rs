//! A group of guards against a model that is a number and a flag per wait.

use std::task::Poll;

use mainstay_sync::guard::{Guard, GuardGroup, WaitEmpty};
use proptest::prelude::*;

use crate::support::Polled;

#[derive(Clone, Debug)]
enum Step {
    Guard,
    Drop(usize),
    Wait,
    Poll(usize),
    Forget(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Guard),
        4 => any::<usize>().prop_map(Step::Drop),
        2 => Just(Step::Wait),
        4 => any::<usize>().prop_map(Step::Poll),
        1 => any::<usize>().prop_map(Step::Forget),
    ]
}

/// A wait, and what the model knows of it.
struct Waiting<'a> {
    real: Polled<WaitEmpty<'a>>,
    was_empty: bool,
    is_registered: bool,
}

proptest! {
    #[test]
    fn a_wait_ends_exactly_when_the_group_was_empty_since_it_began(
        steps in proptest::collection::vec(step(), 1..80)
    ) {
        let group = GuardGroup::new();
        let mut guards: Vec<Guard> = Vec::new();
        let mut waits: Vec<Waiting<'_>> = Vec::new();
        for step in steps {
            match step {
                Step::Guard => guards.push(group.guard()),
                Step::Drop(which) if !guards.is_empty() => {
                    drop(guards.swap_remove(which % guards.len()));
                    if guards.is_empty() {
                        for wait in &mut waits {
                            wait.was_empty = true;
                            prop_assert!(wait.real.woken() || !wait.is_registered, "a wake-up is missing");
                        }
                    }
                }
                Step::Wait => waits.push(Waiting {
                    real: Polled::new(group.wait_empty()),
                    was_empty: guards.is_empty(),
                    is_registered: false,
                }),
                Step::Poll(which) if !waits.is_empty() => {
                    let which = which % waits.len();
                    let wait = &mut waits[which];
                    let expected = if wait.was_empty { Poll::Ready(()) } else { Poll::Pending };
                    prop_assert_eq!(wait.real.poll(), expected);
                    wait.is_registered = true;
                    if wait.was_empty {
                        waits.swap_remove(which);
                    }
                }
                Step::Forget(which) if !waits.is_empty() => {
                    waits.swap_remove(which % waits.len());
                }
                Step::Drop(_) | Step::Poll(_) | Step::Forget(_) => {}
            }
            prop_assert_eq!(group.count(), guards.len());
        }
    }
}
