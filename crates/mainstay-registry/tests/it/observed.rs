//! Look-ups that somebody wants to know of, and the entries of a registry by index.

use std::{
    any::TypeId,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, Weak},
};

use mainstay_registry::{Dep, Dependencies, EntryKind, Lookup, Provider, Registry};

trait Store: Send + Sync {}

struct Disk;
impl Provider<()> for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }
}
impl Store for Disk {}

struct Cache;
impl Provider<()> for Cache {}
impl Store for Cache {}

struct Api {
    disk: Dep<Disk>,
}
impl Provider<()> for Api {
    fn name(&self) -> &'static str {
        "api"
    }
    fn dependencies(&self) -> Dependencies<()> {
        Dependencies::new().dep(&self.disk)
    }
}

struct Version;
struct Absent;

/// Disk, cache, api, version, in this order; the first two are stores.
fn registry() -> Arc<Registry<()>> {
    let registry = Registry::new();
    registry.insert(Arc::new(Disk)).insert(Arc::new(Cache)).insert(Arc::new(Api { disk: Dep::new() }));
    registry.insert_value(Arc::new(Version));
    registry.bind::<dyn Store, Cache>(|it| it).bind::<dyn Store, Disk>(|it| it);
    Arc::new(registry)
}

/// Remembers what an observer is told.
fn watched(registry: &Registry<()>) -> impl Fn() -> Vec<Lookup> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    registry.observe(move |lookup| told.lock().unwrap().push(lookup));
    move || std::mem::take(&mut seen.lock().unwrap())
}

/// A way to look up, and the key and the entry that the observer is told.
type Check<'a> = (&'a dyn Fn(), TypeId, Option<usize>);

fn entries(lookups: &[Lookup]) -> Vec<Option<usize>> {
    lookups.iter().map(|it| it.entry).collect()
}

#[test]
fn every_way_to_look_up_is_told_once_with_what_was_found_and_where() {
    let registry = registry();
    let seen = watched(&registry);
    let here = std::panic::Location::caller().file();
    let checks: [Check<'_>; 10] = [
        (&|| assert!(registry.get::<Disk>().is_some()), TypeId::of::<Disk>(), Some(0)),
        (&|| assert!(registry.resolve::<Cache>().is_some()), TypeId::of::<Cache>(), Some(1)),
        (&|| assert!(registry.require::<Api>().is_ok()), TypeId::of::<Api>(), Some(2)),
        (&|| registry.with_typed::<Version, _>(|_| ()).unwrap(), TypeId::of::<Version>(), Some(3)),
        (&|| assert!(registry.get::<Absent>().is_none()), TypeId::of::<Absent>(), None),
        (&|| assert!(registry.resolve::<Absent>().is_none()), TypeId::of::<Absent>(), None),
        (&|| assert!(registry.require::<Absent>().is_err()), TypeId::of::<Absent>(), None),
        (&|| assert!(registry.resolve_dyn::<dyn Store>().is_some()), TypeId::of::<dyn Store>(), Some(1)),
        (
            &|| assert!(registry.resolve_dyn::<dyn Send + Sync>().is_none()),
            TypeId::of::<dyn Send + Sync>(),
            None,
        ),
        (
            &|| assert!(registry.resolve_all::<dyn Send + Sync>().is_empty()),
            TypeId::of::<dyn Send + Sync>(),
            None,
        ),
    ];
    for (look_up, key, entry) in checks {
        let before = line!();
        look_up();
        let lookups = seen();
        let [lookup] = lookups[..] else { panic!("{lookups:?}") };
        assert_eq!((lookup.key, lookup.entry), (key, entry), "{lookup:?}");
        assert!(lookup.site.file() == here && lookup.site.line() < before, "{lookup:?}");
    }
    assert!(registry.get::<Disk>().is_some());
    assert!(seen()[0].type_name.ends_with("::Disk"));
    assert_eq!(registry.resolve_all::<dyn Store>().len(), 2);
    assert_eq!(entries(&seen()), [Some(0), Some(1)], "each of them, in the order of the plan");
}

#[test]
fn what_is_declared_is_not_looked_up() {
    let registry = registry();
    registry.seal().unwrap();
    let api = registry.resolve::<Api>().unwrap();
    let seen = watched(&registry);
    let _: &Disk = &api.disk;
    registry.plan().unwrap();
    assert!(registry.providers().len() == 3 && registry.list_names().len() == 3);
    assert_eq!(seen(), []);
}

#[test]
fn the_first_observer_stays_and_the_later_one_is_dropped() {
    let registry = registry();
    let seen = watched(&registry);
    let token = Arc::new(());
    let held = Arc::clone(&token);
    registry.observe(move |_| panic!("{held:?}"));
    assert_eq!(Arc::strong_count(&token), 1);
    registry.get::<Disk>();
    assert_eq!(seen().len(), 1);
}

#[test]
fn what_comes_while_tables_grow_is_still_observed_and_found() {
    macro_rules! values {
        ($registry:ident, $($n:literal)*) => {
            $($registry.insert_value(Arc::new([0_u8; $n]));)*
            $(assert_eq!($registry.get::<[u8; $n]>().map(|it| it.len()), Some($n));)*
        };
    }
    let registry = Registry::<()>::new();
    let seen = watched(&registry);
    assert!(registry.get::<Disk>().is_none(), "also in an empty one");
    values!(registry, 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40);
    let lookups = seen();
    assert!(entries(&lookups[1..]).into_iter().eq((0..40).map(Some)), "{lookups:?}");
}

/// Without the guard around the call this overflows the stack.
#[test]
fn what_the_observer_looks_up_itself_is_not_observed() {
    let registry = registry();
    let (seen, weak) = (Arc::new(Mutex::new(Vec::new())), Arc::downgrade(&registry));
    let told = Arc::clone(&seen);
    registry.observe(move |lookup| {
        let registry = Weak::upgrade(&weak).unwrap();
        assert!(registry.get::<Version>().is_some() && registry.resolve_dyn::<dyn Store>().is_some());
        registry.insert_value(Arc::new(0_u8));
        told.lock().unwrap().push(lookup.entry);
    });
    registry.get::<Disk>();
    registry.get::<Cache>();
    assert_eq!(*seen.lock().unwrap(), [Some(0), Some(1)]);
}

#[test]
fn an_observer_that_panics_fails_its_own_look_up_and_nothing_else() {
    let registry = registry();
    let calls = Arc::new(Mutex::new(0));
    let told = Arc::clone(&calls);
    registry.observe(move |lookup| {
        *told.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
        assert_ne!(lookup.entry, Some(0), "the disk");
    });
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| registry.get::<Disk>().is_some())).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| registry.require::<Disk>().is_ok())).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| registry.resolve_all::<dyn Store>().len())).is_err());
        assert!(registry.get::<Cache>().is_some());
    }
    assert_eq!(*calls.lock().unwrap(), 8, "one for each look-up: the first of all stores is the disk");
    registry.insert_value(Arc::new(1_u64));
    assert!(registry.get::<u64>().is_some() && registry.plan().is_ok());
}

#[test]
fn entries_are_known_by_index_without_asking_anybody() {
    /// Panics when it is asked for its name a second time.
    struct Shy(std::sync::atomic::AtomicBool);
    impl Provider<()> for Shy {
        fn name(&self) -> &'static str {
            assert!(!self.0.swap(true, std::sync::atomic::Ordering::Relaxed), "asked twice");
            "shy"
        }
    }
    let registry = registry();
    registry.insert(Arc::new(Shy(false.into())));
    assert_eq!(registry.entry_at(4).unwrap().name, "Shy", "not planned yet");
    registry.seal().unwrap();
    assert_eq!(registry.entry_count(), 5);
    let found: Vec<_> =
        (0..5).filter_map(|at| registry.entry_at(at)).map(|entry| (entry.name, entry.kind)).collect();
    let provider = EntryKind::Provider;
    assert_eq!(
        found,
        [
            ("disk", provider),
            ("Cache", provider),
            ("api", provider),
            ("Version", EntryKind::Value),
            ("shy", provider)
        ]
    );
    let disk = registry.entry_at(0).unwrap();
    assert!(disk.type_name.ends_with("::Disk") && disk.site.file().ends_with("observed.rs"));
    assert_eq!(registry.entry_at(5), None);
    registry.insert_value(Arc::new(1_u64));
    assert_eq!(registry.entry_count(), 6, "what comes after the seal counts");
    assert_eq!(registry.entry_at(5).unwrap().name, "u64");
}
