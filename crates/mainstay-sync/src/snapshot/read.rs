//! The ways to read that are asked for by what is ambient, and those that seldom happen.

use std::sync::Arc;

use super::ambient::{self, Ambient, PIN, TRANSACTION};
use super::inner::Inner;
use super::shim::Guard;
use super::table::Held;

/// The table to read a snapshot from, and the index in it: of the ambient pin, else what is staged, else
/// visible.
#[cold]
pub(super) fn slow(inner: &Inner) -> (Guard, usize) {
    let flags = ambient::flags();
    if flags & PIN != 0 {
        let pinned = |ambient: &Ambient| {
            let (held, index) = ambient.pin.as_ref()?.held(inner);
            Some((Arc::clone(held), index))
        };
        if let Some((held, index)) = ambient::look(pinned).flatten() {
            return (Guard::from_inner(held), index);
        }
    }
    match staged(inner) {
        Some(held) => (Guard::from_inner(held), 0),
        None => inner.visible(),
    }
}

/// What the ambient transaction has staged of a snapshot.
pub(super) fn staged(inner: &Inner) -> Option<Arc<Held>> {
    if ambient::flags() & TRANSACTION == 0 {
        return None;
    }
    let transaction = |ambient: &Ambient| {
        let of =
            |transaction: &super::Transaction| ambient.run().is_none_or(|run| transaction.is_of(&run.core));
        ambient.transaction.clone().filter(of)
    };
    ambient::look(transaction).flatten()?.staged(inner.id)
}
