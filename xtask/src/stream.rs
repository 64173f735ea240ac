//! Runs a command whose lines are read as they come, and ends it, with all that it started, at a deadline.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Runs the command, hands each line of its standard output to `each`, and prints it. Returns whether it succeeded.
///
/// With a deadline the command gets a process group of its own: what ends it then reaches its children, and Ctrl-C
/// does not.
pub(crate) fn stream(command: &mut Command, deadline: Option<Duration>, mut each: impl FnMut(&str)) -> bool {
    if deadline.is_some() {
        own_group(command);
    }
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            println!("it could not be started: {error}");
            return false;
        }
    };
    let Some(out) = child.stdout.take() else { return false };
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || BufReader::new(out).split(b'\n').try_for_each(|line| sender.send(line).ok()));

    let began = Instant::now();
    loop {
        let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_sub(began.elapsed()));
        match lines.recv_timeout(left) {
            Ok(Ok(bytes)) => {
                let line = String::from_utf8_lossy(&bytes);
                println!("{line}");
                let _ = std::io::stdout().flush();
                each(&line);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                println!("it did not end within {} s: killed", began.elapsed().as_secs());
                kill(&mut child);
                return false;
            }
            Ok(Err(_)) | Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    child.wait().is_ok_and(|status| status.success())
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_command: &mut Command) {}

/// Ends the child and, where there are process groups, what it started.
fn kill(child: &mut Child) {
    if cfg!(unix) {
        let group = format!("kill -KILL -{}", child.id());
        let _ = Command::new("sh").args(["-c", &group]).status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, deadline: Option<Duration>) -> (bool, Vec<String>, Duration) {
        let (began, mut lines) = (Instant::now(), Vec::new());
        let good =
            stream(Command::new("sh").args(["-c", script]), deadline, |line| lines.push(line.to_owned()));
        (good, lines, began.elapsed())
    }

    #[test]
    fn lines_come_in_order_and_the_exit_code_counts() {
        assert_eq!(shell("echo a; echo b", None).1, ["a", "b"]);
        assert!(!shell("echo a; exit 3", None).0);
    }

    #[test]
    fn a_command_that_hangs_ends_at_its_deadline_with_its_children() {
        let (good, lines, took) = shell("sleep 61 & echo $!; wait", Some(Duration::from_millis(200)));
        assert!(!good && took < Duration::from_secs(10), "{took:?}");
        let stat = format!("/proc/{}/stat", lines[0]);
        let alive = || std::fs::read_to_string(&stat).is_ok_and(|state| !state.contains(") Z "));
        let began = Instant::now();
        while alive() {
            assert!(began.elapsed() < Duration::from_secs(5), "the child lives on");
            std::thread::yield_now();
        }
    }
}
