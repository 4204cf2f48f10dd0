//! The files of the checkout, read once: what every rule looks at.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::source::Source;

/// Folders that hold nothing a person wrote.
const FOREIGN: [&str; 7] = ["target", ".git", ".tools", "volvox-data", "__pycache__", "node_modules", "generated"];

/// Larger files are data, not text to be checked.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Crates that are `no_std` and depend on nothing but each other.
pub const PURE: [&str; 14] = [
    "core",
    "channel",
    "clocks",
    "commit",
    "election",
    "membership",
    "multicast",
    "mutex",
    "paxos",
    "raft",
    "replica",
    "service",
    "snapshot",
    "store",
];

/// A file of the checkout.
pub struct File {
    /// Its path relative to the root, with `/` between folders.
    pub path: String,
    /// Its text; `None` when it is no UTF-8 or too large.
    pub text: Option<String>,
    /// For Rust sources: the text taken apart.
    pub source: Option<Source>,
}

impl File {
    fn new(path: &str, text: Option<String>) -> Self {
        let source = text.as_deref().filter(|_| path.ends_with(".rs")).map(|text| Source::parse(path, text));
        Self { path: path.to_string(), text, source }
    }

    /// The lines of the text, numbered from one.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.as_deref().unwrap_or("").lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// All files, by path.
pub struct Tree {
    files: BTreeMap<String, File>,
}

impl Tree {
    /// Reads the checkout at `root`.
    pub fn load(root: &Path) -> Result<Self> {
        let mut tree = Self { files: BTreeMap::new() };
        tree.walk(root, "")?;
        Ok(tree)
    }

    /// A tree of these files, for the tests of the rules.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_string(), File::new(path, Some((*text).to_string()))));
        Self { files: files.collect() }
    }

    /// Every file, ordered by path.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    /// Every Rust source with its file.
    pub fn sources(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files().filter_map(|file| Some((file, file.source.as_ref()?)))
    }

    /// The file at `path`.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Whether `path` is a file or a folder of the checkout.
    pub fn exists(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty() || self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// The manifests of all packages of this workspace but the root's, each with its folder (`crates/raft`). Benchmarks
    /// against peers are workspaces of their own, so that no one builds the peers by accident.
    pub fn manifests(&self) -> impl Iterator<Item = (&str, &File)> {
        let foreign = |file: &File| file.lines().any(|(_, line)| line.trim() == "[workspace]");
        self.files()
            .filter_map(|file| Some((file.path.strip_suffix("/Cargo.toml")?, file)))
            .filter(move |(_, file)| !foreign(file))
    }

    fn walk(&mut self, root: &Path, folder: &str) -> Result<()> {
        let here = root.join(folder);
        for entry in fs::read_dir(&here).with_context(|| format!("cannot list {}", here.display()))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if FOREIGN.contains(&name.as_str()) {
                continue;
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.walk(root, &path)?;
            } else if kind.is_file() {
                let small = entry.metadata().is_ok_and(|metadata| metadata.len() <= TEXT_BYTES_MAX);
                let text = if small {
                    fs::read(entry.path()).ok().and_then(|bytes| String::from_utf8(bytes).ok())
                } else {
                    None
                };
                self.files.insert(path.clone(), File::new(&path, text));
            }
        }
        Ok(())
    }
}

/// The crate a path belongs to, when it is one of those under `crates/`.
pub fn library(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.split('/').next()
}
