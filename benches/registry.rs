//! Does a look-up in the registry cost what a look-up by type has to cost, at any size and on any thread?
//!
//! Measured: `get` (a borrow) and `resolve` (an `Arc`), present and absent, with 1, 16 and 256 types, on 1 and 2
//! threads. Beside them, in the same run: the clone of an `Arc` (which `resolve` cannot do without),
//! `http::Extensions::get` (a map by type that no other thread may write), and continuo's registry.
//!
//! Run: `cargo bench --manifest-path benches/Cargo.toml --bench registry`

use std::sync::Arc;

use mainstay_bench_types::{Many, P, up_to_16, up_to_260};
use mainstay_benches::{Aim, Table};
use mainstay_registry::Registry;

/// The type that is looked for and not there.
#[derive(Clone)]
struct Absent;

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
    let arc = all.registry.resolve::<P<0>>().expect("it was registered");
    let (registry, extensions, continuo) = (&all.registry, &all.extensions, &all.continuo);
    let mut table = Table::new(format!("{types} types"), threads);
    table
        .case("Arc::clone", || Arc::clone(&arc))
        .case("http::Extensions::get", || extensions.get::<Arc<P<0>>>().is_some())
        .case("get", || registry.get::<P<0>>().is_some())
        .aim(Aim::Nanoseconds(3.5))
        .aim(Aim::Times(1.0, Some("http::Extensions::get")))
        .case("resolve", || registry.resolve::<P<0>>())
        .aim(Aim::Times(1.3, None))
        .case("continuo resolve", || continuo.resolve::<P<0>>())
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
        self.registry.take::<N>();
        self.extensions.take::<N>();
        self.continuo.take::<N>();
    }
}

fn fill_1(all: &mut All) {
    all.take::<0>();
}
