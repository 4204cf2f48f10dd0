//! `volvox restore`: a new cluster on this machine, from a snapshot file.
//!
//! The file is a snapshot of ours or of etcd. Every node gets a new incarnation whose checkpoint holds the store of the
//! file: keys with all their revisions, leases and alarms. The result is a different cluster from the one that the snapshot
//! was taken from: it has its own id and new members, so that nodes of the two never communicate. The next `volvox up`
//! resumes.
//!
//! The nodes are created in a temporary folder and moved into place once all of them are complete; the manifest comes
//! last. An interrupted restore leaves no cluster.

use super::manifest::{Manifest, node_folder};
use super::snapshot_file::{self, Loaded};
use crate::print::say;
use crate::progress::Progress;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use volvox_core::{Encode, Incarnation, NodeId, Position};
use volvox_disk::{Identity, Log, Options, Outcome, RealDirectory};
use volvox_etcd::database::{Integrity, Origin};
use volvox_replica::{Member, Seed};
use volvox_store::View;

/// The folder in which nodes are created before they are moved into place.
const ASIDE: &str = "restore.new";

/// The flags of `volvox restore`.
#[derive(Args, Clone, Debug)]
pub struct RestoreArguments {
    /// A file that `volvox snapshot save` or `etcdctl snapshot save` wrote, from a cluster of volvox or of etcd
    file: PathBuf,
    /// Accept a database of etcd without a hash at its end, such as a copy of member/snap/db
    #[arg(long)]
    skip_hash_check: bool,
    /// Restore a database whose clients had to log in, without its users and roles: every client may read and write all
    /// keys
    #[arg(long)]
    without_auth: bool,
    /// The number of nodes of the new cluster
    #[arg(long, default_value_t = 3)]
    nodes: u64,
    /// As for `volvox up`
    #[arg(long, value_name = "P")]
    port_base: Option<u16>,
    /// Additional flags for every node, as `volvox node` takes them (after `--`)
    #[arg(last = true, value_name = "NODE FLAGS")]
    node_flags: Vec<String>,
}

/// Runs `volvox restore`.
///
/// # Errors
/// When the file is not a complete snapshot, or the folder is in use; then nothing is left behind.
pub fn restore(arguments: &RestoreArguments, data: &Path, json: bool) -> Result<ExitCode> {
    let RestoreArguments { file, nodes, port_base, node_flags, .. } = arguments;
    let mut manifest = Manifest::new(*nodes, *port_base, node_flags)?;
    refuse_what_is_there(&manifest, data)?;
    let integrity = if arguments.skip_hash_check { Integrity::Unchecked } else { Integrity::Hash };
    let Loaded { view, origin } = snapshot_file::load(file, integrity, &mut Progress::new())?;
    if let Some(origin) = origin {
        refuse_what_was_protected(&origin, arguments)?;
    }
    let aside = data.join(ASIDE);
    let result = write_nodes(&manifest, &view, &aside).and_then(|()| {
        manifest.formed = true;
        move_into_place(&manifest, data, &aside)
    });
    // The remains are useless, and the error that matters is the one reported.
    let _ = std::fs::remove_dir_all(&aside);
    result?;
    if json {
        let document = serde_json::json!({
            "file": file.display().to_string(), "data": data.display().to_string(), "revision": view.revision(),
            "cluster": manifest.cluster, "nodes": nodes, "endpoints": manifest.endpoints(),
        });
        say(document);
    } else {
        say(format_args!("restored revision {} to {nodes} nodes in {}", view.revision(), data.display()));
        say(format_args!("start:   volvox --data {} up", data.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse_what_is_there(manifest: &Manifest, data: &Path) -> Result<()> {
    if Manifest::load(data)?.is_some() {
        bail!(
            "{} already holds a cluster, and a snapshot is restored to a new one: name another folder with --data",
            data.display()
        );
    }
    for node in &manifest.nodes {
        let folder = node_folder(data, node.id);
        if folder.exists() {
            bail!(
                "{} already exists and is not part of a cluster: remove it, or name another --data",
                folder.display()
            );
        }
    }
    Ok(())
}

/// Keys that passwords protect must not become readable to all because an operator did not think of it.
fn refuse_what_was_protected(origin: &Origin, arguments: &RestoreArguments) -> Result<()> {
    let Origin { auth_enabled, users, roles, .. } = origin;
    let name = arguments.file.display();
    if *auth_enabled && !arguments.without_auth {
        bail!(
            "{name} is of a cluster whose clients log in ({users} users, {roles} roles), and this version does not restore users: \
             its keys would be open to every client; --without-auth restores it nevertheless"
        );
    }
    if users + roles > 0 {
        eprintln!("{name} has {users} users and {roles} roles, which are not restored");
    }
    Ok(())
}

fn write_nodes(manifest: &Manifest, view: &View, aside: &Path) -> Result<()> {
    if aside.exists() {
        // An earlier restore was interrupted here.
        std::fs::remove_dir_all(aside).with_context(|| format!("cannot remove {}", aside.display()))?;
    }
    let scheme = if manifest.nodes.iter().any(|node| node.flags.iter().any(|flag| flag.starts_with("--peer-ca"))) {
        "https"
    } else {
        "http"
    };
    let members: Vec<Member> = manifest
        .nodes
        .iter()
        .map(|node| Member {
            id: NodeId(node.id),
            name: String::new(),
            peer_urls: vec![format!("{scheme}://127.0.0.1:{}", node.peer_port)],
            client_urls: Vec::new(),
            is_learner: false,
        })
        .collect();
    let seed = volvox_replica::seed(&members);
    for node in &manifest.nodes {
        let identity = Identity {
            cluster: manifest.cluster,
            node: NodeId(node.id),
            incarnation: Incarnation(1),
            nonce: random_u64()?,
        };
        write_node(&node_folder(aside, node.id), identity, &seed, view)
            .with_context(|| format!("cannot write node {}", node.id))?;
    }
    Ok(())
}

/// Writes one node: a new incarnation, the checkpoint, and the record after it.
fn write_node(folder: &Path, identity: Identity, seed: &Seed, view: &View) -> Result<()> {
    let (mut log, recovered) = Log::open(RealDirectory::open(folder)?, Options::default())?;
    ensure!(recovered.outcome == Outcome::Fresh, "{} is not empty", folder.display());
    log.start_life(identity)?;
    let mut numbers = Vec::new();
    for part in &seed.parts {
        log.write_part(part)?;
        numbers.push(part.number);
    }
    for part in view.checkpoint() {
        log.write_part(&part.to_part())?;
        numbers.push(part.number());
    }
    log.install_checkpoint(Position::NONE, &numbers)?;
    log.append([seed.record.to_bytes().as_slice()])?;
    log.write_idle()?;
    Ok(())
}

fn move_into_place(manifest: &Manifest, data: &Path, aside: &Path) -> Result<()> {
    let sync = |folder: &Path| {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .with_context(|| format!("cannot sync {}", folder.display()))
    };
    for node in &manifest.nodes {
        let (from, to) = (node_folder(aside, node.id), node_folder(data, node.id));
        std::fs::rename(&from, &to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))?;
    }
    sync(data)?;
    manifest.clone().create(data)?;
    sync(data)
}

/// From the operating system: no one without access to the folder may guess it.
fn random_u64() -> Result<u64> {
    let mut bytes = [0; 8];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.context("the operating system provides no random numbers")?;
    Ok(u64::from_le_bytes(bytes))
}
