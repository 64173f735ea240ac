//! What was called, in order.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// A shared list of lines: which hook of which provider was called.
#[derive(Clone, Debug, Default)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    lines: Mutex<Vec<String>>,
    written: Notify,
}

impl Log {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    pub fn push(&self, line: impl Into<String>) {
        self.inner.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
        self.inner.written.notify_waiters();
    }

    /// Every line so far.
    pub fn lines(&self) -> Vec<String> {
        self.inner.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every line so far; the list is empty afterwards.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.inner.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How often the line was written.
    pub fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|written| *written == line).count()
    }

    /// The place of a line; `None` when it was not written.
    pub fn position(&self, line: &str) -> Option<usize> {
        self.lines().iter().position(|written| written == line)
    }

    /// Waits until a line was written.
    ///
    /// # Cancel safety
    ///
    /// Safe: lines stay.
    pub async fn wait_for(&self, line: &str) {
        loop {
            let written = self.inner.written.notified();
            tokio::pin!(written);
            // Registered before the look: a line that is written after the look wakes.
            written.as_mut().enable();
            if self.count(line) > 0 {
                return;
            }
            written.await;
        }
    }
}
