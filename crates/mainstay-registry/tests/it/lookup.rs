//! Looking up by type.

use std::{cell::Cell, rc::Rc, sync::Arc};

use mainstay_registry::{Error, NearKind, NotRegistered, Provider, Registry, Result};

use crate::support::{Log, Node, Spec, nodes};

struct Plain(u8);

#[test]
fn get_borrows_without_touching_a_reference_count() {
    let registry = Registry::<()>::new();
    let value = Arc::new(Plain(7));
    registry.insert_value(Arc::clone(&value));
    let before = Arc::strong_count(&value);
    let borrowed: &Plain = registry.get().unwrap();
    assert_eq!((borrowed.0, Arc::strong_count(&value)), (7, before));
    assert_eq!(registry.with_typed(|plain: &Plain| (plain.0, Arc::strong_count(&value))), Some((7, before)));
    assert!(std::ptr::eq(borrowed, &raw const *value));
}

#[test]
fn what_is_borrowed_stays_where_it_is_while_others_are_inserted() {
    let registry = Registry::<()>::new();
    registry.insert_value(Arc::new(Plain(7)));
    let borrowed = registry.get::<Plain>().unwrap();
    macro_rules! insert {
        ($($n:literal)*) => { $(registry.insert_value(Arc::new([0_u8; $n]));)* };
    }
    insert!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38
        39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73);
    assert_eq!(borrowed.0, 7);
    assert!(std::ptr::eq(borrowed, registry.get::<Plain>().unwrap()), "in every table");
    assert_eq!(registry.get::<[u8; 73]>(), Some(&[0; 73]));
    assert_eq!(registry.get::<[u8; 74]>(), None);
}

#[test]
fn a_plain_value_has_no_lifecycle() {
    let registry = Registry::<()>::new();
    registry.insert_value(Arc::new(Plain(7)));
    assert!(registry.providers().is_empty() && registry.list_names().is_empty());
    assert!(registry.plan().unwrap().providers().is_empty());
    assert_eq!(registry.require::<Plain>().unwrap().0, 7);
}

#[test]
fn it_works_for_a_state_that_no_thread_may_share() {
    struct Local;
    impl Provider<Rc<Cell<u8>>> for Local {
        fn validate(&self, state: &Rc<Cell<u8>>) -> Result<()> {
            state.set(state.get() + 1);
            Ok(())
        }
    }
    let (registry, state) = (Registry::new(), Rc::new(Cell::new(0)));
    registry.insert(Arc::new(Local));
    registry.validate_all(&state).unwrap();
    assert_eq!(state.get(), 1);
}

fn not_registered<T: Send + Sync + 'static>(registry: &Registry<Log>) -> NotRegistered {
    match registry.require::<T>() {
        Err(Error::Other(source)) => *source.downcast().unwrap(),
        _ => panic!("found, or not `Other`"),
    }
}

#[test]
fn require_names_the_type_and_what_comes_near() {
    let registry = nodes([Spec::new("a"), Spec::new("b")]);
    let error = not_registered::<Node<7>>(&registry);
    assert!(error.type_name.ends_with("Node<7>"));
    assert_eq!(error.near.iter().map(|it| it.kind).collect::<Vec<_>>(), [NearKind::OtherPath; 2]);
    let text = error.to_string();
    assert!(
        text.starts_with("MS0106: `it::support::Node<7>` is not registered; `it::support::Node<0>`"),
        "{text}"
    );
    assert!(text.contains("support.rs:"), "{text}");
    let error = not_registered::<Plain>(&registry);
    assert!(error.near.is_empty());
    assert!(error.to_string().ends_with("put it in with `insert` or `insert_value` before it is looked up"));
}

#[test]
fn a_wrapper_is_not_what_it_wraps() {
    let registry = nodes([]);
    registry.insert_value(Arc::new(std::sync::Mutex::new(Plain(1))));
    let error = not_registered::<Plain>(&registry);
    assert_eq!(error.near[0].kind, NearKind::Wrapped);
}

#[test]
fn a_provider_is_found_by_its_registration() {
    let registry = nodes([Spec::new("z"), Spec::new("a")]);
    registry.insert_value(Arc::new(Plain(0)));
    for one in registry.plan().unwrap().providers() {
        assert_eq!(registry.provider_at(one.registration()).unwrap().name(), one.name());
    }
    assert!(registry.provider_at(2).is_none() && registry.provider_at(3).is_none());
}
