//! What a gateway does to headers: takes out what is between two neighbours, says whom it answers for, and through whom
//! it went.

use std::fmt::Write as _;
use std::net::IpAddr;

use bytes::Bytes;
use hyper::Version;
use hyper::header::{CONNECTION, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, VIA};
use hyper::http::uri::Authority;

use crate::settings::Forwarding;

/// Whom a request comes from.
pub(super) struct From {
    /// The other end of its connection, where that has an address.
    pub(super) peer: Option<IpAddr>,
    /// Whom it was for.
    pub(super) host: Option<Authority>,
    pub(super) version: Version,
}

/// Makes the headers of a request those that an upstream is to see.
pub(super) fn to_upstream(headers: &mut HeaderMap, from: &From, forwarding: Forwarding) {
    headers.remove(HOST);
    let replaces = forwarding == Forwarding::Replace;
    drop_between_neighbours(headers, |name| name == "expect" || replaces && says_whence(name));
    if let Ok(forwarded) = HeaderValue::from_maybe_shared(Bytes::from(forwarded(from))) {
        headers.append(FORWARDED, forwarded);
    }
    headers.append(VIA, HeaderValue::from_static(via(from.version)));
}

/// Makes the headers of an answer those that a client is to see; `version` is the upstream's.
pub(super) fn to_client(headers: &mut HeaderMap, version: Version) {
    drop_between_neighbours(headers, |_| false);
    headers.append(VIA, HeaderValue::from_static(via(version)));
}

/// `Forwarded`, and the usual headers from before RFC 7239: an upstream that believes them believes whoever wrote them.
fn says_whence(name: &str) -> bool {
    matches!(
        name,
        "forwarded"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-port"
            | "x-forwarded-proto"
            | "x-forwarded-server"
            | "x-real-ip"
    )
}

/// RFC 7239, 4. What has a colon or brackets in it must be quoted.
fn forwarded(from: &From) -> String {
    let mut forwarded = match from.peer {
        Some(IpAddr::V4(peer)) => format!("for={peer}"),
        Some(IpAddr::V6(peer)) => match peer.to_ipv4_mapped() {
            Some(peer) => format!("for={peer}"),
            None => format!("for=\"[{peer}]\""),
        },
        None => "for=unknown".to_owned(),
    };
    if let Some(host) = &from.host {
        let _ = write!(forwarded, ";host=\"{host}\"");
    }
    forwarded.push_str(";proto=http");
    forwarded
}

/// RFC 9110, 7.6.3: the version in which it was received.
fn via(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0 edge",
        Version::HTTP_2 => "2 edge",
        _ => "1.1 edge",
    }
}

/// RFC 9110, 7.6.1: what has always been between two neighbours, and what `Connection` names.
fn is_between_neighbours(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "keep-alive"
            | "proxy-connection"
            | "http2-settings"
    )
}

/// Takes those out, and others. It looks at what is there, which is mostly nothing of it: to ask the map for each name would
/// hash them all.
fn drop_between_neighbours(headers: &mut HeaderMap, other: impl Fn(&str) -> bool) {
    let lines = headers.get_all(CONNECTION).iter();
    let named = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    // What is mostly named takes itself out.
    let named = named.filter(|name| !name.eq_ignore_ascii_case(b"keep-alive") && !name.is_empty());
    let named: Vec<HeaderName> = named.filter_map(|name| HeaderName::from_bytes(name).ok()).collect();
    let gone = |name: &&HeaderName| {
        is_between_neighbours(name.as_str()) || other(name.as_str()) || named.contains(name)
    };
    while let Some(name) = headers.keys().find(gone).cloned() {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn from(peer: &str) -> From {
        let host = Some(Authority::from_static("edge:8080"));
        From { peer: peer.parse().ok(), host, version: Version::HTTP_11 }
    }

    #[test]
    fn what_is_between_two_neighbours_is_not_passed_on() {
        let mut headers = headers(&[
            ("connection", "keep-alive, X-Mine"),
            ("keep-alive", "3"),
            ("x-mine", "1"),
            ("upgrade", "h2c"),
            ("x-kept", "1"),
            ("content-length", "3"),
        ]);
        headers.append(CONNECTION, HeaderValue::from_static("x-too,"));
        headers.append("x-too", HeaderValue::from_static("1"));
        headers.append("http2-settings", HeaderValue::from_static("AAMAAABk"));
        to_client(&mut headers, Version::HTTP_11);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "via", "x-kept"]);
    }

    #[test]
    fn what_a_client_says_of_itself_is_replaced_or_stands_before_what_is_known() {
        let lies = [("forwarded", "for=10.0.0.1"), ("x-forwarded-for", "10.0.0.1"), ("connection", "via")];
        let mut replaced = headers(&lies);
        to_upstream(&mut replaced, &from("192.0.2.7"), Forwarding::Replace);
        let ours = "for=192.0.2.7;host=\"edge:8080\";proto=http";
        assert_eq!(replaced.get_all(FORWARDED).iter().collect::<Vec<_>>(), [ours]);
        assert_eq!(
            (replaced.get("x-forwarded-for"), replaced.get(VIA).unwrap()),
            (None, &HeaderValue::from_static("1.1 edge"))
        );

        let mut appended = headers(&lies);
        to_upstream(&mut appended, &from("192.0.2.7"), Forwarding::Append);
        assert_eq!(appended.get_all(FORWARDED).iter().collect::<Vec<_>>(), ["for=10.0.0.1", ours]);
        assert_eq!(appended.get("x-forwarded-for").unwrap(), "10.0.0.1");
    }

    #[test]
    fn addresses_are_written_as_rfc_7239_has_them() {
        let said = |peer| forwarded(&From { host: None, ..from(peer) });
        assert_eq!(said("2001:db8::1"), "for=\"[2001:db8::1]\";proto=http");
        assert_eq!(said("::ffff:192.0.2.7"), "for=192.0.2.7;proto=http");
        assert_eq!(said("nobody"), "for=unknown;proto=http");
    }
}
