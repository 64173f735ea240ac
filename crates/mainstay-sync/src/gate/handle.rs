//! The handle of a gate: what can be asked of it.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use super::enter::{Enter, EnterOwned};
use super::shared::Shared;
use super::watch::Watch;
use super::word::{Close, MOST};
use super::{Drained, OwnedPermit, Permit, TryEnterError};
use crate::sync::Arc;

/// Admits up to so many at a time, in order of arrival, until it is closed; then waits for those inside.
///
/// A handle: clones are the same gate. See the [module](super) for patterns and limitations.
///
/// # Examples
///
/// ```
/// use mainstay_sync::gate::{Gate, TryEnterError};
///
/// let gate = Gate::new(1);
/// let permit = gate.try_enter().unwrap();
/// assert!(matches!(gate.try_enter(), Err(TryEnterError::Full { capacity: 1, .. })));
/// drop(permit);
/// assert!(gate.try_enter().is_ok());
///
/// gate.close();
/// assert!(matches!(gate.try_enter(), Err(TryEnterError::Closed)));
/// ```
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

impl Gate {
    /// Makes a gate that admits so many at a time.
    ///
    /// 0 admits nobody for the time being. 2^30 - 1 or more is the same as [`unlimited`](Self::unlimited).
    pub fn new(capacity: usize) -> Self {
        Self { shared: Arc::new(Shared::new(Some(capacity))) }
    }

    /// Makes a gate that admits everybody while it is open.
    pub fn unlimited() -> Self {
        Self { shared: Arc::new(Shared::new(None)) }
    }

    /// Sets how long an [`enter`](Self::enter) waits at most; the default is without a limit.
    pub fn acquire_timeout(self, timeout: Duration) -> Self {
        self.set_acquire_timeout(Some(timeout));
        self
    }

    #[inline]
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Enters if that is possible at once.
    ///
    /// One compare-and-swap, and one atomic subtraction when the permit is dropped; no lock, no allocation, no
    /// clock. It never overtakes those who wait in [`enter`](Self::enter).
    ///
    /// # Errors
    ///
    /// [`TryEnterError::Closed`] after [`close`](Self::close), otherwise [`TryEnterError::Full`].
    #[inline]
    pub fn try_enter(&self) -> Result<Permit<'_>, TryEnterError> {
        self.shared.try_admit().map(|()| Permit::new(self))
    }

    /// Enters if that is possible at once, with a permit that owns its gate.
    ///
    /// As [`try_enter`](Self::try_enter), and a clone of the handle.
    ///
    /// # Errors
    ///
    /// As [`try_enter`](Self::try_enter).
    #[inline]
    pub fn try_enter_owned(&self) -> Result<OwnedPermit, TryEnterError> {
        self.shared.try_admit().map(|()| OwnedPermit::new(self.clone()))
    }

    /// Enters, and waits its turn for it if necessary.
    ///
    /// Those who wait are admitted in the order in which they were first polled, one for each place that
    /// becomes free. Where there is a place at once this costs what [`try_enter`](Self::try_enter) costs;
    /// otherwise it takes a lock, and allocates nothing but the timer of the
    /// [acquire timeout](Self::acquire_timeout), if there is one.
    ///
    /// # Errors
    ///
    /// [`EnterError::Closed`](super::EnterError::Closed) if the gate is closed, at once also for everybody who
    /// waits; [`EnterError::TimedOut`](super::EnterError::TimedOut) after the acquire timeout.
    ///
    /// # Panics
    ///
    /// When it has to wait with an acquire timeout and there is no tokio runtime with a timer. Without the
    /// timeout any executor will do.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses its turn and nothing else: a place that it was given in the same instant goes
    /// on to the next. Entering again starts at the end of the queue.
    #[inline]
    pub fn enter(&self) -> Enter<'_> {
        Enter::new(self)
    }

    /// Enters, and waits its turn for it if necessary, with a permit that owns its gate.
    ///
    /// # Errors
    ///
    /// As [`enter`](Self::enter).
    ///
    /// # Panics
    ///
    /// As [`enter`](Self::enter).
    ///
    /// # Cancel safety
    ///
    /// As [`enter`](Self::enter).
    #[inline]
    pub fn enter_owned(&self) -> EnterOwned {
        EnterOwned::new(self.clone())
    }

    /// Changes how many may be inside; `None` is no limit.
    ///
    /// A higher capacity admits those who wait, in their order, before this returns. A lower one takes nothing
    /// from those inside: nobody is admitted until enough have left. 0 holds everybody back for the time being.
    pub fn set_capacity(&self, capacity: Option<usize>) {
        self.shared.set_capacity(capacity);
    }

    /// Changes how long an [`enter`](Self::enter) waits at most; `None` is without a limit.
    ///
    /// For those who begin to wait from now on.
    pub fn set_acquire_timeout(&self, timeout: Option<Duration>) {
        self.shared.set_acquire_timeout(timeout);
    }

    /// How many may be inside; `None` where there is no limit.
    pub fn capacity(&self) -> Option<usize> {
        Some(self.shared.word().capacity()).filter(|capacity| *capacity < MOST)
    }

    /// How many are inside at this moment, those included who were given a place and have yet to be polled.
    ///
    /// For the eye and for reports: another thread may change it before the answer is used. What was done
    /// inside before leaving is visible to whoever no longer counts it.
    pub fn count(&self) -> usize {
        self.shared.word().count()
    }

    /// How many wait to be admitted at this moment; for the eye and for reports.
    pub fn waiting(&self) -> usize {
        self.shared.waiting()
    }

    /// Admits nobody any more, for ever; everybody who waits gets
    /// [`EnterError::Closed`](super::EnterError::Closed) at once.
    ///
    /// Those inside stay, and learn of it by [`Permit::draining`]. May be called again.
    pub fn close(&self) {
        self.shared.close(Close::Gently);
    }

    /// Tells whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.shared.word().is_closed()
    }

    /// Closes, and gives those inside so long until they are forced to end.
    ///
    /// For somebody else's [`drained`](Self::drained), begun before or after. Of several deadlines the
    /// earliest counts.
    pub fn force_after(&self, within: Duration) {
        self.shared.force_after(within);
    }

    /// Closes, and tells those inside to end now, by [`Permit::forced`].
    pub fn force(&self) {
        self.shared.close(Close::Forced);
    }

    /// Closes, and waits until everybody has left, or for so long.
    ///
    /// The call closes and sets the deadline, not the first poll: [`force_after`](Self::force_after), then
    /// [`drained`](Self::drained). It ends with the last permit, not with the deadline. `Duration::MAX` is
    /// without a deadline.
    ///
    /// # Panics
    ///
    /// As [`drained`](Self::drained).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets the wait. The gate stays closed, and the deadline stays what it is.
    pub fn drain(&self, within: Duration) -> impl Future<Output = Drained> + Send + Sync + '_ {
        self.force_after(within);
        self.drained()
    }

    /// Waits for the end of a drain, whoever begins it, and whenever.
    ///
    /// Ends when the gate is closed *and* everybody has left, or when those inside are forced to end. A gate
    /// that is open is waited for, also if it is empty. Any number may wait at once, and get the same answer;
    /// what was done inside before leaving is visible afterwards.
    ///
    /// # Panics
    ///
    /// When there is a deadline to wait for and no tokio runtime with a timer. Without a deadline any executor
    /// will do.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets the wait and changes nothing else.
    pub fn drained(&self) -> impl Future<Output = Drained> + Send + Sync + '_ {
        Watch::new(&self.shared, Shared::drained)
    }

    /// Waits until the gate is closed and everybody has left, also after they were forced to end.
    ///
    /// Nothing bounds this wait: whoever does not listen to [`Permit::forced`] is waited for.
    ///
    /// # Panics
    ///
    /// As [`drained`](Self::drained).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future forgets the wait and changes nothing else.
    pub fn emptied(&self) -> impl Future<Output = ()> + Send + Sync + '_ {
        Watch::new(&self.shared, |shared| {
            let word = shared.word();
            (word.is_closed() && word.count() == 0).then_some(())
        })
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("count", &self.count())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
