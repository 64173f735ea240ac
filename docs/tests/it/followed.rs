//! A page that is followed step by step: the lines that it shows are compared with those that come.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay::Signal;
use mainstay_test::{Process, Program};

/// Longer than any test should take; only a failing test waits for so long.
const PATIENCE: Duration = Duration::from_secs(30);
const UNITS: [&str; 5] = ["us", "ms", "s", "min", "h"];

/// A page, its program, and what was printed while the page was followed.
pub(crate) struct Followed {
    page: &'static str,
    program: &'static str,
    text: String,
    env: Vec<(&'static str, PathBuf)>,
    seen: String,
}

impl Followed {
    #[allow(clippy::disallowed_methods, reason = "a test may read the pages")]
    pub(crate) fn new(page: &'static str, program: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = std::fs::read_to_string(&path).expect("a page");
        Self { page, program, text, env: Vec::new(), seen: String::new() }
    }

    /// Sets a variable of the program's environment.
    pub(crate) fn env(mut self, name: &'static str, value: PathBuf) -> Self {
        self.env.retain(|(old, _)| *old != name);
        self.env.push((name, value));
        self
    }

    fn program(&self, args: &[&str]) -> Program {
        let program = Program::new(built(self.program)).args(args).env("NO_COLOR", "1").patience(PATIENCE);
        self.env.iter().fold(program, |program, (name, value)| program.env(name, value))
    }

    /// Runs the program to its end.
    pub(crate) fn run(&mut self, args: &[&str]) -> i32 {
        let process = self.program(args).start();
        self.end(process)
    }

    /// Starts the program on a free port, and waits until it is ready. Between finding the port and using it somebody
    /// else may take it: then on the next.
    pub(crate) fn start(&self, args: &[&str]) -> Server {
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
            let listen = free.to_string();
            let mut process = self.program(args).env("LISTEN", &listen).start();
            loop {
                let line = process.wait_for_error("phase=\"run\"");
                if line.contains("ready phase") {
                    return Server { process, listen };
                }
                if line.contains("Address already in use") {
                    break;
                }
            }
        }
        panic!("{} found no port", self.program);
    }

    /// Waits for the end of a process; what it has printed was seen.
    pub(crate) fn end(&mut self, process: Process) -> i32 {
        let ended = process.end();
        let printed = format!("{}\n{}\n", ended.out, ended.err);
        // Who follows the page has it there.
        self.seen += &printed.replace(&format!("docs/examples/{}.rs", self.program), "src/main.rs");
        ended.code.unwrap_or_else(|| panic!("it was killed:\n{}", self.seen))
    }

    /// Asks a server for `/`, as curl does.
    pub(crate) fn get(&mut self, server: &Server) -> String {
        let body = server.get();
        self.seen.push_str(&body);
        body
    }

    /// What each block of the page shows as printed was printed: line by line, in that order, but for times and for
    /// what lies between.
    #[track_caller]
    pub(crate) fn shows_what_was_printed(&self) {
        for block in printed(&self.text) {
            let mut seen = self.seen.lines().map(timeless);
            for line in block.lines() {
                let wanted = timeless(line);
                assert!(
                    wanted.is_empty() || seen.any(|line| line == wanted),
                    "{} shows a line that was not printed, or not in this order:\n  {line}\nprinted was:\n{}",
                    self.page,
                    self.seen
                );
            }
        }
    }
}

/// A running example that listens.
pub(crate) struct Server {
    pub(crate) process: Process,
    listen: String,
}

impl Server {
    /// Asks for `/` and returns the body.
    pub(crate) fn get(&self) -> String {
        self.ask("/").split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
    }

    /// Asks for that path and returns the whole answer.
    pub(crate) fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.listen).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }
}

/// Cargo builds the examples beside the tests: `target/debug/deps/it-…`, `target/debug/examples/…`.
fn built(name: &str) -> PathBuf {
    if name == "greeter" {
        return env!("CARGO_BIN_EXE_greeter").into();
    }
    let test = std::env::current_exe().expect("this binary");
    let profile = test.parent().and_then(Path::parent).expect("a folder of cargo's");
    profile.join("examples").join(name)
}

/// The blocks of a page that are marked as text: what a terminal shows.
fn printed(page: &str) -> impl Iterator<Item = &str> {
    page.split("\n```text\n").skip(1).map(|rest| rest.split_once("\n```").map_or(rest, |(block, _)| block))
}

/// A line without what is different each time: its time stamp, and durations.
fn timeless(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().filter(|word| !is_stamp(word)).collect();
    let mut text = String::new();
    for (index, word) in words.iter().enumerate() {
        let (key, value) = word.rsplit_once(['=', '(', '#']).unwrap_or(("", word));
        let unit = |word: &str| UNITS.contains(&word.trim_end_matches([',', ';', ')', '.', ':']));
        let after_number = index > 0 && is_number(words[index - 1]);
        if unit(word) && after_number {
            continue;
        }
        let duration = is_number(value) && words.get(index + 1).is_some_and(|next| unit(next));
        let _ = if duration { write!(text, "{key} <time> ") } else { write!(text, "{word} ") };
    }
    text
}

fn is_number(word: &str) -> bool {
    let value = word.rsplit_once(['=', '(', '#']).map_or(word, |(_, value)| value);
    value.starts_with(|c: char| c.is_ascii_digit()) && value.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// `2026-11-25T22:18:09.064746Z`, or `0.003107148s` in the development mode.
fn is_stamp(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    (word.ends_with('Z') && digits > 14)
        || (word.ends_with('s') && word.contains('.') && digits == word.len() - 2)
}
