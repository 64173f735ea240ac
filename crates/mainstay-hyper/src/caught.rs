//! A panic while a connection is served costs that connection, or that stream, and nothing else.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use crate::log;
use crate::shared::{Shared, count};

/// Runs the future. A panic is counted and said with the peer, and its value is `None`.
pub(crate) async fn caught<T>(shared: &Shared, future: impl Future<Output = T>) -> Option<T> {
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(value) => Some(value),
        Err(payload) => {
            count(&shared.tally.panics);
            log::panicked(shared.peer(), &message(payload));
            None
        }
    }
}

/// The text of a panic. The payload is forgotten, because its `Drop` may panic in its turn.
fn message(payload: Box<dyn Any + Send>) -> String {
    let text = payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    std::mem::forget(payload);
    text.unwrap_or_else(|| "a panic with a payload that is not text".to_owned())
}
