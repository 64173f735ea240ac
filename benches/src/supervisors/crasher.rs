//! A task of which every generation fails, and which measures how long it takes until the next one is polled.

use std::error::Error;
use std::fmt;
use std::panic;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How a generation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// It returns an error.
    Error,
    /// It panics.
    Panic,
}

/// The error that it returns: nothing to allocate, nothing to format.
#[derive(Clone, Copy, Debug)]
pub struct Crashed;

impl fmt::Display for Crashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("crashed")
    }
}

impl Error for Crashed {}

/// Replaces the hook that prints panics, for the whole process: a crasher's are not worth a word, others are.
pub fn say_nothing_of_crashes() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !panic.payload().is::<Crashed>() {
            print(panic);
        }
    }));
}

/// A task that crashes so many times; a clone is the same task.
#[derive(Clone)]
pub struct Crasher(Arc<Inner>);

struct Inner {
    crash: Crash,
    times: usize,
    log: Mutex<Log>,
    done: Notify,
}

struct Log {
    crashed: Option<Instant>,
    waits: Vec<Duration>,
}

impl Crasher {
    /// Will crash so many times and then complete.
    pub fn new(crash: Crash, times: usize) -> Self {
        let log = Mutex::new(Log { crashed: None, waits: Vec::with_capacity(times) });
        Crasher(Arc::new(Inner { crash, times, log, done: Notify::new() }))
    }

    /// Is the body of a generation: to be called in its first poll.
    ///
    /// # Errors
    ///
    /// As often as it is to crash with errors.
    ///
    /// # Panics
    ///
    /// As often as it is to panic.
    pub fn live(&self) -> Result<(), Crashed> {
        let polled = Instant::now();
        let inner = &*self.0;
        let mut log = inner.log.lock().expect("nothing panics under it");
        if let Some(crashed) = log.crashed {
            log.waits.push(polled - crashed);
        }
        if log.waits.len() == inner.times {
            inner.done.notify_one();
            return Ok(());
        }
        log.crashed = Some(Instant::now());
        drop(log);
        match inner.crash {
            Crash::Error => Err(Crashed),
            Crash::Panic => panic::panic_any(Crashed),
        }
    }

    /// Waits until it has completed.
    pub async fn done(&self) {
        self.0.done.notified().await;
    }

    /// Returns how long each restart took, from the crash to the first poll of the next generation.
    pub fn waits(&self) -> Vec<Duration> {
        self.0.log.lock().expect("nothing panics under it").waits.clone()
    }
}
