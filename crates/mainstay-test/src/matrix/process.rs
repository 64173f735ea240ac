//! The processes of a matrix: the test starts itself again, follows what that prints, and puts an end to it if it hangs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::found::{MARK, MatrixReport, MatrixViolation};
use super::work::Part;
use crate::Program;
use crate::check::names;
use crate::child::Followed;

/// Which call of the matrix the process is for, and which part of it it does.
pub(super) const CHILD: &str = "MAINSTAY_MATRIX_CHILD";
/// Which scenarios are run: an id, or the beginning of some.
pub(super) const FILTER: &str = "MAINSTAY_MATRIX";

/// So long a scenario may take on the machine's clock.
const PATIENCE: Duration = Duration::from_secs(30);

/// What this process is there for.
pub(super) enum Role {
    /// It is the test.
    Test,
    /// It does the work of this call.
    Child(Part),
    /// It does the work of another call of the same test.
    Other,
}

impl Role {
    pub(super) fn of(call: &str) -> Self {
        match std::env::var(CHILD) {
            Err(_) => Self::Test,
            Ok(child) if child == format!("most {call}") => Self::Child(Part::Most),
            Ok(child) if child == format!("blocked {call}") => Self::Child(Part::Blocked),
            Ok(_) => Self::Other,
        }
    }
}

/// The name of the test that is running: of its thread, else of the command line that runs it alone.
pub(super) fn test_name() -> Option<String> {
    let thread = std::thread::current().name().map(str::to_owned);
    thread.filter(|name| name != "main").or_else(|| {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let exact = args.iter().any(|arg| arg == "--exact");
        args.into_iter().find(|arg| exact && !arg.starts_with('-'))
    })
}

/// Runs both parts in processes of their own, and puts together what they have found.
pub(super) fn in_processes(test: &str, call: &str) -> MatrixReport {
    let folder = Folder::new();
    let mut report = MatrixReport::default();
    let mut blocked = Vec::new();
    one(test, &format!("most {call}"), None, &folder.0, &mut report, &mut blocked);
    // They mostly wait: all of them at once.
    let reports = std::thread::scope(|scope| {
        let threads: Vec<_> = blocked
            .iter()
            .map(|id| {
                let folder = &folder.0;
                scope.spawn(move || {
                    let mut report = MatrixReport::default();
                    one(test, &format!("blocked {call}"), Some(id), folder, &mut report, &mut Vec::new());
                    report
                })
            })
            .collect();
        let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.filter_map(Result::ok).collect::<Vec<_>>()
    });
    for other in reports {
        report.scenarios += other.scenarios;
        report.violations.extend(other.violations);
    }
    report
}

/// One process, until its end.
fn one(
    test: &str,
    child: &str,
    filter: Option<&str>,
    folder: &Path,
    report: &mut MatrixReport,
    blocked: &mut Vec<String>,
) {
    let program = Program::this().args([test, "--exact", "--nocapture", "--test-threads=1"]);
    let mut program = program.env(CHILD, child).env("TMPDIR", folder).patience(PATIENCE);
    if let Some(filter) = filter {
        program = program.env(FILTER, filter);
    }
    let mut scenario = "the first one".to_owned();
    let mut over = false;
    let mut process = program.start();
    let followed = process.follow(|line| {
        // A test harness may have begun the line.
        let Some((_, line)) = line.split_once(MARK) else { return };
        if let Some(id) = line.strip_prefix("scenario ") {
            id.clone_into(&mut scenario);
        } else if let Some(id) = line.strip_prefix("blocked ") {
            blocked.push(id.to_owned());
        } else {
            over |= report.parse(line).is_some();
        }
    });
    if over {
        return;
    }
    let why = match followed {
        Followed::Silent => {
            format!("nothing happened for {PATIENCE:?}: a thread is blocked{}", process.so_far())
        }
        Followed::Ended => {
            let ended = process.end();
            format!(
                "the process ended with {:?} (signal {:?})\n{}",
                ended.code,
                ended.signal,
                tail(&ended.err)
            )
        }
    };
    report.violations.push(MatrixViolation::of_the_process(names::ENDS, &scenario, &why));
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// An empty directory for temporary files, taken away in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainstay-matrix-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder)
            .unwrap_or_else(|error| panic!("{} could not be made: {error}", folder.display()));
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
