//! The file of the log: what is queued goes into it, whole lines in each file. Only for threads that may block.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::Receiver;

/// How much is written at a time.
const PIECE: usize = 64 * 1024;

/// Where lines go.
pub(super) struct Sink {
    lines: Receiver<Vec<u8>>,
    open: Option<Open>,
    piece: Piece,
    /// Lines that were taken out of the queue and can be written nowhere; until they are counted.
    lost: u64,
}

/// An open log.
#[derive(Debug)]
pub(super) struct Open {
    path: PathBuf,
    file: File,
}

/// What was taken out of the queue and is being written.
#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    /// How many of them the file has taken.
    written: usize,
}

impl Open {
    /// Opens a log to write at its end, and makes it where there is none.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            // It says who asked for what: not for everybody on the machine.
            options.mode(0o640);
        }
        Ok(Self { path: path.to_owned(), file: options.open(path)? })
    }
}

impl Sink {
    pub(super) fn new(lines: Receiver<Vec<u8>>) -> Self {
        Self { lines, open: None, piece: Piece::default(), lost: 0 }
    }

    /// Writes what is queued, and no more than a queue has room for: while new lines come as fast as old ones are
    /// written, somebody else may want something of this sink.
    pub(super) fn pump(&mut self) -> io::Result<()> {
        let mut left = self.lines.max_capacity();
        loop {
            while self.piece.bytes.len() < PIECE && left > 0 {
                let Ok(line) = self.lines.try_recv() else { break };
                self.piece.bytes.extend_from_slice(&line);
                left -= 1;
            }
            if self.piece.bytes.is_empty() {
                return Ok(());
            }
            match &mut self.open {
                Some(open) => self.piece.write_to(&mut open.file)?,
                // It was turned off; their requests were on their way.
                None => self.lost += self.piece.forget(),
            }
        }
    }

    /// Opens the file again under its name, after what has come so far was written to the one that is open. That stays
    /// where there is no other.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        let new = Open::new(&open.path)?;
        self.replace(Some(new));
        Ok(())
    }

    /// Goes on in another file, or in none. What is queued is for the old one, where there is one; what that does not take,
    /// for the new one.
    pub(super) fn replace(&mut self, new: Option<Open>) {
        if self.open.is_some() {
            let _ = self.pump();
        }
        self.lost += self.piece.forget_the_rest_of_a_line();
        self.open = new;
    }

    /// Lines that are lost since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// How many lines it holds that are not written.
    pub(super) fn left(&self) -> u64 {
        self.piece.lines()
    }
}

impl Piece {
    /// Writes what is left of it; what a failure leaves is for the next call.
    fn write_to(&mut self, file: &mut impl Write) -> io::Result<()> {
        while self.written < self.bytes.len() {
            match file.write(&self.bytes[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.clear();
        Ok(())
    }

    /// A line of which one file has the beginning is not ended in another.
    fn forget_the_rest_of_a_line(&mut self) -> u64 {
        let (written, rest) = self.bytes.split_at(self.written);
        if written.last().is_none_or(|last| *last == b'\n') {
            return 0;
        }
        self.written += rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        if self.written == self.bytes.len() {
            self.clear();
        }
        1
    }

    /// Gives all of it up: how many lines that was.
    fn forget(&mut self) -> u64 {
        let lines = self.lines();
        self.clear();
        lines
    }

    #[expect(clippy::naive_bytecount, reason = "it is at most a piece, and after a failure")]
    fn lines(&self) -> u64 {
        self.bytes[self.written..].iter().filter(|byte| **byte == b'\n').count() as u64
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.written = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::mpsc::{self, Sender};

    use super::*;

    fn sink(room: usize) -> (Sender<Vec<u8>>, Sink) {
        let (queue, lines) = mpsc::channel(room);
        (queue, Sink::new(lines))
    }

    /// A path that is free.
    fn free(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("edge-log-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    fn read(path: &Path) -> String {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::remove_file(path).unwrap();
        text
    }

    #[test]
    fn a_file_that_was_moved_away_keeps_what_came_before_it_is_opened_again() {
        let (path, old) = (free("rotated"), free("rotated.1"));
        let (queue, mut sink) = sink(8);
        sink.replace(Some(Open::new(&path).unwrap()));
        queue.try_send(b"one\n".to_vec()).unwrap();
        sink.pump().unwrap();
        std::fs::rename(&path, &old).unwrap();
        queue.try_send(b"two\n".to_vec()).unwrap();
        sink.reopen().unwrap();
        queue.try_send(b"three\n".to_vec()).unwrap();
        sink.pump().unwrap();
        assert_eq!((read(&old), read(&path)), ("one\ntwo\n".to_owned(), "three\n".to_owned()));
    }

    #[test]
    fn where_there_is_no_other_file_the_old_one_is_written_on() {
        let path = free("kept");
        let folder = free("folder");
        std::fs::create_dir_all(&folder).unwrap();
        let (queue, mut sink) = sink(8);
        let mut open = Open::new(&path).unwrap();
        open.path = folder.clone();
        sink.replace(Some(open));
        sink.reopen().unwrap_err();
        queue.try_send(b"one\n".to_vec()).unwrap();
        sink.pump().unwrap();
        assert_eq!(read(&path), "one\n");
        std::fs::remove_dir(folder).unwrap();
    }

    #[test]
    fn what_a_full_disk_does_not_take_is_kept_and_written_when_it_does() {
        let path = free("full");
        let (queue, mut sink) = sink(8);
        sink.replace(Some(Open::new(Path::new("/dev/full")).unwrap()));
        queue.try_send(b"one\n".to_vec()).unwrap();
        queue.try_send(b"two\n".to_vec()).unwrap();
        assert_eq!(sink.pump().unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!((sink.left(), sink.take_lost()), (2, 0));
        queue.try_send(b"three\n".to_vec()).unwrap();
        sink.replace(Some(Open::new(&path).unwrap()));
        sink.pump().unwrap();
        assert_eq!(read(&path), "one\ntwo\nthree\n");
    }

    #[test]
    fn what_is_queued_before_the_first_file_is_open_is_for_that_file() {
        let path = free("first");
        let (queue, mut sink) = sink(8);
        queue.try_send(b"one\n".to_vec()).unwrap();
        sink.replace(Some(Open::new(&path).unwrap()));
        sink.pump().unwrap();
        assert_eq!((read(&path), sink.take_lost()), ("one\n".to_owned(), 0));
    }

    #[test]
    fn lines_that_come_when_it_was_turned_off_are_counted() {
        let (queue, mut sink) = sink(8);
        queue.try_send(b"one\n".to_vec()).unwrap();
        sink.pump().unwrap();
        assert_eq!((sink.take_lost(), sink.take_lost()), (1, 0));
    }

    #[test]
    fn a_pump_ends_though_lines_come_without_end() {
        let (queue, mut sink) = sink(8);
        for _ in 0..8 {
            queue.try_send(vec![b'a'; PIECE]).unwrap();
        }
        sink.pump().unwrap();
        // It takes no more than was queued, so a place for the next is all that it leaves.
        queue.try_send(b"\n".to_vec()).unwrap();
        sink.pump().unwrap();
        assert_eq!(sink.take_lost(), 1);
    }

    /// A file that takes so many bytes at a time, and then no more.
    struct Takes {
        taken: Vec<u8>,
        at_a_time: usize,
        room: usize,
    }

    impl Write for Takes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.room - self.taken.len();
            if room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let count = bytes.len().min(self.at_a_time).min(room);
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    proptest! {
        /// Fails when a piece is written from its beginning after a failure, or a torn line is ended in the next file.
        #[test]
        fn wherever_a_file_is_full_each_whole_line_is_in_one_file(
            lengths in proptest::collection::vec(0_usize..20, 1..20),
            at_a_time in 1_usize..10,
            room in 0_usize..200,
        ) {
            let lines: Vec<String> =
                lengths.iter().enumerate().map(|(number, length)| format!("{number}{}\n", "x".repeat(*length))).collect();
            let mut piece = Piece { bytes: lines.concat().into_bytes(), written: 0 };
            let mut first = Takes { taken: vec![], at_a_time, room };
            let mut second = Takes { taken: vec![], at_a_time, room: usize::MAX };
            let mut lost = 0;
            if piece.write_to(&mut first).is_err() {
                piece.write_to(&mut first).unwrap_err();
                lost = piece.forget_the_rest_of_a_line();
                piece.write_to(&mut second).unwrap();
            }
            let whole = |taken: &[u8]| -> Vec<String> {
                String::from_utf8(taken.to_vec()).unwrap().split_inclusive('\n')
                    .filter(|line| line.ends_with('\n')).map(str::to_owned).collect()
            };
            let (first, second) = (whole(&first.taken), whole(&second.taken));
            prop_assert_eq!((first.len() + second.len()) as u64 + lost, lines.len() as u64);
            prop_assert!(first.iter().chain(&second).all(|line| lines.contains(line)));
            prop_assert!(first.iter().all(|line| !second.contains(line)));
        }
    }
}
