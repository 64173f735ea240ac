//! The addresses that edge listens on: what a reload adds is bound before its commit, what it takes away is
//! closed after.
//!
//! Bound in the hook, a listener is the transaction's: it goes to who serves with the commit, and is
//! closed by an abort. Between the two the kernel connects clients that nobody has accepted yet; after an
//! abort they are reset, as by a process that ended. An address that is only bound would turn them away,
//! but it might turn out taken when the commit can no longer be refused.

use std::net::SocketAddr;

use mainstay::Transaction;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;

use super::listen::bind;
use crate::mark::Mark;
use crate::settings::{Invalid, Reading};

/// The addresses of one epoch.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    pub(crate) all: Vec<Door>,
    /// What it was made of.
    pub(crate) mark: Mark,
}

/// One address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    /// As it is written. It is the same door as long as this is the same.
    pub(crate) wanted: SocketAddr,
    /// Where it is.
    pub(crate) bound: SocketAddr,
}

impl Doors {
    /// Where they are, in one line.
    pub(crate) fn said(&self) -> String {
        said(&self.all)
    }
}

/// What who serves is told.
pub(super) enum Change {
    /// Serve on this one too.
    Open(Door, TcpListener),
    /// Serve who is connected, and nobody else.
    Close(Door),
}

/// Binds what a reading has more than there is. Whoever serves learns of it with the commit; where there
/// is no transaction, in the boot, at once.
pub(super) async fn turn(
    now: &[Door],
    reading: &Reading,
    tell: &UnboundedSender<Change>,
) -> Result<Doors, Invalid> {
    let (mut all, mut changes, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for wanted in &reading.settings.listen {
        if let Some(door) = now.iter().find(|door| door.wanted == wanted.value) {
            all.push(*door);
            continue;
        }
        match bind(wanted.value, &reading.origin).await.and_then(|bound| Ok((bound.local_addr()?, bound))) {
            Ok((bound, listener)) => {
                let door = Door { wanted: wanted.value, bound };
                all.push(door);
                changes.push(Change::Open(door, listener));
            }
            Err(error) => {
                problems.push((wanted.place, format!("cannot listen on {}: {error}", wanted.value)));
            }
        }
    }
    Invalid::check(reading.origin.path(), problems)?;
    changes.extend(now.iter().filter(|door| !all.contains(door)).map(|door| Change::Close(*door)));
    let tell = tell.clone();
    let told = move || {
        for change in changes {
            // Nobody serves any more: then what was bound is closed here.
            let _ = tell.send(change);
        }
    };
    match Transaction::current() {
        Some(transaction) => transaction.on_commit(told),
        None => told(),
    }
    Ok(Doors { mark: Mark::new(reading.mark.of(), said(&all)), all })
}

fn said(doors: &[Door]) -> String {
    let said: Vec<String> = doors.iter().map(|door| door.bound.to_string()).collect();
    said.join(", ")
}
