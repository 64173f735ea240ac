//! An example as a child process on loopback: how it is started, what it serves, and how it must end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay::Signal;
use mainstay_test::{Ended, Process, Program};

/// Longer than any wait should take; only a failing test waits for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The example of this name. Cargo builds the examples beside the tests: `target/debug/deps/it-..` and
/// `target/debug/examples/..`.
pub(crate) fn example(name: &str) -> Program {
    let test = std::env::current_exe().expect("this binary");
    let profile = test.parent().and_then(Path::parent).expect("a folder of cargo's");
    let program = Program::new(profile.join("examples").join(name));
    program.env("NO_COLOR", "1").env("RUST_LIB_BACKTRACE", "0").patience(PATIENCE)
}

/// What every example must do: a SIGTERM ends it within its stop budget, with exit code 0.
#[track_caller]
pub(crate) fn stop(program: Process) -> Ended {
    let asked = program.signal(Signal::Terminate);
    program.end().exits(0).within(Duration::from_secs(25), asked)
}

/// The address behind the last space or slash of a line: `.. on http://127.0.0.1:3000`.
pub(crate) fn address(line: &str) -> SocketAddr {
    let address = line.trim_end().rsplit(['/', ' ']).next().unwrap_or_default();
    address.parse().unwrap_or_else(|error| panic!("no address in `{line}`: {error}"))
}

/// A connection that fails its test instead of waiting for ever.
pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Sends the bytes of a request, for an answer to be read.
pub(crate) fn send(stream: &mut TcpStream, method: &str, path: &str, body: &str) {
    let length = body.len();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).expect("a request");
}

/// An answer, read by its `Content-Length`: the head, and the body.
pub(crate) fn answer(stream: &mut TcpStream) -> (String, String) {
    let (mut reader, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).expect("a head") > 0, "the connection ended: {head}");
    }
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).expect("a body");
    (head, String::from_utf8(body).expect("text"))
}

/// Asks for a path on a connection of its own, and returns the body of a 200.
pub(crate) fn get(from: SocketAddr, path: &str) -> String {
    let mut stream = connect(from);
    send(&mut stream, "GET", path, "");
    let (head, body) = answer(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body
}

/// An address that nobody else is given while this is held, and on which a program may listen.
pub(crate) struct Reserved(tokio::net::TcpSocket);

impl Reserved {
    pub(crate) fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        // Bound and not listening: on Linux another one that says the same may bind beside it, and listen.
        socket.set_reuseaddr(true).expect("an option");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        Self(socket)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("its address")
    }
}

/// A folder of one test, gone with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mainstay-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and makes the folder that it is in.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let file = self.0.join(file);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    }

    /// The names of the files in one of its folders, `.` for itself, in order.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.join(folder)).expect("a folder");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
