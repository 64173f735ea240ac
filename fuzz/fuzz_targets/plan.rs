//! Does any set of providers make the plan panic, differ from itself, or give an order that breaks an edge?
//!
//! An input is up to twelve providers of distinct types in some order of registration, each with priorities,
//! capabilities, a name that need not be unique, and edges to any of the twelve, registered or not, itself included.
//! A plan must exist exactly when everything required is there and no edges form a circle.
//!
//! Run: `cargo +nightly fuzz run plan -- -max_total_time=60`, in the folder above `fuzz/`.

#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use mainstay_registry::{
    Dependencies, EdgeKind, Plan, Provider, Registry, Reloadable, Result, Runnable, TaskFuture, async_trait,
};

/// How many types there are.
const TYPES: usize = 12;

#[derive(Arbitrary, Clone, Debug)]
struct Input {
    /// Which types are registered, in which order; of those named twice the first counts.
    order: Vec<u8>,
    facts: [Facts; TYPES],
}

#[derive(Arbitrary, Clone, Debug)]
struct Facts {
    name: Option<u8>,
    boot_priority: Option<u8>,
    run_priority: Option<u8>,
    reload_priority: Option<u8>,
    is_runnable: bool,
    is_reloadable: bool,
    panics: Option<Panics>,
    edges: Vec<(u8, Kind)>,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Kind {
    Requires,
    Wants,
}

/// Seldom, because one is enough to make every plan impossible.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Panics {
    Never,
    No,
    NotEither,
    InDependencies,
}

struct P<const N: usize>(Facts);

macro_rules! by_number {
    ($number:expr, $type:ident => $then:expr) => {
        by_number!($number, $type => $then, 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    ($number:expr, $type:ident => $then:expr, $($n:literal)*) => {
        match $number {
            $($n => { type $type = P<$n>; $then })*
            _ => unreachable!("there are twelve types"),
        }
    };
}

const NAMES: [&str; 4] = ["a", "b", "provider", ""];

#[async_trait]
impl<const N: usize> Provider<()> for P<N> {
    fn name(&self) -> &'static str {
        self.0.name.map_or("provider", |name| NAMES[usize::from(name) % NAMES.len()])
    }

    fn boot_priority(&self) -> Option<u8> {
        self.0.boot_priority
    }

    fn run_priority(&self) -> Option<u8> {
        self.0.run_priority
    }

    fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
        self.0.is_reloadable.then_some(self)
    }

    fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
        self.0.is_runnable.then_some(self)
    }

    fn dependencies(&self) -> Dependencies<()> {
        if self.0.panics == Some(Panics::InDependencies) {
            std::panic::panic_any(Declared);
        }
        let add = |all: Dependencies<()>, &(target, kind): &(u8, Kind)| {
            by_number!(usize::from(target) % TYPES, Target => match kind {
                Kind::Requires => all.requires::<Target>(),
                Kind::Wants => all.wants::<Target>(),
            })
        };
        self.0.edges.iter().fold(Dependencies::new(), add)
    }
}

#[async_trait]
impl<const N: usize> Reloadable<()> for P<N> {
    fn priority(&self) -> Option<u8> {
        self.0.reload_priority
    }

    async fn reload(&self, (): &()) -> Result<()> {
        Ok(())
    }
}

impl<const N: usize> Runnable<()> for P<N> {
    fn run(&self, (): ()) -> TaskFuture {
        Box::pin(async { Ok(()) })
    }
}

fuzz_target!(init: pardon_declarations(), |input: Input| {
    let present = present(&input);
    let registry = Registry::<()>::new();
    for &number in &present {
        by_number!(number, Type => { registry.insert(Arc::new(P::<{ Type::NUMBER }>(input.facts[number].clone()))); });
    }
    let (once, again) = (registry.plan(), registry.plan());
    match (once, again) {
        (Ok(once), Ok(again)) => {
            assert!(is_possible(&input, &present), "a plan of what cannot be");
            assert_eq!(shown(&once), shown(&again));
            check(&once, &input, &present);
        }
        (Err(once), Err(again)) => {
            assert!(!is_possible(&input, &present), "no plan of what can be: {once}");
            assert!(!once.problems().is_empty());
            assert!(once.to_string().ends_with("nothing was started"), "{once}");
            assert_eq!(once.to_string(), again.to_string());
            assert_eq!(once.to_text(), again.to_text());
            assert_eq!(once.to_mermaid(), again.to_mermaid());
            assert_eq!(once.to_json(), again.to_json());
        }
        _ => panic!("the same registry has a plan and has none"),
    }
});

/// What a declaration panics with, for the plan to catch. Without a size, because the plan forgets what it caught (its
/// destructor is code of a user), and the fuzzer would find that leak and no other.
struct Declared;

/// The hook of the fuzzer ends the process at every panic, also at one that is caught.
fn pardon_declarations() {
    let fatal = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Declared>() {
            fatal(info);
        }
    }));
}

impl<const N: usize> P<N> {
    const NUMBER: usize = N;
}

/// The numbers that are registered, in order.
fn present(input: &Input) -> Vec<usize> {
    let mut present = Vec::new();
    for number in input.order.iter().map(|number| usize::from(*number) % TYPES) {
        if !present.contains(&number) {
            present.push(number);
        }
    }
    present
}

/// The edges that count, each to a registered type.
fn edges<'a>(input: &'a Input, present: &'a [usize], from: usize) -> impl Iterator<Item = usize> + 'a {
    let targets = input.facts[from].edges.iter().map(|(target, _)| usize::from(*target) % TYPES);
    targets.filter(|target| present.contains(target))
}

fn is_possible(input: &Input, present: &[usize]) -> bool {
    let complete = present.iter().all(|number| {
        let facts = &input.facts[*number];
        let there = |target: &u8| present.contains(&(usize::from(*target) % TYPES));
        facts.panics != Some(Panics::InDependencies)
            && facts.edges.iter().all(|(target, kind)| *kind == Kind::Wants || there(target))
    });
    // Take away whoever waits for nobody, until nothing is left or nothing can be taken.
    let mut left = present.to_vec();
    loop {
        let before = left.len();
        let waiting = left.clone();
        left.retain(|number| edges(input, present, *number).any(|target| waiting.contains(&target)));
        if left.is_empty() || left.len() == before {
            return complete && left.is_empty();
        }
    }
}

fn check(plan: &Plan, input: &Input, present: &[usize]) {
    let planned = plan.providers();
    assert_eq!(planned.len(), present.len());
    for (at, one) in planned.iter().enumerate() {
        let number = present[one.registration()];
        let mut declared: Vec<_> = edges(input, present, number).collect();
        declared.sort_unstable();
        declared.dedup();
        let mut shown: Vec<_> =
            one.edges().iter().map(|edge| present[planned[edge.to].registration()]).collect();
        shown.sort_unstable();
        shown.dedup();
        assert_eq!(declared, shown, "the edges of the plan are those that were declared");
        assert!(one.edges().iter().all(|edge| matches!(edge.kind, EdgeKind::Requires | EdgeKind::Wants)));
        assert!(one.edges().iter().all(|edge| edge.to < at), "an edge points forward in the boot order");
        assert!(at == 0 || planned[at - 1].boot_level() <= one.boot_level(), "the levels are barriers");
        assert!(one.boot_level() <= one_or_normal(input.facts[number].boot_priority));
    }
    obeys(plan, plan.start_order(), "start", |number| input.facts[present[number]].is_runnable);
    obeys(plan, plan.reload_order(), "reload", |number| input.facts[present[number]].is_reloadable);
}

/// The order has exactly those that take part, and whoever is used comes before its user.
fn obeys(plan: &Plan, order: &[usize], name: &str, takes_part: impl Fn(usize) -> bool) {
    let planned = plan.providers();
    let expected = planned.iter().filter(|one| takes_part(one.registration())).count();
    assert_eq!(order.len(), expected, "the order of {name} is complete");
    let place = |index: usize| order.iter().position(|other| *other == index);
    for (at, index) in order.iter().enumerate() {
        assert_eq!(place(*index), Some(at), "nobody is twice in the order of {name}");
        for edge in planned[*index].edges() {
            assert!(
                place(edge.to).is_none_or(|before| before < at),
                "an edge points forward in the order of {name}"
            );
        }
    }
}

fn one_or_normal(priority: Option<u8>) -> u8 {
    priority.unwrap_or(mainstay_registry::priority::NORMAL)
}

fn shown(plan: &Plan) -> [String; 3] {
    [plan.to_text(), plan.to_mermaid(), plan.to_json()]
}
