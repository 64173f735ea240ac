//! `Dep<T>`: declared once, filled before its owner boots, used like `T`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use mainstay_registry::{Dep, Dependencies, Provider, Registry, Result, async_trait, codes};

use crate::support::{Log, Node, Spec, boot_order};

#[derive(Default)]
struct Owner {
    node: Dep<Node<0>>,
    perhaps: Dep<Node<1>>,
    undeclared: Dep<Node<2>>,
}

#[async_trait]
impl Provider<Log> for Owner {
    fn name(&self) -> &'static str {
        "owner"
    }
    fn dependencies(&self) -> Dependencies<Log> {
        Dependencies::new().dep(&self.node).opt_dep(&self.perhaps)
    }
    async fn boot(&self, log: &Log) -> Result<()> {
        log.say(format!("owner sees {}", self.node.spec.name));
        Ok(())
    }
}

fn with_owner() -> (Registry<Log>, Arc<Owner>) {
    let (registry, owner) = (Registry::new(), Arc::new(Owner::default()));
    registry.insert(Arc::clone(&owner)).insert(Arc::new(Node::<0> { spec: Spec::new("z") }));
    (registry, owner)
}

#[tokio::test]
async fn it_orders_and_is_filled_before_its_owner_boots() {
    let (registry, owner) = with_owner();
    assert_eq!(boot_order(&registry), ["z", "owner"]);
    assert!(owner.node.get().is_none(), "a plan alone fills nothing");
    let log = Log::default();
    registry.boot_all(&log).await.unwrap();
    assert_eq!(log.said(), ["boot z", "owner sees z"]);
    assert!(Arc::ptr_eq(&owner.node.arc().unwrap(), &registry.resolve().unwrap()));
    assert!(std::ptr::eq::<Node<0>>(&raw const *owner.node, registry.get().unwrap()));
}

#[test]
fn sealing_fills_it() {
    let (registry, owner) = with_owner();
    registry.seal().unwrap();
    assert_eq!(owner.node.spec.name, "z");
    assert_eq!(format!("{:?}", owner.perhaps), "Dep<it::support::Node<1>>(empty)");
    assert_eq!(format!("{:?}", owner.node), "Dep<it::support::Node<0>>(filled)");
}

#[test]
fn an_optional_one_is_filled_when_it_is_registered() {
    let (registry, owner) = with_owner();
    registry.insert(Arc::new(Node::<1> { spec: Spec::new("there") }));
    registry.seal().unwrap();
    assert_eq!(owner.perhaps.get().map(|it| it.spec.name), Some("there"));
}

#[test]
fn a_missing_one_is_a_problem_of_the_plan_and_fills_nothing() {
    let (registry, owner) = (Registry::<Log>::new(), Arc::new(Owner::default()));
    registry.insert(Arc::clone(&owner)).insert(Arc::new(Node::<1>::default()));
    assert_eq!(registry.seal().unwrap_err().code(), codes::MISSING);
    assert!(owner.node.get().is_none() && owner.perhaps.get().is_none());
}

#[test]
fn an_undeclared_one_panics_and_says_what_to_declare() {
    let (registry, owner) = with_owner();
    registry.seal().unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| owner.undeclared.spec.name)).unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("MS0111: `Dep<it::support::Node<2>>` is empty: return "), "{text}");
    assert!(text.contains("Dependencies::new().dep(&self.field)"), "{text}");
}

#[test]
fn it_keeps_the_provider_of_the_first_registry() {
    let (registry, owner) = with_owner();
    registry.seal().unwrap();
    let other = Registry::<Log>::new();
    other.insert(Arc::clone(&owner)).insert(Arc::new(Node::<0> { spec: Spec::new("other") }));
    other.seal().unwrap();
    assert_eq!(owner.node.spec.name, "z");
}
