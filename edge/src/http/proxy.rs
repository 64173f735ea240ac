//! Passes requests on to a server of a pool, streaming both ways, and again where the first time was surely none.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, Response, StatusCode, Uri, Version};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mainstay_hyper::Connection;
use tokio::time::timeout;

use super::body::{Body, empty};
use super::headers::{From, to_client, to_upstream};
use super::lent::{Lent, Owner, lend};
use super::plain;
use super::refuse::authority;
use super::tunnel::Wish;
use super::wire::{Wires, was_stale};
use crate::dns::Connect;
use crate::settings::Forwarding;
use crate::upstreams::{Attempt, Nobody, Pool, Tried};

type Wired = Client<Wires, Lent>;

/// A client with its pool of connections; dropping it closes those that are idle.
pub(crate) struct Proxy {
    kept: Wired,
    /// Each of its requests has a connection of its own, which nobody can have closed while it was idle.
    fresh: Wired,
}

/// How sending a request failed.
enum Failed {
    Error(Error),
    /// Nothing was heard, and nothing more of the body sent, for as long as the pool has patience.
    Silent,
}

impl Proxy {
    /// Names lead to where `connect` knows; nothing is waited for.
    pub(crate) fn new(connect: Connect) -> Self {
        let wires = Wires::new(connect);
        let client = || {
            let mut client = Client::builder(TokioExecutor::new());
            client.pool_timer(TokioTimer::new());
            client
        };
        Self { kept: client().build(wires.clone()), fresh: client().pool_max_idle_per_host(0).build(wires) }
    }

    /// Passes one request on; `path` is what the server is asked for.
    ///
    /// It is sent again only if it was surely not processed, or if twice is once. A server that cannot be reached has
    /// seen nothing of it: as long as nobody has begun to read its body, the next one of the pool is asked. Where a
    /// connection that had been idle ends before a byte of the answer, the same server is asked on a new one, once, if
    /// the method is idempotent (RFC 9110, 9.2.2) and there is no body. A request of which not a byte was written is the
    /// client's own to repeat, which it does.
    ///
    /// A client that does not end its body says nothing of the server that waits for it.
    pub(crate) async fn pass(
        &self,
        pool: &Pool,
        path: String,
        forwarding: Forwarding,
        mut request: Request<Body>,
    ) -> Response<Body> {
        let Ok(path) = PathAndQuery::from_maybe_shared(Bytes::from(path)) else {
            return plain(StatusCode::BAD_REQUEST, "this path cannot be passed on\n");
        };
        let wish = Wish::of(&mut request);
        let (head, mut body) = prepared(request, forwarding, wish.as_ref());
        let repeatable = body.is_end_stream() && head.method.is_idempotent();
        let again = (repeatable || pool.has_several()).then(|| head.clone());
        let (mut next, mut tried, mut last) = (Some(head), Tried::NONE, None);
        loop {
            let server = match pool.pick(tried) {
                Ok(server) => server,
                Err(nobody) => return last.unwrap_or_else(|| unasked(nobody)),
            };
            let to = server.authority();
            let Some(mut head) = next.take().or_else(|| again.clone()) else {
                return last.unwrap_or_else(|| unasked(Nobody::Tried));
            };
            head.uri = uri(to, &path);
            let (lent, mut owner) = lend(body);
            let mut sent = send(&self.kept, pool, Request::from_parts(head, lent), &owner).await;
            if repeatable
                && let Err(Failed::Error(error)) = &sent
                && was_stale(error)
                && let Some(mut head) = again.clone()
            {
                head.uri = uri(to, &path);
                let (lent, new) = lend(empty());
                owner = new;
                sent = send(&self.fresh, pool, Request::from_parts(head, lent), &owner).await;
            }
            let (attempt, status, why) = match sent {
                Ok(answer) => {
                    server.report(Attempt::Answered(answer.status()));
                    return answered(answer, wish);
                }
                Err(Failed::Error(error)) if error.is_connect() => {
                    let why = format!("cannot be reached: {}", last_cause(&error));
                    (Attempt::Unreached, StatusCode::BAD_GATEWAY, why)
                }
                Err(Failed::Error(_)) if owner.is_broken() => {
                    return plain(StatusCode::BAD_REQUEST, "the body of the request broke off\n");
                }
                Err(Failed::Silent) if owner.is_owed() => {
                    let why = format!("nothing more of the body came in {:?}\n", pool.patience);
                    return plain(StatusCode::REQUEST_TIMEOUT, why);
                }
                Err(Failed::Error(error)) => {
                    (Attempt::Broken, StatusCode::BAD_GATEWAY, format!("broke off: {}", last_cause(&error)))
                }
                Err(Failed::Silent) => {
                    let why = format!("did not answer in {:?}", pool.patience);
                    (Attempt::Broken, StatusCode::GATEWAY_TIMEOUT, why)
                }
            };
            server.report(attempt);
            let failed = plain(status, format!("the upstream {to} {why}\n"));
            match owner.back() {
                Some(whole) if attempt == Attempt::Unreached => body = whole,
                _ => return failed,
            }
            (tried, last) = (server.and(tried), Some(failed));
        }
    }
}

/// Sends a request, and waits for the head of its answer for as long as the pool has patience; for longer while its
/// body is being sent, because then it is the client's time.
async fn send(
    client: &Wired,
    pool: &Pool,
    request: Request<Lent>,
    owner: &Owner,
) -> Result<Response<Incoming>, Failed> {
    let mut asked = client.request(request);
    loop {
        let pieces = owner.pieces();
        match timeout(pool.patience, &mut asked).await {
            Ok(answer) => return answer.map_err(Failed::Error),
            Err(_) if owner.pieces() > pieces => {}
            Err(_) => return Err(Failed::Silent),
        }
    }
}

/// A request as an upstream is to see it, but for whom it goes to.
fn prepared(request: Request<Body>, forwarding: Forwarding, wish: Option<&Wish>) -> (Parts, Body) {
    let peer = request.extensions().get::<Connection>().and_then(|connection| connection.peer().address());
    let (peer, host) = (peer.map(|peer| peer.ip()), authority(&request));
    let from = From { peer, host, version: request.version() };
    let (mut head, body) = request.into_parts();
    head.version = Version::HTTP_11;
    head.extensions.clear();
    to_upstream(&mut head.headers, &from, forwarding);
    if let Some(wish) = wish {
        wish.ask(&mut head.headers);
    }
    (head, body)
}

/// An answer as a client is to see it.
fn answered(mut answer: Response<Incoming>, wish: Option<Wish>) -> Response<Body> {
    let mut ends = None;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        ends = wish.and_then(|wish| wish.granted(&mut answer));
        if ends.is_none() {
            return plain(StatusCode::BAD_GATEWAY, "the upstream speaks what it was not asked to\n");
        }
    }
    let version = answer.version();
    to_client(answer.headers_mut(), version);
    let mut answer = answer.map(|body| body.map_err(Into::into).boxed_unsync());
    if let Some(ends) = ends {
        ends.say(answer.headers_mut());
        *answer.body_mut() = empty();
        answer.extensions_mut().insert(ends);
    }
    answer
}

fn uri(server: &Authority, path: &PathAndQuery) -> Uri {
    let mut uri = hyper::http::uri::Parts::default();
    (uri.scheme, uri.authority) = (Some(Scheme::HTTP), Some(server.clone()));
    uri.path_and_query = Some(path.clone());
    Uri::from_parts(uri).expect("a scheme, an authority and a path make a URI")
}

/// What is answered where no server was asked.
fn unasked(nobody: Nobody) -> Response<Body> {
    match nobody {
        Nobody::Down(why) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        Nobody::Tried => plain(StatusCode::BAD_GATEWAY, "no server is left to ask\n"),
    }
}

fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
