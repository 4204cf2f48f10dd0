//! The processes of a local cluster: which nodes run, and signals that never hit an unrelated process.

use super::manifest::{Manifest, ManifestNode, node_folder, node_log};
use anyhow::{Context, Result, bail};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The process of a node: its pid, and when the kernel started it, in clock ticks since boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NodeProcess {
    /// The process id.
    pub pid: i32,
    started_ticks: u64,
}

impl NodeProcess {
    /// This process.
    ///
    /// # Errors
    /// When the kernel does not report its start time.
    pub fn current() -> Result<NodeProcess> {
        let pid = std::process::id() as i32;
        let started_ticks = started_ticks(pid).context("the kernel does not report when this process started")?;
        Ok(NodeProcess { pid, started_ticks })
    }

    /// Records this process in a node's folder.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn record(&self, folder: &Path) -> Result<()> {
        let path = process_file(folder);
        std::fs::write(&path, format!("{} {}\n", self.pid, self.started_ticks))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The process of a node, if it is running.
    pub fn of_node(data: &Path, id: u64) -> Option<NodeProcess> {
        let text = std::fs::read_to_string(process_file(&node_folder(data, id))).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        let process = NodeProcess { pid: pid.parse().ok()?, started_ticks: started.parse().ok()? };
        process.is_running().then_some(process)
    }

    /// Whether the process still runs: the same pid with the same start time, and not a zombie.
    pub fn is_running(&self) -> bool {
        started_ticks(self.pid) == Some(self.started_ticks)
    }

    /// Whether a signal has stopped the process.
    pub fn is_paused(&self) -> bool {
        status_field(self.pid, 0).is_some_and(|state| state == "T")
    }

    /// Sends a signal if the pid still belongs to the same process.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn signal(&self, signal: i32) -> Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        let status = std::process::Command::new("kill").arg(format!("-{signal}")).arg(self.pid.to_string()).output();
        match status {
            Ok(output) if output.status.success() || !self.is_running() => Ok(()),
            Ok(output) => {
                bail!("signal {signal} to process {}: {}", self.pid, String::from_utf8_lossy(&output.stderr).trim())
            }
            Err(error) => Err(error).context("cannot run 'kill'"),
        }
    }

    /// Waits until the process has ended; returns false when the limit passes first.
    pub fn wait_ended(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.is_running() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

fn process_file(folder: &Path) -> PathBuf {
    folder.join("process")
}

fn started_ticks(pid: i32) -> Option<u64> {
    if status_field(pid, 0).is_none_or(|state| state == "Z" || state == "X") {
        return None;
    }
    status_field(pid, 19)?.parse().ok()
}

/// A field of `/proc/PID/stat`, counted from the state, which is field 3 (proc(5)). The name before it may hold spaces.
fn status_field(pid: i32, field: usize) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = &text[text.rfind(')')? + 1..];
    after_name.split_whitespace().nth(field).map(str::to_owned)
}

/// Starts one node in a process group of its own: Ctrl-C in `up` reaches `up` alone, which then stops the nodes.
///
/// # Errors
/// When the program cannot be started.
pub fn spawn(manifest: &Manifest, node: &ManifestNode, data: &Path) -> Result<Child> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let peers: Vec<String> =
        manifest.nodes.iter().map(|other| format!("{}=127.0.0.1:{}", other.id, other.peer_port)).collect();
    let folder = node_folder(data, node.id);
    std::fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
    let mut command = Command::new(program);
    command
        .arg("node")
        .arg("--id")
        .arg(node.id.to_string())
        .arg("--folder")
        .arg(&folder)
        .arg("--cluster")
        .arg(manifest.cluster.to_string())
        .arg("--initial-cluster")
        .arg(peers.join(","))
        .arg("--initial-cluster-state")
        .arg(if manifest.formed { "existing" } else { "new" })
        .arg("--listen-client")
        .arg(format!("127.0.0.1:{}", node.client_port))
        .arg("--listen-peer")
        .arg(format!("127.0.0.1:{}", node.peer_port))
        .arg("--listen-admin")
        .arg(format!("127.0.0.1:{}", node.admin_port))
        .arg("--log-file")
        .arg(node_log(data, node.id))
        .arg("--development");
    for fault in &manifest.faults {
        command.arg("--fault").arg(fault);
    }
    command.args(&node.flags).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    // The output of a node before its log file is open, or when it panics, must be available afterwards.
    let last_words = data.join(format!("n{}.stderr", node.id));
    command
        .stderr(std::fs::File::create(&last_words).with_context(|| format!("cannot write {}", last_words.display()))?);
    command.spawn().context("cannot start a node")
}

/// The reason a node gave before it ended.
pub fn last_words(data: &Path, id: u64) -> String {
    let said = std::fs::read_to_string(data.join(format!("n{id}.stderr"))).unwrap_or_default();
    match said.trim() {
        "" => format!("see {}", node_log(data, id).display()),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_and_no_other() {
        let current = NodeProcess::current().unwrap();
        assert!(current.is_running() && !current.is_paused());
        let stranger = NodeProcess { started_ticks: current.started_ticks + 1, ..current };
        assert!(!stranger.is_running());
        stranger.signal(9).expect("no signal goes to another process");
    }
}
