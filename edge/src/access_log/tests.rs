//! The log as the task of a lifecycle: what a request may expect of it, and what it survives.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use hyper::header::USER_AGENT;
use mainstay::{Registry, RunContext, Running, Runtime, Signals, runnable};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::*;

const WITHIN: Duration = Duration::from_secs(20);

/// A log that runs, and its folder. Removed when dropped.
struct Place {
    shared: Arc<Shared>,
    folder: PathBuf,
}

impl Place {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (pid, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("edge-access-log-{pid}-{number}"));
        std::fs::create_dir_all(&folder).unwrap();
        Self { shared: Arc::default(), folder }
    }

    /// Writes to this file from now on.
    fn turn(&self, path: &Path) {
        self.shared.turn_on(path, Format::Text, Some(Open::new(path).unwrap()));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    async fn run(&self, stop: Duration) -> Running {
        let registry: Registry<Arc<Shared>> = Registry::new();
        let log = runnable("access-log", |shared: Arc<Shared>, cx: RunContext| shared.write(cx));
        registry.insert(Arc::new(log.deadlines(Deadlines::new().stop(stop))));
        let runtime = Runtime::new(registry, Arc::clone(&self.shared)).signals(Signals::none());
        runtime.start().await.unwrap()
    }

    /// What a request does, with a number to know it by.
    fn request(&self, number: usize) {
        let Some(format) = self.shared.format() else { return };
        let request =
            Request::get(format!("/?{number}")).header(USER_AGENT, "a".repeat(100)).body(()).unwrap();
        let line = Line::begin(format, SystemTime::UNIX_EPOCH, None, &request);
        let took = Duration::from_micros(1);
        let answered = Answered { status: 200, sent: 0, took, upstream: None, ended: Ended::Whole };
        self.shared.hand_over(line, &answered);
    }

    /// Waits until a file has so many lines.
    async fn has(&self, name: &str, lines: usize) {
        let seen = async {
            while numbers(&self.file(name)).len() < lines {
                yield_now().await;
            }
        };
        timeout(WITHIN, seen).await.unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The numbers of the requests that are in a file, in its order.
fn numbers(path: &Path) -> Vec<usize> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let number = |line: &str| line.split_once("/?")?.1.split_once(' ')?.0.parse().ok();
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter_map(number).collect()
}

#[tokio::test]
async fn a_line_is_in_the_file_soon_and_the_last_one_at_the_stop() {
    let place = Place::new();
    place.turn(&place.file("a"));
    let running = place.run(WITHIN).await;
    place.request(0);
    // Nobody asks for it.
    place.has("a", 1).await;
    running.control().shutdown("done");
    place.request(1);
    assert_eq!(running.wait().await.exit_code(), 0);
    assert_eq!((numbers(&place.file("a")), place.shared.dropped()), (vec![0, 1], 0));
}

#[tokio::test]
async fn a_reload_turns_to_another_file_or_to_none_and_no_line_is_lost() {
    let place = Place::new();
    let running = place.run(WITHIN).await;
    place.request(0);
    place.turn(&place.file("a"));
    place.request(1);
    place.has("a", 1).await;
    place.request(2);
    place.turn(&place.file("b"));
    // What is queued when it turns belongs in the old one.
    let mut next = 3;
    let seen = async {
        while numbers(&place.file("b")).is_empty() {
            place.request(next);
            next += 1;
            yield_now().await;
        }
    };
    timeout(WITHIN, seen).await.unwrap();
    place.shared.turn_off();
    place.request(next);
    running.control().shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
    let (a, b) = (numbers(&place.file("a")), numbers(&place.file("b")));
    assert_eq!([a, b].concat(), (1..next).collect::<Vec<_>>());
    assert_eq!(place.shared.dropped(), 0);
}

#[tokio::test]
async fn after_a_rotation_the_new_file_is_written_and_the_old_one_has_the_rest() {
    let place = Place::new();
    place.turn(&place.file("a"));
    let running = place.run(WITHIN).await;
    place.request(0);
    place.has("a", 1).await;
    std::fs::rename(place.file("a"), place.file("a.1")).unwrap();
    place.request(1);
    running.control().reopen();
    let seen = async {
        while !place.file("a").exists() {
            yield_now().await;
        }
    };
    timeout(WITHIN, seen).await.unwrap();
    place.request(2);
    running.control().shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
    assert_eq!((numbers(&place.file("a.1")), numbers(&place.file("a"))), (vec![0, 1], vec![2]));
}

#[tokio::test]
async fn a_full_disk_ends_nothing_and_what_it_did_not_take_is_written_later() {
    let place = Place::new();
    place.turn(Path::new("/dev/full"));
    let running = place.run(WITHIN).await;
    place.request(0);
    let failed = async {
        // It is tried again, and again.
        while place.shared.failures() < 3 {
            yield_now().await;
        }
    };
    timeout(WITHIN, failed).await.unwrap();
    place.request(1);
    place.turn(&place.file("a"));
    place.has("a", 2).await;
    let status = running.control().status();
    assert_eq!(status.runnable("access-log").unwrap().restarts, 0);
    running.control().shutdown("done");
    assert_eq!(running.wait().await.exit_code(), 0);
    assert_eq!((numbers(&place.file("a")), place.shared.dropped()), (vec![0, 1], 0));
}

/// A pipe that nobody reads: a disk that is stuck.
#[cfg(target_os = "linux")]
mod stuck {
    use std::fs::{File, OpenOptions};
    use std::time::Instant;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// More than the queue has room for, and the pipe, and the piece that is being written.
    const FLOOD: usize = 60_000;

    /// A pipe, and its other end.
    fn pipe(place: &Place) -> (PathBuf, File) {
        let path = place.file("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let end = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        (path, end)
    }

    /// Hangs when a line waits for its place in the queue; fails when the stop waits for the write.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_queue_never_delays_a_request_and_a_stop_ends_at_its_deadline_with_its_name() {
        let place = Place::new();
        let (path, end) = pipe(&place);
        place.turn(&path);
        let running = place.run(Duration::from_millis(300)).await;
        let mut longest = Duration::ZERO;
        for number in 0..FLOOD {
            let since = Instant::now();
            place.request(number);
            longest = longest.max(since.elapsed());
        }
        // Each takes a few microseconds; what it is longer is the machine's, which took the processor away.
        assert!(longest < Duration::from_secs(1), "{longest:?}");
        let dropped = usize::try_from(place.shared.dropped()).unwrap();
        // What is not dropped is in the queue, in the pipe, or in the piece between them.
        assert!(dropped >= FLOOD - 16_384 - 2_000, "{dropped}");

        let since = Instant::now();
        running.control().shutdown("done");
        let outcome = running.wait().await;
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
        let report = outcome.to_string();
        assert!(report.contains("access-log") && report.contains("writing to "), "{report}");
        // Where a thread is stuck, the hook does not wait for it a second time.
        assert!(place.shared.write_the_rest() > 0);
        // And the thread may end, for whoever waits for it: this process.
        drop(end);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_stuck_is_written_whole_when_it_is_read_again() {
        let place = Place::new();
        let (path, end) = pipe(&place);
        place.turn(&path);
        let running = place.run(WITHIN).await;
        for number in 0..FLOOD {
            place.request(number);
        }
        let dropped = usize::try_from(place.shared.dropped()).unwrap();
        let reader = std::thread::spawn(move || {
            use std::io::{BufRead as _, BufReader};
            let lines = BufReader::new(end).lines();
            lines.take(FLOOD - dropped).map(|line| line.unwrap().len()).max()
        });
        running.control().shutdown("done");
        assert_eq!(running.wait().await.exit_code(), 0);
        // Every line that was taken comes, and ends where it should.
        assert!(reader.join().unwrap().unwrap() < 250);
        assert_eq!(place.shared.write_the_rest(), 0);
    }
}
