//! What a crate may know of is written in its manifest: the invariants of ARCHITECTURE.md that are absences.

use super::tree::Tree;

/// `futures-util` is the part of futures that is used, `pin-project-lite` what all of them bring along.
const CORE: [&str; 8] = [
    "arc-swap",
    "async-trait",
    "futures-util",
    "pin-project-lite",
    "thiserror",
    "tokio",
    "tokio-util",
    "tracing",
];
/// The crates of the core, and which of their siblings they may use.
const SIBLINGS: [(&str, &[&str]); 3] = [
    ("mainstay-registry", &[]),
    ("mainstay-sync", &[]),
    ("mainstay-runtime", &["mainstay-registry", "mainstay-sync"]),
];
/// Parts of tokio that a crate without signals, files and processes has no use for.
const OUTSIDE: [&str; 6] = ["full", "fs", "net", "process", "rt-multi-thread", "signal"];
/// The crate that knows no clock either.
const TIMELESS: &str = "mainstay-registry";
/// The features of the facade: four and their sum.
const FEATURES: [&str; 6] = ["default", "daemon", "config", "admin", "process", "full"];

/// The core depends on its seven crates and on nothing above it; the registry and the sync crate ask tokio for
/// nothing that reaches outside, the registry not for the time either; the facade has the features it may have.
pub(super) fn dependencies(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (name, siblings) in SIBLINGS {
        let path = format!("crates/{name}/Cargo.toml");
        let Some(text) = tree.text(&path) else { continue };
        for (dependency, line) in entries(text, "dependencies") {
            if !CORE.contains(&dependency) && !siblings.contains(&dependency) {
                found.push(format!("{path}: {dependency}"));
            }
            if dependency == "tokio" && siblings.is_empty() {
                let clock = (name == TIMELESS).then_some(&"time");
                let reach =
                    OUTSIDE.iter().chain(clock).filter(|feature| line.contains(&format!("\"{feature}\"")));
                found.extend(reach.map(|feature| format!("{path}: tokio's {feature}")));
            }
        }
    }
    if let Some(text) = tree.text("crates/mainstay/Cargo.toml") {
        let more = entries(text, "features").filter(|(feature, _)| !FEATURES.contains(feature));
        more.for_each(|(feature, _)| found.push(format!("crates/mainstay/Cargo.toml: feature {feature}")));
    }
    found
}

/// Every library takes its lints, version and licence from the workspace, and states its Rust version; what stands
/// outside the workspace has a lock file of its own.
pub(super) fn inheritance(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.ending("/Cargo.toml") {
        if path.starts_with("crates/") {
            for line in
                ["[lints]\nworkspace = true", "\nversion.workspace", "\nlicense.workspace", "\nrust-version"]
            {
                if !text.contains(line) {
                    found.push(format!("{path}: without {}", line.trim_start().replace('\n', " ")));
                }
            }
        } else if ["benches/Cargo.toml", "fuzz/Cargo.toml"].contains(&path) {
            let lock = path.replace("Cargo.toml", "Cargo.lock");
            if tree.text(&lock).is_none() {
                found.push(format!("{lock} is not there"));
            }
        }
    }
    found
}

/// The keys of every table of this name, those of a target included, with their lines.
fn entries<'a>(manifest: &'a str, table: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut inside = false;
    manifest.lines().filter_map(move |line| {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            inside = header == table || header.ends_with(&format!(".{table}"));
            return None;
        }
        // An array over several lines is indented or begins with its bracket; its lines define nothing.
        let (key, _) =
            line.split_once(['=', '.']).filter(|_| line.starts_with(|c: char| c.is_alphanumeric()))?;
        inside.then_some((key.trim(), line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_from_above_is_found() {
        let text = "[package]\nname = \"x\"\n[dependencies]\n# why\ntokio = { workspace = true, features = [\"time\"] }\n\
            serde.workspace = true\n[dev-dependencies]\nproptest.workspace = true\n";
        let tree = Tree::of(&[("crates/mainstay-registry/Cargo.toml", text)]);
        let path = "crates/mainstay-registry/Cargo.toml";
        assert_eq!(dependencies(&tree), [format!("{path}: tokio's time"), format!("{path}: serde")]);
    }

    #[test]
    fn a_fifth_feature_is_found() {
        let tree = Tree::of(&[(
            "crates/mainstay/Cargo.toml",
            "[features]\ndefault = [\n    \"dep:clap\",\n]\n## x\nextra = []\n",
        )]);
        assert_eq!(dependencies(&tree), ["crates/mainstay/Cargo.toml: feature extra"]);
    }

    #[test]
    fn a_library_without_the_lints_is_found() {
        let good = "[package]\nversion.workspace = true\nlicense.workspace = true\nrust-version = \"1.88\"\n";
        let tree = Tree::of(&[("crates/x/Cargo.toml", good), ("benches/Cargo.toml", "")]);
        assert_eq!(
            inheritance(&tree),
            ["benches/Cargo.lock is not there", "crates/x/Cargo.toml: without [lints] workspace = true"]
        );
    }
}
