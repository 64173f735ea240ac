//! One request from its head to the last byte of its answer: whatever counts requests or writes them down begins and
//! ends here.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Request, Response};
use mainstay::Guard;

use super::body::{Body, Counted};
use super::site::Edge;

/// A request that is being answered. Its drop is the end: of the whole answer, or because nobody waits for more of it.
pub(crate) struct Exchange {
    _in_flight: Guard,
}

impl Exchange {
    /// A head has arrived.
    pub(super) fn begin(edge: &Edge, _request: &Request<Incoming>) -> Self {
        Self { _in_flight: edge.facts.in_flight.guard() }
    }

    /// The head of its answer is made; the body takes the exchange along.
    pub(super) fn answers(self, answer: Response<Body>) -> Response<Body> {
        answer.map(|body| Counted::new(body, self).boxed_unsync())
    }
}
