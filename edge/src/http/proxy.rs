//! Passes requests on to an upstream, streaming both ways.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    VIA,
};
use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::{Request, Response, StatusCode, Uri, Version};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::body::Body;
use super::plain;
use crate::upstream::Target;

/// A client with its pool of connections; dropping it closes those that are idle.
pub(crate) struct Proxy {
    client: Client<HttpConnector, Incoming>,
}

impl Proxy {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector) }
    }

    /// Passes one request on; `path` is what the upstream is asked for.
    pub(crate) async fn pass(
        &self,
        target: &Target,
        path: &str,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let (authority, patience) = (target.authority.clone(), target.patience);
        let Ok(path) = PathAndQuery::try_from(path) else {
            return plain(StatusCode::BAD_REQUEST, "this path cannot be passed on\n");
        };
        let said = authority.to_string();
        let mut uri = hyper::http::uri::Parts::default();
        (uri.scheme, uri.authority, uri.path_and_query) = (Some(Scheme::HTTP), Some(authority), Some(path));
        let (mut head, body) = request.into_parts();
        head.uri = Uri::from_parts(uri).expect("a scheme, an authority and a path make a URI");
        head.version = Version::HTTP_11;
        drop_hop_by_hop(&mut head.headers);
        head.headers.remove(HOST);
        head.headers.remove(EXPECT);
        head.headers.append(VIA, HeaderValue::from_static("1.1 edge"));
        match timeout(patience, self.client.request(Request::from_parts(head, body))).await {
            Ok(Ok(answer)) => {
                let mut answer = answer.map(|body| body.map_err(Into::into).boxed_unsync());
                drop_hop_by_hop(answer.headers_mut());
                answer
            }
            Ok(Err(error)) => {
                let what = if error.is_connect() { "cannot be reached" } else { "broke off" };
                plain(
                    StatusCode::BAD_GATEWAY,
                    format!("the upstream {said} {what}: {}\n", last_cause(&error)),
                )
            }
            Err(_) => plain(
                StatusCode::GATEWAY_TIMEOUT,
                format!("the upstream {said} did not answer in {patience:?}\n"),
            ),
        }
    }
}

/// Takes out what is between two neighbours only.
fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let fixed = [
        CONNECTION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        HeaderName::from_static("proxy-authenticate"),
        HeaderName::from_static("proxy-authorization"),
    ];
    for name in named.iter().chain(&fixed) {
        headers.remove(name);
    }
}

fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_two_neighbours_is_not_passed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Mine"),
            ("keep-alive", "3"),
            ("x-mine", "1"),
            ("upgrade", "h2c"),
            ("x-kept", "1"),
            ("content-length", "3"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        drop_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "x-kept"]);
    }
}
