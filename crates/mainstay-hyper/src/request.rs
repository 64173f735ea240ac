//! One request: counted from its head to the last of its answer's body, and given its connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Buf, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::connection::Connection;
use crate::flow;
use crate::shared::Shared;

/// A request in flight; its drop is its end.
pub(crate) struct InFlight {
    shared: Arc<Shared>,
}

impl InFlight {
    fn begin(shared: &Arc<Shared>) -> Self {
        shared.begin();
        Self { shared: Arc::clone(shared) }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// Answers one request.
pub(crate) fn answer<S, B>(
    mut service: S,
    mut request: Request<Incoming>,
    shared: &Arc<Shared>,
) -> impl Future<Output = Result<Response<Counted<B>>, S::Error>> + use<S, B>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
{
    // Now, and not when it is first polled: the connection must not look idle in between.
    let in_flight = InFlight::begin(shared);
    request.extensions_mut().insert(Connection::new(shared));
    // Asked before it is answered: what is said to be the last answer is made of what was so when its connection was told
    // so. One that was begun earlier is followed by a linger of its own.
    let last = shared.is_last_answer();
    async move {
        poll_fn(|cx| service.poll_ready(cx)).await?;
        let mut response = service.call(request).await?;
        // With 101 the header says what it becomes, and that is told by other means.
        if last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| Counted { body, _in_flight: in_flight }))
    }
}

pin_project! {
    /// A body whose request is in flight until its last byte was taken, or until it is dropped.
    pub(crate) struct Counted<B> {
        #[pin]
        body: B,
        _in_flight: InFlight,
    }
}

impl<B: Body> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        flow::asked();
        let polled = self.project().body.poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            flow::gave(frame.data_ref().map_or(0, Buf::remaining));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
