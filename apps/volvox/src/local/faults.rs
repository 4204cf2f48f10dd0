//! `volvox fault`: the one vocabulary of faults, on a running local cluster.
//!
//! Faults of the process are signals. Faults of the network, the clocks and the disks go to every node's admin port,
//! take effect in the node that they concern, and are kept in the manifest, so that they survive a restart. Faults that
//! only the simulator supports are refused. A node always receives the whole list: a fault that is missing from it has
//! ended.

use super::commands;
use super::fault_table::{self, Live};
use super::manifest::Manifest;
use super::processes::NodeProcess;
use crate::node::admin_client;
use anyhow::{Context, Result, bail};
use std::path::Path;
use volvox_core::Fault;
use volvox_core::fault::{DiskFault, Target};

/// Injects the fault.
///
/// # Errors
/// When the text is not a fault, or the fault is not possible in a live cluster.
pub async fn inject(data: &Path, text: &str) -> Result<String> {
    let fault: Fault = text.parse().map_err(|error| anyhow::anyhow!("{text:?}: {error}"))?;
    match (fault_table::live(&fault), &fault) {
        (None, _) => bail!("'{fault}' works in the simulator only; 'volvox fault table' shows what works where"),
        (Some(Live::End), _) => heal(data).await,
        (_, Fault::Pause(id)) => commands::pause(data, id.0),
        (_, Fault::Resume(id)) => resume(data, id.0).await,
        (_, Fault::Start(id)) => commands::start(data, id.0).await,
        (_, Fault::Crash { who, without_disk }) => crash(data, *who, *without_disk).await,
        (Some(Live::Process | Live::Network | Live::Clock | Live::Disk), _) => {
            let mut edit = Manifest::edit(data)?;
            check_nodes(&edit, &fault)?;
            add(&mut edit.faults, &fault);
            tell(&edit, data).await?;
            edit.save(data)?;
            Ok(fault.to_string())
        }
    }
}

/// Resumes a paused node, and sends it the faults that it has missed.
///
/// # Errors
/// When there is no such node, it is not running, or it cannot be reached.
pub async fn resume(data: &Path, id: u64) -> Result<String> {
    let said = commands::resume(data, id)?;
    tell(&Manifest::require(data)?, data).await?;
    Ok(said)
}

/// Lists the active faults, one per line.
///
/// # Errors
/// When there is no cluster.
pub fn list(data: &Path) -> Result<Vec<String>> {
    Ok(Manifest::require(data)?.faults)
}

/// Ends every fault of network, clocks and disks, and resumes paused nodes.
///
/// # Errors
/// When there is no cluster, or a node cannot be reached.
pub async fn heal(data: &Path) -> Result<String> {
    let mut edit = Manifest::edit(data)?;
    edit.faults.clear();
    for node in &edit.nodes {
        if let Some(process) = NodeProcess::of_node(data, node.id).filter(NodeProcess::is_paused) {
            process.signal(libc::SIGCONT)?;
        }
    }
    tell(&edit, data).await?;
    edit.save(data)?;
    Ok("healed".to_owned())
}

/// Sends the faults of the manifest to every running node; other nodes get them as flags when they start.
pub async fn apply(manifest: &Manifest) {
    for node in &manifest.nodes {
        if let Err(error) = admin_client::set_faults(node.admin_port, &manifest.faults).await {
            eprintln!("node {}: {error:#}", node.id);
        }
    }
}

async fn tell(manifest: &Manifest, data: &Path) -> Result<()> {
    for node in &manifest.nodes {
        // A paused node would not answer; it receives the faults when `heal` resumes it, or at its next start.
        if NodeProcess::of_node(data, node.id).is_some_and(|process| !process.is_paused()) {
            admin_client::set_faults(node.admin_port, &manifest.faults)
                .await
                .with_context(|| format!("cannot send the faults to node {}", node.id))?;
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
        Fault::Skew(id, _) | Fault::Disk(id, _) => vec![id.0],
        _ => Vec::new(),
    };
    for id in named {
        manifest.node(id)?;
    }
    Ok(())
}

/// Adds a fault to the active ones: a second partition takes the place of the first, a link and a disk have one
/// slowness, a clock that jumps twice has jumped by the sum, and `disk N ok` removes the faults of a disk.
fn add(active: &mut Vec<String>, fault: &Fault) {
    let mut added = Some(fault.clone());
    active.retain(|text| match (fault, text.parse()) {
        (Fault::Partition(_), Ok(Fault::Partition(_))) => false,
        (Fault::Slow(from, to, _), Ok(Fault::Slow(other_from, other_to, _))) => (*from, *to) != (other_from, other_to),
        (Fault::Skew(id, millis), Ok(Fault::Skew(other, before))) if *id == other => {
            let sum = before.saturating_add(*millis);
            added = (sum != 0).then_some(Fault::Skew(*id, sum));
            false
        }
        (Fault::Disk(id, DiskFault::Ok), Ok(Fault::Disk(other, _))) => *id != other,
        (Fault::Disk(id, DiskFault::Slow(_)), Ok(Fault::Disk(other, DiskFault::Slow(_)))) => *id != other,
        (_, Ok(other)) => *fault != other,
        (_, Err(_)) => true,
    });
    if matches!(fault, Fault::Disk(_, DiskFault::Ok)) {
        added = None;
    }
    active.extend(added.map(|fault| fault.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active(faults: &[&str]) -> Vec<String> {
        let mut active = Vec::new();
        for text in faults {
            add(&mut active, &text.parse().expect("a fault"));
        }
        active
    }

    #[test]
    fn a_fault_takes_the_place_of_what_it_changes() {
        assert_eq!(
            active(&["partition 1|2,3", "partition 1->2", "partition 1,2|3"]),
            ["partition 1->2", "partition 1,2|3"]
        );
        let slow = ["slow 1->2 delay 50ms", "slow 2->1 delay 50ms", "slow 1->2 loss 1%"];
        assert_eq!(active(&slow), ["slow 2->1 delay 50ms", "slow 1->2 loss 1%"]);
        let disks = ["disk 1 slow 20ms", "disk 2 full", "disk 1 slow 5ms", "disk 2 full", "disk 3 failsync"];
        assert_eq!(active(&disks), ["disk 1 slow 5ms", "disk 2 full", "disk 3 failsync"]);
        assert_eq!(active(&["disk 1 slow 20ms", "disk 2 full", "disk 1 full", "disk 1 ok"]), ["disk 2 full"]);
    }

    #[test]
    fn jumps_of_a_clock_add_up() {
        assert_eq!(active(&["skew 2 +200ms", "skew 1 +5ms", "skew 2 +200ms"]), ["skew 1 +5ms", "skew 2 +400ms"]);
        assert_eq!(active(&["skew 2 +200ms", "skew 2 -200ms"]), [""; 0]);
    }
}
