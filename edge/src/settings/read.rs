//! Reads `http.yaml` from its folder, or the built-in text where there is none.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{BUILT_IN, Invalid, Placed, Settings, parse};
use crate::mark::{Mark, checksum};

/// Where settings came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// No file: the built-in text.
    BuiltIn,
    /// This file.
    File(PathBuf),
}

/// One reading, and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) settings: Settings,
    pub(crate) origin: Origin,
    /// The mark of this reading. Whatever is derived from it says so in its own.
    pub(crate) mark: Mark,
}

/// Why a folder gave no settings.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The file is there and cannot be read.
    Unreadable(PathBuf, io::Error),
    /// What it says is wrong.
    Invalid(Invalid),
    /// The file that was read before is gone.
    Gone(PathBuf),
}

/// Reads what `folder` holds, on a thread that may wait for its disk.
pub(crate) async fn read(folder: &Path) -> Result<Reading, ReadError> {
    let here = folder.to_owned();
    let read = tokio::task::spawn_blocking(move || read_now(&here)).await;
    read.unwrap_or_else(|gone| Err(ReadError::Unreadable(folder.join("http.yaml"), io::Error::other(gone))))
}

/// The same on this thread; the folder it names for files is looked up too.
pub(crate) fn read_now(folder: &Path) -> Result<Reading, ReadError> {
    let path = folder.join("http.yaml");
    let (text, origin) = match fs::read_to_string(&path) {
        Ok(text) => (text, Origin::File(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (BUILT_IN.to_owned(), Origin::BuiltIn),
        Err(error) => return Err(ReadError::Unreadable(path, error)),
    };
    let mut settings = parse::parse(&text, origin.path(), folder).map_err(ReadError::Invalid)?;
    if let Some(files) = &mut settings.files {
        files.value = existing(origin.path(), files).map_err(ReadError::Invalid)?;
    }
    let mark = Mark::new(checksum(text.as_bytes()), settings.greeting.clone());
    Ok(Reading { settings, origin, mark })
}

/// Refuses a new reading that changes what is fixed since the boot.
pub(crate) fn keeps_what_is_fixed(booted: &Reading, new: &Reading) -> Result<(), ReadError> {
    if let (Origin::File(path), Origin::BuiltIn) = (&booted.origin, &new.origin) {
        return Err(ReadError::Gone(path.clone()));
    }
    let (booted, Reading { settings, origin, .. }) = (&booted.settings, new);
    let mut problems = Vec::new();
    let lock = |settings: &Settings| settings.lock.as_ref().map(|lock| lock.value.clone());
    if lock(booted) != lock(settings) {
        let place = settings.lock.as_ref().map_or((1, 1), |lock| lock.place);
        problems.push((place, "the lock file changed: that takes a restart".to_owned()));
    }
    if booted.pins.value != settings.pins.value {
        problems.push((settings.pins.place, "demo.pin changed: that takes a restart".to_owned()));
    }
    if let (Some(is), None) = (settings.built_in(), booted.built_in()) {
        problems.push((is.place, "the built-in server was not booted: that takes a restart".to_owned()));
    }
    Invalid::check(origin.path(), problems).map_err(ReadError::Invalid)
}

/// Refuses a demonstration where it would be taken for the thing itself.
pub(crate) fn pins_outside_of_development(reading: &Reading) -> Result<(), ReadError> {
    let pins = &reading.settings.pins;
    let refused =
        (!pins.value).then(|| (pins.place, "demo.pin is for --run-mode development only".to_owned()));
    Invalid::check(reading.origin.path(), refused.into_iter().collect()).map_err(ReadError::Invalid)
}

/// The path of a folder that exists, with its links followed.
fn existing(file: &Path, folder: &Placed<PathBuf>) -> Result<PathBuf, Invalid> {
    let why = match fs::canonicalize(&folder.value) {
        Ok(path) if path.is_dir() => return Ok(path),
        Ok(_) => "is not a folder".to_owned(),
        Err(error) => format!("cannot be opened: {error}"),
    };
    Err(Invalid::one(file, folder.place, format!("files: '{}' {why}", folder.value.display())))
}

impl Origin {
    /// Its name in messages.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::BuiltIn => Path::new("built-in http.yaml"),
            Self::File(path) => path,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Gone(path) => write!(f, "{} is gone", path.display()),
        }
    }
}

impl std::error::Error for ReadError {}

/// What the text of an `http.yaml` is read as.
#[cfg(test)]
pub(crate) fn reading(text: &str) -> Reading {
    let file = PathBuf::from("http.yaml");
    let settings = parse::parse(text, &file, Path::new("")).unwrap();
    let mark = Mark::new(checksum(text.as_bytes()), settings.greeting.clone());
    Reading { settings, origin: Origin::File(file), mark }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fixed_since_the_boot_is_refused_all_at_once() {
        let booted = reading("listen: 127.0.0.1:1\nupstreams: {demo: {servers: ['db:9']}}\n");
        let new = reading("greeting: hi\nlisten: 127.0.0.1:2\nlock: a\n");
        let said = keeps_what_is_fixed(&booted, &new).unwrap_err().to_string();
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines[0].starts_with("http.yaml:1:1 the built-in server was not booted"), "{said}");
        assert!(lines[1].starts_with("http.yaml:3:7 the lock file changed"), "{said}");
    }

    #[test]
    fn what_is_not_fixed_may_change() {
        let booted = reading("greeting: a\n");
        let new = reading(
            "greeting: b\nlisten: 127.0.0.1:2\nalso: ['127.0.0.1:3']\n\
             upstreams: {demo: {servers: ['db:9']}}\nlimits:\n  header: 1s\n",
        );
        keeps_what_is_fixed(&booted, &new).unwrap();
    }

    #[test]
    fn a_file_that_is_gone_is_no_reading() {
        let gone = Reading { origin: Origin::BuiltIn, ..reading("") };
        assert_eq!(keeps_what_is_fixed(&reading(""), &gone).unwrap_err().to_string(), "http.yaml is gone");
    }
}
