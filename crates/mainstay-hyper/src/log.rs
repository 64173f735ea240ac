//! The one place of this crate that writes log lines.

use std::io;

use crate::peer::Peer;
use crate::served::{Names, Served};

/// The first failure of a row.
pub(crate) fn accept_failed(provider: &str, local: &str, error: &io::Error) {
    tracing::warn!(provider, local, %error, "accepting failed, trying again");
}

pub(crate) fn panicked(peer: &Peer, message: &str) {
    tracing::error!(%peer, panic = message, "answering panicked; its connection is gone, the others are not touched");
}

/// What fails on one connection is mostly its client's affair.
pub(crate) fn ended(peer: &Peer, error: &hyper::Error) {
    tracing::debug!(%peer, error = error as &dyn std::error::Error, "a connection ended with an error");
}

/// Something was cut, or is still on a thread.
pub(crate) fn cut(provider: &str, served: &Served) {
    let (local, cut, left) = (served.local.as_str(), served.cut.len(), served.left.len());
    tracing::warn!(provider, local, cut, left, who = %Names(&served.cut), "connections were cut");
}
