//! The handles: the set of a generation, and one child of it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::control::{Answer, How};
use super::{ChildEnd, ChildError, ChildStatus, Entry};
use crate::context::Generation;

/// The set of the children that one generation supervises; from [`RunContext::children`](crate::RunContext::children).
///
/// Cheap to clone. After the end of the generation it is empty.
#[derive(Clone)]
pub struct Children {
    generation: Arc<Generation>,
}

impl Children {
    pub(crate) fn new(generation: Arc<Generation>) -> Self {
        Self { generation }
    }

    /// Returns every child that is listed, by name: those that run, wait for their restart, were stopped or have
    /// failed.
    pub fn list(&self) -> Vec<ChildStatus> {
        self.generation.children_status()
    }

    /// Returns how many are active: run, or are about to. One in backoff does not.
    pub fn count(&self) -> usize {
        self.generation.children_counts().0
    }

    /// Returns how many places are taken: every child that is listed takes one.
    pub fn len(&self) -> usize {
        self.generation.children_counts().1
    }

    /// Says whether none is listed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets how many places there are; any number by default. A full set refuses with
    /// [`SuperviseError::Full`](crate::SuperviseError::Full). Those above a lower limit stay.
    pub fn limit(&self, most: usize) {
        self.generation.make_members().limit(most);
    }

    /// Returns the child with this name.
    pub fn get(&self, name: &str) -> Option<Supervised> {
        self.generation.members()?.find(name).map(Supervised::new)
    }
}

impl fmt::Debug for Children {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Children").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// One supervised child. Cheap to clone; dropping it changes nothing, the child belongs to its set.
///
/// Each request is accepted at once, from any thread and task, and never waits; only its answer does. From inside of
/// the child itself, which would wait for itself, the answer is [`ChildError::Busy`] and the request stands.
#[derive(Clone)]
pub struct Supervised {
    entry: Entry,
}

impl Supervised {
    pub(crate) fn new(entry: Entry) -> Self {
        Self { entry }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        self.entry.name()
    }

    /// Returns what it does, or `None` when it is no longer listed.
    pub fn status(&self) -> Option<ChildStatus> {
        self.entry.status(self.entry.now())
    }

    /// Asks it to stop, and answers when everything in it has ended. It stays listed as stopped.
    ///
    /// It has the stop timeout of its provider (5 s), is then aborted, and named if the abort takes no effect within
    /// 100 ms. To stop what is stopped, has failed or is gone is `Ok`. A stop after a restart counts.
    ///
    /// # Errors
    ///
    /// When it is stuck, and from inside of itself.
    ///
    /// # Cancel safety
    ///
    /// Dropping the answer gives up nothing but the answer.
    pub fn stop(&self) -> impl Future<Output = Result<(), ChildError>> + Send + use<> {
        let answer = self.entry.stop(How::Asked);
        async move {
            match answer {
                Answer::Now(answer) => answer,
                // Who answers no more has nothing left that runs.
                Answer::Later(later) => later.await.unwrap_or(Ok(())),
            }
        }
    }

    /// Stops what runs and starts it again, as one operation; answers when the next generation has begun.
    ///
    /// Nothing is charged, and the row of its restarts begins anew. What was stopped or has failed is started. A stop
    /// that comes before the next generation begins counts, and this answers
    /// [`Stopped`](ChildError::Stopped).
    ///
    /// # Errors
    ///
    /// When it is gone or stuck, its task ends, a stop came, it could not be started, and from inside of itself.
    ///
    /// # Cancel safety
    ///
    /// As for [`stop`](Self::stop).
    pub fn restart(&self) -> impl Future<Output = Result<(), ChildError>> + Send + use<> {
        let answer = self.entry.restart();
        let name = self.name().to_owned();
        async move {
            match answer {
                Answer::Now(answer) => answer,
                Answer::Later(later) => later.await.unwrap_or(Err(ChildError::Closed { name })),
            }
        }
    }

    /// Takes it off the list and gives up what it holds. To remove what is gone is `Ok`.
    ///
    /// # Errors
    ///
    /// When it runs, or waits for its restart: stop it first.
    pub fn remove(&self) -> Result<(), ChildError> {
        self.entry.remove()
    }

    /// Ends it without a grace, by dropping its future, and everything in it. Returns at once; it stays listed as
    /// stopped. After a stop that takes its time this wins, and the second one changes nothing.
    pub fn abort(&self) {
        drop(self.entry.stop(How::Aborted));
    }

    /// Waits until it has ended and is not about to be started again, and returns how. Every caller gets the same.
    ///
    /// # Errors
    ///
    /// From inside of itself.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropping it changes nothing.
    pub async fn wait(&self) -> Result<ChildEnd, ChildError> {
        match self.entry.wait()? {
            Answer::Now(end) => Ok(end),
            Answer::Later(later) => Ok(later.await.unwrap_or(ChildEnd::Stopped)),
        }
    }
}

impl fmt::Debug for Supervised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Supervised").field(&self.name()).finish()
    }
}
