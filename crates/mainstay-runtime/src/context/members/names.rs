//! Which place in a list a name has, in nine bytes for each.
//!
//! A key is half of the hash of a name. Two names with one key come twice in a hundred thousand: the later one has the
//! next key that is free, and moves up when the earlier one leaves, as in any table with linear probing.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// The places of names, by so many bits of their hashes. Who has the list says which name is at a place.
#[derive(Default)]
pub(super) struct Names<const BITS: u32 = 32> {
    places: HashMap<u32, u32, BuildHasherDefault<Known>>,
    /// `SipHash`, with keys of its own: names may come from outside. It costs some 20 ns of an add or a remove.
    hasher: RandomState,
}

impl<const BITS: u32> Names<BITS> {
    fn key(&self, name: &str) -> u32 {
        u32::try_from(self.hasher.hash_one(name) >> (u64::BITS - BITS)).unwrap_or(u32::MAX)
    }

    pub(super) fn find<'a>(&self, name: &str, at: impl Fn(u32) -> &'a str) -> Option<u32> {
        let mut key = self.key(name);
        loop {
            let place = *self.places.get(&key)?;
            if at(place) == name {
                return Some(place);
            }
            key = key.wrapping_add(1);
        }
    }

    /// Gives a name its place. False: it has one.
    pub(super) fn add<'a>(&mut self, name: &str, place: u32, at: impl Fn(u32) -> &'a str) -> bool {
        let mut key = self.key(name);
        loop {
            match self.places.entry(key) {
                Slot::Vacant(slot) => {
                    slot.insert(place);
                    return true;
                }
                Slot::Occupied(slot) if at(*slot.get()) == name => return false,
                Slot::Occupied(_) => key = key.wrapping_add(1),
            }
        }
    }

    /// Takes the place of a name away, while the list still has it.
    pub(super) fn remove<'a>(&mut self, name: &str, place: u32, at: impl Fn(u32) -> &'a str) {
        let Some(mut key) = self.key_of(name, place) else { return };
        self.places.remove(&key);
        loop {
            key = key.wrapping_add(1);
            let Some(next) = self.places.remove(&key) else { return };
            self.add(at(next), next, &at);
        }
    }

    /// A name has moved in the list.
    pub(super) fn moved(&mut self, name: &str, from: u32, to: u32) {
        if let Some(key) = self.key_of(name, from) {
            self.places.insert(key, to);
        }
    }

    fn key_of(&self, name: &str, place: u32) -> Option<u32> {
        let mut key = self.key(name);
        while *self.places.get(&key)? != place {
            key = key.wrapping_add(1);
        }
        Some(key)
    }

    pub(super) fn clear(&mut self) {
        self.places = HashMap::default();
    }

    pub(super) fn shrink_to(&mut self, len: usize) {
        self.places.shrink_to(len);
    }
}

/// Hashes what is half of a hash: the table looks at both ends of it.
#[derive(Default)]
struct Known(u64);

impl Hasher for Known {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u32(&mut self, key: u32) {
        self.0 = u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write(&mut self, _: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// With eight keys for fifty names nearly all of them have another one's.
        #[test]
        fn a_name_is_found_at_its_place_whoever_came_and_left(
            steps in proptest::collection::vec((any::<bool>(), 0u32..50), 0..200),
        ) {
            let mut names = Names::<3>::default();
            let mut list: Vec<String> = Vec::new();
            for (comes, name) in steps {
                let name = name.to_string();
                let at = |place: u32| list[place as usize].as_str();
                let place = list.iter().position(|other| *other == name);
                let place = place.map(|place| u32::try_from(place).unwrap());
                prop_assert_eq!(names.find(&name, at), place);
                let end = u32::try_from(list.len()).unwrap();
                match place {
                    _ if comes => {
                        prop_assert_eq!(names.add(&name, end, at), place.is_none());
                        if place.is_none() {
                            list.push(name);
                        }
                    }
                    Some(place) => {
                        names.remove(&name, place, at);
                        list.swap_remove(place as usize);
                        if let Some(moved) = list.get(place as usize) {
                            names.moved(moved, end - 1, place);
                        }
                    }
                    None => {}
                }
                prop_assert_eq!(names.places.len(), list.len());
            }
            for (place, name) in list.iter().enumerate() {
                let found = names.find(name, |place| list[place as usize].as_str());
                prop_assert_eq!(found.map(|place| place as usize), Some(place));
            }
        }
    }
}
