//! What a fake does in a phase.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use mainstay_registry::{Error, Result};

/// What a [`Fake`](crate::Fake) does when a hook of it is called.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Fault {
    /// Returns `Ok`.
    #[default]
    None,
    /// Returns `Error::msg` with that text.
    Error(&'static str),
    /// Returns `Error::recoverable` with that text.
    Recoverable(&'static str),
    /// Returns `Error::Validate` with that text.
    Invalid(&'static str),
    /// Panics with that text, before the first await.
    Panic(&'static str),
    /// Panics with that text, after an await.
    PanicLater(&'static str),
    /// Awaits what never comes.
    Hang,
    /// Awaits what never comes; when it is dropped, its destructor panics.
    HangPanicDrop,
    /// Returns `Ok` after so long.
    Slow(Duration),
    /// Yields so many times, then returns `Ok`.
    Yield(u32),
    /// Blocks its thread until the [`Blocker`] is released.
    Block(Blocker),
    /// Does the other fault as often as is left, then returns `Ok`.
    Times(Left, Box<Fault>),
}

/// How often a fault still happens: shared by its clones.
#[derive(Clone, Debug)]
pub struct Left(Arc<AtomicU32>);

impl Fault {
    /// A fault that happens the first `times` times, and then no more: for what works at the second try.
    ///
    /// # Examples
    ///
    /// ```
    /// use mainstay_registry::{Registry, RestartPolicy};
    /// use mainstay_runtime::{Runtime, Signals};
    /// use mainstay_test::{Fake, Fault, Harness, Log};
    /// use std::sync::Arc;
    ///
    /// struct Broker;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let log = Log::new();
    /// let lines = log.clone();
    /// let daemon = Harness::new((), move |registry: &Registry<()>| {
    ///     let broker = Fake::<Broker>::new("broker", &lines);
    ///     let refused = Fault::Error("refused").times(2);
    ///     registry.insert(Arc::new(broker.runs_at_once(refused).restart(RestartPolicy::on_failure())));
    /// });
    /// let daemon = daemon.start().await;
    /// daemon.wait().await;
    /// assert_eq!(daemon.exit_code(), 0);
    /// assert_eq!(log.count("run broker"), 3);
    /// # }
    /// ```
    pub fn times(self, times: u32) -> Self {
        Self::Times(Left(Arc::new(AtomicU32::new(times))), Box::new(self))
    }
}

impl Fault {
    pub(crate) async fn happen(self) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Error(text) => Err(Error::msg(text)),
            Self::Recoverable(text) => Err(Error::recoverable(text)),
            Self::Invalid(text) => Err(Error::Validate { name: "", source: text.into() }),
            Self::Panic(text) => panic!("{text}"),
            Self::PanicLater(text) => {
                tokio::task::yield_now().await;
                panic!("{text}")
            }
            Self::Hang => std::future::pending().await,
            Self::HangPanicDrop => {
                let _bomb = Bomb;
                std::future::pending().await
            }
            Self::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Self::Yield(times) => {
                for _ in 0..times {
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            Self::Times(left, fault) => {
                let less = |left: u32| left.checked_sub(1);
                if left.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err() {
                    return Ok(());
                }
                Box::pin(fault.happen()).await
            }
            Self::Block(blocker) => {
                blocker.block();
                Ok(())
            }
        }
    }

    /// In a synchronous hook: what awaits is polled once, and taken for `Ok` when it is pending.
    pub(crate) fn happen_now(self) -> Result<()> {
        let mut future = std::pin::pin!(self.happen());
        match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(result) => result,
            std::task::Poll::Pending => Ok(()),
        }
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a destructor panics");
    }
}

/// Blocks threads until it is released.
#[derive(Clone, Debug, Default)]
pub struct Blocker {
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Blocker {
    /// One that is not released.
    pub fn new() -> Self {
        Self::default()
    }

    /// Blocks the calling thread until it is released.
    pub fn block(&self) {
        let (open, changed) = &*self.gate;
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            open = changed.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets every thread go, now and later.
    pub fn release(&self) {
        let (open, changed) = &*self.gate;
        *open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }
}
