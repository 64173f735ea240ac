//! Who has made what is left: looked up after each hook, when a run is repeated to find that out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::drive::Depth;
use super::place::{Place, descriptors};
use crate::record::{What, Who};

pub(super) struct Owners {
    place: Place,
    depth: Depth,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    there: BTreeSet<String>,
    owner: BTreeMap<String, Who>,
}

impl Owners {
    pub(super) fn new(place: &Place, depth: Depth) -> Arc<Self> {
        let owners = Self { place: place.clone(), depth, known: Mutex::default() };
        owners.look(None);
        Arc::new(owners)
    }

    /// After the end of a hook, what is new is that hook's; before one, it is nobody's that is known.
    pub(super) fn see(&self, what: &What) {
        match what {
            What::Began(_) => self.look(None),
            What::Ended(who, _) | What::Asked(who) | What::TaskReady(who) => self.look(Some(*who)),
            _ => {}
        }
    }

    fn look(&self, who: Option<Who>) {
        if self.depth == Depth::Shallow {
            return;
        }
        let names = self.place.names().into_iter().map(|path| path.display().to_string());
        let there: BTreeSet<String> = names.chain(descriptors()).collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(who) = who {
            let new: Vec<String> = there.difference(&known.there).cloned().collect();
            known.owner.extend(new.into_iter().map(|what| (what, who)));
        }
        known.there = there;
    }

    pub(super) fn of(&self, what: &str) -> Option<Who> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).owner.get(what).copied()
    }
}
