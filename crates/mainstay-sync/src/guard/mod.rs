//! Counts what is in flight, and waits until none of it is.
//!
//! A [`GuardGroup`] is a number that goes up with [`guard`](GuardGroup::guard) and down when that [`Guard`]
//! is dropped, on whatever path: return, `?`, panic, a cancelled future. It admits everybody and limits
//! nothing.
//!
//! ```
//! use mainstay_sync::GuardGroup;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let connections = GuardGroup::new();
//! for id in 0..3 {
//!     let guard = connections.guard();
//!     tokio::spawn(async move {
//!         let _guard = guard; // the last thing of this task to be dropped
//!         let _ = id; // serve it
//!     });
//! }
//! connections.wait_empty().await;
//! assert_eq!(connections.count(), 0);
//! # }
//! ```
//!
//! # Patterns
//!
//! **Drain: first admit nothing new, then wait.** A group does not close by itself, so the order matters:
//! leave the accept loop (or shut whatever lets work in), then wait, and bound the wait, because a guard is
//! as slow as the work that holds it.
//!
//! ```
//! use std::time::Duration;
//! use mainstay_sync::GuardGroup;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let requests = GuardGroup::new();
//! # let _stuck = requests.guard();
//! // .. the accept loop has ended ..
//! if tokio::time::timeout(Duration::from_millis(1), requests.wait_empty()).await.is_err() {
//!     println!("{} requests did not finish in time", requests.count());
//! }
//! # }
//! ```
//!
//! **Take the guard before the spawn, not inside the task.** A task that has been spawned and not yet polled
//! holds nothing that is made in its body, and a drain in that instant would not wait for it.
//!
//! **Hand a guard on** to whoever finishes the work: it is `Send` and owns its group, so it can go into a
//! response body, a channel, or another thread. To count a second piece of work, ask the group for a second
//! guard.
//!
//! # Limitations
//!
//! - A guard that is never dropped (`mem::forget`, a cycle of `Arc`s, a task that hangs) is waited for
//!   without end. Put a deadline around every wait.
//! - Nothing is said about *who* holds a guard. Where the report must name what was cut, keep the names
//!   yourself.
//! - A group counts at most 2^31 guards at one time; one more panics.

mod group;
mod wait_empty;

pub use self::group::{Guard, GuardGroup};
pub use self::wait_empty::WaitEmpty;
