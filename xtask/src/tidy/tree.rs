//! The files of the repository with their text, as the rules see them.

use std::collections::BTreeMap;
use std::fs;

use crate::root::{output_of, root};

/// Paths with `/`, relative to the workspace, in order; a file that is not text is not among them.
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// What git tracks, and what it would track: a new file is held to the rules before it is committed.
    pub(crate) fn tracked() -> Option<Self> {
        let list = output_of("git", &["ls-files", "--cached", "--others", "--exclude-standard"])?;
        let read =
            |path: &str| fs::read(root().join(path)).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        Some(Self { files: list.lines().filter_map(|path| Some((path.to_owned(), read(path)?))).collect() })
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }

    /// Every file.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Every file with this ending.
    pub(crate) fn ending(&self, end: &'static str) -> impl Iterator<Item = (&str, &str)> {
        self.all().filter(move |(path, _)| path.ends_with(end))
    }

    /// Every Rust file below one of the folders called `src`, but for files of tests.
    pub(crate) fn sources_of_crates(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending(".rs").filter(|(path, _)| path.contains("/src/") && !path.contains("/tests"))
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether a file, or a folder with files, has this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let below = format!("{path}/");
        path.is_empty()
            || self.files.contains_key(path)
            || self.files.keys().any(|file| file.starts_with(&below))
    }
}
