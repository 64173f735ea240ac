//! One line of the log: begun with the request, ended with its answer, and safe to split whatever a client sends.

use std::fmt;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use hyper::header::{HeaderName, REFERER, USER_AGENT};
use hyper::{Method, Request, Uri, Version};

use super::time::Utc;

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// In the order of the combined format of Apache and nginx, with three fields more.
    Text,
    /// An object.
    Json,
}

/// A line that waits for the end of its answer. It is the one allocation of its request.
#[derive(Debug)]
pub(crate) struct Line {
    format: Format,
    text: Vec<u8>,
    /// Where the status goes, of which nothing is known yet.
    status: usize,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All of it was handed to the connection.
    Whole,
    /// It was cut short: by the client that went away, by an upstream that broke off, by a deadline.
    Cut,
}

/// What is known of an answer once it has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// The bytes of its body that the connection took.
    pub(crate) sent: u64,
    /// From the head of the request to the end of the answer.
    pub(crate) took: Duration,
    /// Who answered, where that was not edge itself.
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) ended: Ended,
}

/// The longest path that is written, escapes included: with it a line has an end, and so has a full queue.
const LONGEST_PATH: usize = 2048;
/// The longest of any other field that a client chooses.
const LONGEST: usize = 256;
/// What most lines have room in.
const ROOM: usize = 320;

impl Line {
    /// Writes what a request says of itself.
    pub(crate) fn begin<B>(
        format: Format,
        now: SystemTime,
        client: Option<IpAddr>,
        request: &Request<B>,
    ) -> Self {
        let mut line = Self { format, text: Vec::with_capacity(ROOM), status: 0 };
        match format {
            Format::Text => line.begin_text(now, client, request),
            Format::Json => line.begin_json(now, client, request),
        }
        line
    }

    fn begin_text<B>(&mut self, now: SystemTime, client: Option<IpAddr>, request: &Request<B>) {
        self.client(client);
        self.put(" - - [");
        self.shown(Utc(now));
        self.put("] \"");
        self.method(request.method());
        self.put(" ");
        self.path(request.uri());
        self.put(" ");
        self.put(version(request.version()));
        self.put("\"");
        self.status = self.text.len();
        self.put(" \"");
        self.header(request, &REFERER);
        self.put("\" \"");
        self.header(request, &USER_AGENT);
        self.put("\"");
    }

    fn begin_json<B>(&mut self, now: SystemTime, client: Option<IpAddr>, request: &Request<B>) {
        self.put("{\"time\":\"");
        self.shown(Utc(now));
        self.put("\",\"client\":\"");
        self.client(client);
        self.put("\",\"method\":\"");
        self.method(request.method());
        self.put("\",\"path\":\"");
        self.path(request.uri());
        self.put("\",\"version\":\"");
        self.put(version(request.version()));
        self.put("\",\"referer\":\"");
        self.header(request, &REFERER);
        self.put("\",\"agent\":\"");
        self.header(request, &USER_AGENT);
        self.put("\"");
    }

    /// Writes the rest: the whole line, with its end.
    pub(crate) fn end(mut self, answered: &Answered) -> Vec<u8> {
        let Answered { status, sent, ended, .. } = *answered;
        let (seconds, micros) = (answered.took.as_secs(), answered.took.subsec_micros());
        match self.format {
            Format::Text => {
                let behind = self.text.len();
                self.shown(format_args!(" {status} {sent}"));
                // It was written behind what the client says of itself, and belongs in front of it.
                let moved = self.text.len() - behind;
                self.text[self.status..].rotate_right(moved);
                self.shown(format_args!(" {seconds}.{micros:06} "));
                self.upstream(answered.upstream);
                self.put(match ended {
                    Ended::Whole => " whole\n",
                    Ended::Cut => " cut\n",
                });
            }
            Format::Json => {
                self.shown(format_args!(
                    ",\"status\":{status},\"sent\":{sent},\"seconds\":{seconds}.{micros:06},\"upstream\":\""
                ));
                self.upstream(answered.upstream);
                self.put(match ended {
                    Ended::Whole => "\",\"ended\":\"whole\"}\n",
                    Ended::Cut => "\",\"ended\":\"cut\"}\n",
                });
            }
        }
        self.text
    }

    fn put(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn shown(&mut self, value: impl fmt::Display) {
        // Nothing can fail: it is written to memory.
        let _ = write!(self.text, "{value}");
    }

    fn client(&mut self, client: Option<IpAddr>) {
        match client {
            Some(client) => self.shown(client.to_canonical()),
            None => self.put("-"),
        }
    }

    fn upstream(&mut self, upstream: Option<SocketAddr>) {
        match upstream {
            Some(upstream) => self.shown(upstream),
            None => self.put("-"),
        }
    }

    fn method(&mut self, method: &Method) {
        self.escaped(method.as_str().as_bytes(), LONGEST);
    }

    fn path(&mut self, uri: &Uri) {
        let path = uri.path_and_query().map_or("-", |path| path.as_str());
        self.escaped(path.as_bytes(), LONGEST_PATH);
    }

    fn header<B>(&mut self, request: &Request<B>, name: &HeaderName) {
        match request.headers().get(name) {
            Some(value) => self.escaped(value.as_bytes(), LONGEST),
            None => self.put("-"),
        }
    }

    /// Writes what a client chose: of it, nothing ends a field, a line, or does something to a terminal. What is too long
    /// ends with three dots.
    fn escaped(&mut self, bytes: &[u8], longest: usize) {
        let most = self.text.len() + longest;
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            // What needs no escape, which is nearly everything, is copied at once.
            let plain = rest.iter().take_while(|byte| is_plain(**byte)).count();
            if plain > 0 {
                let room = most.saturating_sub(self.text.len()).min(plain);
                self.text.extend_from_slice(&rest[..room]);
                if room < plain {
                    return self.put("...");
                }
                rest = &rest[plain..];
                continue;
            }
            if self.text.len() >= most {
                return self.put("...");
            }
            match self.format {
                Format::Text => self.shown(format_args!("\\x{byte:02X}")),
                Format::Json => self.shown(format_args!("\\u00{byte:02x}")),
            }
            rest = after;
        }
    }
}

/// What means nothing in either format. A byte beyond ASCII is no letter that is known.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));

    fn answered() -> Answered {
        Answered {
            status: 200,
            sent: 1234,
            took: Duration::from_micros(1_234_567),
            upstream: Some(SocketAddr::from(([10, 0, 0, 9], 80))),
            ended: Ended::Whole,
        }
    }

    fn written(format: Format, request: &Request<()>, answered: &Answered) -> String {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_644_781_123);
        String::from_utf8(Line::begin(format, now, Some(CLIENT), request).end(answered)).unwrap()
    }

    fn request(path: &str, agent: &[u8]) -> Request<()> {
        let request = Request::builder().uri(path).header(REFERER, "http://a/\"b");
        request.header(USER_AGENT, agent).body(()).unwrap()
    }

    #[test]
    fn a_line_of_text_is_in_the_order_of_the_combined_format() {
        let request = request("/a?b=c", b"curl/8.0 (it's)");
        assert_eq!(
            written(Format::Text, &request, &answered()),
            "10.0.0.5 - - [2026-11-25T22:13:01.123Z] \"GET /a?b=c HTTP/1.1\" 200 1234 \"http://a/\\x22b\" \
             \"curl/8.0 (it's)\" 1.234567 10.0.0.9:80 whole\n"
        );
        let bare = Request::post("http://b/").version(Version::HTTP_2).body(()).unwrap();
        let cut = Answered { status: 499, sent: 0, upstream: None, ended: Ended::Cut, ..answered() };
        assert_eq!(
            written(Format::Text, &bare, &cut),
            "10.0.0.5 - - [2026-11-25T22:13:01.123Z] \"POST / HTTP/2.0\" 499 0 \"-\" \"-\" 1.234567 - cut\n"
        );
    }

    #[test]
    fn a_line_of_json_is_an_object() {
        assert_eq!(
            written(Format::Json, &request("/a", b"b\\\xff"), &answered()),
            "{\"time\":\"2026-11-25T22:13:01.123Z\",\"client\":\"10.0.0.5\",\"method\":\"GET\",\"path\":\"/a\",\
             \"version\":\"HTTP/1.1\",\"referer\":\"http://a/\\u0022b\",\"agent\":\"b\\u005c\\u00ff\",\
             \"status\":200,\"sent\":1234,\"seconds\":1.234567,\"upstream\":\"10.0.0.9:80\",\"ended\":\"whole\"}\n"
        );
    }

    #[test]
    fn a_client_without_an_address_and_a_mapped_one_are_written() {
        let ends = |client| {
            let line = Line::begin(Format::Text, SystemTime::UNIX_EPOCH, client, &Request::new(()));
            String::from_utf8(line.end(&answered())).unwrap()
        };
        assert!(ends(None).starts_with("- - - [1970-01-01T00:00:00.000Z] "));
        assert!(ends(Some(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into())).starts_with("127.0.0.1 - - "));
        assert!(ends(Some(Ipv6Addr::LOCALHOST.into())).starts_with("::1 - - "));
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so_also_where_it_is_all_escapes() {
        for format in [Format::Text, Format::Json] {
            let longest = format!("/{}", "a".repeat(LONGEST_PATH - 1));
            assert!(written(format, &request(&longest, b"b"), &answered()).contains(&longest));
            let said = written(format, &request(&format!("{longest}bc"), &[b'"'; 4000]), &answered());
            assert!(said.contains(&format!("{longest}...")) && !said.contains("bc"), "{said}");
            assert!(said.len() < LONGEST_PATH + 3 * LONGEST, "{}", said.len());
        }
    }

    /// The fields of a line of text, as somebody splits it who knows of quotes and brackets, and of nothing else.
    fn fields(line: &str) -> Vec<String> {
        let (mut fields, mut rest) = (Vec::new(), line.strip_suffix('\n').unwrap());
        while !rest.is_empty() {
            let end = match rest.as_bytes()[0] {
                b'"' => rest[1..].find('"').unwrap() + 2,
                b'[' => rest.find(']').unwrap() + 1,
                _ => rest.find(' ').unwrap_or(rest.len()),
            };
            fields.push(rest[..end].to_owned());
            rest = rest[end..].strip_prefix(' ').unwrap_or(&rest[end..]);
        }
        fields
    }

    proptest! {
        /// Fails when any byte but a plain one is copied.
        #[test]
        fn no_client_can_write_a_line_or_a_field(agent in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut request = Request::get("/").body(()).unwrap();
            // What no header may have, control bytes, is refused before it comes here; the rest is tried.
            if let Ok(value) = hyper::header::HeaderValue::from_bytes(&agent) {
                request.headers_mut().insert(USER_AGENT, value);
            }
            let said = written(Format::Text, &request, &answered());
            prop_assert!(said.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')));
            prop_assert_eq!(said.matches('\n').count(), 1);
            let fields = fields(&said);
            prop_assert_eq!(fields.len(), 12, "{}", said);
            prop_assert_eq!((&*fields[5], &*fields[6], &*fields[11]), ("200", "1234", "whole"));
        }

        /// What never comes through hyper is safe here, too.
        #[test]
        fn no_byte_ends_a_line_of_either_format(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for format in [Format::Text, Format::Json] {
                let mut line = Line { format, text: Vec::new(), status: 0 };
                line.escaped(&bytes, LONGEST);
                prop_assert!(line.text.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'"'));
                prop_assert!(line.text.len() < LONGEST + 10);
            }
        }
    }
}
