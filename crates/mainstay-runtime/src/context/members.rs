//! The members of one generation: the children that it spawned, and the set of those that it supervises.
//!
//! 1. A member's entry exists before its task is spawned, so that its end always finds it.
//! 2. `alive` counts every supervised child whose task has not ended, listed or not: the generation waits for all.
//! 3. The lock is held for a look at a map, never for a call.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mainstay_registry::{RestartPolicy, Weight};

use super::Generation;
use super::supervised::{Entry, SuperviseError};
use crate::cell::{Cell, Seen};
use crate::exit::Exit;

/// So many are asked to stop at a time: what was looked at is still in the cache when it is asked, and when it ends.
const SOME: usize = 256;

/// A set below this size is not worth a smaller table.
const SMALL: usize = 64;

#[derive(Default)]
pub(crate) struct Members {
    /// Supervised children that run, or are about to.
    pub(super) active: AtomicUsize,
    next: AtomicU64,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    spawned: HashMap<u64, (Cow<'static, str>, Arc<Cell>)>,
    /// About in the order in which they came, which is that of their memory: a hundred thousand are asked, and dropped,
    /// in half the time that the order of a table takes. Each knows its place. There is a gap only where one has left
    /// after the generation was asked to stop.
    listed: Vec<Option<Arc<Entry>>>,
    /// Their places by the hash of their names, until the generation is asked to stop. No two have one hash.
    places: HashMap<u64, usize, BuildHasherDefault<Known>>,
    /// `SipHash`, with keys of its own: names may come from outside. It costs some 20 ns of an add or a remove.
    hasher: RandomState,
    /// So many of these places were asked.
    asked: usize,
    alive: usize,
    limit: Option<usize>,
    /// The one that was used last: most children of a set have the same.
    policy: Option<Arc<RestartPolicy>>,
    seed: u64,
    /// Asked to stop: nobody is supervised any more who is not yet.
    closed: bool,
    /// How the main future ended.
    main: Option<Exit>,
    over: bool,
}

impl Held {
    fn entries(&self) -> Vec<Arc<Entry>> {
        self.listed.iter().flatten().map(Arc::clone).collect()
    }

    fn find(&self, name: &str) -> Option<&Arc<Entry>> {
        if self.closed {
            return self.listed.iter().flatten().find(|entry| entry.name() == name);
        }
        let place = *self.places.get(&self.hasher.hash_one(name))?;
        self.listed[place].as_ref().filter(|entry| entry.name() == name)
    }

    /// Puts it on the list. False: one of this name is there.
    fn list(&mut self, entry: &Arc<Entry>) -> bool {
        loop {
            match self.places.entry(self.hasher.hash_one(entry.name())) {
                Slot::Vacant(slot) => {
                    slot.insert(self.listed.len());
                    entry.place.store(self.listed.len(), Ordering::Relaxed);
                    self.listed.push(Some(Arc::clone(entry)));
                    return true;
                }
                Slot::Occupied(slot) => {
                    let other = &self.listed[*slot.get()];
                    if other.as_ref().is_some_and(|other| other.name() == entry.name()) {
                        return false;
                    }
                }
            }
            // Two names with one hash, once in as many sets as nobody will make: all get another one.
            self.hash_anew();
        }
    }

    fn hash_anew(&mut self) {
        loop {
            self.hasher = RandomState::new();
            self.places.clear();
            for (place, entry) in self.listed.iter().enumerate() {
                let name = entry.as_ref().map_or("", |entry| entry.name());
                self.places.insert(self.hasher.hash_one(name), place);
            }
            if self.places.len() == self.listed.len() {
                return;
            }
        }
    }

    /// Takes it off the list, if it is there; gives memory back when most of it is unused.
    fn unlist(&mut self, entry: &Entry) -> Option<Arc<Entry>> {
        let place = entry.place.swap(usize::MAX, Ordering::Relaxed);
        if self.closed {
            return self.listed.get_mut(place).and_then(Option::take);
        }
        if place >= self.listed.len() {
            return None;
        }
        self.places.remove(&self.hasher.hash_one(entry.name()));
        let taken = self.listed.swap_remove(place);
        if let Some(Some(moved)) = self.listed.get(place) {
            moved.place.store(place, Ordering::Relaxed);
            self.places.insert(self.hasher.hash_one(moved.name()), place);
        }
        let len = self.listed.len();
        if self.listed.capacity() > SMALL && len < self.listed.capacity() / 4 {
            self.listed.shrink_to(len * 2);
            self.places.shrink_to(len * 2);
        }
        taken
    }

    /// The main future's end, when this was the last member.
    fn settle(&mut self) -> Option<Exit> {
        if self.over || self.alive > 0 || !self.spawned.is_empty() {
            return None;
        }
        let main = self.main.clone()?;
        self.over = true;
        Some(main)
    }
}

/// Hashes what is a hash.
#[derive(Default)]
struct Known(u64);

impl Hasher for Known {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {}
}

impl Members {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Lets a spawned child in. False: the generation is over, or its main future has just ended.
    pub(super) fn let_in(
        &self,
        generation: &Generation,
        number: u64,
        name: Cow<'static, str>,
        cell: &Arc<Cell>,
    ) -> bool {
        let mut held = self.held();
        // A main future that ended before it has seen these members has reported the generation as over.
        let late = held.over || (generation.has_ended() && held.main.is_none());
        if !late {
            held.spawned.insert(number, (name, Arc::clone(cell)));
        }
        !late
    }

    /// Lists a supervised child of this generation.
    pub(super) fn supervise(
        &self,
        generation: &Arc<Generation>,
        name: Cow<'static, str>,
        policy: RestartPolicy,
    ) -> Result<Arc<Entry>, SuperviseError> {
        let mut held = self.held();
        if held.closed || generation.is_asked() || generation.has_ended() {
            return Err(SuperviseError::Closed);
        }
        if held.limit.is_some_and(|limit| held.listed.len() >= limit) {
            let limit = held.limit.unwrap_or_default();
            return Err(if held.find(&name).is_some() {
                SuperviseError::NameInUse { name: name.into_owned() }
            } else {
                SuperviseError::Full { limit }
            });
        }
        let policy = match &held.policy {
            Some(same) if **same == policy => Arc::clone(same),
            _ => {
                let policy = checked(policy)?;
                held.policy = Some(Arc::clone(&policy));
                policy
            }
        };
        if held.seed == 0 {
            // Of each set another one, so that two daemons that lose one broker do not come back together.
            held.seed = held.hasher.hash_one(0u8);
        }
        held.seed = held.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let entry = Entry::new(generation, name, policy, held.seed);
        if !held.list(&entry) {
            return Err(SuperviseError::NameInUse { name: entry.name().to_owned() });
        }
        held.alive += 1;
        self.active.fetch_add(1, Ordering::Relaxed);
        Ok(entry)
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<Entry>> {
        self.held().find(name).map(Arc::clone)
    }

    pub(super) fn limit(&self, limit: usize) {
        self.held().limit = Some(limit);
    }

    /// How many are active, and how many there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        let held = self.held();
        if held.closed {
            return (held.alive, held.alive);
        }
        (self.active.load(Ordering::Relaxed), held.listed.len())
    }

    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        self.held().entries()
    }

    pub(super) fn all(&self) -> (Vec<Arc<Cell>>, Vec<Arc<Entry>>) {
        let held = self.held();
        (held.spawned.values().map(|(_, cell)| Arc::clone(cell)).collect(), held.entries())
    }

    /// Nobody is supervised any more who is not yet; those who are are to be asked.
    pub(super) fn close(&self) {
        let mut held = self.held();
        held.closed = true;
        held.places = HashMap::default();
    }

    /// Asks the next of those that end to stop. The generation that they belong to, while there are more.
    pub(super) fn ask_some(&self) -> Option<Arc<Generation>> {
        let (some, more) = {
            let mut held = self.held();
            let from = held.asked;
            let to = (from + SOME).min(held.listed.len());
            held.asked = to;
            let mut some = Vec::with_capacity(to - from);
            some.extend(held.listed[from..to].iter().flatten().map(Arc::clone));
            let more = held.listed[to..].iter().flatten().next().map(|entry| Arc::clone(entry.home()));
            if more.is_none() {
                held.asked = held.listed.len();
            }
            (some, more)
        };
        for entry in some {
            entry.close();
        }
        more
    }

    /// How many of those that end were asked.
    pub(super) fn asked(&self) -> usize {
        self.held().asked
    }

    pub(super) fn all_were_asked(&self) -> bool {
        let held = self.held();
        held.asked == held.listed.len()
    }

    /// The main future ended. True: nobody is left.
    pub(super) fn main_ended(&self, exit: &Exit) -> bool {
        let mut held = self.held();
        held.main = Some(exit.clone());
        held.settle().is_some()
    }

    /// A spawned child left. The main future's end, when it was the last one.
    pub(super) fn child_left(&self, number: u64) -> Option<Exit> {
        let mut held = self.held();
        let cell = held.spawned.remove(&number);
        let main = held.settle();
        drop(held);
        drop(cell);
        main
    }

    /// A supervised child was removed: its name is free.
    pub(super) fn unlist(&self, entry: &Arc<Entry>) {
        let mut held = self.held();
        let taken = held.unlist(entry);
        drop(held);
        drop(taken);
    }

    /// The task of a supervised child ended. The main future's end, when it was the last one.
    pub(super) fn entry_left(&self, entry: &Arc<Entry>) -> Option<Exit> {
        let mut held = self.held();
        held.alive -= 1;
        let taken = held.unlist(entry);
        let main = held.settle();
        drop(held);
        drop(taken);
        main
    }

    /// For how long a member has been inside of one poll: the one that has been for the longest.
    pub(super) fn polling(&self, now: Instant) -> Option<Duration> {
        let (cells, entries) = self.all();
        let spawned = cells.iter().filter_map(|cell| cell.polling(now)).max();
        entries.iter().filter_map(|entry| entry.polling(now)).max().max(spawned)
    }

    /// That member: its path, and what is seen of it.
    pub(super) fn busiest(&self, now: Instant) -> Option<(String, Seen)> {
        let (spawned, entries) = {
            let held = self.held();
            let spawned = held.spawned.values().max_by_key(|(_, cell)| cell.polling(now));
            let spawned = spawned.map(|(name, cell)| (name.clone().into_owned(), cell.seen(now)));
            (spawned, held.entries())
        };
        // Looked for first, and described then: there may be a hundred thousand.
        let entry = entries.iter().filter(|entry| entry.is_running());
        let entry = entry.max_by_key(|entry| entry.polling(now));
        let supervised = entry.and_then(|entry| entry.busiest(now));
        spawned.into_iter().chain(supervised).max_by_key(|(_, seen)| seen.polling)
    }
}

fn checked(policy: RestartPolicy) -> Result<Arc<RestartPolicy>, SuperviseError> {
    let fault = policy.faults().into_iter().find(|fault| fault.weight == Weight::Error);
    match fault {
        Some(fault) => Err(SuperviseError::Policy { field: fault.field, text: fault.text }),
        None => Ok(Arc::new(policy)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_listed_is_found_by_name_whoever_left_and_however_it_is_hashed() {
        let (home, policy) = (Generation::detached(), Arc::new(RestartPolicy::never()));
        let mut held = Held::default();
        let entry = |name: String| Entry::new(&home, name.into(), Arc::clone(&policy), 1);
        let entries: Vec<_> = (0..200).map(|number| entry(number.to_string())).collect();
        for listed in &entries {
            assert!(held.list(listed));
            assert!(!held.list(&entry(listed.name().to_owned())), "the name is in use");
        }
        held.hash_anew();
        for (number, entry) in entries.iter().enumerate().filter(|(number, _)| number % 10 != 3) {
            assert!(held.unlist(entry).is_some_and(|taken| Arc::ptr_eq(&taken, entry)), "{number}");
            assert!(held.unlist(entry).is_none(), "{number} has left already");
        }
        for (number, entry) in entries.iter().enumerate() {
            let found = held.find(entry.name()).is_some_and(|found| Arc::ptr_eq(found, entry));
            assert_eq!(found, number % 10 == 3, "{number}");
        }
        assert_eq!((held.listed.len(), held.places.len()), (20, 20));
        assert!(held.listed.capacity() < 100, "memory is given back");
    }
}
