//! From a type to its entry, without a lock: tables of `OnceLock`, the current one named by one atomic.

use std::{
    any::{Any, TypeId},
    array,
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The first table has this many slots, each further one twice as many as the one before.
const FIRST: usize = 32;
const TABLES: usize = 28;

/// The number of a table is below this, so that with it no table has that number: a look-up that asks the bounds of
/// `tables`, as each must, has asked at the same time whether it is observed.
const WATCHED: usize = 1 << 8;
const _: () = assert!(WATCHED >= TABLES);

type Table = Box<[OnceLock<Slot>]>;
type Value = Arc<dyn Any + Send + Sync>;

struct Slot {
    key: TypeId,
    value: Value,
    entry: usize,
}

/// Invariants: 1. only the holder of the store's lock adds; 2. a table is full of copies of its predecessor
/// before it is named current, so that a reader of either finds what was there before; 3. at most half of a
/// table is filled, so that a probe ends at an empty slot; 4. a slot is filled once, so that what a reader
/// borrows stays; 5. once there is an observer, `current` has the bit `WATCHED` for good. Replaced tables stay until
/// the registry goes: together they are as big as the current one.
pub(crate) struct Index {
    tables: [OnceLock<Table>; TABLES],
    current: AtomicUsize,
    filled: AtomicUsize,
}

impl Index {
    pub(crate) fn new() -> Self {
        Index {
            tables: array::from_fn(|_| OnceLock::new()),
            current: AtomicUsize::new(0),
            filled: AtomicUsize::new(0),
        }
    }

    /// Borrows the value of a type, unless somebody wants to know of it.
    #[inline]
    pub(crate) fn get(&self, key: TypeId) -> Unobserved<Option<&Value>> {
        let Some(table) = self.tables.get(self.current()) else { return Unobserved::Watched };
        Unobserved::Is(table.get().and_then(|table| find(table, key)).map(|slot| &slot.value))
    }

    /// Borrows the value of a type, with the place of its entry in the list, and tells nobody.
    pub(crate) fn find(&self, key: TypeId) -> Option<(usize, &Value)> {
        let table = self.tables.get(self.current() & !WATCHED)?.get()?;
        find(table, key).map(|slot| (slot.entry, &slot.value))
    }

    /// Returns the place of a type's entry in the list.
    pub(crate) fn entry(&self, key: TypeId) -> Option<usize> {
        self.find(key).map(|(entry, _)| entry)
    }

    #[inline]
    fn current(&self) -> usize {
        // Acquire: pairs with the release in `add`. With a relaxed load a reader could see the number of a
        // new table before its slots, and miss what had been there for long.
        self.current.load(Ordering::Acquire)
    }

    /// Says whether somebody wants to know of look-ups.
    pub(crate) fn is_watched(&self) -> bool {
        self.current() & WATCHED != 0
    }

    /// From now on, somebody wants to know of look-ups. The caller holds the store's lock.
    pub(crate) fn watch(&self) {
        // Release: whoever sees the bit sees the observer, too.
        self.current.fetch_or(WATCHED, Ordering::Release);
    }

    /// Adds a type that is not there yet. The caller holds the store's lock.
    pub(crate) fn add(&self, key: TypeId, value: Value, entry: usize) {
        let filled = self.filled.load(Ordering::Relaxed);
        let current = self.current.load(Ordering::Relaxed);
        let (mut current, watched) = (current & !WATCHED, current & WATCHED);
        let table = self.tables[current].get_or_init(|| empty(current));
        let table = if (filled + 1) * 2 > table.len() {
            let bigger = empty(current + 1);
            for slot in table.iter().filter_map(OnceLock::get) {
                let copy = Slot { key: slot.key, value: Arc::clone(&slot.value), entry: slot.entry };
                put(&bigger, copy);
            }
            current += 1;
            let bigger = self.tables[current].get_or_init(|| bigger);
            self.current.store(current | watched, Ordering::Release);
            bigger
        } else {
            table
        };
        put(table, Slot { key, value, entry });
        self.filled.store(filled + 1, Ordering::Relaxed);
    }
}

/// What a look-up found, unless somebody wants to know of it first.
pub(crate) enum Unobserved<T> {
    Is(T),
    Watched,
}

#[inline]
fn find(table: &Table, key: TypeId) -> Option<&Slot> {
    let mask = table.len() - 1;
    let mut at = hash(key) & mask;
    loop {
        let slot = table.get(at)?.get()?;
        if slot.key == key {
            return Some(slot);
        }
        at = (at + 1) & mask;
    }
}

fn empty(number: usize) -> Table {
    (0..FIRST << number).map(|_| OnceLock::new()).collect()
}

fn put(table: &Table, slot: Slot) {
    let mask = table.len() - 1;
    let mut at = hash(slot.key) & mask;
    while table[at].get().is_some() {
        at = (at + 1) & mask;
    }
    let filled = table[at].set(slot).is_ok();
    debug_assert!(filled, "a slot is filled once");
}

#[inline]
#[allow(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
fn hash(key: TypeId) -> usize {
    let mut hasher = TypeHasher::default();
    key.hash(&mut hasher);
    hasher.0 as usize
}

/// A `TypeId` is a hash already: this takes it as it is.
#[derive(Default)]
pub(crate) struct TypeHasher(u64);

impl Hasher for TypeHasher {
    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not how `TypeId` hashes itself today; right all the same if it ever does.
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// A map from types that does not hash a hash.
pub(crate) type TypeMap<V> = HashMap<TypeId, V, BuildHasherDefault<TypeHasher>>;
