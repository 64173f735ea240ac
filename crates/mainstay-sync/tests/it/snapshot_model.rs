//! A snapshot against a model that is an option and a number.

use std::task::Poll;

use mainstay_sync::snapshot::{Changed, Loaded, Snapshot};
use proptest::prelude::*;

use crate::support::Polled;

#[derive(Clone, Debug)]
enum Step {
    Publish(u8),
    Clear,
    Load,
    Read,
    Change,
    Poll(usize),
    Forget(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<u8>().prop_map(Step::Publish),
        1 => Just(Step::Clear),
        2 => Just(Step::Load),
        2 => Just(Step::Read),
        2 => Just(Step::Change),
        3 => any::<usize>().prop_map(Step::Poll),
        1 => any::<usize>().prop_map(Step::Forget),
    ]
}

proptest! {
    #[test]
    fn loads_versions_readers_and_waits_agree_with_the_model(
        first in proptest::option::of(any::<u8>()),
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let snapshot = first.map_or_else(Snapshot::empty, Snapshot::new);
        let mut reader = snapshot.reader();
        let (mut value, mut version) = (first, 0);
        let mut held: Vec<(Loaded<u8>, u8, u64)> = Vec::new();
        let mut waits: Vec<(Polled<Changed<'_>>, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Publish(new) => {
                    snapshot.publish(new);
                    (value, version) = (Some(new), version + 1);
                }
                Step::Clear => {
                    snapshot.clear();
                    version += u64::from(value.is_some());
                    value = None;
                }
                Step::Load => {
                    let loaded = snapshot.try_load();
                    prop_assert_eq!(loaded.as_deref().copied(), value);
                    held.extend(loaded.zip(value).map(|(loaded, value)| (loaded, value, version)));
                }
                Step::Read => prop_assert_eq!(reader.try_load().copied(), value),
                Step::Change => waits.push((Polled::new(snapshot.changed()), version)),
                Step::Poll(which) if !waits.is_empty() => {
                    let which = which % waits.len();
                    let (wait, since) = &mut waits[which];
                    let expected = if version > *since { Poll::Ready(version) } else { Poll::Pending };
                    prop_assert_eq!(wait.poll(), expected);
                    if expected.is_ready() {
                        waits.swap_remove(which);
                    }
                }
                Step::Forget(which) if !waits.is_empty() => {
                    waits.swap_remove(which % waits.len());
                }
                Step::Poll(_) | Step::Forget(_) => {}
            }
            prop_assert_eq!(snapshot.version(), version);
            for (loaded, value, version) in &held {
                prop_assert_eq!((**loaded, loaded.version()), (*value, *version));
            }
        }
    }
}
