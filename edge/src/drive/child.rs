//! One edge as a process: its lines as they come, its signals, its end.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A running process. Dropping it kills it.
pub struct Child {
    process: tokio::process::Child,
    pid: u32,
    said: Said,
    readers: JoinSet<()>,
}

/// Everything a process said so far, on both of its outputs, line by line.
#[derive(Clone)]
pub struct Said {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// From the call that waited for it to its end.
    pub took: Duration,
    /// All of its lines.
    pub lines: Vec<String>,
}

impl Child {
    /// Starts a program in a folder, which is also its configuration, its home for temporary files, and all
    /// it knows of the machine's.
    ///
    /// # Errors
    ///
    /// When the program cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        program: &Path,
        folder: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> io::Result<Self> {
        Self::start_on(Stdio::null(), program, folder, arguments)
    }

    /// Starts it as [`start`](Self::start) does, with something on its standard input.
    ///
    /// # Errors
    ///
    /// When the program cannot be started.
    pub fn start_on<A: AsRef<OsStr>>(
        input: impl Into<Stdio>,
        program: &Path,
        folder: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> io::Result<Self> {
        let mut process = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .env("XDG_RUNTIME_DIR", folder)
            .env("TMPDIR", folder)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, count) = watch::channel(0);
        let mut readers = JoinSet::new();
        let sender = Arc::new(sender);
        if let (Some(out), Some(err)) = (process.stdout.take(), process.stderr.take()) {
            readers.spawn(read(out, Arc::clone(&lines), Arc::clone(&sender)));
            readers.spawn(read(err, Arc::clone(&lines), sender));
        }
        let pid = process.id().unwrap_or_default();
        Ok(Self { process, pid, said: Said { lines, count }, readers })
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it says, also after its end.
    pub fn said(&self) -> &Said {
        &self.said
    }

    /// Waits for a line that `wanted` finds something in, the past ones included.
    ///
    /// # Errors
    ///
    /// When no such line came within the time, or at all: what was said instead.
    pub async fn line<T>(&self, within: Duration, wanted: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        self.said.line_after(0, within, wanted).await.map(|(found, _)| found)
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// When it did not end within the time; it is then killed.
    pub async fn end(mut self, within: Duration) -> Result<Ended, String> {
        let since = Instant::now();
        let status = timeout(within, self.process.wait()).await;
        let took = since.elapsed();
        let status = match status {
            Ok(status) => status.map_err(|error| format!("cannot wait for process {}: {error}", self.pid))?,
            Err(_) => {
                return Err(format!(
                    "process {} did not end in {within:?}; it said:\n{}",
                    self.pid, self.said
                ));
            }
        };
        while self.readers.join_next().await.is_some() {}
        Ok(Ended { status, took, lines: self.said.lines() })
    }
}

/// The signals that an edge knows, and the one that nobody can.
#[cfg(unix)]
impl Child {
    /// Asks it to stop.
    pub fn terminate(&self) -> io::Result<()> {
        self.signal(rustix::process::Signal::TERM)
    }

    /// Asks it to stop, as a terminal does.
    pub fn interrupt(&self) -> io::Result<()> {
        self.signal(rustix::process::Signal::INT)
    }

    /// Asks it to reload.
    pub fn hang_up(&self) -> io::Result<()> {
        self.signal(rustix::process::Signal::HUP)
    }

    /// Ends it without a word.
    pub fn kill(&self) -> io::Result<()> {
        self.signal(rustix::process::Signal::KILL)
    }

    /// Takes it off the processor, until it may go on.
    pub fn pause(&self) -> io::Result<()> {
        self.signal(rustix::process::Signal::STOP)
    }

    /// Lets it go on.
    pub fn go_on(&self) -> io::Result<()> {
        self.signal(rustix::process::Signal::CONT)
    }

    fn signal(&self, signal: rustix::process::Signal) -> io::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::NotFound)?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }
}

impl Said {
    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines there are so far.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits for a line from number `first` on that `wanted` finds something in; answers also with its
    /// number.
    ///
    /// # Errors
    ///
    /// When no such line came within the time, or at all: what was said instead.
    pub async fn line_after<T>(
        &self,
        first: usize,
        within: Duration,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Result<(T, usize), String> {
        let mut count = self.count.clone();
        let search = async {
            let mut next = first;
            loop {
                {
                    let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
                    for (number, line) in lines.iter().enumerate().skip(next) {
                        if let Some(found) = wanted(line) {
                            return Ok((found, number));
                        }
                    }
                    next = next.max(lines.len());
                }
                if count.wait_for(|count| *count > next).await.is_err() {
                    return Err("it ended");
                }
            }
        };
        match timeout(within, search).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(why)) => Err(format!("{why} without the line that was waited for; it said:\n{self}")),
            Err(_) => Err(format!("no such line in {within:?}; it said:\n{self}")),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().iter().try_for_each(|line| writeln!(f, "    | {line}"))
    }
}

impl Ended {
    /// Its exit code; `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The first line that contains a text.
    pub fn line(&self, part: &str) -> Option<&str> {
        self.lines.iter().map(String::as_str).find(|line| line.contains(part))
    }
}

async fn read(
    from: impl AsyncRead + Unpin,
    lines: Arc<Mutex<Vec<String>>>,
    count: Arc<watch::Sender<usize>>,
) {
    let mut from = BufReader::new(from).lines();
    while let Ok(Some(line)) = from.next_line().await {
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
        count.send_replace(lines.len());
    }
}
