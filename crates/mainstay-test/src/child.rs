//! A driver for real processes: what it prints is waited for line by line, it is signalled, and its end is
//! told.
//!
//! Every wait has a limit, and one that fails says all that the process has printed so far. Nothing sleeps:
//! threads read the pipes and wait for the end, and the test waits for them.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::Ended;

/// A program to be started as a child process.
///
/// # Examples
///
/// ```no_run
/// use mainstay_runtime::Signal;
/// use mainstay_test::Program;
///
/// let mut daemon = Program::new("target/debug/greeter").arg("--log=info").start();
/// daemon.wait_for("listening");
/// daemon.signal(Signal::Terminate);
/// daemon.end().exits(0);
/// ```
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct Program {
    command: Command,
    patience: Duration,
    reads_stderr: bool,
}

impl Program {
    /// The program at that path, with no argument, and the environment of the test without `RUST_BACKTRACE`.
    pub fn new(path: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(path);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env_remove("RUST_BACKTRACE");
        Self { command, patience: Duration::from_secs(10), reads_stderr: true }
    }

    /// The binary that is running: for tests that are their own daemon.
    ///
    /// # Panics
    ///
    /// When its path cannot be found out.
    pub fn this() -> Self {
        Self::new(std::env::current_exe().expect("the path of this binary"))
    }

    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// More arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// A variable of its environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// How long each wait may take before the test fails: 10 s by default.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Leaves its standard error unread until it has ended: the pipe gets full when it writes much.
    pub fn stderr_unread(mut self) -> Self {
        self.reads_stderr = false;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[track_caller]
    pub fn start(mut self) -> Process {
        let mut child = match self.command.spawn() {
            Ok(child) => child,
            Err(error) => {
                panic!("`{}` could not be started: {error}", self.command.get_program().to_string_lossy())
            }
        };
        let (sender, news) = channel();
        let mut open = 0;
        if let Some(pipe) = child.stdout.take() {
            open += 1;
            read(Stream::Out, pipe, sender.clone());
        }
        let mut unread = child.stderr.take();
        if let Some(pipe) = unread.take_if(|_| self.reads_stderr) {
            open += 1;
            read(Stream::Err, pipe, sender.clone());
        }
        watch(&child, sender);
        let (out, err) = (Lines::default(), Lines::default());
        Process { child, news, open, out, err, unread, ended: None, patience: self.patience }
    }
}

/// How it came that a process is not followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// It has ended.
    Ended,
    /// It lives, and is silent.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

enum News {
    Line(Stream, String),
    Closed,
    Ended(Instant),
}

#[derive(Debug, Default)]
struct Lines {
    all: Vec<String>,
    /// Those before it were waited for.
    next: usize,
}

impl Lines {
    fn find(&mut self, part: &str) -> Option<String> {
        let found = self.next + self.all[self.next..].iter().position(|line| line.contains(part))?;
        self.next = found + 1;
        Some(self.all[found].clone())
    }
}

/// A running child process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    news: Receiver<News>,
    /// Pipes that are read and not closed.
    open: u32,
    out: Lines,
    err: Lines,
    unread: Option<ChildStderr>,
    ended: Option<Instant>,
    patience: Duration,
}

impl Process {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of its standard output that contains this, after the last one that was waited for.
    ///
    /// # Panics
    ///
    /// When it does not come in time, or when the process ends without it.
    #[track_caller]
    pub fn wait_for(&mut self, part: &str) -> String {
        self.line(Stream::Out, part)
    }

    /// The same for its standard error.
    ///
    /// # Panics
    ///
    /// When it does not come in time, when the process ends without it, or when its standard error is not
    /// read.
    #[track_caller]
    pub fn wait_for_error(&mut self, part: &str) -> String {
        assert!(self.unread.is_none(), "its standard error is not read");
        self.line(Stream::Err, part)
    }

    /// Sends it a signal, and returns when that was.
    ///
    /// # Panics
    ///
    /// When it has ended and was waited for.
    #[cfg(unix)]
    #[track_caller]
    pub fn signal(&self, signal: mainstay_runtime::Signal) -> Instant {
        use mainstay_runtime::Signal;
        let number = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Interrupt => rustix::process::Signal::INT,
            Signal::Quit => rustix::process::Signal::QUIT,
            Signal::Hangup => rustix::process::Signal::HUP,
            Signal::User1 => rustix::process::Signal::USR1,
            other => panic!("{other} cannot be sent"),
        };
        let at = now();
        let sent = rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), number);
        sent.unwrap_or_else(|error| panic!("{signal} could not be sent: {error}{}", self.so_far()));
        at
    }

    /// Waits for its end, and for the end of what it prints.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let limit = now() + self.patience;
        // Its pipes end with it, unless a child of its own has inherited them.
        while self.open > 0 || (cfg!(unix) && self.ended.is_none()) {
            let came = self.next(limit).is_some();
            assert!(came, "it did not end within {:?}{}", self.patience, self.so_far());
        }
        let status =
            self.child.wait().unwrap_or_else(|error| panic!("its end could not be learned: {error}"));
        let at = self.ended.unwrap_or_else(now);
        let mut err = text(&self.err.all);
        if let Some(mut pipe) = self.unread.take() {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            err.push_str(&String::from_utf8_lossy(&bytes));
        }
        Ended { code: status.code(), signal: signal_of(status), out: text(&self.out.all), err, at }
    }

    /// Takes in what it prints, line by line, until its end, or until nothing comes for as long as its patience is.
    pub(crate) fn follow(&mut self, mut on_line: impl FnMut(&str)) -> Followed {
        let mut read = self.out.all.len();
        while self.open > 0 || (cfg!(unix) && self.ended.is_none()) {
            if self.next(now() + self.patience).is_none() {
                return Followed::Silent;
            }
            for line in &self.out.all[read..] {
                on_line(line);
            }
            read = self.out.all.len();
        }
        Followed::Ended
    }

    /// Whether it is still there after so long: to show what happens without the mechanism that a test is
    /// about.
    pub fn lives_for(&mut self, time: Duration) -> bool {
        let limit = now() + time;
        while self.open > 0 && self.ended.is_none() {
            if self.next(limit).is_none() {
                return true;
            }
        }
        false
    }

    #[track_caller]
    fn line(&mut self, stream: Stream, part: &str) -> String {
        let limit = now() + self.patience;
        loop {
            let lines = if stream == Stream::Out { &mut self.out } else { &mut self.err };
            if let Some(line) = lines.find(part) {
                return line;
            }
            let (name, patience) = (stream.name(), self.patience);
            assert!(self.open > 0, "it ended without a line with `{part}` on {name}{}", self.so_far());
            let came = self.next(limit).is_some();
            assert!(came, "no line with `{part}` on {name} within {patience:?}{}", self.so_far());
        }
    }

    /// Takes in what comes next; `None` when nothing comes in time.
    fn next(&mut self, limit: Instant) -> Option<()> {
        match self.news.recv_timeout(limit.saturating_duration_since(now())) {
            Ok(News::Line(Stream::Out, line)) => self.out.all.push(line),
            Ok(News::Line(Stream::Err, line)) => self.err.all.push(line),
            Ok(News::Closed) => self.open -= 1,
            Ok(News::Ended(at)) => self.ended = Some(at),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        }
        Some(())
    }

    pub(crate) fn so_far(&self) -> String {
        printed(&text(&self.out.all), &text(&self.err.all))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Out => "standard output",
            Self::Err => "standard error",
        }
    }
}

pub(crate) fn printed(out: &str, err: &str) -> String {
    format!("\n--- standard output:\n{out}--- standard error:\n{err}---")
}

fn text(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

/// Reads a pipe to its end in a thread: a process must never wait for its test.
fn read(stream: Stream, pipe: impl Read + Send + 'static, news: Sender<News>) {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            let _ = news.send(News::Line(stream, text));
            line.clear();
        }
        let _ = news.send(News::Closed);
    });
}

/// Waits in a thread for the end. The process is left to be waited for, so that its id stays its own.
#[cfg(unix)]
fn watch(child: &Child, news: Sender<News>) {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let pid = Pid::from_child(child);
    std::thread::spawn(move || {
        let ended = || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        while matches!(ended(), Err(rustix::io::Errno::INTR)) {}
        let _ = news.send(News::Ended(now()));
    });
}

/// Elsewhere the end of its pipes is the end.
#[cfg(not(unix))]
fn watch(_: &Child, _: Sender<News>) {}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

#[allow(clippy::disallowed_methods, reason = "this drives real processes on the real clock")]
fn now() -> Instant {
    Instant::now()
}
