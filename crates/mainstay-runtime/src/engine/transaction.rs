//! The transaction of a reload: opened by the engine, carried by the hooks, ended in a task of its own.

use std::sync::{Arc, OnceLock, PoisonError};

use mainstay_registry::Registry;
use mainstay_sync::{Epochs, Transaction};

use super::Engine;
use crate::event::EventKind;
use crate::machine::{HookId, Input};

/// The epochs of a registry live with it, so that a second run covers the same snapshots.
pub(crate) fn epochs_of<S: 'static>(registry: &Registry<S>) -> Epochs {
    if let Some(epochs) = registry.get::<Epochs>() {
        return epochs.clone();
    }
    let epochs = Epochs::new();
    registry.insert_value(Arc::new(epochs.clone()));
    // Two runs at once may both have come here: the first one's were stored.
    registry.get::<Epochs>().cloned().unwrap_or(epochs)
}

/// What is known of the epochs before the plan is made: nothing.
pub(super) type Known = OnceLock<Epochs>;

impl<S: Clone + Send + Sync + 'static> Engine<S> {
    /// Learns the epochs, and says what their snapshots warn of.
    pub(crate) fn know_epochs(&self, epochs: Epochs) {
        let (sink, clock) = (self.sink.clone(), self.clock);
        epochs.on_warning(move |warning| {
            let kind = EventKind::Snapshot { code: warning.code(), warning: warning.to_string() };
            sink.emit(clock.now(), kind);
        });
        let _ = self.epochs.set(epochs);
    }

    pub(crate) fn epochs(&self) -> Epochs {
        self.epochs.get().cloned().unwrap_or_default()
    }

    pub(super) fn open_transaction(&self) {
        let open = self.epochs().begin();
        let old = self.transaction.lock().unwrap_or_else(PoisonError::into_inner).replace(open);
        // There is one reload at a time, so this is `None`; a destructor must not run under the lock in any case.
        drop(old);
    }

    /// The handle that a reload hook carries.
    pub(super) fn transaction(&self) -> Option<Transaction> {
        self.transaction
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(mainstay_sync::Open::handle)
    }

    /// Commits or aborts, in one step without an await. Runs in a task: effects and destructors are the user's.
    pub(super) fn end_transaction(self: &Arc<Self>, id: HookId, commit: bool) {
        let open = self.transaction.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(open) = open else { return };
        let failures = if commit {
            // Told before the effects run: one that hangs does not make it a reload that was refused.
            let visible = |epoch| self.feed(Input::TransactionVisible(id, epoch));
            open.commit_and(visible).failures().iter().map(ToString::to_string).collect()
        } else {
            open.abort().failures().iter().map(ToString::to_string).collect()
        };
        self.feed(Input::TransactionEnded(id, failures));
    }
}
