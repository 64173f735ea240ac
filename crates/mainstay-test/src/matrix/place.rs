//! What outlives a run: open file descriptors, and names in the directories that are watched.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Deeper than this nobody looks.
const DEEPEST: usize = 8;

/// Where names are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// The directory for temporary files, when it was made for this process.
    pub(super) own: Option<PathBuf>,
    /// With everything below them.
    pub(super) trees: Vec<PathBuf>,
    /// What is directly in them.
    pub(super) folders: Vec<PathBuf>,
}

impl Place {
    /// Every name that is there.
    pub(super) fn names(&self) -> BTreeSet<PathBuf> {
        let mut names = BTreeSet::new();
        for tree in self.own.iter().chain(&self.trees) {
            look(tree, DEEPEST, &mut names);
        }
        for folder in &self.folders {
            look(folder, 1, &mut names);
        }
        names
    }
}

impl Place {
    /// Empties the directory for temporary files, so that one scenario does not fail because of what another one left.
    /// It is the matrix' own.
    pub(super) fn clear(&self) {
        let Some(own) = &self.own else { return };
        let Ok(entries) = fs::read_dir(own) else { return };
        for entry in entries.flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let _ = if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        }
    }
}

fn look(folder: &Path, depth: usize, names: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let path = entry.path();
        if is_folder && depth > 1 {
            look(&path, depth - 1, names);
        }
        names.insert(path);
    }
}

/// The open file descriptors of this process, each with what it is of; none where there is no `/proc`.
pub(super) fn descriptors() -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return BTreeSet::new() };
    let of = |entry: fs::DirEntry| {
        let number = entry.file_name().to_string_lossy().into_owned();
        let of = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
        // The descriptor by which this is read.
        (!of.ends_with("/fd")).then(|| format!("{number} -> {of}"))
    };
    entries.flatten().filter_map(of).collect()
}
