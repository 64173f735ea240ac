//! One edge at a time: a locked file that says who holds it.
//!
//! The lock is the kernel's, on the open file: it ends with the process, however that ends. The number in the
//! file is for people; it is not looked at to decide.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mainstay::{Daemon, Dep, Dependencies, Provider, Result, ResultExt, async_trait, note};

use crate::settings::{Origin, Reading, SettingsFile};

/// The single instance.
#[derive(Default)]
pub(crate) struct Lock {
    settings: Dep<SettingsFile>,
    state: Arc<Mutex<State>>,
}

/// A boot that is cancelled goes on for a moment on its thread, and the shutdown may come before it: what was
/// released is not taken again.
#[derive(Default)]
enum State {
    #[default]
    Free,
    Held(File),
    Released,
}

/// Why the lock was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// Another process has it.
    Held { path: PathBuf, by: Option<u32> },
    /// The file cannot be opened or written.
    Unusable(PathBuf, io::Error),
}

#[async_trait]
impl Provider<Daemon> for Lock {
    fn name(&self) -> &'static str {
        "lock"
    }

    fn dependencies(&self) -> Dependencies<Daemon> {
        Dependencies::new().dep(&self.settings)
    }

    async fn boot(&self, _: &Daemon) -> Result<()> {
        let path = path(&self.settings.load());
        note(format!("locking {}", path.display()));
        let state = Arc::clone(&self.state);
        tokio::task::spawn_blocking(move || hold(&state, path)).await?.boxed()
    }

    async fn shutdown(&self, _: &Daemon) -> Result<()> {
        let state = Arc::clone(&self.state);
        tokio::task::spawn_blocking(move || release(&state)).await?.boxed()
    }
}

fn hold(state: &Mutex<State>, path: PathBuf) -> Result<(), NotTaken> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if let State::Free = *state {
        *state = State::Held(take(path)?);
    }
    Ok(())
}

fn release(state: &Mutex<State>) -> io::Result<()> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    match mem::replace(&mut *state, State::Released) {
        // The file stays: to remove it would take it from under one who opened it and waits.
        State::Held(file) => file.set_len(0),
        State::Free | State::Released => Ok(()),
    }
}

/// Where the lock is: as the settings say, else beside them, else where the user's processes keep such files.
fn path(reading: &Reading) -> PathBuf {
    match (&reading.settings.lock, &reading.origin) {
        (Some(lock), _) => lock.value.clone(),
        (None, Origin::File(file)) => file.with_file_name("edge.lock"),
        (None, Origin::BuiltIn) => users_own(),
    }
}

#[cfg(unix)]
fn users_own() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder).join("edge.lock"),
        _ => std::env::temp_dir().join(format!("edge-{}.lock", rustix::process::getuid().as_raw())),
    }
}

#[cfg(not(unix))]
fn users_own() -> PathBuf {
    std::env::temp_dir().join("edge.lock")
}

/// Opens, locks, and writes this process into the file.
fn take(path: PathBuf) -> Result<File, NotTaken> {
    let mut file = match open(&path) {
        Ok(file) => file,
        Err(error) => return Err(NotTaken::Unusable(path, error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(NotTaken::Held { by: holder(&mut file), path }),
        Err(TryLockError::Error(error)) => return Err(NotTaken::Unusable(path, error)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    match written {
        Ok(()) => Ok(file),
        Err(error) => Err(NotTaken::Unusable(path, error)),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // In a folder that all may write to, a link by that name would be somebody else's choice of a file.
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options.open(path)
}

/// Who is written in the file.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { path, by } => {
                let path = path.display();
                match by {
                    Some(pid) => write!(f, "{path} is held by process {pid}"),
                    None => write!(f, "{path} is held by another process"),
                }?;
                f.write_str(": stop it, or give this one a lock of its own with `lock:` in http.yaml")
            }
            Self::Unusable(path, error) => write!(f, "cannot use {} as a lock: {error}", path.display()),
        }
    }
}

impl std::error::Error for NotTaken {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path that is free.
    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("edge-test-{}-{name}.lock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn a_second_taker_learns_who_holds_it_and_a_released_lock_can_be_taken() {
        let path = path("second");
        let (first, second) = (Mutex::default(), Mutex::default());
        hold(&first, path.clone()).unwrap();
        let said = hold(&second, path.clone()).unwrap_err().to_string();
        let expected = format!("{} is held by process {}: ", path.display(), std::process::id());
        assert!(said.starts_with(&expected), "{said}");
        release(&first).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        hold(&second, path.clone()).unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_was_released_is_not_taken_by_a_boot_that_was_cancelled() {
        let (path, state) = (path("late"), Mutex::default());
        release(&state).unwrap();
        hold(&state, path.clone()).unwrap();
        assert!(!path.exists());
    }
}
