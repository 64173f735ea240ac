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
//! together is one value: two snapshots that are published one after the other can be read in between, unless
//! it is in a transaction and by a pin.
//!
//! **Load once per request.** Two loads may see two versions. Load at the door and hand the [`Loaded`], or a
//! reference to what it holds, down the call.
//!
//! **Many providers, one change.** All snapshots of a daemon are one [`Epochs`]. What is published inside a
//! [transaction](Transaction) is staged, and becomes visible with everything else that is, in one epoch, or
//! never. The hooks need not know: they publish, and see what they and those before them have published.
//! Everybody else sees the old epoch. The runtime does this around every reload; here it is by hand.
//!
//! ```
//! use mainstay_sync::{Epochs, Snapshot};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let epochs = Epochs::new();
//! let (routes, limits) = (Snapshot::new(vec!["/"]), Snapshot::new(10));
//!
//! async fn reload_limits(limits: &Snapshot<u32>) -> Result<(), &'static str> {
//!     limits.publish(0);
//!     if *limits.load() == 0 { Err("nobody could come in") } else { Ok(()) }
//! }
//!
//! let open = epochs.begin();
//! let transaction = open.handle();
//! transaction.scope(epochs.scope("routes", async { routes.publish(vec!["/", "/admin"]) })).await;
//! let refused = transaction.scope(epochs.scope("limits", reload_limits(&limits))).await;
//! if refused.is_err() {
//!     open.abort();
//! } else {
//!     open.commit();
//! }
//! assert_eq!((routes.load().len(), *limits.load()), (1, 10)); // not even the routes have changed
//! # }
//! ```
//!
//! **One epoch per request.** A [pin](Epochs::pin) holds an epoch. Everything that is read through it is of
//! that one, across all snapshots and all awaits: all old or all new, never a mix. Ask for it at the door and
//! hand it down; or run the request in its [scope](Pinned::into_scope), and code that knows nothing of pins
//! is bound by it, too. A pin may be carried into tasks; it is no guard of arc-swap, and thousands may be
//! held.
//!
//! ```
//! use mainstay_sync::{Epochs, Pinned, Snapshot};
//!
//! struct Site {
//!     host: Snapshot<&'static str>,
//!     port: Snapshot<u16>,
//! }
//!
//! async fn answer(pin: &Pinned, site: &Site) -> String {
//!     let host = pin.load(&site.host);
//!     tokio::task::yield_now().await; // a reload may be committed here
//!     format!("{host}:{}", pin.load(&site.port))
//! }
//!
//! async fn answer_as_ever(site: &Site) -> String {
//!     let host = site.host.load();
//!     tokio::task::yield_now().await;
//!     format!("{}:{}", *host, *site.port.load())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let epochs = Epochs::new();
//! # let site = Site { host: Snapshot::empty(), port: Snapshot::empty() };
//! # epochs.enter("site", || { site.host.publish("localhost"); site.port.publish(80); });
//! let pin = epochs.pin();
//! let (one, other) = tokio::join!(answer(&pin, &site), pin.clone().into_scope(answer_as_ever(&site)));
//! assert_eq!(one, other);
//! # }
//! ```
//!
//! **An effect that is not a value.** Bind the new listener in the hook, and stop to accept on the old one in
//! [`on_commit`](Transaction::on_commit), or close the new one in [`on_abort`](Transaction::on_abort). What
//! requests of the old epoch may still use is closed by its own `Drop`: that comes with the last of them.
//!
//! **A hook that spawns.** `join!` and `select!` carry the transaction. A task, a thread or a pool does not:
//! hand it [`Transaction::current`]. What comes after the end is discarded (abort) or visible at once
//! (commit), and a [`Warning`]; a publish that forgot the transaction is one, too.
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
//! In a hook, do not wait for a change of what the hook itself has staged: that comes with the commit, after
//! it.
//!
//! **A reader for a hot loop.** [`reader`](Snapshot::reader) keeps the value it read last and pays one
//! comparison for as long as nothing has changed. One per loop, task or thread.
//!
//! **A part of it, for longer.** [`load_full`](Snapshot::load_full) gives an `Arc<T>` to keep.
//!
//! # Limitations
//!
//! - It is for values that change seldom and are read often. A publish allocates and wakes; of a snapshot
//!   that belongs to a daemon it copies the table of all of them, as many reference counts as there are
//!   snapshots. A counter or a queue belongs elsewhere.
//! - There is no read-modify-write. Two writers that load, change and publish lose one of the two; let one
//!   provider own each snapshot. So a commit overwrites what was published at once beside it.
//! - A snapshot belongs to one daemon of the process, the one that publishes it first, and for good. For
//!   others it is foreign: their transactions stage it, but it becomes visible after theirs, as an epoch of
//!   its own.
//! - A pin that is older than a snapshot's first publish in its daemon reads what it had before that. A
//!   snapshot that is no member has within one pin the value of its first read, which the pin keeps in a
//!   list: a few are nothing, thousands are a slow pin.
//! - Every version lives until its last reader lets go, so **the destructor of an old value runs on whichever
//!   thread is last**, which may be that of a request. Values with slow destructors want a thread of their
//!   own to be dropped on. If a destructor panics, the panic surfaces there; the snapshot itself is whole. At
//!   the end of a transaction such a panic is a [failure](EffectFailure) in its report.
//! - A pin, and a [`Loaded`] of a daemon's snapshot, keep the values of *all* snapshots of their epoch alive;
//!   a [`Reader`] keeps one, until its next load.
//! - A [`Loaded`] takes one of eight fast slots that each thread has for *all* such values of the process.
//!   With eight of them held by one thread, its further loads are some three times slower, and no less right.
//!   Keep an `Arc` ([`load_full`](Snapshot::load_full)) or a pin where something is kept.
//! - Dropping a snapshot that is a member copies the table without it: [close](Epochs::close) the epochs
//!   before the end of a daemon.
//! - A value that owns its own snapshot, or the provider that does, is a leak, as with any `Arc`.
//! - What is ambient (a scope of a daemon, a transaction, a pin) is known to the thread that polls, and to
//!   nobody else; code that polls a future by hand in another thread leaves it behind like a spawn does.

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
pub use self::epochs::{Epochs, Scoped};
pub use self::loaded::Loaded;
pub use self::made::Made;
pub use self::open::Open;
pub use self::pinned::Pinned;
pub use self::reader::Reader;
pub use self::store::Snapshot;
pub use self::transaction::Transaction;
pub use self::warning::Warning;
