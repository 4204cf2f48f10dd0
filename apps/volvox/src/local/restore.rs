//! `volvox restore`: a new cluster on this machine, from a snapshot file.
//!
//! Every node gets a new incarnation whose checkpoint holds the store of the file: keys with all their revisions,
//! leases and alarms. The result is a different cluster from the one that the snapshot was taken from: it has its own
//! id and new members, so that nodes of the two never communicate. The next `volvox up` resumes.
//!
//! The nodes are created in a temporary folder and moved into place once all of them are complete; the manifest comes
//! last. An interrupted restore leaves no cluster.

use super::manifest::{Manifest, node_folder};
use crate::progress::Progress;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use volvox_core::{Encode, Incarnation, NodeId, Part, Position};
use volvox_disk::{Identity, Log, Options, Outcome, RealDirectory};
use volvox_etcd::snapshot::{self, Head, SnapshotError};
use volvox_replica::{Member, Seed};
use volvox_store::{Store, StoreConfig};

/// The folder in which nodes are created before they are moved into place.
const ASIDE: &str = "restore.new";

/// The magic number of bbolt, which every database of etcd has after the header of its first page.
const BBOLT_MAGIC: [u8; 4] = 0xed0c_daed_u32.to_le_bytes();
const BBOLT_MAGIC_AT: usize = 16;

/// The flags of `volvox restore`.
#[derive(Args, Clone, Debug)]
pub struct RestoreArguments {
    /// A file written by `volvox snapshot save`, or by `etcdctl snapshot save` from a volvox cluster
    file: PathBuf,
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
/// When the file is not a complete snapshot of ours, or the folder is in use; then nothing is left behind.
pub fn restore(arguments: &RestoreArguments, data: &Path, json: bool) -> Result<ExitCode> {
    let RestoreArguments { file, nodes, port_base, node_flags } = arguments;
    let mut manifest = Manifest::new(*nodes, *port_base, node_flags)?;
    refuse_what_is_there(&manifest, data)?;
    let mut progress = Progress::new();
    let head = verify(file, &mut progress)?;
    let aside = data.join(ASIDE);
    let result = write_nodes(&manifest, head, file, &aside, &mut progress).and_then(|()| {
        manifest.formed = true;
        move_into_place(&manifest, data, &aside)
    });
    progress.clear();
    // The remains are useless, and the error that matters is the one reported.
    let _ = std::fs::remove_dir_all(&aside);
    result?;
    if json {
        let document = serde_json::json!({
            "file": file.display().to_string(), "data": data.display().to_string(), "revision": head.revision,
            "cluster": manifest.cluster, "nodes": nodes, "endpoints": manifest.endpoints(),
        });
        println!("{document}");
    } else {
        println!("restored revision {} to {nodes} nodes in {}", head.revision, data.display());
        println!("start:   volvox --data {} up", data.display());
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

/// Reads the whole file and assembles the store, so that only a valid store is restored.
fn verify(file: &Path, progress: &mut Progress) -> Result<Head> {
    let mut restore = Store::restore(StoreConfig::default());
    let mut wrong = None;
    let head = read_file(file, progress, |part| {
        if wrong.is_none() {
            wrong = restore.part(&part).err();
        }
    })?;
    let store = match wrong {
        Some(error) => Err(error),
        None => restore.finish(),
    };
    let name = file.display();
    let store =
        store.map_err(|error| anyhow::anyhow!("{name} is complete, but its parts do not form a store: {error:?}"))?;
    ensure!(
        store.revision() == head.revision,
        "{name} states revision {}, but contains {}: it was not written by this program",
        head.revision,
        store.revision()
    );
    Ok(head)
}

fn read_file(file: &Path, progress: &mut Progress, mut on_part: impl FnMut(Part)) -> Result<Head> {
    let name = file.display();
    let input = File::open(file).with_context(|| format!("cannot open the snapshot {name}"))?;
    let length = input.metadata().with_context(|| format!("cannot read the snapshot {name}"))?.len();
    let mut done = 0;
    let result = snapshot::read(BufReader::with_capacity(1 << 20, input), |part| {
        done += part.data.len() as u64;
        progress.show(done, length.saturating_sub(done));
        on_part(part);
    });
    match result {
        Ok(head) => Ok(head),
        Err(SnapshotError::NotASnapshot) if is_bbolt(file) => bail!(
            "{name} is a database of etcd itself (bbolt), which has another format: \
             read its keys with etcd's tools and put them into a running cluster"
        ),
        Err(error) => Err(error).with_context(|| format!("cannot restore {name}")),
    }
}

fn is_bbolt(file: &Path) -> bool {
    let mut start = [0; BBOLT_MAGIC_AT + BBOLT_MAGIC.len()];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start[BBOLT_MAGIC_AT..] == BBOLT_MAGIC
}

fn write_nodes(manifest: &Manifest, head: Head, file: &Path, aside: &Path, progress: &mut Progress) -> Result<()> {
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
        let again = write_node(&node_folder(aside, node.id), identity, &seed, file, progress)
            .with_context(|| format!("cannot write node {}", node.id))?;
        ensure!(again == head, "{} changed while it was being read", file.display());
    }
    Ok(())
}

/// Writes one node: a new incarnation, the checkpoint, and the record after it.
fn write_node(folder: &Path, identity: Identity, seed: &Seed, file: &Path, progress: &mut Progress) -> Result<Head> {
    let (mut log, recovered) = Log::open(RealDirectory::open(folder)?, Options::default())?;
    ensure!(recovered.outcome == Outcome::Fresh, "{} is not empty", folder.display());
    log.start_life(identity)?;
    let mut numbers = Vec::new();
    for part in &seed.parts {
        log.write_part(part)?;
        numbers.push(part.number);
    }
    let mut failed = None;
    let head = read_file(file, progress, |part| {
        if failed.is_none() {
            failed = log.write_part(&part).err();
            numbers.push(part.number);
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    log.install_checkpoint(Position::NONE, &numbers)?;
    log.append([seed.record.to_bytes().as_slice()])?;
    log.write_idle()?;
    Ok(head)
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
    manifest.save(data)?;
    sync(data)
}

/// From the operating system: no one without access to the folder may guess it.
fn random_u64() -> Result<u64> {
    let mut bytes = [0; 8];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.context("the operating system provides no random numbers")?;
    Ok(u64::from_le_bytes(bytes))
}
