//! Reads a pipe on a thread, line by line, so that every wait for it can be bounded.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Longer than any test should take; only a failing test waits for so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The lines of a pipe, as they come.
pub(crate) struct Lines {
    name: &'static str,
    coming: Receiver<String>,
    read: String,
}

impl Lines {
    pub(crate) fn of(name: &'static str, pipe: impl Read + Send + 'static) -> Self {
        let (send, coming) = channel();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self { name, coming, read: String::new() }
    }

    /// Waits for a line with this part in it.
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        loop {
            match self.coming.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.keep(&line);
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(error) => panic!("no line of {} has `{part}` ({error}):\n{}", self.name, self.read),
            }
        }
    }

    /// Waits for the end of the pipe and returns everything that came through it.
    pub(crate) fn until_end(mut self) -> String {
        loop {
            match self.coming.recv_timeout(PATIENCE) {
                Ok(line) => self.keep(&line),
                Err(RecvTimeoutError::Disconnected) => return self.read,
                Err(RecvTimeoutError::Timeout) => panic!("{} does not end:\n{}", self.name, self.read),
            }
        }
    }

    fn keep(&mut self, line: &str) {
        self.read.push_str(line);
        self.read.push('\n');
    }
}
