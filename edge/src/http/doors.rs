//! The addresses that edge listens on: what a reload adds is bound before its commit, what it takes away is
//! closed after.
//!
//! Bound in the hook, a listener is the transaction's: it goes to who serves with the commit, and is
//! closed by an abort. Between the two the kernel connects clients that nobody has accepted yet; after an
//! abort they are reset, as by a process that ended. An address that is only bound would turn them away,
//! but it might turn out taken when the commit can no longer be refused.

use std::net::SocketAddr;
use std::sync::Arc;

use mainstay::Transaction;
use tokio::sync::watch;

use super::listen::open;
use super::serve::Socket;
use crate::mark::Mark;
use crate::settings::{Invalid, Listen, Reading};

/// The addresses of one epoch.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    pub(crate) all: Vec<Door>,
    /// What it was made of.
    pub(crate) mark: Mark,
}

/// One address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    /// As it is written. It is the same door as long as this is the same.
    pub(crate) wanted: Listen,
    /// Where it is.
    pub(crate) bound: SocketAddr,
}

impl Doors {
    /// Where they are, in one line.
    pub(crate) fn said(&self) -> String {
        said(&self.all)
    }
}

/// The sockets that are to be served on, whoever serves on them: they outlive a generation of `http`, and what the
/// kernel connects while nobody serves waits for the next one.
#[derive(Default)]
pub(super) struct Sockets(watch::Sender<Held>);

/// What is to be served on now.
#[derive(Default)]
pub(super) struct Held {
    pub(super) open: Vec<Open>,
    closed: bool,
}

/// A door with its socket.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) door: Door,
    pub(super) socket: Socket,
}

impl Sockets {
    /// For whoever serves.
    pub(super) fn watch(&self) -> watch::Receiver<Held> {
        self.0.subscribe()
    }

    /// Gives all of them up, for good: the sockets of who serves are the last.
    pub(super) fn close(&self) -> Vec<Open> {
        let mut open = Vec::new();
        self.0.send_modify(|held| {
            held.closed = true;
            open = std::mem::take(&mut held.open);
        });
        open
    }

    /// Keeps those of these doors, and adds what was bound.
    fn turn(&self, doors: &[Door], new: Vec<Open>) {
        self.0.send_modify(|held| {
            held.open.retain(|open| doors.contains(&open.door));
            if !held.closed {
                held.open.extend(new);
            }
        });
    }
}

/// Binds what a reading has more than there is. Whoever serves learns of it with the commit; where there
/// is no transaction, in the boot, at once.
pub(super) async fn turn(now: &[Door], reading: &Reading, sockets: &Arc<Sockets>) -> Result<Doors, Invalid> {
    let (mut all, mut new, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for wanted in &reading.settings.listen {
        let opened = match now.iter().find(|door| door.wanted == wanted.value) {
            Some(door) => Ok((door.bound, None)),
            None => open(&wanted.value, &reading.origin).await.map(|(bound, socket)| (bound, Some(socket))),
        };
        match opened {
            // An inherited socket has two names, or is bound where this process has bound one of its own.
            Ok((bound, _)) if all.iter().any(|door: &Door| door.bound == bound) => {
                problems.push((wanted.place, format!("{}: {bound} is listened on already", wanted.value)));
            }
            Ok((bound, socket)) => {
                let door = Door { wanted: wanted.value.clone(), bound };
                new.extend(socket.map(|socket| Open { door: door.clone(), socket: Arc::new(socket) }));
                all.push(door);
            }
            Err(problem) => problems.push((wanted.place, problem)),
        }
    }
    Invalid::check(reading.origin.path(), problems)?;
    let (sockets, doors) = (Arc::clone(sockets), all.clone());
    let turned = move || sockets.turn(&doors, new);
    match Transaction::current() {
        Some(transaction) => transaction.on_commit(turned),
        None => turned(),
    }
    Ok(Doors { mark: Mark::new(reading.mark.of(), said(&all)), all })
}

fn said(doors: &[Door]) -> String {
    let said: Vec<String> = doors.iter().map(|door| door.bound.to_string()).collect();
    said.join(", ")
}
