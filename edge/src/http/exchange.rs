//! One request from its head to the last byte of its answer: whatever admits, counts or writes down requests begins and
//! ends here.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::connect::HttpInfo;
use mainstay::{Guard, GuardGroup};
use mainstay_hyper::Connection;

use super::body::{Body, BodyError, empty};
use crate::access_log::{AccessLog, Answered, Ended, Line};
use crate::limits::{Asks, Limits, Places, Refused};
use crate::routes::Table;
use crate::stats::{Counted, OfRoute, Stats};

/// Who is told of each request.
pub(crate) struct Books {
    limits: Arc<Limits>,
    log: Arc<AccessLog>,
    pub(super) stats: Arc<Stats>,
    in_flight: GuardGroup,
}

/// A request that is being answered. Its drop is its end: the whole answer was taken, or nobody waits for more of it.
pub(super) struct Exchange {
    books: Arc<Books>,
    began: Instant,
    route: Option<Arc<OfRoute>>,
    line: Option<Line>,
    places: Places,
    /// Whether an answer has no body, whatever it says of one.
    head_only: bool,
    answered: Option<StatusCode>,
    upstream: Option<SocketAddr>,
    /// What of the answer is still to be taken, if that is known.
    left: Option<u64>,
    sent: u64,
    ended: Ended,
    _in_flight: Guard,
}

/// What nginx writes where a client has gone before there was an answer.
const GONE: u16 = 499;

impl Books {
    pub(super) fn new(
        limits: Option<Arc<Limits>>,
        log: Option<Arc<AccessLog>>,
        stats: Option<Arc<Stats>>,
        in_flight: GuardGroup,
    ) -> Option<Arc<Self>> {
        Some(Arc::new(Self { limits: limits?, log: log?, stats: stats?, in_flight }))
    }

    /// A request whose body is counted while it is read.
    pub(super) fn received(self: &Arc<Self>, request: Request<Incoming>) -> Request<Body> {
        request.map(|body| {
            if body.is_end_stream() {
                return empty();
            }
            Received { body, books: Arc::clone(self) }.boxed_unsync()
        })
    }
}

impl Exchange {
    /// A head has arrived. What its route and its client are is asked for here, so that nothing is held while it waits.
    pub(super) fn begin(
        books: &Arc<Books>,
        table: &Table,
        request: &Request<Incoming>,
    ) -> (Self, Result<Asks, Refused>) {
        books.stats.begin();
        let client = client(request);
        let route = table.route(request.uri().path());
        let exchange = Self {
            books: Arc::clone(books),
            began: Instant::now(),
            route: route.and_then(|route| books.stats.route(route)),
            line: books.log.begin(client, request),
            places: Places::default(),
            head_only: request.method() == Method::HEAD,
            answered: None,
            upstream: None,
            left: None,
            sent: 0,
            ended: Ended::Cut,
            _in_flight: books.in_flight.guard(),
        };
        (exchange, books.limits.ask(client, route))
    }

    /// Takes the places that it needs, or waits for them.
    pub(super) async fn enter(&mut self, asks: Result<Asks, Refused>) -> Result<(), Refused> {
        self.places = self.books.limits.enter(asks?).await?;
        Ok(())
    }

    /// The head of its answer is made; the body takes the exchange along.
    pub(super) fn answers(mut self, answer: Response<Body>) -> Response<Body> {
        let status = answer.status();
        self.answered = Some(status);
        self.upstream = answer.extensions().get::<HttpInfo>().map(HttpInfo::remote_addr);
        self.left = answer.body().size_hint().exact();
        let no_body =
            status.is_informational() || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
        if self.head_only || no_body || answer.body().is_end_stream() {
            self.ended = Ended::Whole;
        }
        answer.map(|body| Sent { body, exchange: self }.boxed_unsync())
    }

    /// Its answer is a tunnel, which takes the exchange along.
    pub(super) fn switches<B>(mut self, answer: &Response<B>) -> Self {
        self.answered = Some(answer.status());
        self.upstream = answer.extensions().get::<HttpInfo>().map(HttpInfo::remote_addr);
        self
    }

    /// A tunnel was closed by one of its ends.
    pub(super) fn ends_whole(&mut self) {
        self.ended = Ended::Whole;
    }

    /// Where bytes are counted.
    pub(super) fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.books.stats)
    }

    /// So many bytes of its answer were taken.
    pub(super) fn sends(&mut self, bytes: u64) {
        self.sent += bytes;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes);
            if *left == 0 {
                self.ended = Ended::Whole;
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let unanswered = || if thread::panicking() { 500 } else { GONE };
        let status = self.answered.map_or_else(unanswered, |status| status.as_u16());
        let cut = u64::from(self.ended == Ended::Cut);
        let counted = Counted { status, sent: self.sent, took, cut };
        self.books.stats.end(counted);
        if let Some(route) = &self.route {
            route.end(counted);
        }
        if let Some(line) = self.line.take() {
            let (sent, upstream, ended) = (self.sent, self.upstream, self.ended);
            self.books.log.end(line, &Answered { status, sent, took, upstream, ended });
        }
    }
}

/// The address of whoever sent a request.
fn client<B>(request: &Request<B>) -> Option<IpAddr> {
    let connection = request.extensions().get::<Connection>()?;
    connection.peer().address().map(|address| address.ip())
}

/// An answer that is counted while it is sent.
struct Sent {
    body: Body,
    exchange: Exchange,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self { body, exchange } = &mut *self;
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                exchange.sends(frame.data_ref().map_or(0, |data| data.len() as u64));
                if body.is_end_stream() {
                    exchange.ended = Ended::Whole;
                }
            }
            Some(Err(_)) => exchange.ended = Ended::Cut,
            None => exchange.ended = Ended::Whole,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a request, counted while it is passed on.
struct Received {
    body: Incoming,
    books: Arc<Books>,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.books.stats.receive(data.len() as u64);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
