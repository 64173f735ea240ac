//! Upgraded connections: what a client wishes is asked of the upstream, and what that grants is a tunnel for bytes.
//!
//! At a stop only who speaks a WebSocket can be told: a close frame (1001, going away) is put in behind the frame that
//! the upstream is sending, and the two ends finish as they do it with each other. Who does not is cut at the deadline,
//! when the client's connection is severed. A restart of `http` or of one of its listeners is a stop to those it has
//! served: no tunnel outlives the generation that opened it.

use std::io;
use std::sync::Arc;

use hyper::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use hyper::upgrade::{self, OnUpgrade, Upgraded};
use hyper::{Request, Response, Version};
use hyper_util::rt::TokioIo;
use mainstay::{RunContext, note};
use mainstay_hyper::Connection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::body::Body;
use super::exchange::Exchange;
use super::frames::{Frames, GOING_AWAY};
use crate::stats::Stats;

/// How much is passed on at a time.
const PIECE: usize = 16 * 1024;

/// A client that wishes to speak something else.
pub(super) struct Wish {
    protocols: HeaderValue,
    client: OnUpgrade,
    connection: Connection,
}

/// The two ends of a tunnel, as soon as they are there; the answer that grants it carries them.
#[derive(Clone)]
pub(super) struct Ends {
    protocol: HeaderValue,
    client: OnUpgrade,
    upstream: OnUpgrade,
    connection: Connection,
}

impl Wish {
    /// What this request wishes. Nobody may change to another HTTP: a client that talks HTTP/2 through a gateway (`h2c`)
    /// has a way around everything that the gateway checks.
    pub(super) fn of(request: &mut Request<Body>) -> Option<Self> {
        let headers = request.headers();
        let named = headers.get_all(CONNECTION).iter().flat_map(tokens).any(|name| is(name, "upgrade"));
        let mut lines = headers.get_all(UPGRADE).iter();
        let (protocols, more) = (lines.next()?.clone(), lines.next());
        let to_http =
            tokens(&protocols).any(|name| is(name, "h2c") || name.len() >= 4 && is(&name[..4], "http"));
        if !named || more.is_some() || to_http || request.version() != Version::HTTP_11 {
            return None;
        }
        let connection = request.extensions().get::<Connection>()?.clone();
        Some(Self { protocols, client: upgrade::on(request), connection })
    }

    /// Says so to the upstream.
    pub(super) fn ask(&self, headers: &mut HeaderMap) {
        switch(headers, self.protocols.clone());
    }

    /// The tunnel, if the upstream speaks now what it was asked to.
    pub(super) fn granted<B>(self, answer: &mut Response<B>) -> Option<Ends> {
        let protocol = answer.headers().get(UPGRADE)?.clone();
        if !tokens(&self.protocols).any(|asked| protocol.as_bytes().eq_ignore_ascii_case(asked)) {
            return None;
        }
        let upstream = upgrade::on(answer);
        Some(Ends { protocol, client: self.client, upstream, connection: self.connection })
    }
}

impl Ends {
    /// Says so to the client.
    pub(super) fn say(&self, headers: &mut HeaderMap) {
        switch(headers, self.protocol.clone());
    }
}

/// Passes bytes in both directions until one end closes, or is cut; the request is in flight for as long.
pub(super) fn open(cx: &RunContext, ends: Ends, exchange: Exchange) {
    cx.spawn(format!("tunnel of {}", ends.connection.peer()), async move {
        // What fails is the affair of the two at its ends.
        if let Err(error) = pass(ends, exchange).await {
            note(format!("ended: {error}"));
        }
        Ok(())
    });
}

fn switch(headers: &mut HeaderMap, protocols: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocols);
}

fn tokens(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn is(name: &[u8], other: &str) -> bool {
    name.eq_ignore_ascii_case(other.as_bytes())
}

type From = ReadHalf<TokioIo<Upgraded>>;
type To = WriteHalf<TokioIo<Upgraded>>;

async fn pass(
    Ends { protocol, client, upstream, connection }: Ends,
    mut exchange: Exchange,
) -> io::Result<()> {
    let (client, upstream) = tokio::try_join!(client, upstream).map_err(io::Error::other)?;
    let (from_client, to_client) = tokio::io::split(TokioIo::new(client));
    let (from_upstream, to_upstream) = tokio::io::split(TokioIo::new(upstream));
    let frames = is(protocol.as_bytes(), "websocket").then(Frames::default);
    let stats = exchange.stats();
    // As in nginx the end of one is the end of the other: half a tunnel would be held by who has gone.
    tokio::select! {
        ended = up(from_client, to_upstream, &stats) => ended,
        ended = down(from_upstream, to_client, frames, &connection, &mut exchange) => ended,
    }?;
    exchange.ends_whole();
    Ok(())
}

async fn up(mut client: From, mut upstream: To, stats: &Arc<Stats>) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match client.read(&mut piece).await? {
            0 => return upstream.shutdown().await,
            read => {
                stats.receive(read as u64);
                upstream.write_all(&piece[..read]).await?;
            }
        }
    }
}

async fn down(
    mut upstream: From,
    mut client: To,
    mut frames: Option<Frames>,
    connection: &Connection,
    exchange: &mut Exchange,
) -> io::Result<()> {
    let (mut piece, mut told) = (vec![0; PIECE], false);
    loop {
        let between = frames.as_ref().is_some_and(Frames::is_between);
        let read = tokio::select! {
            biased;
            () = connection.draining(), if !told && between => {
                client.write_all(&GOING_AWAY).await?;
                told = true;
                continue;
            }
            read = upstream.read(&mut piece) => read?,
        };
        if read == 0 {
            return client.shutdown().await;
        }
        let mut bytes = &piece[..read];
        // Behind a close frame comes nothing more (RFC 6455, 5.5.1); it is read all the same, so that nobody waits.
        while !told && !bytes.is_empty() {
            let (now, more) =
                bytes.split_at(frames.as_mut().map_or(bytes.len(), |frames| frames.rest(bytes)));
            client.write_all(now).await?;
            exchange.sends(now.len() as u64);
            bytes = more;
            if connection.is_draining() && frames.as_ref().is_some_and(Frames::is_between) {
                client.write_all(&GOING_AWAY).await?;
                told = true;
            }
        }
    }
}
