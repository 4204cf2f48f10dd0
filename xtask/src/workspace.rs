//! The path of the checkout, and how cargo is called in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The checkout that this program was started in.
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The folder above xtask's own manifest: as cargo tells it now, else as it was when this program was built.
    pub fn locate() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("xtask's manifest has no folder above it")?.to_path_buf();
        Ok(Self { root })
    }

    /// The root of the checkout.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of foreign clients: a folder of the checkout's own, never committed.
    pub fn tools(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// The binary that the dev profile builds; the tests and the foreign clients share it.
    pub fn volvox(&self) -> PathBuf {
        self.target().join("debug").join("volvox")
    }

    /// The binary that is shipped.
    pub fn volvox_release(&self) -> PathBuf {
        self.target().join("release").join("volvox")
    }

    /// The folder in which everything is built.
    pub fn target(&self) -> PathBuf {
        match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => self.root.join(folder),
            None => self.root.join("target"),
        }
    }

    /// A cargo command that starts in the root.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(arguments).current_dir(&self.root);
        command
    }
}
