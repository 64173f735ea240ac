//! Epochs against a sequential model: two daemons, a few snapshots, transactions and pins that come and go.

use std::collections::HashMap;

use mainstay_sync::snapshot::{Epochs, Open, Pinned, Snapshot, Transaction};
use proptest::prelude::*;

const DAEMONS: usize = 2;
const SNAPSHOTS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    /// Of a snapshot, on behalf of nobody or of a daemon.
    Publish(usize, Option<usize>, Option<u8>),
    Begin(usize),
    /// In a transaction that may have ended.
    Stage(usize, usize, Option<u8>),
    Commit(usize),
    Abort(usize),
    Pin(usize),
    Clone(usize),
    Unpin(usize),
    ReadPinned(usize, usize, bool),
    /// Drops a snapshot and makes a new one.
    Renew(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let value = || proptest::option::weighted(0.85, any::<u8>());
    prop_oneof![
        3 => (0..SNAPSHOTS, proptest::option::of(0..DAEMONS), value())
            .prop_map(|(s, d, v)| Step::Publish(s, d, v)),
        2 => (0..DAEMONS).prop_map(Step::Begin),
        5 => (any::<usize>(), 0..SNAPSHOTS, value()).prop_map(|(t, s, v)| Step::Stage(t, s, v)),
        2 => any::<usize>().prop_map(Step::Commit),
        1 => any::<usize>().prop_map(Step::Abort),
        3 => (0..DAEMONS).prop_map(Step::Pin),
        1 => any::<usize>().prop_map(Step::Clone),
        1 => any::<usize>().prop_map(Step::Unpin),
        6 => (any::<usize>(), 0..SNAPSHOTS, any::<bool>()).prop_map(|(p, s, a)| Step::ReadPinned(p, s, a)),
        1 => (0..SNAPSHOTS).prop_map(Step::Renew),
    ]
}

type Version = (Option<u8>, u64);

/// One snapshot in the model.
#[derive(Clone, Copy, Default)]
struct Modelled {
    /// What no other one has, also when it is gone.
    id: u64,
    now: Version,
    home: Option<usize>,
    /// What it had before it joined.
    before: Version,
}

/// A pin in the model: what its epoch has, and what it has met.
#[derive(Clone)]
struct ModelledPin {
    daemon: usize,
    number: usize,
    epoch: HashMap<u64, Version>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Committed,
    Aborted,
}

struct ModelledOpen {
    daemon: usize,
    staged: HashMap<u64, Option<u8>>,
    phase: Phase,
}

#[derive(Default)]
struct Model {
    epochs: [u64; DAEMONS],
    snapshots: [Modelled; SNAPSHOTS],
    met: HashMap<(usize, u64), Version>,
}

impl Model {
    fn join(&mut self, at: usize, daemon: usize) {
        let snapshot = &mut self.snapshots[at];
        if snapshot.home.is_none() {
            (snapshot.home, snapshot.before) = (Some(daemon), snapshot.now);
        }
    }

    /// Tells whether something has changed.
    fn set(&mut self, at: usize, value: Option<u8>) -> bool {
        let now = &mut self.snapshots[at].now;
        let changes = value.is_some() || now.0.is_some();
        if changes {
            *now = (value, now.1 + 1);
        }
        changes
    }

    fn publish(&mut self, at: usize, daemon: Option<usize>, value: Option<u8>) {
        if let Some(daemon) = daemon {
            self.join(at, daemon);
        }
        if self.set(at, value)
            && let Some(home) = self.snapshots[at].home
        {
            self.epochs[home] += 1;
        }
    }

    /// Gives how many have changed.
    fn commit(&mut self, open: &ModelledOpen) -> usize {
        let staged: Vec<_> =
            (0..SNAPSHOTS).filter_map(|at| Some((at, *open.staged.get(&self.snapshots[at].id)?))).collect();
        let (mut mine, mut changed) = (false, 0);
        for (at, value) in staged {
            self.join(at, open.daemon);
            let home = self.snapshots[at].home;
            if self.set(at, value) {
                changed += 1;
                if home == Some(open.daemon) {
                    mine = true;
                } else if let Some(other) = home {
                    self.epochs[other] += 1;
                }
            }
        }
        self.epochs[open.daemon] += u64::from(mine);
        changed
    }

    fn pinned(&mut self, pin: &ModelledPin, at: usize) -> Version {
        let snapshot = self.snapshots[at];
        if let Some(version) = pin.epoch.get(&snapshot.id) {
            return *version;
        }
        let first = if snapshot.home == Some(pin.daemon) { snapshot.before } else { snapshot.now };
        *self.met.entry((pin.number, snapshot.id)).or_insert(first)
    }
}

fn put(snapshot: &Snapshot<u8>, value: Option<u8>) {
    value.map_or_else(|| snapshot.clear(), |value| snapshot.publish(value));
}

fn read(snapshot: &Snapshot<u8>) -> Option<u8> {
    snapshot.try_load().map(|loaded| *loaded)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn publishes_transactions_and_pins_agree_with_the_model(
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let daemons: [Epochs; DAEMONS] = Default::default();
        let mut snapshots: [Snapshot<u8>; SNAPSHOTS] = std::array::from_fn(|_| Snapshot::empty());
        let mut model = Model::default();
        for (at, snapshot) in model.snapshots.iter_mut().enumerate() {
            snapshot.id = at as u64;
        }
        let (mut ids, mut numbers) = (SNAPSHOTS as u64, 0);
        let mut opens: Vec<(Option<Open>, Transaction, ModelledOpen)> = Vec::new();
        let mut pins: Vec<(Pinned, ModelledPin)> = Vec::new();
        for step in steps {
            match step {
                Step::Publish(at, daemon, value) => {
                    match daemon {
                        Some(daemon) => daemons[daemon].enter("provider", || put(&snapshots[at], value)),
                        None => put(&snapshots[at], value),
                    }
                    model.publish(at, daemon, value);
                }
                Step::Begin(daemon) => {
                    let open = daemons[daemon].begin();
                    let handle = open.handle();
                    let modelled = ModelledOpen { daemon, staged: HashMap::new(), phase: Phase::Open };
                    opens.push((Some(open), handle, modelled));
                }
                Step::Stage(which, at, value) if !opens.is_empty() => {
                    let which = which % opens.len();
                    let (_, handle, modelled) = &mut opens[which];
                    handle.enter(|| put(&snapshots[at], value));
                    match modelled.phase {
                        Phase::Open => drop(modelled.staged.insert(model.snapshots[at].id, value)),
                        Phase::Committed => model.publish(at, Some(modelled.daemon), value),
                        Phase::Aborted => {}
                    }
                }
                Step::Commit(which) if !opens.is_empty() => {
                    let which = which % opens.len();
                    let (open, _, modelled) = &mut opens[which];
                    if let Some(open) = open.take() {
                        // A snapshot that is gone is kept by what is staged of it, and changes in vain.
                        let gone = modelled.staged.iter().filter(|(id, _)| {
                            !model.snapshots.iter().any(|snapshot| snapshot.id == **id)
                        }).count();
                        let epoch = daemons[modelled.daemon].epoch();
                        let published = open.commit().published();
                        let changed = model.commit(modelled);
                        prop_assert!(published >= changed && published <= changed + gone);
                        if gone > 0 {
                            let now = daemons.each_ref().map(Epochs::epoch);
                            prop_assert!(now[modelled.daemon] >= epoch);
                            model.epochs = now;
                        }
                        modelled.phase = Phase::Committed;
                    }
                }
                Step::Abort(which) if !opens.is_empty() => {
                    let which = which % opens.len();
                    let (open, _, modelled) = &mut opens[which];
                    if let Some(open) = open.take() {
                        prop_assert_eq!(open.abort().discarded(), modelled.staged.len());
                        modelled.phase = Phase::Aborted;
                    }
                }
                Step::Pin(daemon) => {
                    let members = model.snapshots.iter().filter(|snapshot| snapshot.home == Some(daemon));
                    let epoch = members.map(|snapshot| (snapshot.id, snapshot.now)).collect();
                    numbers += 1;
                    pins.push((daemons[daemon].pin(), ModelledPin { daemon, number: numbers, epoch }));
                }
                Step::Clone(which) if !pins.is_empty() => {
                    let (pin, modelled) = &pins[which % pins.len()];
                    let clone = (pin.clone(), modelled.clone());
                    pins.push(clone);
                }
                Step::Unpin(which) if !pins.is_empty() => {
                    drop(pins.swap_remove(which % pins.len()));
                }
                Step::ReadPinned(which, at, ambient) if !pins.is_empty() => {
                    let which = which % pins.len();
                    let (pin, modelled) = &pins[which];
                    let (value, version) = model.pinned(modelled, at);
                    let seen = if ambient {
                        pin.enter(|| read(&snapshots[at]))
                    } else {
                        pin.try_load(&snapshots[at]).copied()
                    };
                    prop_assert_eq!((seen, pin.version(&snapshots[at])), (value, version));
                }
                Step::Renew(at) => {
                    snapshots[at] = Snapshot::empty();
                    model.snapshots[at] = Modelled { id: ids, ..Modelled::default() };
                    ids += 1;
                }
                _ => {}
            }
            for (at, snapshot) in snapshots.iter().enumerate() {
                let modelled = model.snapshots[at];
                prop_assert_eq!((read(snapshot), snapshot.version()), modelled.now);
                for (_, handle, open) in &opens {
                    let inside = handle.enter(|| read(snapshot));
                    let staged = open.staged.get(&modelled.id).filter(|_| open.phase == Phase::Open);
                    prop_assert_eq!(inside, staged.copied().unwrap_or(modelled.now.0));
                }
            }
            prop_assert_eq!(daemons.each_ref().map(Epochs::epoch), model.epochs);
        }
    }
}
