//! The accept loop and the time-table of its stop.
//!
//! Asked to stop → answers are the last ones of their connections, HTTP/2 clients are told → what the kernel has
//! accepted is accepted, and the listener closed → the linger → the last call → the deadline: what is left is cut, and
//! named. It ends as soon as the last connection has, never later than a grace after the deadline.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use mainstay_runtime::RunContext;
use mainstay_sync::gate::{Drained, EnterError, OwnedPermit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, sleep_until};
use tower_service::Service;

use crate::caught::caught;
use crate::child::Child;
use crate::clock::now;
use crate::drive::{End, connection};
use crate::listen::Listen;
use crate::log;
use crate::pause::{Failed, Pause};
use crate::peer::Peer;
use crate::roster::Roster;
use crate::served::Served;
use crate::server::{Limits, ServeError, Server};
use crate::shared::{Stage, count};

/// What those who were cut have to be gone: they await, so it is the time of a poll.
const GRACE: Duration = Duration::from_millis(100);

/// What is kept of the time of the task, for that grace and for what its body says afterwards.
const RESERVE: Duration = Duration::from_millis(200);

/// How long is waited where nobody says: the gate was closed, and no stop was asked for.
const UNASKED: Duration = Duration::from_secs(4);

/// The most that is taken from the kernel's queue at the stop; Linux lets it hold 4,096 by default.
const BACKLOG: usize = 4096;

/// What was accepted, with its right to be served.
type Accepted<Io> = (Io, Peer, OwnedPermit);

/// The server, without its listener and its service.
struct Host {
    cx: RunContext,
    options: Server,
    roster: Arc<Roster>,
    local: String,
}

/// Cuts what is left when the server itself is dropped: no connection outlives it, and none goes unnamed.
struct Guarded<'a> {
    provider: &'static str,
    local: &'a str,
    roster: &'a Roster,
    over: bool,
}

impl Drop for Guarded<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.roster.tell(Stage::Stop);
            self.roster.cut();
            let mut served = self.roster.report(self.local);
            // They are told this instant; whether one stays on a thread is not known yet.
            served.left.clear();
            if !served.cut.is_empty() {
                log::cut(self.provider, &served);
            }
        }
    }
}

pub(crate) async fn serve<L, S, B>(
    options: Server,
    cx: RunContext,
    mut listener: L,
    service: S,
) -> Result<Served, ServeError>
where
    L: Listen,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let host = Host { cx, options, roster: Roster::new(), local: listener.local() };
    let mut guarded =
        Guarded { provider: host.cx.provider(), local: &host.local, roster: &host.roster, over: false };
    let failed = loop {
        match host.next(&mut listener).await {
            Ok(Some(accepted)) => host.admit(accepted, service.clone()),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let began = now();
    // Before anybody is told: who is quick has gone at once.
    let mut open = host.roster.count();
    host.roster.tell(Stage::Stop);
    for (io, peer) in listener.close(BACKLOG) {
        // Who does not find a place is not served, as before the stop.
        let Ok(permit) = host.options.gate.try_enter_owned() else { break };
        host.admit((io, peer, permit), service.clone());
        open += 1;
    }
    drop(service);
    host.drain(began).await;
    guarded.over = true;
    let mut served = host.roster.report(&host.local);
    served.stop_took = now().saturating_duration_since(began);
    served.finished = open.saturating_sub(served.cut.len());
    if !served.cut.is_empty() {
        log::cut(host.cx.provider(), &served);
    }
    match failed {
        Some(source) => {
            Err(ServeError::Listener { local: host.local.clone(), source, served: Box::new(served) })
        }
        None => Ok(served),
    }
}

impl Host {
    /// Accepts the next connection; `None` when the stop is asked for, or the gate is closed.
    async fn next<L: Listen>(&self, listener: &mut L) -> io::Result<Option<Accepted<L::Io>>> {
        self.note();
        let mut accepted = pin!(self.accept(listener));
        loop {
            tokio::select! {
                biased;
                () = self.cx.shutdown_token().cancelled() => return Ok(None),
                () = self.roster.changed() => self.note(),
                accepted = &mut accepted => return accepted,
            }
        }
    }

    /// Enters the gate, then accepts: who cannot be served is left in the kernel's queue.
    async fn accept<L: Listen>(&self, listener: &mut L) -> io::Result<Option<Accepted<L::Io>>> {
        let permit = loop {
            match self.options.gate.enter_owned().await {
                Ok(permit) => break permit,
                // It waits again: nobody has asked for anything yet.
                Err(EnterError::TimedOut { .. }) => {}
                Err(_) => return Ok(None),
            }
        };
        let mut pause = Pause::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = permit.draining() => return Ok(None),
                accepted = poll_fn(|cx| listener.poll_accept(cx)) => accepted,
            };
            let error = match accepted {
                Ok((io, peer)) => return Ok(Some((io, peer, permit))),
                Err(error) => error,
            };
            count(&self.roster.tally.accept_failures);
            match pause.after(&error) {
                Failed::Client => {}
                Failed::Listener => return Err(error),
                Failed::Short(time) => {
                    if pause.is_first() {
                        log::accept_failed(self.cx.provider(), &self.local, &error);
                    }
                    sleep(time).await;
                }
            }
        }
    }

    /// Serves a connection in a child of its own.
    fn admit<Io, S, B>(&self, (io, peer, permit): Accepted<Io>, service: S)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        count(&self.roster.tally.accepted);
        let entry = self.roster.enter(peer, Box::new(io));
        let name = format!("connection {}", entry.shared().peer());
        let (limits, cx, shared) = (self.options.limits(), self.cx.clone(), Arc::clone(entry.shared()));
        let theirs = Arc::clone(&shared);
        let serving = async move { connection(&theirs, service, &limits, &cx).await };
        let serving = caught(shared, serving).map(|end| end.unwrap_or(End::Well));
        self.cx.spawn(name, Child::new(serving, entry, permit));
    }

    /// Waits for the connections along the time-table.
    async fn drain(&self, began: Instant) {
        let Limits { linger, drain, .. } = self.options.limits();
        {
            let deadline = async {
                tokio::select! {
                    () = self.deadline(began, drain) => {}
                    () = self.forced() => {}
                }
            };
            let mut deadline = pin!(deadline);
            tokio::select! {
                biased;
                () = self.emptied() => return,
                () = &mut deadline => {}
                () = until(began.checked_add(linger)) => {
                    self.roster.tell(Stage::LastCall);
                    tokio::select! {
                        biased;
                        () = self.emptied() => return,
                        () = deadline => {}
                    }
                }
            }
        }
        self.roster.cut();
        tokio::select! {
            () = self.emptied() => {}
            () = sleep(GRACE) => {}
        }
    }

    /// Waits until it is time to cut: so that this task ends within the time that it has.
    async fn deadline(&self, began: Instant, own: Option<Duration>) {
        if !self.cx.shutdown_token().is_cancelled() {
            tokio::select! {
                () = until(began.checked_add(own.unwrap_or(UNASKED))) => return,
                () = self.cx.shutdown_token().cancelled() => {}
            }
        }
        let asked = self.cx.stop_deadline().map(|at| {
            let left = at.saturating_duration_since(now());
            at - RESERVE.min(left / 2)
        });
        let own = own.and_then(|own| began.checked_add(own));
        until([asked, own].into_iter().flatten().min()).await;
    }

    /// Whoever drains the gate does not wait any longer.
    async fn forced(&self) {
        if !matches!(self.options.gate.drained().await, Drained::Forced { .. }) {
            pending::<()>().await;
        }
    }

    /// Waits until nobody is open.
    async fn emptied(&self) {
        loop {
            self.note();
            if self.roster.count() == 0 {
                return;
            }
            self.roster.changed().await;
        }
    }

    /// Says how many are open, for whoever asks for the status.
    fn note(&self) {
        let open = self.roster.count();
        let state = if self.roster.is_draining() { "left" } else { "open" };
        self.cx.note(format!("{open} {state} on {}", self.local));
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
