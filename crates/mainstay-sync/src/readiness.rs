//! Whether the current generation of something does its job now.
//!
//! Something that is started again and again (a task, a worker, a connection) has numbered *generations*. Each
//! [begins](Readiness::begin) as not ready, says once that it is, and is not any more when it ends, which is
//! the drop of its [`Generation`], on whatever path.
//!
//! ```
//! use mainstay_sync::Readiness;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let readiness = Readiness::new();
//! let first = readiness.begin();
//! assert!(!readiness.is_ready());
//! first.set();
//! assert_eq!(readiness.ready().await, 1);
//! drop(first);
//! assert!(!readiness.is_ready());
//! # }
//! ```
//!
//! # Patterns
//!
//! **Depend on it: two questions.** [`ready`](Readiness::ready) waits through failed generations until one is
//! ready: for a client that may wait. [`settled`](Readiness::settled) waits until it is decided for *this*
//! generation, and an end without readiness is an error: for whoever starts it and must know.
//!
//! ```
//! use mainstay_sync::Readiness;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let readiness = Readiness::new();
//! let generation = readiness.begin();
//! tokio::spawn(async move {
//!     let _not_set = generation; // it fails before it is ready
//! });
//! let error = readiness.settled().await.unwrap_err();
//! assert_eq!(error.to_string(), "generation 1 ended before it was ready");
//! # }
//! ```
//!
//! **Begin before the spawn.** Then there is no moment in which the new generation exists and is not known.
//!
//! # Limitations
//!
//! - It is a state, not a stream of events: a generation that was ready and has ended before a waiter was
//!   polled is, for that waiter, one that ended.
//! - A new generation takes over from one that still lives. What the older one says from then on counts for
//!   nothing.
//! - Nothing says that there will ever be another generation; [`ready`](Readiness::ready) waits for it all the
//!   same.

use std::error::Error;
use std::fmt;

use crate::bell::Bell;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Says whether the current generation is ready, and lets any number wait for it.
///
/// A handle: clones are the same. See the [module](self) for patterns and limitations.
#[derive(Clone, Default)]
pub struct Readiness {
    shared: Arc<Shared>,
}

/// One generation; dropping it is its end.
///
/// Made by [`Readiness::begin`].
#[must_use = "a generation ends when this is dropped, which is at once if it is not kept"]
pub struct Generation {
    shared: Arc<Shared>,
    number: u64,
}

/// A generation that ended, or was taken over from, before it was ready for the one who waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotReady {
    /// The number of that generation.
    pub generation: u64,
}

/// How far a generation has come; the low bits of the word, below its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Ended = 0,
    Starting = 1,
    Ready = 2,
}

/// Bits of a stage.
const BITS: u32 = 2;

#[derive(Default)]
struct Shared {
    /// Number and stage of the newest generation in one word, so that no stage is ever seen with another
    /// generation's number.
    word: AtomicU64,
    bell: Bell,
}

impl Readiness {
    /// Makes one of which no generation has begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the next generation, which is not ready; an older one that still lives is over with that.
    pub fn begin(&self) -> Generation {
        let next = |word| Some(word_of(number(word) + 1, Stage::Starting));
        // Relaxed: a beginning publishes nothing.
        let (Ok(before) | Err(before)) =
            self.shared.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        self.shared.bell.ring();
        Generation { shared: Arc::clone(&self.shared), number: number(before) + 1 }
    }

    /// Tells whether the current generation is ready.
    pub fn is_ready(&self) -> bool {
        stage(self.shared.load()) == Stage::Ready
    }

    /// The number of the newest generation; 0 before the first.
    pub fn generation(&self) -> u64 {
        number(self.shared.load())
    }

    /// Waits until a generation is ready, this one or a later one, and gives its number.
    ///
    /// Ends at once if the current one is. What was done before [`Generation::set`] is visible afterwards.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets the wait and changes nothing else.
    pub async fn ready(&self) -> u64 {
        self.shared.wait(|word| (stage(word) == Stage::Ready).then_some(number(word))).await
    }

    /// Waits until the current generation is ready or has ended; before the first, for the first.
    ///
    /// # Errors
    ///
    /// [`NotReady`] if it ended, or a newer one began, before it was seen to be ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets the wait and changes nothing else. A new one waits for the generation that
    /// is current then.
    pub async fn settled(&self) -> Result<u64, NotReady> {
        let generation = self.generation().max(1);
        self.shared
            .wait(move |word| match (number(word), stage(word)) {
                (number, Stage::Ready) if number == generation => Some(Ok(number)),
                (number, Stage::Starting) if number == generation => None,
                (number, _) => (number >= generation).then_some(Err(NotReady { generation })),
            })
            .await
    }
}

impl Generation {
    /// Its number; the first is 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Says that this generation is ready; once, and a second time changes nothing.
    pub fn set(&self) {
        // Release: what made it ready comes before.
        self.advance(Stage::Starting, Stage::Ready, Ordering::Release);
    }

    /// Tells whether this generation is ready: it said so, and no newer one has begun.
    pub fn is_ready(&self) -> bool {
        self.shared.load() == word_of(self.number, Stage::Ready)
    }

    fn advance(&self, from: Stage, to: Stage, ordering: Ordering) {
        let (from, to) = (word_of(self.number, from), word_of(self.number, to));
        if self.shared.word.compare_exchange(from, to, ordering, Ordering::Relaxed).is_ok() {
            self.shared.bell.ring();
        }
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        // Nobody else changes the stage of this number, so it is one of the two.
        self.advance(Stage::Starting, Stage::Ended, Ordering::Release);
        self.advance(Stage::Ready, Stage::Ended, Ordering::Release);
    }
}

impl Shared {
    fn load(&self) -> u64 {
        self.word.load(Ordering::Acquire)
    }

    async fn wait<R>(&self, mut look: impl FnMut(u64) -> Option<R>) -> R {
        let mut listener = self.bell.listener();
        std::future::poll_fn(move |cx| listener.poll(cx, || look(self.load()))).await
    }
}

fn word_of(number: u64, stage: Stage) -> u64 {
    number << BITS | stage as u64
}

fn number(word: u64) -> u64 {
    word >> BITS
}

fn stage(word: u64) -> Stage {
    match word & ((1 << BITS) - 1) {
        1 => Stage::Starting,
        2 => Stage::Ready,
        _ => Stage::Ended,
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation {} ended before it was ready", self.generation)
    }
}

impl Error for NotReady {}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.shared.load();
        f.debug_struct("Readiness").field("generation", &number(word)).field("stage", &stage(word)).finish()
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation")
            .field("number", &self.number)
            .field("ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}
