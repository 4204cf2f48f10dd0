//! `kill`, `start`, `pause`, `resume`: one node of a local cluster at a time.

use super::faults::forget_failed_sync;
use super::manifest::Manifest;
use super::processes::NodeProcess;
use super::up::{last_words, spawn};
use anyhow::{Result, bail};
use std::path::Path;
use std::time::{Duration, Instant};

/// A killed process is gone, and a started one has opened its folder, well within this.
const LIMIT: Duration = Duration::from_secs(10);

/// `kill -9`.
///
/// # Errors
/// When there is no such node, or it does not run.
pub fn kill(data: &Path, id: u64) -> Result<String> {
    let process = running(data, id)?;
    process.signal(libc::SIGKILL)?;
    if !process.wait_ended(LIMIT) {
        bail!("node {id} (process {}) was killed and is still there after {} s", process.pid, LIMIT.as_secs());
    }
    Ok(format!("killed node {id}"))
}

/// Starts a node again, with the flags and faults of the manifest.
///
/// # Errors
/// When there is no such node, it runs already, or ends at once.
pub fn start(data: &Path, id: u64) -> Result<String> {
    let mut manifest = Manifest::require(data)?;
    manifest.node(id)?;
    if NodeProcess::of_node(data, id).is_some() {
        bail!("node {id} runs already");
    }
    forget_failed_sync(&mut manifest, id);
    manifest.save(data)?;
    let mut child = spawn(&manifest, manifest.node(id)?, data)?;
    let deadline = Instant::now() + LIMIT;
    while NodeProcess::of_node(data, id).is_none_or(|process| process.pid != child.id() as i32) {
        if let Some(status) = child.try_wait()? {
            bail!("node {id} ended ({status}): {}", last_words(data, id));
        }
        if Instant::now() >= deadline {
            bail!("node {id} has not opened its folder after {} s: {}", LIMIT.as_secs(), last_words(data, id));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(format!("started node {id}"))
}

/// Stops a process in its tracks; its sockets stay open.
///
/// # Errors
/// When there is no such node, or it does not run.
pub fn pause(data: &Path, id: u64) -> Result<String> {
    running(data, id)?.signal(libc::SIGSTOP)?;
    Ok(format!("paused node {id}"))
}

/// Lets it go on.
///
/// # Errors
/// When there is no such node, or it does not run.
pub fn resume(data: &Path, id: u64) -> Result<String> {
    running(data, id)?.signal(libc::SIGCONT)?;
    Ok(format!("resumed node {id}"))
}

fn running(data: &Path, id: u64) -> Result<NodeProcess> {
    Manifest::require(data)?.node(id)?;
    match NodeProcess::of_node(data, id) {
        Some(process) => Ok(process),
        None => bail!("node {id} does not run; 'volvox start {id}' starts it"),
    }
}
