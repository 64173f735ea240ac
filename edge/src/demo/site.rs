//! What the built-in server answers: something quick, something slow, an echo, and a panic.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming};
use hyper::{Request, Response, StatusCode};
use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::http::body::{Body, BodyError, text};
use crate::http::plain;
use crate::http::serve::Site;
use crate::settings::Limits;

/// How many pieces a slow answer has.
const PIECES: u32 = 10;

/// What `/hello` answers.
const HELLO: &str = "hello from the upstream inside edge\n";

/// The site behind `/demo/`.
pub(super) struct DemoSite {
    /// How long its clients may take.
    limits: Limits,
    /// Somebody wants to see a panic.
    panic: Notify,
}

impl DemoSite {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, panic: Notify::new() }
    }

    /// Panics when a client has asked for it, where it takes the whole server along.
    pub(super) async fn panic_when_asked(&self) -> Infallible {
        self.panic.notified().await;
        panic!("somebody asked for /panic");
    }
}

impl Site for DemoSite {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match request.uri().path() {
            "/" | "/hello" => Response::new(text(HELLO)),
            "/echo" => Response::new(request.into_body().map_err(Into::into).boxed_unsync()),
            "/slow" => Response::new(Slow::over(milliseconds(request.uri().query())).boxed_unsync()),
            "/panic" => {
                self.panic.notify_one();
                // There will be no answer.
                pending().await
            }
            _ => plain(StatusCode::NOT_FOUND, "the demo has /hello, /echo, /slow?ms=2000 and /panic\n"),
        }
    }

    fn limits(&self) -> Limits {
        self.limits
    }
}

/// An answer whose pieces come one by one.
struct Slow {
    next: Interval,
    sent: u32,
}

impl Slow {
    fn over(time: Duration) -> Self {
        let mut next = interval((time / PIECES).max(Duration::from_millis(1)));
        next.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once, and nothing is sent with it.
        next.reset();
        Self { next, sent: 0 }
    }
}

impl HttpBody for Slow {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.sent == PIECES {
            return Poll::Ready(None);
        }
        ready!(self.next.poll_tick(cx));
        self.sent += 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(format!("{} of {PIECES}\n", self.sent))))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent == PIECES
    }
}

/// The time that a query like `ms=500` asks for: two seconds if it asks for none, a minute at most.
fn milliseconds(query: Option<&str>) -> Duration {
    let asked = query.and_then(|query| query.strip_prefix("ms=")).and_then(|number| number.parse().ok());
    Duration::from_millis(asked.unwrap_or(2_000).min(60_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_takes_what_was_asked_up_to_a_minute() {
        assert_eq!(milliseconds(Some("ms=15")), Duration::from_millis(15));
        assert_eq!(milliseconds(Some("ms=x")), Duration::from_secs(2));
        assert_eq!(milliseconds(None), Duration::from_secs(2));
        assert_eq!(milliseconds(Some("ms=99999999")), Duration::from_secs(60));
    }
}
