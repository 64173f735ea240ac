//! Does any set of providers make the plan panic, differ from itself, or give an order that breaks an edge?
//!
//! An input is up to twelve providers of distinct types in some order of registration, each with priorities,
//! capabilities, a name that need not be unique, and edges to any of the twelve, registered or not, itself included.
//! Most are there and most edges lead down, or hardly an input of some size would have a plan.
//! A plan must exist exactly when everything required is there and no edges form a circle.
//!
//! Run: `cargo +nightly fuzz run plan -- -max_total_time=60 -len_control=0 -max_len=240`, in the folder above `fuzz/`.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mainstay_registry::{
    Dependencies, EdgeKind, Plan, Provider, Registry, Reloadable, Result, Runnable, TaskFuture, async_trait,
};

/// How many types there are.
const TYPES: usize = 12;

/// What the bytes mean.
struct Input {
    /// The types that are registered, in order.
    present: Vec<usize>,
    facts: [Facts; TYPES],
}

#[derive(Clone, Default)]
struct Facts {
    name: Option<&'static str>,
    boot_priority: Option<u8>,
    run_priority: Option<u8>,
    reload_priority: Option<u8>,
    is_runnable: bool,
    is_reloadable: bool,
    panics: bool,
    edges: Vec<(usize, EdgeKind)>,
}

impl Input {
    /// Two bytes say who is absent; then each three are one thing more about one type.
    fn new(bytes: &[u8]) -> Self {
        let (absent, rest) = bytes.split_at(bytes.len().min(2));
        let absent = match absent {
            [a, b] => u16::from_le_bytes([*a, *b]) & u16::from_le_bytes([a.rotate_left(3), b.rotate_left(3)]),
            _ => 0,
        };
        let mut order: [usize; TYPES] = std::array::from_fn(|number| number);
        let mut facts: [Facts; TYPES] = std::array::from_fn(|_| Facts::default());
        for three in rest.chunks_exact(3) {
            let (what, number, more) = (three[0] % 12, usize::from(three[1]) % TYPES, three[2]);
            let other = usize::from(more) % TYPES;
            let one = &mut facts[number];
            match what {
                0 => one.boot_priority = Some(more),
                1 => one.run_priority = Some(more),
                2 => one.reload_priority = Some(more),
                3 => one.is_runnable = true,
                4 => one.is_reloadable = true,
                5 => one.name = Some(NAMES[usize::from(more) % NAMES.len()]),
                6 => order.swap(number, other),
                7 if more < 8 => one.panics = true,
                8 if more > 200 => one.edges.push((other, EdgeKind::Requires)),
                9 if more > 200 => one.edges.push((other, EdgeKind::Wants)),
                // Along the order, so that no circle can come of it.
                _ => {
                    let kind = if what % 2 == 0 { EdgeKind::Requires } else { EdgeKind::Wants };
                    let (low, high) = (number.min(other), number.max(other));
                    if low < high {
                        facts[high].edges.push((low, kind));
                    }
                }
            }
        }
        Self { present: order.into_iter().filter(|number| absent & 1 << number == 0).collect(), facts }
    }
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
        self.0.name.unwrap_or("provider")
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
        if self.0.panics {
            std::panic::panic_any(Declared);
        }
        let add = |all: Dependencies<()>, &(target, kind): &(usize, EdgeKind)| {
            by_number!(target, Target => match kind {
                EdgeKind::Requires => all.requires::<Target>(),
                _ => all.wants::<Target>(),
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

fuzz_target!(init: pardon_declarations(), |bytes: &[u8]| {
    let input = Input::new(bytes);
    let present = &input.present;
    let registry = Registry::<()>::new();
    for &number in present {
        by_number!(number, Type => { registry.insert(Arc::new(P::<{ Type::NUMBER }>(input.facts[number].clone()))); });
    }
    let (once, again) = (registry.plan(), registry.plan());
    match (once, again) {
        (Ok(once), Ok(again)) => {
            assert!(is_possible(&input), "a plan of what cannot be");
            assert_eq!(shown(&once), shown(&again));
            check(&once, &input);
        }
        (Err(once), Err(again)) => {
            assert!(!is_possible(&input), "no plan of what can be: {once}");
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

/// The edges that count, each to a registered type.
fn edges(input: &Input, from: usize) -> impl Iterator<Item = usize> {
    let targets = input.facts[from].edges.iter().map(|(target, _)| *target);
    targets.filter(|target| input.present.contains(target))
}

fn is_possible(input: &Input) -> bool {
    let there =
        |(target, kind): &(usize, EdgeKind)| *kind == EdgeKind::Wants || input.present.contains(target);
    let all = input.present.iter().map(|number| &input.facts[*number]);
    let complete = all.clone().all(|facts| !facts.panics && facts.edges.iter().all(there));
    // Take away whoever waits for nobody, until nothing is left or nothing can be taken.
    let mut left = input.present.clone();
    loop {
        let before = left.len();
        let waiting = left.clone();
        left.retain(|number| edges(input, *number).any(|target| waiting.contains(&target)));
        if left.is_empty() || left.len() == before {
            return complete && left.is_empty();
        }
    }
}

fn check(plan: &Plan, input: &Input) {
    let present = &input.present;
    let planned = plan.providers();
    assert_eq!(planned.len(), present.len());
    for (at, one) in planned.iter().enumerate() {
        let number = present[one.registration()];
        let mut declared: Vec<_> = edges(input, number).collect();
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
