//! Does a look-up in the registry cost what a look-up by type has to cost, at any size and on any thread?
//!
//! Measured: `get` (a borrow) and `resolve` (an `Arc`), present and absent, with 1, 16 and 256 types, on 1 and 2
//! threads. Beside them, in the same run: the clone of an `Arc` (which `resolve` cannot do without),
//! `http::Extensions::get` (a map by type that no other thread may write), and continuo's registry.
//!
//! What `resolve` cannot do without is the clone of an `Arc<dyn Any>` and its downcast: that is its floor, a case of its
//! own. The bare `Arc::clone` is *slower* than that in a loop like this, and is printed but not used as a floor: its up
//! and its down are two locked operations on one word with nothing between them, and any work between hides a part.
//!
//! Run: `cargo bench --manifest-path benches/Cargo.toml --bench registry`

use std::any::Any;
use std::hint::black_box;
use std::sync::Arc;

use mainstay_bench_types::{Many, up_to_16, up_to_260};
use mainstay_benches::{Aim, Table};
use mainstay_registry::Registry;

/// A value; one type for each number. It is of this crate, so that its tables are optimised with it.
struct V<const N: usize>(#[expect(dead_code, reason = "it is there to be pointed at")] usize);

/// The type that is looked for and not there.
#[derive(Clone)]
struct Absent;

/// The least that `resolve` can be.
const FLOOR: &str = "clone and downcast of an Arc<dyn Any>";

fn main() {
    println!("does a look-up in the registry cost what it has to, at any size and on any thread?");
    for (types, fill) in [(1, fill_1 as fn(&mut All)), (16, up_to_16), (260, up_to_260)] {
        let mut all = All::default();
        fill(&mut all);
        for threads in [1, 2] {
            table(types, threads, &all);
        }
    }
}

fn table(types: usize, threads: usize, all: &All) {
    let arc = all.registry.resolve::<V<0>>().expect("it was registered");
    let any: Arc<dyn Any + Send + Sync> = all.registry.resolve::<V<0>>().expect("the same");
    let (registry, extensions, continuo) = (&all.registry, &all.extensions, &all.continuo);
    let mut table = Table::new(format!("{types} types"), threads);
    table
        .case("Arc::clone", || Arc::clone(&arc))
        .case(FLOOR, || Arc::clone(black_box(&any)).downcast::<V<0>>().ok())
        .case("http::Extensions::get", || extensions.get::<Arc<V<0>>>().is_some())
        .case("get", || registry.get::<V<0>>().is_some())
        .aim(Aim::Nanoseconds(3.5))
        .aim(Aim::Times(1.0, Some("http::Extensions::get")))
        .case("resolve", || registry.resolve::<V<0>>())
        .aim(Aim::Times(1.3, None))
        .aim(Aim::Times(1.3, Some(FLOOR)))
        .case("continuo resolve", || continuo.resolve::<V<0>>())
        .case("http::Extensions::get, absent", || extensions.get::<Absent>().is_some())
        .case("get, absent", || registry.get::<Absent>().is_some())
        .case("continuo resolve, absent", || continuo.resolve::<Absent>());
    table.print();
}

#[derive(Default)]
struct All {
    registry: Registry<()>,
    extensions: http::Extensions,
    continuo: continuo::Registry<()>,
}

impl Many for All {
    fn take<const N: usize>(&mut self) {
        self.registry.insert_value(Arc::new(V::<N>(N)));
        self.extensions.insert(Arc::new(V::<N>(N)));
        self.continuo.insert(Arc::new(V::<N>(N))).expect("each type is registered once");
    }
}

fn fill_1(all: &mut All) {
    all.take::<0>();
}
