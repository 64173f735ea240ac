//! What outlives a run: open file descriptors, and names in the directories that are watched.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Deeper than this nobody looks.
const DEEPEST: usize = 8;

/// Where names are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// With everything below them.
    pub(super) trees: Vec<PathBuf>,
    /// What is directly in them.
    pub(super) folders: Vec<PathBuf>,
}

impl Place {
    /// Every name that is there.
    pub(super) fn names(&self) -> BTreeSet<PathBuf> {
        let mut names = BTreeSet::new();
        for tree in &self.trees {
            look(tree, DEEPEST, &mut names);
        }
        for folder in &self.folders {
            look(folder, 1, &mut names);
        }
        names
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

/// The open file descriptors of this process with what they are of; none where there is no `/proc`.
pub(super) fn descriptors() -> BTreeSet<(String, String)> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return BTreeSet::new() };
    let of = |entry: fs::DirEntry| {
        let number = entry.file_name().to_string_lossy().into_owned();
        let of = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
        // The descriptor by which this is read.
        (!of.ends_with("/fd")).then_some((number, of))
    };
    entries.flatten().filter_map(of).collect()
}
