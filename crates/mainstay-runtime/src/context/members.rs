//! The members of one generation: the children that it spawned, and the set of those that it supervises.
//!
//! 1. A member's entry exists before its task is spawned, so that its end always finds it.
//! 2. `alive` counts every supervised child whose task has not ended, listed or not: the generation waits for all.
//! 3. The lock is held for a look at a map, never for a call.

mod names;

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mainstay_registry::{RestartPolicy, Weight};

use self::names::Names;
use super::Generation;
use super::spawned::Spawned;
use super::supervised::{Entry, SuperviseError};
use crate::cell::Seen;
use crate::exit::Exit;

/// So many are asked to stop at a time: what was looked at is still in the cache when it is asked, and when it ends.
const SOME: usize = 256;

/// The place of who is not on the list.
pub(super) const NOWHERE: u32 = u32::MAX;

/// A set below this size is not worth a smaller table.
const SMALL: usize = 64;

#[derive(Default)]
pub(crate) struct Members {
    /// Supervised children that run, or are about to.
    pub(super) active: AtomicUsize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Each knows its place.
    spawned: Vec<Arc<Spawned>>,
    /// About in the order in which they came, which is that of their memory: a hundred thousand are asked, and dropped,
    /// in half the time that the order of a table takes. Each knows its place. There is a gap only where one has left
    /// after the generation was asked to stop.
    listed: Vec<Option<Entry>>,
    /// Their places by their names, until the generation is asked to stop.
    names: Names,
    /// So many of these places were asked.
    asked: usize,
    alive: usize,
    /// The fence was met.
    met: bool,
    limit: Option<usize>,
    /// The one that was used last: most children of a set have the same.
    policy: Option<Arc<RestartPolicy>>,
    /// Asked to stop: nobody is supervised any more who is not yet.
    closed: bool,
    /// How the main future ended.
    main: Option<Exit>,
    over: bool,
}

impl Held {
    /// Comes before the first look at what the generation was told.
    ///
    /// The fence pairs with those of `ask` and `main_ended`: each side writes its own mark first, and here that is that
    /// there are members, then reads the other's. Without it both could miss each other, and a member would be let in
    /// that nobody asks to stop. Who comes later comes by the lock, which `ask` and `main_ended` take then.
    fn meet(&mut self) {
        if !self.met {
            self.met = true;
            fence(Ordering::SeqCst);
        }
    }

    fn entries(&self) -> Vec<Entry> {
        self.listed.iter().flatten().cloned().collect()
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        if self.closed {
            return self.listed.iter().flatten().find(|entry| entry.name() == name);
        }
        let place = self.names.find(name, |place| name_at(&self.listed, place))?;
        self.listed[place as usize].as_ref()
    }

    /// Puts it on the list. False: one of this name is there.
    fn list(&mut self, entry: &Entry) -> bool {
        // Memory ends long before four thousand millions of them.
        let place = u32::try_from(self.listed.len()).unwrap_or(NOWHERE);
        let added = self.names.add(entry.name(), place, |place| name_at(&self.listed, place));
        if added {
            entry.place.store(place, Ordering::Relaxed);
            self.listed.push(Some(entry.clone()));
        }
        added
    }

    /// Takes it off the list, if it is there; gives memory back when most of it is unused.
    fn unlist(&mut self, entry: &Entry) -> Option<Entry> {
        // No exchange: it is under the lock.
        let place = entry.place.load(Ordering::Relaxed);
        entry.place.store(NOWHERE, Ordering::Relaxed);
        let at = place as usize;
        if self.closed {
            return self.listed.get_mut(at).and_then(Option::take);
        }
        let last = self.listed.len().checked_sub(1).filter(|&last| at <= last)?;
        self.names.remove(entry.name(), place, |place| name_at(&self.listed, place));
        let taken = self.listed.swap_remove(at);
        if let Some(Some(moved)) = self.listed.get(at) {
            self.names.moved(moved.name(), moved.place.swap(place, Ordering::Relaxed), place);
        }
        if self.listed.capacity() > SMALL && last < self.listed.capacity() / 4 {
            self.listed.shrink_to(last * 2);
            self.names.shrink_to(last * 2);
        }
        taken
    }

    /// A spawned child is none any more; gives memory back when most of it is unused.
    fn leave(&mut self, child: &Spawned) -> Option<Arc<Spawned>> {
        let place = child.place.swap(NOWHERE, Ordering::Relaxed) as usize;
        let last = self.spawned.len().checked_sub(1).filter(|&last| place <= last)?;
        let taken = self.spawned.swap_remove(place);
        if let Some(moved) = self.spawned.get(place) {
            moved.place.store(u32::try_from(place).unwrap_or(NOWHERE), Ordering::Relaxed);
        }
        if self.spawned.capacity() > SMALL && last < self.spawned.capacity() / 4 {
            self.spawned.shrink_to(last * 2);
        }
        Some(taken)
    }

    /// The main future's end, when this was the last member.
    fn settle(&mut self) -> Option<Exit> {
        if self.over || self.alive > 0 || !self.spawned.is_empty() {
            return None;
        }
        let main = self.main.take()?;
        self.over = true;
        // The first generation of a child lives as long as the child does: it keeps no room for members.
        (self.spawned, self.listed, self.asked) = (Vec::default(), Vec::default(), 0);
        Some(main)
    }
}

/// Before the generation is asked to stop, there is no gap.
fn name_at(listed: &[Option<Entry>], place: u32) -> &str {
    listed.get(place as usize).and_then(Option::as_ref).map_or("", |entry| entry.name())
}

impl Members {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a spawned child in. False: the generation is over, or its main future has just ended.
    pub(super) fn let_in(&self, generation: &Generation, child: &Arc<Spawned>) -> bool {
        let mut held = self.held();
        held.meet();
        // A main future that ended before it has seen these members has reported the generation as over.
        let late = held.over || (generation.has_ended() && held.main.is_none());
        if !late {
            child.place.store(u32::try_from(held.spawned.len()).unwrap_or(NOWHERE), Ordering::Relaxed);
            held.spawned.push(Arc::clone(child));
        }
        !late
    }

    /// Lists a supervised child of this generation.
    pub(super) fn supervise(
        &self,
        generation: &Arc<Generation>,
        name: Cow<'static, str>,
        policy: RestartPolicy,
    ) -> Result<Entry, SuperviseError> {
        let mut held = self.held();
        held.meet();
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
        let entry = Entry::new(generation, name, policy);
        if !held.list(&entry) {
            return Err(SuperviseError::NameInUse { name: entry.name().to_owned() });
        }
        held.alive += 1;
        self.active.fetch_add(1, Ordering::Relaxed);
        Ok(entry)
    }

    pub(super) fn find(&self, name: &str) -> Option<Entry> {
        self.held().find(name).cloned()
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

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.held().entries()
    }

    pub(super) fn all(&self) -> (Vec<Arc<Spawned>>, Vec<Entry>) {
        let held = self.held();
        (held.spawned.clone(), held.entries())
    }

    /// Nobody is supervised any more who is not yet; those who are are to be asked.
    pub(super) fn close(&self) {
        let mut held = self.held();
        held.closed = true;
        held.names.clear();
    }

    /// Asks the next of those that end to stop. The generation that they belong to, while there are more.
    pub(super) fn ask_some(&self) -> Option<Arc<Generation>> {
        let (some, more) = {
            let mut held = self.held();
            let from = held.asked;
            let to = (from + SOME).min(held.listed.len());
            held.asked = to;
            let mut some = Vec::with_capacity(to - from);
            some.extend(held.listed[from..to].iter().flatten().cloned());
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
    pub(super) fn child_left(&self, child: &Spawned) -> Option<Exit> {
        let mut held = self.held();
        let taken = held.leave(child);
        let main = held.settle();
        drop(held);
        drop(taken);
        main
    }

    /// A supervised child was removed: its name is free.
    pub(super) fn unlist(&self, entry: &Entry) {
        let mut held = self.held();
        let taken = held.unlist(entry);
        drop(held);
        drop(taken);
    }

    /// The task of a supervised child ended. The main future's end, when it was the last one.
    pub(super) fn entry_left(&self, entry: &Entry) -> Option<Exit> {
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
        let (spawned, entries) = self.all();
        let spawned = spawned.iter().filter_map(|child| child.polling(now)).max();
        entries.iter().filter_map(|entry| entry.polling(now)).max().max(spawned)
    }

    /// That member: its path, and what is seen of it.
    pub(super) fn busiest(&self, now: Instant) -> Option<(String, Seen)> {
        let (spawned, entries) = {
            let held = self.held();
            let spawned = held.spawned.iter().max_by_key(|child| child.polling(now));
            let spawned = spawned.map(|child| (child.name().to_owned(), child.seen(now)));
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
    fn who_is_listed_is_found_by_name_whoever_left() {
        let (home, policy) = (Generation::detached(), Arc::new(RestartPolicy::never()));
        let mut held = Held::default();
        let entry = |name: String| Entry::new(&home, name.into(), Arc::clone(&policy));
        let entries: Vec<_> = (0..200).map(|number| entry(number.to_string())).collect();
        for listed in &entries {
            assert!(held.list(listed));
            assert!(!held.list(&entry(listed.name().to_owned())), "the name is in use");
        }
        for (number, entry) in entries.iter().enumerate().filter(|(number, _)| number % 10 != 3) {
            assert!(held.unlist(entry).is_some_and(|taken| taken.is(entry)), "{number}");
            assert!(held.unlist(entry).is_none(), "{number} has left already");
        }
        for (number, entry) in entries.iter().enumerate() {
            let found = held.find(entry.name()).is_some_and(|found| found.is(entry));
            assert_eq!(found, number % 10 == 3, "{number}");
        }
        assert_eq!(held.listed.len(), 20);
        assert!(held.listed.capacity() < 100, "memory is given back");
    }
}
