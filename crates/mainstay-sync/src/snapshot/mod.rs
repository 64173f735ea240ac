//! One immutable value that many read and one replaces, whole.
//!
//! A [`Snapshot<T>`] is where a provider keeps what it serves from: the parsed configuration, the table of
//! routes, the pool. The hook that builds the value [publishes](Snapshot::publish) it; whoever needs it
//! [loads](Snapshot::load) one version and works with that one to the end, while a newer one may already be
//! there for others.
//!
//! ```
//! use mainstay_sync::Snapshot;
//!
//! struct Routes(Vec<&'static str>);
//!
//! let routes = Snapshot::new(Routes(vec!["/"]));
//! let mine = routes.load();
//! routes.publish(Routes(vec!["/", "/admin"]));
//! assert_eq!(mine.0.len(), 1); // what was loaded does not change
//! assert_eq!(routes.load().0.len(), 2);
//! ```
//!
//! # Patterns
//!
//! **Empty until booted.** A provider is registered without its value and publishes it from its boot hook.
//! Until then [`load`](Snapshot::load) panics, and says where the snapshot was made and that the reader
//! should declare `.requires` on the provider that publishes it. Where empty is a state of its own (a feature
//! that is switched off), use [`try_load`](Snapshot::try_load), and [`clear`](Snapshot::clear) to get there.
//!
//! ```
//! use mainstay_sync::Snapshot;
//!
//! #[derive(Default)]
//! struct Dns {
//!     servers: Snapshot<Vec<String>>,
//! }
//!
//! let dns = Dns::default();
//! assert!(dns.servers.try_load().is_none());
//! dns.servers.publish(vec!["10.0.0.53".to_owned()]);
//! assert_eq!(dns.servers.load()[0], "10.0.0.53");
//! ```
//!
//! **Build outside, publish once.** Everything that can fail comes before the publish, and what belongs
//! together is one value: two snapshots that are published one after the other can be read in between.
//!
//! **Load once per request.** Two loads may see two versions. Load at the door and hand the [`Loaded`], or a
//! reference to what it holds, down the call.
//!
//! **Follow the changes.** [`changed`](Snapshot::changed) notes the version when it is *called*. Called
//! before the value is used, it misses nothing that happens while the value is used.
//!
//! ```
//! use std::sync::Arc;
//! use mainstay_sync::Snapshot;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let limit = Arc::new(Snapshot::new(1));
//! let publisher = Arc::clone(&limit);
//! tokio::spawn(async move { publisher.publish(2) });
//! loop {
//!     let changed = limit.changed(); // first note the version,
//!     if *limit.load() == 2 {
//!         break; // then use the value,
//!     }
//!     changed.await; // then wait for the next
//! }
//! # }
//! ```
//!
//! **A reader for a hot loop.** [`reader`](Snapshot::reader) keeps the value it read last and pays one
//! comparison for as long as nothing has changed. One per loop, task or thread.
//!
//! **A part of it, for longer.** [`load_full`](Snapshot::load_full) gives an `Arc<T>` to keep.
//!
//! # Limitations
//!
//! - It is for values that change seldom and are read often. A publish allocates and wakes; a counter or a
//!   queue belongs elsewhere.
//! - There is no read-modify-write. Two writers that load, change and publish lose one of the two; let one
//!   provider own each snapshot.
//! - Every version lives until its last reader lets go, so **the destructor of an old value runs on whichever
//!   thread is last**, which may be that of a request. Values with slow destructors want a thread of their
//!   own to be dropped on. If a destructor panics, the panic surfaces there; the snapshot itself is whole.
//! - A [`Reader`] keeps its version alive until its next load, and a [`Loaded`] for as long as it is held.
//! - A [`Loaded`] takes one of eight fast slots that each thread has for *all* such values of the process.
//!   With eight of them held by one thread, its further loads are some three times slower, and no less right.
//!   Keep an `Arc` ([`load_full`](Snapshot::load_full)) where something is kept.
//! - A value that owns its own snapshot is a leak, as with any `Arc`.

#![allow(unexpected_cfgs, reason = "`mainstay_loom` is given by hand, with the command in `loom_tests`")]

mod ambient;
mod changed;
mod core;
mod ended;
mod epochs;
mod inner;
mod joins;
mod loaded;
#[cfg(all(test, mainstay_loom))]
mod loom_tests;
mod made;
mod memo;
mod open;
mod pinned;
mod publish;
mod read;
mod reader;
mod recent;
mod shim;
mod store;
mod stripe;
mod table;
mod transaction;
mod warning;

pub use self::changed::Changed;
pub use self::ended::{Aborted, Committed, Effect, EffectFailure};
pub use self::epochs::Epochs;
pub use self::loaded::Loaded;
pub use self::made::Made;
pub use self::open::Open;
pub use self::pinned::Pinned;
pub use self::reader::Reader;
pub use self::store::Snapshot;
pub use self::transaction::Transaction;
pub use self::warning::Warning;
