//! What is ambient: a pin, a transaction, the provider on whose behalf code runs.
//!
//! One record in each thread, and a byte beside it that says which of the three are set, so that a load that
//! has none of them around it pays for the look at one byte. A scope owns what it sets, and swaps it in for
//! every poll: no count is touched for a poll.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::core::Core;
use super::table::Held;
use super::{Epochs, Pinned, Transaction};

/// A pin is ambient.
pub(super) const PIN: u8 = 1;
/// A transaction is ambient.
pub(super) const TRANSACTION: u8 = 2;
/// A provider's scope is ambient.
pub(super) const RUN: u8 = 4;

/// What is ambient on one thread.
#[derive(Default)]
pub(super) struct Ambient {
    pub(super) pin: Option<Pinned>,
    pub(super) transaction: Option<Transaction>,
    run: Option<Behalf>,
}

/// On whose behalf code runs.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) core: Arc<Core>,
    pub(super) provider: &'static str,
}

/// The same, or whom to ask for it.
#[derive(Clone)]
enum Behalf {
    Of(Run),
    Asked(Who),
}

/// Says on whose behalf code runs on this thread. It calls nothing of a user's.
pub(super) type Who = fn() -> Option<(Epochs, &'static str)>;

thread_local! {
    /// No destructor, so it can be read from other thread-locals' destructors.
    static FLAGS: Cell<u8> = const { Cell::new(0) };
    static AMBIENT: RefCell<Ambient> =
        const { RefCell::new(Ambient { pin: None, transaction: None, run: None }) };
    /// What scopes that are being dropped have to put back, the innermost last.
    static DROPPING: RefCell<Vec<Ambient>> = const { RefCell::new(Vec::new()) };
}

/// Which of the three are set.
#[inline]
pub(super) fn flags() -> u8 {
    FLAGS.with(Cell::get)
}

/// Looks at what is ambient; nothing is while the thread ends. `look` must not call anything of a user's.
pub(super) fn look<R>(look: impl FnOnce(&Ambient) -> R) -> Option<R> {
    AMBIENT.try_with(|ambient| look(&ambient.borrow())).ok()
}

/// The stripe of the ambient pin, if its epoch has this snapshot.
#[inline]
pub(super) fn pinned(index: usize, id: u64) -> Option<Arc<Held>> {
    AMBIENT
        .try_with(|ambient| ambient.borrow().pin.as_ref()?.stripe_with(index, id).map(Arc::clone))
        .ok()
        .flatten()
}

impl Ambient {
    /// On whose behalf code runs, if that is known.
    pub(super) fn run(&self) -> Option<Run> {
        match self.run.as_ref()? {
            Behalf::Of(run) => Some(run.clone()),
            Behalf::Asked(who) => who().map(|(epochs, provider)| Run { core: epochs.into_core(), provider }),
        }
    }

    #[inline]
    fn flags(&self) -> u8 {
        let set = |is: bool, flag: u8| if is { flag } else { 0 };
        set(self.pin.is_some(), PIN)
            | set(self.transaction.is_some(), TRANSACTION)
            | set(self.run.is_some(), RUN)
    }
}

/// What one scope sets.
pub(super) trait Layer {
    /// Exchanges what the scope owns with what is ambient.
    fn swap(&mut self, ambient: &mut Ambient);

    /// Is called after the layer has been taken out again.
    fn left(&self) {}

    /// Is called when the scope is dropped before its end.
    fn cancelled(&self) {}
}

/// Calls `f` with the layer set.
pub(super) fn enter<L: Layer, R>(mut layer: L, f: impl FnOnce() -> R) -> R {
    within(&mut layer, f)
}

/// The same with a layer that is set again and again.
pub(super) fn within<L: Layer, R>(layer: &mut L, f: impl FnOnce() -> R) -> R {
    let _inside = Inside::new(layer);
    f()
}

pin_project! {
    /// A future with the layer set, in every poll and while the future is dropped before its end.
    ///
    /// Not an async function: that would hold the future twice, once as its argument and once as what it awaits.
    ///
    /// Dropped in this order: the one that sets the layer, the future, the one that puts back what was there.
    pub(super) struct Scope<L: Layer, F> {
        before: Before<L>,
        #[pin]
        future: Option<F>,
        after: After,
    }
}

/// Runs a future with the layer set.
pub(super) fn scope<L: Layer, F: Future>(layer: L, future: F) -> Scope<L, F> {
    Scope { before: Before { layer, armed: true }, future: Some(future), after: After { armed: true } }
}

impl<L: Layer, F: Future> Future for Scope<L, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let future = this.future.as_mut().as_pin_mut().expect("a scope is not polled after its end");
        let inside = Inside::new(&mut this.before.layer);
        let output = ready!(future.poll(cx));
        drop(inside);
        (this.before.armed, this.after.armed) = (false, false);
        this.future.set(None);
        Poll::Ready(output)
    }
}

/// The layer is set for as long as this lives.
struct Inside<'a, L: Layer>(&'a mut L);

impl<'a, L: Layer> Inside<'a, L> {
    #[inline]
    fn new(layer: &'a mut L) -> Self {
        exchange(layer);
        Self(layer)
    }
}

impl<L: Layer> Drop for Inside<'_, L> {
    #[inline]
    fn drop(&mut self) {
        exchange(self.0);
        self.0.left();
    }
}

#[inline]
fn exchange<L: Layer>(layer: &mut L) {
    // Nothing is ambient any more while the thread ends, and there is nothing to put back.
    let _ = AMBIENT.try_with(|ambient| {
        let mut ambient = ambient.borrow_mut();
        layer.swap(&mut ambient);
        FLAGS.with(|flags| flags.set(ambient.flags()));
    });
}

/// Sets the layer of a scope that is dropped before its end, right before its future is dropped.
struct Before<L: Layer> {
    layer: L,
    armed: bool,
}

/// Puts back what was there, right after.
struct After {
    armed: bool,
}

impl<L: Layer> Drop for Before<L> {
    fn drop(&mut self) {
        if self.armed {
            self.layer.cancelled();
            let outside = look(Ambient::share).unwrap_or_default();
            let _ = DROPPING.try_with(|dropping| dropping.borrow_mut().push(outside));
            exchange(&mut self.layer);
        }
    }
}

impl Drop for After {
    fn drop(&mut self) {
        if self.armed {
            let outside = DROPPING.try_with(|dropping| dropping.borrow_mut().pop()).ok().flatten();
            // What the scope had set is dropped here, when nothing is borrowed.
            exchange(&mut Whole(outside.unwrap_or_default()));
        }
    }
}

struct Whole(Ambient);

impl Layer for Whole {
    fn swap(&mut self, ambient: &mut Ambient) {
        mem::swap(&mut self.0, ambient);
    }
}

impl Ambient {
    fn share(&self) -> Self {
        Self {
            pin: self.pin.as_ref().map(Pinned::share),
            transaction: self.transaction.clone(),
            run: self.run.clone(),
        }
    }
}

/// A provider's scope.
pub(super) struct RunLayer(Option<Behalf>);

impl RunLayer {
    #[inline]
    pub(super) fn of(run: Run) -> Self {
        Self(Some(Behalf::Of(run)))
    }

    #[inline]
    pub(super) fn asked(who: Who) -> Self {
        Self(Some(Behalf::Asked(who)))
    }
}

impl Layer for RunLayer {
    #[inline]
    fn swap(&mut self, ambient: &mut Ambient) {
        mem::swap(&mut self.0, &mut ambient.run);
    }
}

/// A transaction's scope. A pin that is ambient further out does not reach inside: what a hook has staged it
/// reads.
pub(super) struct TransactionLayer {
    transaction: Option<Transaction>,
    pin: Option<Pinned>,
}

impl TransactionLayer {
    pub(super) fn new(transaction: Transaction) -> Self {
        Self { transaction: Some(transaction), pin: None }
    }
}

impl Layer for TransactionLayer {
    #[inline]
    fn swap(&mut self, ambient: &mut Ambient) {
        mem::swap(&mut self.transaction, &mut ambient.transaction);
        mem::swap(&mut self.pin, &mut ambient.pin);
    }
}

/// A pin's scope: of one that goes with it, or of the twin of one that stays. What a twin has met, the pin
/// itself has met, too.
pub(super) struct PinLayer<'a> {
    ambient: Option<Pinned>,
    stays: Option<&'a Pinned>,
}

impl<'a> PinLayer<'a> {
    #[inline]
    pub(super) fn twin(stays: &'a Pinned) -> Self {
        Self { ambient: Some(stays.share()), stays: Some(stays) }
    }

    #[inline]
    pub(super) fn owned(pin: Pinned) -> Self {
        Self { ambient: Some(pin), stays: None }
    }
}

impl Layer for PinLayer<'_> {
    #[inline]
    fn swap(&mut self, ambient: &mut Ambient) {
        mem::swap(&mut self.ambient, &mut ambient.pin);
    }

    #[inline]
    fn left(&self) {
        if let (Some(pin), Some(twin)) = (self.stays, &self.ambient) {
            twin.hand_on(pin);
        }
    }

    fn cancelled(&self) {
        if let Some(pin) = self.stays {
            pin.meet();
        }
    }
}

/// Nothing but, at most, the provider on whose behalf an effect runs.
pub(super) fn outside(run: Option<Run>) -> impl Layer {
    Whole(Ambient { run: run.map(Behalf::Of), ..Ambient::default() })
}
