//! All snapshots of a daemon, as one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::ambient::{self, Run, RunLayer, Scope, Who};
use super::core::{Core, Reloads};
use super::{Open, Pinned, Transaction, Warning, recent};

/// The epochs of a daemon: one consistent set of values across all snapshots that belong to it.
///
/// A handle; clones are the same. It lives with what owns the snapshots, so that a second run of the same
/// providers covers the same ones. A snapshot belongs to the daemon in whose [`scope`](Self::scope) or
/// transaction it is published first, for as long as it lives. See the [module](super) for who uses this.
///
/// # Examples
///
/// ```
/// use mainstay_sync::{Epochs, Snapshot};
///
/// let epochs = Epochs::new();
/// let limit = Snapshot::empty();
/// epochs.enter("limits", || limit.publish(10)); // a boot hook: at once
///
/// let open = epochs.begin(); // a reload
/// open.handle().enter(|| limit.publish(20));
/// assert_eq!(*limit.load(), 10);
/// open.abort();
/// assert_eq!((*limit.load(), epochs.epoch()), (10, 1));
/// ```
#[derive(Clone)]
pub struct Epochs {
    core: Arc<Core>,
}

impl Epochs {
    /// Makes the epochs of a daemon that has published nothing yet.
    pub fn new() -> Self {
        Self { core: Arc::new(Core::new()) }
    }

    /// Holds the current epoch, for reading.
    ///
    /// One cheap operation at the start of a request: it neither locks nor, but for the first in each epoch,
    /// allocates.
    #[inline]
    pub fn pin(&self) -> Pinned {
        Pinned::new(recent::stripe(&self.core))
    }

    /// Counts the epochs: 0 at first, one more for each commit that changes something, and for each publish
    /// or clear outside of a transaction.
    pub fn epoch(&self) -> u64 {
        self.core.current.load().epoch
    }

    /// Runs a hook or a task of a provider.
    ///
    /// A snapshot that is published in it belongs to this daemon from then on. The name is what warnings and
    /// failures say. Inside a transaction of these epochs it is the provider's reload hook: put this inside
    /// of [`Transaction::scope`], not around it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future, in the same scope.
    pub fn scope<F: Future>(
        &self,
        provider: &'static str,
        future: F,
    ) -> impl Future<Output = F::Output> + use<F> {
        InProvider {
            scope: ambient::scope(self.layer(provider), future),
            reloads: Reloading::Unasked { core: Arc::clone(&self.core), provider },
        }
    }

    /// Calls a closure on behalf of a provider; otherwise as [`scope`](Self::scope).
    pub fn enter<R>(&self, provider: &'static str, f: impl FnOnce() -> R) -> R {
        ambient::enter(self.layer(provider), f)
    }

    /// The same as [`scope`](Self::scope) for a future that is polled by hand, outside of any transaction.
    #[doc(hidden)]
    pub fn scoped(&self, provider: &'static str) -> Scoped {
        Scoped(self.layer(provider))
    }

    /// The same as [`enter`](Self::enter), on behalf of whom `who` names when something asks: a hundred thousand
    /// tasks of one provider are then polled without a count that they share.
    #[doc(hidden)]
    #[inline]
    pub fn enter_for<R>(who: Who, f: impl FnOnce() -> R) -> R {
        ambient::enter(RunLayer::asked(who), f)
    }

    pub(super) fn into_core(self) -> Arc<Core> {
        self.core
    }

    #[cfg(all(test, mainstay_loom))]
    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    fn layer(&self, provider: &'static str) -> RunLayer {
        RunLayer::of(Run { core: Arc::clone(&self.core), provider })
    }

    /// Begins a transaction.
    ///
    /// More than one may be open. Each sees what it has staged itself, and the one that commits last wins.
    pub fn begin(&self) -> Open {
        Open::new(Transaction::new(Arc::clone(&self.core)))
    }

    /// Ends the community: every snapshot has its value for itself again, and goes on alone.
    ///
    /// For the end of a daemon, right before its providers are dropped. A snapshot that is dropped while it
    /// belongs to open epochs costs a copy of their table, and its value goes with the last reader of the
    /// epoch, not with its provider. Pins that exist go on reading their epoch. What is published later is no
    /// epoch, and what is committed later becomes visible one after the other.
    pub fn close(&self) {
        self.core.close();
    }

    /// Listens to warnings, instead of who did before.
    ///
    /// Called on the thread of the publish, right after it and when nothing is locked. Without a listener a
    /// warning is lost.
    pub fn on_warning(&self, f: impl Fn(&Warning) + Send + Sync + 'static) {
        self.core.on_warning(Arc::new(f));
    }
}

pin_project! {
    /// A hook or a task of a provider; made by `Epochs::scope`.
    struct InProvider<F> {
        #[pin]
        scope: Scope<RunLayer, F>,
        reloads: Reloading,
    }
}

/// Whether it is a reload hook: only the first poll is inside of what it runs in.
enum Reloading {
    Unasked { core: Arc<Core>, provider: &'static str },
    No,
    Yes { _until: Reloads },
}

impl Reloading {
    fn ask(&mut self) {
        if let Self::Unasked { core, provider } = self {
            let inside = Transaction::current().is_some_and(|open| open.is_of(core));
            *self = if inside { Self::Yes { _until: core.reloads(provider) } } else { Self::No };
        }
    }
}

impl<F: Future> Future for InProvider<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.reloads.ask();
        let output = ready!(this.scope.poll(cx));
        *this.reloads = Reloading::No;
        Poll::Ready(output)
    }
}

/// What a task of a provider is polled in; made by `Epochs::scoped`.
#[doc(hidden)]
pub struct Scoped(RunLayer);

impl Scoped {
    /// Calls a closure on behalf of the provider. It counts no reference: every poll of every task comes by here.
    #[inline]
    pub fn enter<R>(&mut self, f: impl FnOnce() -> R) -> R {
        ambient::within(&mut self.0, f)
    }
}

impl fmt::Debug for Scoped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scoped")
    }
}

impl Default for Epochs {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.core.current.load();
        let (epoch, snapshots) = (current.epoch, current.slots.iter().filter(|slot| slot.id != 0).count());
        f.debug_struct("Epochs").field("epoch", &epoch).field("snapshots", &snapshots).finish()
    }
}
