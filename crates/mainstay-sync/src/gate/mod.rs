//! Admits up to a limit, in order of arrival, and drains.
//!
//! A [`Gate`] stands before work that is admitted piece by piece: connections, requests, jobs. Whoever
//! [enters](Gate::enter) holds a [`Permit`] and is inside until it is dropped, on whatever path: return, `?`,
//! panic, a cancelled future. A gate has three turns in its life, and each can be awaited: it is open; it is
//! closed, and drains; whoever is still inside at the deadline is forced to end.
//!
//! ```
//! use std::time::Duration;
//! use mainstay_sync::gate::{Drained, Gate};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let requests = Gate::new(100).acquire_timeout(Duration::from_millis(200));
//! for id in 0..3 {
//!     let permit = requests.enter_owned().await.expect("it is open, and there is room");
//!     tokio::spawn(async move {
//!         let _permit = permit; // the last thing of this task to be dropped
//!         let _ = id; // serve it
//!     });
//! }
//! assert_eq!(requests.drain(Duration::from_secs(5)).await, Drained::All);
//! # }
//! ```
//!
//! # Patterns
//!
//! **Take the permit before the work is accepted, and before the spawn.** An accept loop that enters first
//! leaves what it cannot serve in the kernel's queue, where another process may take it. And a task that has
//! been spawned and not yet polled holds nothing that is made in its body.
//!
//! **Turn away at once, or after a while.** [`try_enter`](Gate::try_enter) answers an overload with no queue at
//! all; [`enter`](Gate::enter) with an [acquire timeout](Gate::acquire_timeout) smooths a burst and bounds what
//! a client waits.
//!
//! ```
//! use mainstay_sync::gate::{EnterError, Gate};
//!
//! async fn handle(gate: &Gate) -> (u16, &'static str) {
//!     match gate.enter().await {
//!         Ok(_permit) => (200, "served"),
//!         Err(EnterError::TimedOut { .. }) => (503, "busy"),
//!         Err(_) => (503, "going away"),
//!     }
//! }
//! ```
//!
//! **End well inside.** Work that lasts as long as its peer likes (a kept-alive connection, a stream) awaits
//! [`draining`](Permit::draining) to end at the next good moment, and [`forced`](Permit::forced) to end now.
//!
//! ```
//! use std::time::Duration;
//! use mainstay_sync::gate::{Drained, Gate};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! # async fn next_request() -> u32 { std::future::pending().await }
//! # async fn serve(_: u32) {}
//! let gate = Gate::unlimited();
//! let permit = gate.try_enter_owned().unwrap();
//! let connection = tokio::spawn(async move {
//!     loop {
//!         tokio::select! {
//!             () = permit.draining() => return "said goodbye",
//!             request = next_request() => tokio::select! {
//!                 () = permit.forced() => return "was cut off",
//!                 () = serve(request) => {}
//!             },
//!         }
//!     }
//! });
//! assert_eq!(gate.drain(Duration::from_secs(5)).await, Drained::All);
//! assert_eq!(connection.await.unwrap(), "said goodbye");
//! # }
//! ```
//!
//! **Name what was cut.** [`Drained::Forced`] has the number that was left. [`emptied`](Gate::emptied), with a
//! short limit around it, waits until those have heard it.
//!
//! **Change the limit by a reload.** [`set_capacity`](Gate::set_capacity) in the hook's commit: a raise admits
//! at once, a cut waits for those inside, 0 is a pause.
//!
//! # Limitations
//!
//! - Everybody weighs the same. For weights (bytes, rows) take `tokio::sync::Semaphore`.
//! - Strict order has its price: a place belongs to the one whose turn it is from the moment it becomes free,
//!   and lies idle until that one is polled. A future in the queue that is neither polled nor dropped keeps it.
//! - A permit that is never dropped (`mem::forget`, a cycle of `Arc`s, a task that hangs) is waited for until
//!   the deadline. A gate forces nobody itself: `forced` is a word to those who listen.
//! - A closed gate stays closed. To hold back for a while, set the capacity to 0.
//! - A gate has no task of its own. That a deadline is over is noticed by whoever waits for it; the timers are
//!   tokio's, made only where one waits with a limit.
//! - An [`enter`](Gate::enter) that finds a place does not yield: a loop that does nothing else starves its
//!   thread. tokio's semaphore spends its task's budget there.
//! - At most 2^30 - 1 permits at one time.

mod clock;
mod drained;
mod enter;
mod error;
mod handle;
mod permit;
mod shared;
mod watch;
mod word;

pub use self::drained::Drained;
pub use self::enter::{Enter, EnterOwned};
pub use self::error::{EnterError, TryEnterError};
pub use self::handle::Gate;
pub use self::permit::{OwnedPermit, Permit};
