//! One node as a separate OS process: commands come on standard input, inputs are reported on standard output.

use super::observed::Observed;
use super::{LiveError, LiveNode};
use crate::chapter::Settings;
use crate::shell::Shell;
use std::io::{BufRead, Write};
use volvox_core::{Fault, NodeId};
use volvox_disk::RealDirectory;
use volvox_net::{FreshLife, Node, NodeHandle, NodeOptions, spawn_thread};

/// The longest line that a parent writes.
const LINE_MAX: usize = 1 << 20;

/// Runs the node until standard input ends: when the parent is gone, so are its nodes.
///
/// # Errors
/// When the node cannot be opened, or its log fails.
pub fn node(shell: &'static dyn Shell, node: &LiveNode) -> Result<(), LiveError> {
    let id = node.id;
    let failed = |problem: String| LiveError::Node { node: id, problem };
    let without = match &node.without {
        None => None,
        Some(name) => {
            let rule = shell.card().rules.iter().find(|rule| rule.name == name.as_str());
            Some(rule.ok_or_else(|| failed(format!("knows no rule {name}")))?.name)
        }
    };
    let settings = Settings { nodes: node.addresses.len() as u64, without };
    let members: Vec<NodeId> = (1..=settings.nodes).map(NodeId).collect();
    let listen = usize::try_from(id.0 - 1).ok().and_then(|place| node.addresses.get(place));
    let mut options = NodeOptions::new(id, node.seed, *listen.ok_or_else(|| failed("has no address".to_string()))?);
    options.peers = members.iter().copied().zip(node.addresses.iter().map(ToString::to_string)).collect();
    options.peers.remove(&id);
    options.members = members;
    options.seed = Some(node.seed);
    options.development = true;
    options.fresh = if node.is_replaced { FreshLife::Join } else { FreshLife::Bootstrap };
    options.log.segment_bytes = 1 << 20;
    let folder = node.folder.clone();
    let opened = spawn_thread(&id.to_string(), move || {
        let directory = RealDirectory::open(&folder).map_err(std::io::Error::other);
        let directory = directory.map_err(volvox_net::NodeOpenError::Thread)?;
        Node::<Observed>::open(options, directory, move |_| shell.config(&settings), say)
    });
    let (handle, thread) = opened.map_err(|error| failed(format!("does not open: {error}")))?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(LiveError::machine("reading standard input"))?;
        if line.len() > LINE_MAX || !obey(shell, &line, &handle) {
            break;
        }
    }
    handle.stop();
    thread.join().map_err(|error| failed(format!("ends badly: {error}")))
}

/// Prints a line at once. If the parent is gone, no one reads it; then the input ends as well.
fn say(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Obeys a line of the parent; returns false if it is the order to stop.
fn obey(shell: &dyn Shell, line: &str, handle: &NodeHandle<Observed>) -> bool {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match verb {
        "command" => {
            if let Ok(command) = shell.command(rest) {
                // A command that finds the queue full is lost, as for every client of an overloaded node.
                let _ = handle.command(command);
            }
        }
        "faults" => {
            let faults: Option<Vec<Fault>> =
                rest.split(';').filter(|text| !text.is_empty()).map(|text| text.parse().ok()).collect();
            if let Some(faults) = faults {
                // The parent sends no fault that a live node refuses.
                let _ = handle.set_faults(&faults);
            }
        }
        _ => return false,
    }
    true
}
