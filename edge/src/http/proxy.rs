//! Passes requests on to a server of a pool, streaming both ways.

use http_body_util::BodyExt;
use hyper::body::Body as _;
use hyper::header::{
    CONNECTION, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    VIA,
};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, Response, StatusCode, Uri, Version};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::body::{Body, text};
use super::plain;
use crate::dns::Connect;
use crate::upstreams::{Attempt, Nobody, Pool, Tried};

/// A client with its pool of connections; dropping it closes those that are idle.
pub(crate) struct Proxy {
    client: Client<HttpConnector<Connect>, Body>,
}

impl Proxy {
    /// Names lead to where `connect` knows; nothing is waited for.
    pub(crate) fn new(connect: Connect) -> Self {
        let mut connector = HttpConnector::new_with_resolver(connect);
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector) }
    }

    /// Passes one request on; `path` is what the server is asked for.
    ///
    /// A server that cannot be reached has seen nothing of it: as long as there is no body that went with it, the next one
    /// of the pool is asked.
    pub(crate) async fn pass(&self, pool: &Pool, path: &str, request: Request<Body>) -> Response<Body> {
        let Ok(path) = PathAndQuery::try_from(path) else {
            return plain(StatusCode::BAD_REQUEST, "this path cannot be passed on\n");
        };
        let (mut head, body) = request.into_parts();
        head.version = Version::HTTP_11;
        drop_hop_by_hop(&mut head.headers);
        head.headers.remove(HOST);
        head.headers.remove(EXPECT);
        head.headers.append(VIA, HeaderValue::from_static("1.1 edge"));
        let again = (body.is_end_stream() && pool.has_several()).then(|| head.clone());
        let (mut parcel, mut tried, mut last) = ((head, body), Tried::NONE, None);
        loop {
            let server = match pool.pick(tried) {
                Ok(server) => server,
                Err(nobody) => return last.unwrap_or_else(|| unasked(nobody)),
            };
            let to = server.authority();
            let (mut head, body) = parcel;
            head.uri = uri(to, &path);
            let asked = self.client.request(Request::from_parts(head, body));
            match timeout(pool.patience, asked).await {
                Ok(Ok(answer)) => {
                    server.report(Attempt::Answered(answer.status()));
                    let mut answer = answer.map(|body| body.map_err(Into::into).boxed_unsync());
                    drop_hop_by_hop(answer.headers_mut());
                    return answer;
                }
                Ok(Err(error)) if error.is_connect() => {
                    server.report(Attempt::Unreached);
                    let said = format!("the upstream {to} cannot be reached: {}\n", last_cause(&error));
                    let failed = plain(StatusCode::BAD_GATEWAY, said);
                    let Some(head) = &again else { return failed };
                    (tried, last) = (server.and(tried), Some(failed));
                    parcel = (head.clone(), text(""));
                }
                Ok(Err(error)) => {
                    server.report(Attempt::Broken);
                    let said = format!("the upstream {to} broke off: {}\n", last_cause(&error));
                    return plain(StatusCode::BAD_GATEWAY, said);
                }
                Err(_) => {
                    server.report(Attempt::Broken);
                    let said = format!("the upstream {to} did not answer in {:?}\n", pool.patience);
                    return plain(StatusCode::GATEWAY_TIMEOUT, said);
                }
            }
        }
    }
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
