//! The right to be inside.

use std::fmt;

use super::Gate;
use super::watch::Watch;

/// The right to be inside a gate, borrowed from its handle; dropping it is leaving.
///
/// Made by [`Gate::enter`] and [`Gate::try_enter`]. To keep it longer than the handle, see
/// [`into_owned`](Self::into_owned).
#[must_use = "the permit is given back when it is dropped, which is at once if it is not kept"]
pub struct Permit<'a> {
    gate: &'a Gate,
}

/// The right to be inside a gate, on its own; dropping it is leaving.
///
/// Made by [`Gate::enter_owned`] and [`Gate::try_enter_owned`]. It can go into a task, a response body, or
/// another thread, and the gate's last handle may be dropped before it.
#[must_use = "the permit is given back when it is dropped, which is at once if it is not kept"]
pub struct OwnedPermit {
    gate: Gate,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(super) fn new(gate: &'a Gate) -> Self {
        Self { gate }
    }

    /// Makes it independent of the handle; the place is the same.
    pub fn into_owned(self) -> OwnedPermit {
        let gate = self.gate.clone();
        std::mem::forget(self); // the place goes on in the other; a borrowed permit owns nothing else
        OwnedPermit { gate }
    }
}

impl OwnedPermit {
    #[inline]
    pub(super) fn new(gate: Gate) -> Self {
        Self { gate }
    }
}

macro_rules! seen_from_inside {
    ($($permit:ty),+) => {$(
        impl $permit {
            /// The gate that this permit is of.
            pub fn gate(&self) -> &Gate {
                &self.gate
            }

            /// Waits until the gate drains: nobody new comes in, and whoever is inside should come to an end
            /// (answer this request, and not wait for the next one).
            ///
            /// Ends at once if the gate is closed already.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future forgets the wait and changes nothing else.
            pub async fn draining(&self) {
                Watch::new(self.gate.shared(), |shared| shared.word().is_closed().then_some(())).await;
            }

            /// Waits until whoever is inside is to end now, because the deadline of the drain has come or
            /// because of [`Gate::force`].
            ///
            /// It has a timer of its own for the deadline: it does not need that anybody waits for the drain.
            ///
            /// # Panics
            ///
            /// When there is a deadline and no tokio runtime with a timer.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future forgets the wait and changes nothing else.
            pub async fn forced(&self) {
                Watch::new(self.gate.shared(), |shared| shared.word().is_forced().then_some(())).await;
            }

            /// Tells whether whoever is inside is to end now; for work that cannot await
            /// [`forced`](Self::forced).
            ///
            /// One atomic load, and the clock only while the gate drains towards a deadline.
            pub fn is_forced(&self) -> bool {
                self.gate.shared().is_forced()
            }
        }
    )+};
}

seen_from_inside!(Permit<'_>, OwnedPermit);

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.gate.shared().release();
    }
}

impl Drop for OwnedPermit {
    #[inline]
    fn drop(&mut self) {
        self.gate.shared().release();
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

impl fmt::Debug for OwnedPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").finish_non_exhaustive()
    }
}
