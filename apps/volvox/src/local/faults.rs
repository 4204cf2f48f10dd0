//! `volvox fault`: the one vocabulary of faults, on a running local cluster.
//!
//! Faults of the process are signals. Faults of the network are told to every node's admin port, act at the receiving
//! node, and are kept in the manifest, so that they survive a restart. What only the simulator can do is refused.

use super::commands;
use super::manifest::Manifest;
use super::processes::NodeProcess;
use crate::node::admin_client;
use anyhow::{Context, Result, bail};
use std::path::Path;
use volvox_core::Fault;
use volvox_core::fault::Target;

/// Does what the fault says.
///
/// # Errors
/// When it is no fault, or none that a live cluster can have.
pub async fn inject(data: &Path, text: &str) -> Result<String> {
    let fault: Fault = text.parse().map_err(|error| anyhow::anyhow!("{text:?}: {error}"))?;
    match &fault {
        Fault::Pause(id) => commands::pause(data, id.0),
        Fault::Resume(id) => commands::resume(data, id.0),
        Fault::Start(id) => commands::start(data, id.0),
        Fault::Crash { who, without_disk } => crash(data, *who, *without_disk).await,
        Fault::Heal => heal(data).await,
        Fault::Partition(_) | Fault::Cut(..) | Fault::Slow(..) => {
            let mut manifest = Manifest::require(data)?;
            check_nodes(&manifest, &fault)?;
            // A second partition takes the place of the first; a link has one slowness.
            manifest.faults.retain(|active| !replaces(&fault, active));
            manifest.faults.push(fault.to_string());
            tell(&manifest, data).await?;
            manifest.save(data)?;
            Ok(fault.to_string())
        }
        Fault::Skew(..) | Fault::Drift(..) | Fault::Disk(..) => {
            bail!("'{fault}' works in the simulator only; live: partition, slow, pause, resume, crash, start, heal")
        }
    }
}

/// The active faults, one a line.
///
/// # Errors
/// When there is no cluster.
pub fn list(data: &Path) -> Result<Vec<String>> {
    Ok(Manifest::require(data)?.faults)
}

/// Ends every fault of the network, and resumes who is paused.
///
/// # Errors
/// When there is no cluster, or a node cannot be told.
pub async fn heal(data: &Path) -> Result<String> {
    let mut manifest = Manifest::require(data)?;
    manifest.faults.clear();
    for node in &manifest.nodes {
        if let Some(process) = NodeProcess::of_node(data, node.id).filter(NodeProcess::is_paused) {
            process.signal(libc::SIGCONT)?;
        }
    }
    tell(&manifest, data).await?;
    manifest.save(data)?;
    Ok("healed".to_owned())
}

/// Tells every node that runs the faults of the manifest; one that does not run gets them as flags when it starts.
pub async fn apply(manifest: &Manifest) {
    for node in &manifest.nodes {
        if let Err(error) = admin_client::set_faults(node.admin_port, &manifest.faults).await {
            eprintln!("node {}: {error:#}", node.id);
        }
    }
}

async fn tell(manifest: &Manifest, data: &Path) -> Result<()> {
    for node in &manifest.nodes {
        // A paused node would not answer; it is told when it is resumed by `heal`, or at its next start.
        if NodeProcess::of_node(data, node.id).is_some_and(|process| !process.is_paused()) {
            admin_client::set_faults(node.admin_port, &manifest.faults)
                .await
                .with_context(|| format!("node {} was not told", node.id))?;
        }
    }
    Ok(())
}

async fn crash(data: &Path, who: Target, without_disk: bool) -> Result<String> {
    let id = match who {
        Target::Node(id) => id.0,
        Target::Leader => leader(data).await?,
    };
    let said = commands::kill(data, id)?;
    if without_disk {
        let folder = super::manifest::node_folder(data, id);
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        return Ok(format!("{said} and removed its folder"));
    }
    Ok(said)
}

async fn leader(data: &Path) -> Result<u64> {
    let manifest = Manifest::require(data)?;
    for node in &manifest.nodes {
        if let Ok(status) = admin_client::status(node.admin_port).await
            && let Some(leader) = status.get("leader").and_then(serde_json::Value::as_u64)
        {
            return Ok(leader);
        }
    }
    bail!("no node knows a leader")
}

fn check_nodes(manifest: &Manifest, fault: &Fault) -> Result<()> {
    let named: Vec<u64> = match fault {
        Fault::Partition(groups) => groups.iter().flatten().map(|id| id.0).collect(),
        Fault::Cut(from, to) | Fault::Slow(from, to, _) => vec![from.0, to.0],
        _ => Vec::new(),
    };
    for id in named {
        manifest.node(id)?;
    }
    Ok(())
}

fn replaces(new: &Fault, active: &str) -> bool {
    match (new, active.parse()) {
        (Fault::Partition(_), Ok(Fault::Partition(_))) => true,
        (Fault::Slow(from, to, _), Ok(Fault::Slow(other_from, other_to, _))) => (*from, *to) == (other_from, other_to),
        (_, Ok(other)) => *new == other,
        (_, Err(_)) => false,
    }
}
