//! From the text of `http.yaml` to settings, or to all that is wrong with it, each with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_saphyr::{Location, SnippetMode, Spanned, UserMessageFormatter, render_options};

use super::listen::Listen;
use super::most::{self, RawRouteMost};
use super::pools::{self, RawPool};
use super::{Forwarding, Limits, LogSettings, Settings};
use crate::access_log::Format;

/// Everything that is wrong with one text, in the order of the text.
#[derive(Debug)]
pub(crate) struct Invalid {
    problems: Vec<Problem>,
}

/// One thing that is wrong, and where.
#[derive(Debug)]
struct Problem {
    file: String,
    place: Place,
    text: String,
}

/// A line and a column, both from 1.
pub(crate) type Place = (u64, u64);

/// A value and its place, kept for what is only known to be wrong later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl Invalid {
    /// One problem.
    pub(crate) fn one(file: &Path, place: Place, text: String) -> Self {
        Self { problems: vec![Problem { file: file.display().to_string(), place, text }] }
    }

    /// What is wrong with values whose places are known: nothing, or an error.
    pub(crate) fn check(file: &Path, problems: Vec<(Place, String)>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        let file = file.display().to_string();
        let mut problems: Vec<Problem> =
            problems.into_iter().map(|(place, text)| Problem { file: file.clone(), place, text }).collect();
        problems.sort_by_key(|problem| problem.place);
        Err(Self { problems })
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { file, place: (line, column), text }) in self.problems.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{file}:{line}:{column} {text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// Parses a text; `file` is its name in messages, `folder` what relative paths in it start from.
pub(crate) fn parse(text: &str, file: &Path, folder: &Path) -> Result<Settings, Invalid> {
    let raw: Option<Raw> = serde_saphyr::from_str(text).map_err(|error| misshapen(file, &error))?;
    let raw = raw.unwrap_or_default();
    let limits = raw.limits.unwrap_or_default();
    let mut reader = Reader::default();
    let settings = Settings {
        listen: reader.addresses(raw.listen, raw.also),
        greeting: reader.read(raw.greeting, one_line).map_or_else(|| super::GREETING.to_owned(), |g| g.value),
        files: reader.read(raw.files, |path| Ok(folder.join(path))),
        lock: reader.read(raw.lock, |path| Ok(folder.join(path))),
        routes: reader.read_all(raw.routes),
        pins: reader.read(raw.demo.unwrap_or_default().pin, switch).unwrap_or_else(|| unplaced(true)),
        upstreams: pools::read(&mut reader, raw.upstreams),
        dns: reader.dns_servers(raw.dns.unwrap_or_default().servers),
        forwarded: reader.read(raw.forwarded, forwarding).map_or_else(Forwarding::default, |f| f.value),
        limits: Limits {
            header: reader.read(limits.header, duration).map_or(super::HEADER, |d| d.value),
            linger: reader.read(limits.linger, duration).map_or(super::LINGER, |d| d.value),
            drain: reader.read(limits.drain, drain).map_or(super::DRAIN, |d| d.value),
        },
        most: most::read(&mut reader, limits.client, limits.routes),
        access_log: reader.access_log(raw.access_log, raw.access_log_format, folder),
    };
    Invalid::check(file, reader.problems)?;
    Ok(settings)
}

/// The shape of the file; what the leaves mean is read afterwards, so that all that is wrong is said at
/// once.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    listen: Option<Spanned<String>>,
    also: Option<Vec<Spanned<String>>>,
    greeting: Option<Spanned<String>>,
    files: Option<Spanned<String>>,
    lock: Option<Spanned<String>>,
    routes: Option<BTreeMap<String, Spanned<String>>>,
    demo: Option<RawDemo>,
    upstreams: Option<BTreeMap<String, Spanned<RawPool>>>,
    dns: Option<RawDns>,
    forwarded: Option<Spanned<String>>,
    limits: Option<RawLimits>,
    access_log: Option<Spanned<String>>,
    access_log_format: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDns {
    servers: Option<Vec<Spanned<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    header: Option<Spanned<String>>,
    linger: Option<Spanned<String>>,
    drain: Option<Spanned<String>>,
    client: Option<Spanned<String>>,
    routes: Option<BTreeMap<String, RawRouteMost>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDemo {
    pin: Option<Spanned<String>>,
}

/// Reads leaves and collects what is wrong with them.
#[derive(Default)]
pub(super) struct Reader {
    problems: Vec<(Place, String)>,
}

impl Reader {
    pub(super) fn problem(&mut self, place: Place, text: String) {
        self.problems.push((place, text));
    }

    /// Replaces a value by what a leaf says, if there is one.
    pub(super) fn set<T>(
        &mut self,
        value: &mut T,
        leaf: Option<Spanned<String>>,
        meaning: impl FnOnce(&str) -> Result<T, String>,
    ) {
        if let Some(read) = self.read(leaf, meaning) {
            *value = read.value;
        }
    }

    pub(super) fn read<T>(
        &mut self,
        leaf: Option<Spanned<String>>,
        meaning: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Placed<T>> {
        let leaf = leaf?;
        let place = place(leaf.referenced);
        match meaning(&leaf.value) {
            Ok(value) => Some(Placed { value, place }),
            Err(text) => {
                self.problems.push((place, text));
                None
            }
        }
    }
}

impl Reader {
    /// All that edge listens on, each once.
    fn addresses(
        &mut self,
        listen: Option<Spanned<String>>,
        also: Option<Vec<Spanned<String>>>,
    ) -> Vec<Placed<Listen>> {
        let built_in = || unplaced(Listen::At(super::LISTEN));
        let mut all = vec![self.read(listen, Listen::read).unwrap_or_else(built_in)];
        for leaf in also.unwrap_or_default() {
            let Some(also) = self.read(Some(leaf), Listen::read) else { continue };
            if all.iter().any(|one| one.value == also.value) {
                self.problems.push((also.place, format!("{} is listened on already", also.value)));
            }
            all.push(also);
        }
        all
    }

    /// Who is asked for names; nobody is the system's own.
    fn dns_servers(&mut self, leaves: Option<Vec<Spanned<String>>>) -> Vec<SocketAddr> {
        let leaves = leaves.unwrap_or_default().into_iter();
        leaves.filter_map(|leaf| Some(self.read(Some(leaf), dns_server)?.value)).collect()
    }

    /// The log, and how it looks, which is wrong without one.
    fn access_log(
        &mut self,
        path: Option<Spanned<String>>,
        format: Option<Spanned<String>>,
        folder: &Path,
    ) -> Option<LogSettings> {
        let path = self.read(path, |path| Ok(folder.join(one_line(path)?)));
        let format = self.read(format, log_format);
        if let (None, Some(format)) = (&path, &format) {
            self.problems
                .push((format.place, "there is no access log: name its file with access_log".to_owned()));
        }
        Some(LogSettings { path: path?, format: format.map_or(Format::Text, |format| format.value) })
    }

    /// Lines whose meaning is another's to say: no more than that each is one.
    fn read_all(
        &mut self,
        leaves: Option<BTreeMap<String, Spanned<String>>>,
    ) -> Vec<(String, Placed<String>)> {
        let leaves = leaves.unwrap_or_default().into_iter();
        leaves.filter_map(|(name, leaf)| Some((name, self.read(Some(leaf), one_line)?))).collect()
    }
}

fn misshapen(file: &Path, error: &serde_saphyr::Error) -> Invalid {
    let place = error.location().map_or((1, 1), place);
    let options = render_options! { formatter: &UserMessageFormatter, snippets: SnippetMode::Off };
    let text = error.without_snippet().render_with_options(options);
    // The place is said in front, once.
    let text =
        text.strip_suffix(&format!(" at line {}, column {}", place.0, place.1)).unwrap_or(&text).to_owned();
    Invalid::one(file, place, text)
}

pub(super) fn place(location: Location) -> Place {
    (location.line(), location.column())
}

fn unplaced<T>(value: T) -> Placed<T> {
    Placed { value, place: (1, 1) }
}

fn one_line(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("this is one line of text".to_owned());
    }
    Ok(text.to_owned())
}

fn log_format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err(format!("'{text}' is neither 'text' nor 'json'")),
    }
}

fn forwarding(text: &str) -> Result<Forwarding, String> {
    match text {
        "replace" => Ok(Forwarding::Replace),
        "append" => Ok(Forwarding::Append),
        _ => Err(format!("'{text}' is neither 'replace' nor 'append'")),
    }
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("'{text}' is neither 'on' nor 'off'")),
    }
}

fn dns_server(text: &str) -> Result<SocketAddr, String> {
    let bare = |_| text.parse::<IpAddr>().map(|ip| (ip, 53).into());
    text.parse()
        .or_else(bare)
        .map_err(|_| format!("'{text}' is not an address like 10.0.0.53 or 127.0.0.1:5353"))
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a duration like 10s or 250ms");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u32 = number.parse().map_err(|_| wrong())?;
    match unit {
        "ms" => Ok(Duration::from_millis(number.into())),
        "s" => Ok(Duration::from_secs(number.into())),
        "m" => Ok(Duration::from_secs(60 * u64::from(number))),
        _ => Err(wrong()),
    }
}

/// No longer than a stop has for it.
fn drain(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time > super::DRAIN {
        return Err(format!("{text} is longer than the {:?} that a stop has for it", super::DRAIN));
    }
    Ok(time)
}

/// A duration that is one, or never.
pub(super) fn interval(text: &str) -> Result<Option<Duration>, String> {
    match duration(text) {
        _ if text == "off" => Ok(None),
        Ok(Duration::ZERO) => Err("to ask without a pause is too much: say how often, or off".to_owned()),
        Ok(interval) => Ok(Some(interval)),
        Err(_) => Err(format!("'{text}' is neither 'off' nor a duration like 10s or 250ms")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::RouteMost;
    use super::*;
    use crate::settings::{Address, CheckSettings, EjectSettings, PoolSettings};

    fn read(text: &str) -> Result<Settings, String> {
        parse(text, Path::new("http.yaml"), Path::new("/etc/edge")).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn nothing_is_the_defaults() {
        let settings = read("# nothing\n").unwrap();
        assert_eq!(settings.listen[0].value, Listen::At(super::super::LISTEN));
        assert_eq!(settings.upstreams["demo"], PoolSettings::built_in());
        assert!(settings.files.is_none() && settings.dns.is_empty() && settings.upstreams.len() == 1);
    }

    #[test]
    fn the_built_in_text_says_the_defaults() {
        let built_in = read(super::super::BUILT_IN).unwrap();
        let nothing = read("").unwrap();
        assert_eq!(built_in.listen[0].value, nothing.listen[0].value);
        assert_eq!(built_in.greeting, nothing.greeting);
        assert_eq!((built_in.limits, built_in.forwarded), (nothing.limits, nothing.forwarded));
        let mut pool = built_in.upstreams["demo"].clone();
        pool.servers[0].address.place = (1, 1);
        assert_eq!(pool, nothing.upstreams["demo"]);
        assert_eq!(built_in.upstreams.len(), 1);
        assert_eq!(built_in.most, nothing.most);
        assert_eq!(built_in.access_log, nothing.access_log);
    }

    #[test]
    fn everything_can_be_set() {
        let text = "listen: '[::1]:1'\nalso: ['[::1]:2']\ngreeting: a b\nfiles: www\n\
                    lock: /run/e.lock\ndns:\n  servers: [10.0.0.53, '[::1]:5353']\nupstreams:\n  db:\n    \
                    servers: ['db:9', 'db:10 weight 3', built-in]\n    wait: on\n    patience: 2m\n    \
                    check: {path: /up?x, interval: off, timeout: 7ms, rise: 4, fall: 5}\n    \
                    eject: {failures: off, time: 1m, share: 50%}\nlimits:\n  header: 3s\n  linger: 40ms\n  drain: 9s\n\
                    forwarded: append\n";
        let settings = read(text).unwrap();
        assert_eq!(settings.listen[0].value.to_string(), "[::1]:1");
        assert_eq!(settings.listen[1].value.to_string(), "[::1]:2");
        assert_eq!(settings.files.unwrap().value, Path::new("/etc/edge/www"));
        assert_eq!(settings.lock.unwrap().value, Path::new("/run/e.lock"));
        assert_eq!(
            settings.limits,
            Limits {
                header: Duration::from_secs(3),
                linger: Duration::from_millis(40),
                drain: Duration::from_secs(9),
            }
        );
        assert_eq!(settings.forwarded, Forwarding::Append);
        let dns: Vec<String> = settings.dns.iter().map(ToString::to_string).collect();
        assert_eq!(dns, ["10.0.0.53:53", "[::1]:5353"]);
        let pool = &settings.upstreams["db"];
        let servers: Vec<(String, u32)> =
            pool.servers.iter().map(|server| (server.address.value.to_string(), server.weight)).collect();
        let expected = [("db:9", 1), ("db:10", 3), ("built-in", 1)];
        assert_eq!(servers, expected.map(|(address, weight)| (address.to_owned(), weight)));
        assert!(pool.wait && pool.patience == Duration::from_secs(120));
        let check = CheckSettings {
            path: "/up?x".parse().unwrap(),
            interval: None,
            timeout: Duration::from_millis(7),
            rise: 4,
            fall: 5,
        };
        assert_eq!(pool.check, check);
        assert_eq!(pool.eject, EjectSettings { failures: None, time: Duration::from_secs(60), share: 50 });
        assert_eq!(settings.upstreams["demo"].servers[0].address.value, Address::BuiltIn);
    }

    #[test]
    fn every_problem_has_its_place_and_all_are_said() {
        let text = "listen: here\nfiles: www\nalso:\n  - 127.0.0.1:1\n  - 127.0.0.1:1\ndns:\n  servers: [me]\n\
                    upstreams:\n  a:\n    patience: soon\n    servers: [nowhere, 'a:1 weight 0', 'b:1', 'b:1']\n    \
                    check:\n      interval: 0s\n      timeout: 0s\n      path: up\n      rise: none\n    \
                    eject: {share: 101, failures: 0}\n  b c:\n    servers: []\n";
        let said = "http.yaml:1:9 'here' is neither an address like 127.0.0.1:8080 nor inherited nor inherited:NAME\n\
                    http.yaml:5:5 127.0.0.1:1 is listened on already\n\
                    http.yaml:7:13 'me' is not an address like 10.0.0.53 or 127.0.0.1:5353\n\
                    http.yaml:10:15 'soon' is not a duration like 10s or 250ms\n\
                    http.yaml:11:15 'nowhere' is neither 'built-in' nor host:port\n\
                    http.yaml:11:24 '0' is not a number from 1 to 100\n\
                    http.yaml:11:47 'b:1' is in this pool already: give it a weight\n\
                    http.yaml:13:17 to ask without a pause is too much: say how often, or off\n\
                    http.yaml:14:16 no time at all is too short\n\
                    http.yaml:15:13 'up' is not a path like /health\n\
                    http.yaml:16:13 'none' is not a number from 1 to 1000\n\
                    http.yaml:17:20 '101' is not a number from 0 to 100, in per cent\n\
                    http.yaml:17:35 '0' is not a number from 1 to 1000, or off\n\
                    http.yaml:19:5 'b c' is no name for a pool: one word, without a '/'\n\
                    http.yaml:19:5 a pool has 1 to 64 servers, and this one has 0";
        assert_eq!(read(text).unwrap_err(), said);
    }

    #[test]
    fn the_log_and_how_many_at_a_time_can_be_set() {
        let text = "access_log: log/a\naccess_log_format: json\nlimits:\n  client: 9\n  routes:\n    /a/:\n      \
                    inside: 3\n    /b/:\n      inside: 2\n      waiting: 0\n      wait: 2s\n";
        let settings = read(text).unwrap();
        let log = settings.access_log.unwrap();
        assert_eq!((&*log.path.value, log.format), (Path::new("/etc/edge/log/a"), Format::Json));
        assert_eq!(settings.most.client.unwrap().get(), 9);
        let said: Vec<_> = settings
            .most
            .routes
            .iter()
            .map(|(path, most)| {
                let RouteMost { inside, waiting, wait } = most.value;
                (path.as_str(), inside.get(), waiting, wait.as_secs(), most.place)
            })
            .collect();
        assert_eq!(said, [("/a/", 3, 3, 1, (7, 15)), ("/b/", 2, 0, 2, (9, 15))]);
    }

    #[test]
    fn what_is_wrong_with_them_is_said_with_its_place() {
        let text = "access_log_format: json\nlimits:\n  client: 0\n  routes:\n    /a/:\n      inside: none\n      \
                    waiting: -1\n";
        let said = "http.yaml:1:20 there is no access log: name its file with access_log\n\
                    http.yaml:3:11 '0' is neither 'off' nor a number of requests from 1 on\n\
                    http.yaml:6:15 'none' is not a number of requests from 1 on\n\
                    http.yaml:7:16 '-1' is not a number of requests";
        assert_eq!(read(text).unwrap_err(), said);
    }

    #[test]
    fn a_text_of_the_wrong_shape_is_said_with_its_place() {
        let cases = [
            ("greeting: a\nport: 3\n", "http.yaml:2:1 unknown field `port`"),
            ("greeting: a\ngreeting: b\n", "http.yaml:2:1 duplicate mapping key `greeting`"),
            ("greeting: a: b\n", "http.yaml:1:12 mapping values are not allowed"),
            ("- a\n", "http.yaml:1:1 expected mapping start"),
            ("upstreams:\n  a:\n    server: b\n", "http.yaml:3:5 unknown field `server`"),
            ("greeting: [a\n", "http.yaml:1:11 "),
        ];
        for (text, start) in cases {
            let said = read(text).unwrap_err();
            assert!(said.starts_with(start), "{text:?} said {said:?}");
            assert!(!said.contains(" at line "), "{said:?}");
        }
    }
}
