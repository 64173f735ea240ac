//! The set-up of a test: a folder of its own, and the edges in it.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use edge::drive::{Child, Ended};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything may take before the test fails.
pub(crate) const WITHIN: Duration = Duration::from_secs(20);

/// The smallest `http.yaml` that disturbs nobody.
pub(crate) const QUIET: &str = "listen: 127.0.0.1:0\n";

/// The settings of an edge that passes `/demo/` on to this server, which nobody checks.
pub(crate) fn before(upstream: SocketAddr) -> String {
    format!("{QUIET}upstreams:\n  demo:\n    servers: ['{upstream}']\n    check: {{interval: off}}\n")
}

/// A folder that is the configuration, the home of locks, and all else that an edge needs. Removed when
/// dropped.
pub(crate) struct Place {
    folder: PathBuf,
}

impl Place {
    /// A folder without a file in it; the name is the test's.
    pub(crate) fn empty(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("edge-it-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder: folder.canonicalize().unwrap() }
    }

    /// A folder with this `http.yaml`.
    pub(crate) fn with(name: &str, settings: &str) -> Self {
        let place = Self::empty(name);
        place.write("http.yaml", settings);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Replaces a file in one step.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path.with_extension("new"), text).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    }

    pub(crate) fn start(&self) -> Child {
        self.run(&[])
    }

    /// Starts it with a verb or flags.
    pub(crate) fn run(&self, words: &[&str]) -> Child {
        let folder = self.folder.to_str().unwrap();
        let words = words.iter().copied().chain(["--config-dir", folder]);
        Child::start(Path::new(env!("CARGO_BIN_EXE_edge")), &self.folder, words).unwrap()
    }

    /// Starts it through a shell that lets it open this many files.
    pub(crate) fn start_with_files(&self, limit: u32) -> Child {
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        let folder = self.folder.to_str().unwrap();
        let words = ["-c", &script, env!("CARGO_BIN_EXE_edge"), "--config-dir", folder];
        Child::start(Path::new("/bin/sh"), &self.folder, words).unwrap()
    }

    /// Starts it with a socket that it inherits as systemd hands it on, under the name `web`.
    pub(crate) fn start_on(&self, socket: impl Into<OwnedFd>) -> Child {
        let script =
            "export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web; exec \"$0\" \"$@\" 3<&0 </dev/null";
        let folder = self.folder.to_str().unwrap();
        let words = ["-c", script, env!("CARGO_BIN_EXE_edge"), "--config-dir", folder];
        Child::start_on(socket.into(), Path::new("/bin/sh"), &self.folder, words).unwrap()
    }

    /// Starts it and waits until it serves.
    pub(crate) async fn up(&self) -> (Child, SocketAddr) {
        let child = self.start();
        let address = ready(&child).await;
        (child, address)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits until it serves: where.
pub(crate) async fn ready(child: &Child) -> SocketAddr {
    let address = |line: &str| line.strip_prefix("ready  http://")?.parse().ok();
    child.line(WITHIN, address).await.unwrap()
}

/// Stops it; it ends in good order.
pub(crate) async fn stopped(child: Child) -> Ended {
    child.terminate().unwrap();
    ends(child, 0).await
}

/// Waits for its end, with this exit code.
pub(crate) async fn ends(child: Child, code: i32) -> Ended {
    let ended = child.end(WITHIN).await.unwrap();
    assert_eq!(ended.code(), Some(code), "{}", ended.lines.join("\n"));
    ended
}

/// Asserts that one of its lines has this part.
#[track_caller]
pub(crate) fn said(ended: &Ended, part: &str) {
    assert!(ended.line(part).is_some(), "no '{part}' in:\n{}", ended.lines.join("\n"));
}

/// Sends these bytes and nothing more; everything that comes back until the connection ends.
pub(crate) async fn exchange(server: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(WITHIN, read).await.expect("the connection does not end").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Asks for a path exactly as written; clients of other makes would tidy it.
pub(crate) async fn get(server: SocketAddr, path: &str) -> String {
    exchange(server, &format!("GET {path} HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n\r\n")).await
}
