//! Thousands of distinct types, each a provider here and a component there.

use std::sync::Arc;

use continuo::{Bootable, Component};
use mainstay_registry::{Provider, Registry, async_trait};

/// A provider whose hooks do nothing; one type for each number.
#[derive(Clone)]
pub struct P<const N: usize> {
    name: &'static str,
}

impl<const N: usize> P<N> {
    /// Makes the one of this number, with a name of its own.
    pub fn new() -> Self {
        Self { name: Box::leak(format!("p{N}").into_boxed_str()) }
    }
}

impl<const N: usize> Default for P<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl<const N: usize> Provider<()> for P<N> {
    fn name(&self) -> &'static str {
        self.name
    }
    async fn boot(&self, (): &()) -> mainstay_registry::Result<()> {
        Ok(())
    }
}

impl<const N: usize> Component<()> for P<N> {
    type Deps = ();
    fn name(&self) -> &str {
        self.name
    }
    fn as_bootable(&self) -> Option<&dyn Bootable<(), ()>> {
        Some(self)
    }
}

#[async_trait]
impl<const N: usize> Bootable<(), ()> for P<N> {
    async fn boot(&self, (): (), (): &()) -> continuo::Result<()> {
        Ok(())
    }
}

/// Something that takes these types one by one; never inlined, or the compiler gets functions of a thousand bodies.
pub trait Many {
    /// Takes the one of this number.
    fn take<const N: usize>(&mut self);
}

impl Many for Registry<()> {
    #[inline(never)]
    fn take<const N: usize>(&mut self) {
        self.insert(Arc::new(P::<N>::new()));
    }
}

impl Many for continuo::Registry<()> {
    #[inline(never)]
    fn take<const N: usize>(&mut self) {
        self.register(Arc::new(P::<N>::new())).expect("each type is registered once");
    }
}

macro_rules! ten {
    ($many:ident, $from:expr) => {
        $many.take::<{ $from }>();
        $many.take::<{ $from + 1 }>();
        $many.take::<{ $from + 2 }>();
        $many.take::<{ $from + 3 }>();
        $many.take::<{ $from + 4 }>();
        $many.take::<{ $from + 5 }>();
        $many.take::<{ $from + 6 }>();
        $many.take::<{ $from + 7 }>();
        $many.take::<{ $from + 8 }>();
        $many.take::<{ $from + 9 }>();
    };
}

macro_rules! hundred {
    ($many:ident, $from:expr) => {
        ten!($many, $from);
        ten!($many, $from + 10);
        ten!($many, $from + 20);
        ten!($many, $from + 30);
        ten!($many, $from + 40);
        ten!($many, $from + 50);
        ten!($many, $from + 60);
        ten!($many, $from + 70);
        ten!($many, $from + 80);
        ten!($many, $from + 90);
    };
}

macro_rules! thousand {
    ($many:ident, $from:expr) => {
        hundred!($many, $from);
        hundred!($many, $from + 100);
        hundred!($many, $from + 200);
        hundred!($many, $from + 300);
        hundred!($many, $from + 400);
        hundred!($many, $from + 500);
        hundred!($many, $from + 600);
        hundred!($many, $from + 700);
        hundred!($many, $from + 800);
        hundred!($many, $from + 900);
    };
}

/// The types 0 to 15.
pub fn up_to_16(many: &mut impl Many) {
    ten!(many, 0);
    many.take::<10>();
    many.take::<11>();
    many.take::<12>();
    many.take::<13>();
    many.take::<14>();
    many.take::<15>();
}

/// The types 0 to 259.
pub fn up_to_260(many: &mut impl Many) {
    hundred!(many, 0);
    hundred!(many, 100);
    ten!(many, 200);
    ten!(many, 210);
    ten!(many, 220);
    ten!(many, 230);
    ten!(many, 240);
    ten!(many, 250);
}

/// Those that are filled here, so that a program that uses them need not compile them again.
macro_rules! filled {
    ($($(#[$doc:meta])* $ours:ident, $theirs:ident: $($thousand:expr),*;)*) => {$(
        $(#[$doc])*
        pub fn $ours(registry: &mut Registry<()>) {
            $(thousand!(registry, $thousand);)*
        }
        $(#[$doc])*
        pub fn $theirs(registry: &mut continuo::Registry<()>) {
            $(thousand!(registry, $thousand);)*
        }
    )*};
}

filled! {
    /// The types 0 to 999.
    ours_1_000, theirs_1_000: 0;
    /// The types 0 to 4,999.
    ours_5_000, theirs_5_000: 0, 1_000, 2_000, 3_000, 4_000;
}

/// The types 0 to 99.
pub fn ours_100(registry: &mut Registry<()>) {
    hundred!(registry, 0);
}

/// The types 0 to 99.
pub fn theirs_100(registry: &mut continuo::Registry<()>) {
    hundred!(registry, 0);
}
