//! The external resources of a live run: the processes of its nodes, their output, and the folder of their disks.
// This is the outside world: it kills processes.
#![allow(clippy::disallowed_methods)]

use super::LiveError;
use super::observed::{Observation, machine_clock};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command};
use volvox_core::NodeId;

/// A folder that is deleted at the end.
pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Result<Folder, LiveError> {
        let name = format!("volvox-live-{}-{}", std::process::id(), machine_clock());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(LiveError::machine(format!("making {}", path.display())))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A line of a node, ordered by the time of its report, the earliest first.
#[derive(PartialEq, Eq)]
pub(super) struct Heard {
    pub at: u64,
    pub number: u64,
    pub node: NodeId,
    pub told: Observation,
}

impl Ord for Heard {
    fn cmp(&self, other: &Heard) -> std::cmp::Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Heard {
    fn partial_cmp(&self, other: &Heard) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A node's process. It is killed on drop: no run leaves processes behind.
pub(super) struct Running {
    pub child: Child,
    pub input: Option<ChildStdin>,
    pub is_paused: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    pub fn say(&mut self, line: &str) {
        // A process that has just died receives nothing.
        if let Some(input) = &mut self.input {
            let _ = writeln!(input, "{line}").and_then(|()| input.flush());
        }
    }

    pub fn signal(&self, name: &str) {
        let _ = Command::new("kill").args([name, &self.child.id().to_string()]).status();
    }
}
