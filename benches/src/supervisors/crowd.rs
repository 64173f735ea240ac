//! Tasks that do nothing but wait until they are asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// What has been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// The supervisor is there, and none of the tasks.
    Empty,
    /// Each task has been polled.
    Started,
    /// They are asked to stop next.
    Stopping,
    /// All are gone, with their futures, and the supervisor's own call has returned.
    Stopped,
}

/// The tasks to be started, and who is told of the moments.
#[derive(Clone)]
pub struct Crowd(Arc<Inner>);

struct Inner {
    names: Vec<String>,
    arrived: AtomicUsize,
    all_arrived: Notify,
    mark: Box<dyn Fn(Moment) + Send + Sync>,
}

impl Crowd {
    /// Calls so many tasks by names that no other crowd uses.
    pub fn new(size: usize, mark: impl Fn(Moment) + Send + Sync + 'static) -> Self {
        static CROWDS: AtomicUsize = AtomicUsize::new(0);
        let crowd = CROWDS.fetch_add(1, Ordering::Relaxed);
        let names = (0..size).map(|task| format!("{crowd}-{task}")).collect();
        let (arrived, all_arrived) = (AtomicUsize::new(0), Notify::new());
        Crowd(Arc::new(Inner { names, arrived, all_arrived, mark: Box::new(mark) }))
    }

    /// Returns the name of each task.
    pub fn names(&self) -> &[String] {
        &self.0.names
    }

    /// Marks a moment.
    pub fn mark(&self, moment: Moment) {
        (self.0.mark)(moment);
    }

    /// Is called by each task in its first poll.
    pub fn arrive(&self) {
        if self.0.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.0.names.len() {
            self.0.all_arrived.notify_one();
        }
    }

    /// Waits until each task has arrived, and marks that.
    pub async fn started(&self) {
        self.0.all_arrived.notified().await;
        self.mark(Moment::Started);
    }

    /// Says whether nobody else holds a part of it.
    pub fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}
