//! The listener, and what is served on it.

pub(crate) mod body;
mod files;
mod line;
mod proxy;
pub(crate) mod serve;
mod site;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use self::body::{Body, text};

/// An answer in plain text.
pub(crate) fn plain(status: StatusCode, said: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(text(said));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
