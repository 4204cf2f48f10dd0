//! `kill`, `start`, `pause`, `resume`: one node of a local cluster at a time.

use super::manifest::Manifest;
use super::processes::{NodeProcess, last_words, spawn};
use crate::node::admin_client;
use anyhow::{Result, bail};
use std::path::Path;
use std::time::{Duration, Instant};

/// The time within which a killed process is gone and a started one has opened its folder.
const LIMIT: Duration = Duration::from_secs(10);

/// The pause before asking again: a node that still reads its log does not answer yet.
const ASKED_LIMIT: Duration = Duration::from_millis(200);

/// `kill -9`.
///
/// # Errors
/// When there is no such node, or it is not running.
pub fn kill(data: &Path, id: u64) -> Result<String> {
    let process = running(data, id)?;
    process.signal(libc::SIGKILL)?;
    if !process.wait_ended(LIMIT) {
        bail!("node {id} (process {}) was killed but still exists after {} s", process.pid, LIMIT.as_secs());
    }
    Ok(format!("killed node {id}"))
}

/// Starts a node again, with the flags and faults of the manifest, and waits until it has opened its folder: an
/// unusable log must be reported here, not in a file that is easily overlooked.
///
/// # Errors
/// When there is no such node, it is already running, or it ends at once.
pub async fn start(data: &Path, id: u64) -> Result<String> {
    let mut edit = Manifest::edit(data)?;
    edit.node(id)?;
    if NodeProcess::of_node(data, id).is_some() {
        bail!("node {id} is already running");
    }
    edit.forget_failed_sync(id);
    let manifest = edit.save(data)?;
    let node = manifest.node(id)?;
    let mut child = spawn(&manifest, node, data)?;
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait()? {
            bail!("node {id} ended ({status}): {}", last_words(data, id));
        }
        let has_folder = NodeProcess::of_node(data, id).is_some_and(|process| process.pid == child.id() as i32);
        // The admin port answers once the log is open.
        let asked = tokio::time::timeout(ASKED_LIMIT, admin_client::status(node.admin_port)).await;
        if has_folder && matches!(asked, Ok(Ok(_))) {
            return Ok(format!("started node {id}"));
        }
        if Instant::now() >= deadline {
            if has_folder {
                return Ok(format!("started node {id}, which is still reading its log"));
            }
            bail!("node {id} has not opened its folder after {} s: {}", LIMIT.as_secs(), last_words(data, id));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Suspends a process; its sockets stay open.
///
/// # Errors
/// When there is no such node, or it is not running.
pub fn pause(data: &Path, id: u64) -> Result<String> {
    running(data, id)?.signal(libc::SIGSTOP)?;
    Ok(format!("paused node {id}"))
}

/// Resumes a paused process.
///
/// # Errors
/// When there is no such node, or it is not running.
pub fn resume(data: &Path, id: u64) -> Result<String> {
    running(data, id)?.signal(libc::SIGCONT)?;
    Ok(format!("resumed node {id}"))
}

fn running(data: &Path, id: u64) -> Result<NodeProcess> {
    Manifest::require(data)?.node(id)?;
    match NodeProcess::of_node(data, id) {
        Some(process) => Ok(process),
        None => bail!("node {id} is not running; 'volvox start {id}' starts it"),
    }
}
