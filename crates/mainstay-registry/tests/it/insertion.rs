//! Putting in: duplicates, the seal, and user code that panics.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use mainstay_registry::{InsertError, Provider, Registry, codes};

use crate::support::{Log, Node, Spec, boot_order, without_lines};

#[test]
fn a_duplicate_is_an_error_with_both_places() {
    let registry = Registry::<Log>::new();
    let first = line!() + 1;
    registry.try_insert(Arc::new(Node::<0>::default())).unwrap();
    let second = line!() + 1;
    let error = registry.try_insert(Arc::new(Node::<0>::default())).unwrap_err();
    assert_eq!(error.code(), codes::DUPLICATE_TYPE);
    assert!(
        matches!(&error, InsertError::Duplicate { first: a, second: b, .. } if (a.line(), b.line()) == (first, second))
    );
    assert_eq!(
        without_lines(&error.to_string()),
        "MS0104: `it::support::Node<0>` is registered already, at insertion.rs:#; the one at insertion.rs:# was \
         refused"
    );
}

#[test]
fn a_value_and_a_provider_of_one_type_are_duplicates() {
    let registry = Registry::<Log>::new();
    registry.insert_value(Arc::new(Node::<0>::default()));
    assert_eq!(
        registry.try_insert(Arc::new(Node::<0>::default())).unwrap_err().code(),
        codes::DUPLICATE_TYPE
    );
    registry.insert(Arc::new(Node::<1>::default()));
    assert_eq!(
        registry.try_insert_value(Arc::new(Node::<1>::default())).unwrap_err().code(),
        codes::DUPLICATE_TYPE
    );
    assert_eq!(registry.providers().len(), 1);
}

#[test]
fn a_sealed_registry_refuses_with_an_error() {
    let registry = Registry::<Log>::new();
    registry.seal().unwrap();
    let error = registry.try_insert(Arc::new(Node::<0>::default())).unwrap_err();
    assert_eq!(error.code(), codes::SEALED);
    assert_eq!(error.type_name(), "it::support::Node<0>");
    assert_eq!(
        without_lines(&error.to_string()),
        "MS0105: `it::support::Node<0>` was refused at insertion.rs:#: the registry is sealed, for the run has been \
         planned"
    );
    assert_eq!(registry.try_insert_value(Arc::new(1_u8)).unwrap_err().code(), codes::SEALED);
    assert!(registry.get::<Node<0>>().is_none(), "refused means not stored");
}

/// Panics when it is dropped.
struct Bomb(bool);
impl Provider<Log> for Bomb {}
impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "bomb");
    }
}

#[test]
fn a_rejected_duplicate_that_panics_in_its_drop_poisons_nothing() {
    let registry = Registry::<Log>::new();
    registry.insert(Arc::new(Bomb(false)));
    catch_unwind(AssertUnwindSafe(|| registry.insert(Arc::new(Bomb(true))))).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| registry.try_insert(Arc::new(Bomb(true))).map(|_| ()))).unwrap_err();
    registry.insert(Arc::new(Node::<0> { spec: Spec::new("a") }));
    assert!(registry.get::<Bomb>().is_some() && registry.get::<Node<0>>().is_some());
    assert_eq!(boot_order(&registry), ["a", "Bomb"]);
}

/// Inserts another one when it is dropped: the lock must be free by then.
struct Reentrant(Arc<Registry<Log>>, bool);
impl Provider<Log> for Reentrant {}
impl Drop for Reentrant {
    fn drop(&mut self) {
        if self.1 {
            self.0.insert(Arc::new(Node::<3>::default()));
        }
    }
}

#[test]
fn the_drop_of_a_rejected_duplicate_may_use_the_registry() {
    let registry = Arc::new(Registry::<Log>::new());
    let other = Arc::new(Registry::<Log>::new());
    registry.insert(Arc::new(Reentrant(Arc::clone(&other), false)));
    registry.insert(Arc::new(Reentrant(Arc::clone(&registry), true)));
    assert!(registry.get::<Node<3>>().is_some());
}

/// Panics in its name.
struct Nameless;
impl Provider<Log> for Nameless {
    fn name(&self) -> &'static str {
        panic!("no name")
    }
}

#[test]
fn a_name_that_panics_poisons_nothing() {
    let registry = Registry::<Log>::new();
    registry.insert(Arc::new(Nameless)).insert(Arc::new(Nameless));
    catch_unwind(AssertUnwindSafe(|| registry.list_names())).unwrap_err();
    assert_eq!(registry.plan().unwrap_err().code(), codes::PANICKED);
    registry.insert(Arc::new(Node::<0>::default()));
    assert!(registry.get::<Node<0>>().is_some());
    assert_eq!(registry.providers().len(), 2);
}
