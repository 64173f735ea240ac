//! A daemon as a child process: its lines, its signals, its exit code.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::lines::Lines;

/// Says which daemon a copy of this binary is.
pub(crate) const SCENARIO: &str = "MAINSTAY_SCENARIO";

/// A running copy. It is killed when a test gives it up.
pub(crate) struct Daemon {
    process: Child,
    pub(crate) out: Lines,
    err: Option<Lines>,
    unread: Option<ChildStderr>,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Daemon {
    pub(crate) fn start(scenario: &str, args: &[&str]) -> Self {
        let mut daemon = Self::start_unread(scenario, args);
        daemon.err = daemon.unread.take().map(|pipe| Lines::of("standard error", pipe));
        daemon
    }

    /// Nobody reads its standard error until it has ended.
    pub(crate) fn start_unread(scenario: &str, args: &[&str]) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this binary"))
            .env(SCENARIO, scenario)
            .env_remove("RUST_BACKTRACE")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a copy of this binary");
        let out = Lines::of("standard output", process.stdout.take().expect("piped"));
        let unread = process.stderr.take();
        Self { process, out, err: None, unread }
    }

    /// Its standard error is what systemd would have connected to the journal; with a `stranger`, another one was.
    pub(crate) fn start_in_journal(scenario: &str, args: &[&str], stranger: bool) -> Self {
        let (journal, end) = std::io::pipe().expect("a pipe");
        let place =
            File::from(OwnedFd::from(end.try_clone().expect("a descriptor"))).metadata().expect("a pipe");
        let inode = place.ino() + u64::from(stranger);
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        command.env(SCENARIO, scenario).env("JOURNAL_STREAM", format!("{}:{inode}", place.dev()));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(end);
        let mut process = command.spawn().expect("a copy of this binary");
        // It holds the other end of the pipe.
        drop(command);
        let out = Lines::of("standard output", process.stdout.take().expect("piped"));
        Self { process, out, err: Some(Lines::of("the journal", journal)), unread: None }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("it runs");
    }

    pub(crate) fn wait_for_error_line(&mut self, part: &str) -> String {
        self.err.as_mut().expect("standard error is read").wait_for(part)
    }

    /// Waits for its end. A process that ends closes its pipes, so nothing is polled.
    pub(crate) fn end(mut self) -> Ended {
        let out = std::mem::replace(&mut self.out, Lines::of("nothing", std::io::empty())).until_end();
        let err = match (self.err.take(), self.unread.take()) {
            (Some(lines), _) => lines.until_end(),
            (None, Some(mut pipe)) => {
                let mut text = Vec::new();
                pipe.read_to_end(&mut text).expect("it has ended");
                String::from_utf8_lossy(&text).into_owned()
            }
            (None, None) => String::new(),
        };
        let status = self.process.wait().expect("it has ended");
        let code = status.code().unwrap_or_else(|| panic!("{status}\n{err}"));
        Ended { code, out, err }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a copy and waits for its end.
pub(crate) fn run(scenario: &str, args: &[&str]) -> Ended {
    Daemon::start(scenario, args).end()
}

impl Ended {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "no `{part}` in standard error:\n{}", self.err);
        }
        self
    }

    #[track_caller]
    pub(crate) fn prints(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.out.contains(part), "no `{part}` in standard output:\n{}", self.out);
        }
        self
    }

    #[track_caller]
    pub(crate) fn without(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(!self.out.contains(part), "`{part}` in standard output:\n{}", self.out);
            assert!(!self.err.contains(part), "`{part}` in standard error:\n{}", self.err);
        }
        self
    }
}
