//! An example as a child process: its address, its lines, its signals, its exit code.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Longer than any test should take; only a failing test waits for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running example. It is killed when a test gives it up.
pub(crate) struct Program {
    process: Child,
    coming: Receiver<String>,
    log: String,
    listen: String,
}

impl Program {
    pub(crate) fn start(name: &str, args: &[String], env: &[(&str, String)]) -> Self {
        let mut process = Command::new(built(name))
            .args(args)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .env("NO_COLOR", "1")
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LIB_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}; `cargo test -p examples` builds it"));
        let (send, coming) = channel();
        let pipe = process.stderr.take().expect("piped");
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Self { process, coming, log: String::new(), listen: String::new() }
    }

    /// Starts a server on a free port. Between finding the port and using it somebody else may take it:
    /// then on the next one.
    pub(crate) fn serve(
        name: &str,
        with: impl Fn(String) -> (Vec<String>, Vec<(&'static str, String)>),
    ) -> Self {
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
            let (args, env) = with(free.to_string());
            let mut program = Self::start(name, &args, &env);
            program.listen = free.to_string();
            if program.is_up() {
                return program;
            }
        }
        panic!("{name} found no port");
    }

    /// Waits for the line of the runtime that says so.
    fn is_up(&mut self) -> bool {
        loop {
            match self.coming.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let (up, taken) = (line.contains("ready"), line.contains("Address already in use"));
                    self.keep(&line);
                    if up || taken {
                        return up && !taken;
                    }
                }
                Err(error) => panic!("it does not come up ({error}):\n{}", self.log),
            }
        }
    }

    /// Asks for `/` and returns the body.
    pub(crate) fn get(&self) -> String {
        let mut stream = TcpStream::connect(&self.listen).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        body.to_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("it runs");
    }

    /// Waits for a line with this part in it.
    pub(crate) fn wait_for(&mut self, part: &str) {
        loop {
            match self.coming.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.keep(&line);
                    if line.contains(part) {
                        return;
                    }
                }
                Err(error) => panic!("no line has `{part}` ({error}):\n{}", self.log),
            }
        }
    }

    /// Waits for its end: its exit code, and all of its standard error.
    pub(crate) fn end(mut self) -> (i32, String) {
        loop {
            match self.coming.recv_timeout(PATIENCE) {
                Ok(line) => self.keep(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.log),
            }
        }
        let status = self.process.wait().expect("it has ended");
        let log = std::mem::take(&mut self.log);
        (status.code().unwrap_or_else(|| panic!("{status}\n{log}")), log)
    }

    fn keep(&mut self, line: &str) {
        self.log.push_str(line);
        self.log.push('\n');
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Cargo builds the examples beside the tests: `target/debug/deps/it-…`, `target/debug/examples/…`.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this binary");
    let profile = test.parent().and_then(Path::parent).expect("a folder of cargo's");
    profile.join("examples").join(name)
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

    #[allow(clippy::disallowed_methods, reason = "a test may write its own files")]
    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).expect("a file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
