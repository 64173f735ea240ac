//! Requests that nobody is asked about: those that two readers might read in two ways, or that lead out of their route.
//!
//! What hyper's parser refuses does not come so far: two lengths, a length that is none, a transfer coding that does not
//! end in `chunked`, white space before a colon or at the start of a line. A length beside a transfer coding is taken out
//! by it, and the connection closed behind the answer. What is left is what a parser may accept and a gateway must not.

use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode, Version};

use super::body::Body;
use super::plain;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    why: &'static str,
}

impl Refusal {
    /// The last answer of its connection: what comes behind such a request is not read.
    pub(super) fn answer(self) -> Response<Body> {
        let mut answer = plain(self.status, format!("{}\n", self.why));
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }
}

const fn refused(why: &'static str) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, why }
}

/// Looks at a head; `None` where nothing is wrong with it.
pub(super) fn refusal<B>(request: &Request<B>) -> Option<Refusal> {
    if request.method() == Method::CONNECT {
        let why = "this is no tunnel";
        return Some(Refusal { status: StatusCode::NOT_IMPLEMENTED, why });
    }
    host(request).or_else(|| coding(request.headers())).or_else(|| path(request.uri().path()))
}

/// Whom the request is for, as it says; known to be one after [`refusal`].
pub(super) fn authority<B>(request: &Request<B>) -> Option<Authority> {
    let target = request.uri().authority().cloned();
    target.or_else(|| Authority::try_from(request.headers().get(HOST)?.as_bytes()).ok())
}

/// RFC 9112, 3.2: exactly one valid `Host`, and of a target in absolute form the same one.
fn host<B>(request: &Request<B>) -> Option<Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Some(refused("there is more than one Host"));
    }
    let target = request.uri().authority();
    let Some(host) = host else {
        let must = target.is_none() && request.version() > Version::HTTP_10;
        return must.then_some(refused("there is no Host"));
    };
    let valid = Authority::try_from(host.as_bytes()).ok().filter(|host| !host.host().is_empty());
    let Some(host) = valid.filter(|host| !host.as_str().contains('@')) else {
        return Some(refused("the Host is none"));
    };
    let other = target.is_some_and(|target| !target.as_str().eq_ignore_ascii_case(host.as_str()));
    other.then_some(refused("the Host is not that of the target"))
}

/// Nothing but `chunked`, once: a coding below it would be lost, because it ends with this connection.
fn coding(headers: &HeaderMap) -> Option<Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let chunked = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    let fine = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => chunked(only),
        (Some(_), Some(_)) => false,
    };
    let why = "the only transfer coding that is known is chunked, once";
    (!fine).then_some(Refusal { status: StatusCode::NOT_IMPLEMENTED, why })
}

/// No segment leads up, however it is written: whoever resolves it afterwards would leave the route.
fn path(path: &str) -> Option<Refusal> {
    let Some(plain) = unescaped(path) else {
        return Some(refused("a percent sign in the path stands alone"));
    };
    if plain.iter().any(u8::is_ascii_control) {
        return Some(refused("there is a control character in the path"));
    }
    // Some take a backslash for a slash, and what follows a semicolon for a parameter.
    let mut names = plain.split(|byte| matches!(byte, b'/' | b'\\'));
    let leads_up = names.any(|name| {
        let name = name.split(|byte| *byte == b';').next().unwrap_or_default();
        name == b"." || name == b".."
    });
    leads_up.then_some(refused("this path leads up"))
}

/// Takes the percent signs out, once.
pub(super) fn unescaped(path: &str) -> Option<Vec<u8>> {
    let mut bytes = path.bytes();
    let mut plain = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(16 * high + low).ok()?
            }
            byte => byte,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_up_is_refused_however_it_is_written() {
        for path in
            ["/", "/a", "/a..b", "/...", "/a/..b", "/%2e%2e%2e", "/%252e%252e/", "/a%2Fb", "/%C3%A4", "*"]
        {
            assert_eq!(super::path(path), None, "{path}");
        }
        let up = [
            "/..",
            "/../a",
            "/a/../b",
            "/./a",
            "/a/.",
            "/%2e%2e/a",
            "/%2E./a",
            "/a%2f..%2fb",
            "/a/..%5cb",
            "/..\\a",
            "/..;/a",
            "/..;x=1/a",
            "/a/%2e%2e%3b/b",
            "/a%00",
            "/a%0d%0ab",
            "/a%zz",
            "/a%2",
            "/%",
        ];
        for path in up {
            assert!(super::path(path).is_some(), "{path}");
        }
    }

    #[test]
    fn percent_signs_are_taken_out_once() {
        assert_eq!(unescaped("%252e%252e").unwrap(), b"%2e%2e");
    }
}
