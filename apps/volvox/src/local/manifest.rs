//! `cluster.toml`: the description of a local cluster.
//!
//! Commands that run side by side take turns to change it (`cluster.lock`): each reads what the one before it wrote.

use crate::client::serves_tls;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use volvox_core::fault::DiskFault;
use volvox_core::{Fault, NodeId};

/// The client port of node 1 without `--port-base`; node 2 serves clients twenty thousand above, and so on.
const DEFAULT_CLIENT_PORT: u16 = 2379;
/// The most nodes: beyond this, ports run out.
pub const NODES_MAX: u64 = 6;
const VERSION: u32 = 1;

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format.
    pub version: u32,
    /// The id of the cluster.
    pub cluster: u64,
    /// The first port, if `--port-base` was given.
    pub port_base: Option<u16>,
    /// Whether the nodes have formed a cluster before: then an empty folder is a lost disk, not a new node.
    #[serde(default)]
    pub formed: bool,
    /// The active faults, as `volvox fault` takes them.
    #[serde(default)]
    pub faults: Vec<String>,
    /// The nodes.
    #[serde(rename = "node")]
    pub nodes: Vec<ManifestNode>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestNode {
    /// 1, 2, 3, ...
    pub id: u64,
    /// The port for clients.
    pub client_port: u16,
    /// The port for peers.
    pub peer_port: u16,
    /// The port for administration, on loopback.
    pub admin_port: u16,
    /// Additional flags of `volvox node`.
    #[serde(default)]
    pub flags: Vec<String>,
}

impl Manifest {
    /// Takes back a sync that fails: it fails once, and after a restart the disk of the node works again.
    pub fn forget_failed_sync(&mut self, id: u64) {
        let failed = Fault::Disk(NodeId(id), DiskFault::FailSync).to_string();
        self.faults.retain(|active| *active != failed);
    }

    /// A new cluster.
    ///
    /// # Errors
    /// When there are no nodes, too many nodes, or too few ports.
    pub fn new(nodes: u64, port_base: Option<u16>, flags: &[String]) -> Result<Manifest> {
        if nodes == 0 || nodes > NODES_MAX {
            bail!("--nodes {nodes}: a local cluster has 1 to {NODES_MAX} nodes");
        }
        let nodes = (1..=nodes).map(|id| node(id, port_base, flags)).collect::<Result<Vec<_>>>()?;
        // Random: nodes of two clusters that reach one another by mistake must not communicate.
        let cluster = fastrand::u64(1..u64::MAX >> 1);
        Ok(Manifest { version: VERSION, cluster, port_base, formed: false, faults: Vec::new(), nodes })
    }

    /// Reads the manifest of a folder; `None` when there is none.
    ///
    /// # Errors
    /// When the file cannot be read, or was written by a newer program.
    pub fn load(data: &Path) -> Result<Option<Manifest>> {
        let path = path(data);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let manifest: Manifest =
            toml::from_str(&text).with_context(|| format!("{} is not a cluster manifest", path.display()))?;
        if manifest.version > VERSION {
            bail!(
                "{} has version {}; this program supports {VERSION}: use a newer one",
                path.display(),
                manifest.version
            );
        }
        Ok(Some(manifest))
    }

    /// Reads the manifest of a folder that must have one.
    ///
    /// # Errors
    /// When there is no manifest, or it cannot be read.
    pub fn require(data: &Path) -> Result<Manifest> {
        Manifest::load(data)?.with_context(|| {
            format!("there is no cluster in {} (no cluster.toml); start one with 'volvox up', or name its folder with --data", data.display())
        })
    }

    /// Begins to change the manifest of a folder that must have one; another process that does so waits.
    ///
    /// # Errors
    /// When there is no manifest, or it cannot be read.
    pub fn edit(data: &Path) -> Result<Edit> {
        Manifest::require(data)?;
        let turn = Turn::take(data)?;
        Ok(Edit { manifest: Manifest::require(data)?, turn })
    }

    /// Writes the manifest of a folder that has none yet.
    ///
    /// # Errors
    /// When it has one meanwhile, or cannot be written.
    pub fn create(self, data: &Path) -> Result<Manifest> {
        let turn = Turn::take(data)?;
        if Manifest::load(data)?.is_some() {
            bail!("another process made a cluster in {} at the same time", data.display());
        }
        Edit { manifest: self, turn }.save(data)
    }

    /// Writes the manifest atomically.
    fn write(&self, data: &Path) -> Result<()> {
        let path = path(data);
        let temporary = data.join("cluster.toml.new");
        let text = toml::to_string(self).context("cannot encode the manifest")?;
        let write = || {
            std::fs::write(&temporary, text)?;
            std::fs::File::open(&temporary)?.sync_all()?;
            std::fs::rename(&temporary, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Finds a node by its id.
    ///
    /// # Errors
    /// When there is no such node; lists the existing ones.
    pub fn node(&self, id: u64) -> Result<&ManifestNode> {
        let known = || self.nodes.iter().map(|node| node.id.to_string()).collect::<Vec<_>>().join(", ");
        self.nodes
            .iter()
            .find(|node| node.id == id)
            .with_context(|| format!("there is no node {id}; there are {}", known()))
    }

    /// The addresses at which clients reach the cluster.
    pub fn endpoints(&self) -> Vec<String> {
        let scheme = |node: &ManifestNode| if serves_tls(&node.flags) { "https://" } else { "" };
        self.nodes.iter().map(|node| format!("{}127.0.0.1:{}", scheme(node), node.client_port)).collect()
    }
}

/// A manifest that this process alone changes.
pub struct Edit {
    manifest: Manifest,
    turn: Turn,
}

impl Edit {
    /// Writes the changed manifest, and lets the next process change it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(self, data: &Path) -> Result<Manifest> {
        let Edit { manifest, turn } = self;
        manifest.write(data)?;
        drop(turn);
        Ok(manifest)
    }
}

impl Deref for Edit {
    type Target = Manifest;

    fn deref(&self) -> &Manifest {
        &self.manifest
    }
}

impl DerefMut for Edit {
    fn deref_mut(&mut self) -> &mut Manifest {
        &mut self.manifest
    }
}

/// The right to change the manifest: a lock that the operating system releases with the file, or with the process.
struct Turn(#[expect(dead_code, reason = "the lock lives as long as its file is open")] File);

impl Turn {
    fn take(data: &Path) -> Result<Turn> {
        let path = data.join("cluster.lock");
        let lock = || {
            std::fs::create_dir_all(data)?;
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            file.lock()?;
            Ok::<File, std::io::Error>(file)
        };
        Ok(Turn(lock().with_context(|| format!("cannot lock {}", path.display()))?))
    }
}

/// The default ports: 2379 to 2381 for node 1, 22379 for node 2, 32379 for node 3, and so on; with a base, ten ports
/// per node.
fn node(id: u64, port_base: Option<u16>, flags: &[String]) -> Result<ManifestNode> {
    let first = match port_base {
        Some(base) => u64::from(base) + 10 * (id - 1),
        None if id == 1 => u64::from(DEFAULT_CLIENT_PORT),
        None => 10_000 * id + u64::from(DEFAULT_CLIENT_PORT),
    };
    let port = |offset: u64| u16::try_from(first + offset).ok().filter(|port| *port > 0);
    match (port(0), port(1), port(2)) {
        (Some(client_port), Some(peer_port), Some(admin_port)) => {
            Ok(ManifestNode { id, client_port, peer_port, admin_port, flags: flags.to_vec() })
        }
        _ => bail!("--port-base {}: node {id} would need ports beyond 65535", port_base.unwrap_or_default()),
    }
}

fn path(data: &Path) -> PathBuf {
    data.join("cluster.toml")
}

/// The folder of one node.
pub fn node_folder(data: &Path, id: u64) -> PathBuf {
    data.join(format!("n{id}"))
}

/// The log file of a node.
pub fn node_log(data: &Path, id: u64) -> PathBuf {
    data.join(format!("n{id}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_the_contract() {
        let ports = |manifest: &Manifest| manifest.nodes.iter().map(|node| node.client_port).collect::<Vec<_>>();
        assert_eq!(ports(&Manifest::new(6, None, &[]).unwrap()), [2379, 22379, 32379, 42379, 52379, 62379]);
        let based = Manifest::new(3, Some(7000), &[]).unwrap();
        assert_eq!(ports(&based), [7000, 7010, 7020]);
        assert_eq!((based.nodes[1].peer_port, based.nodes[1].admin_port), (7011, 7012));
        assert!(Manifest::new(7, None, &[]).is_err());
        assert!(Manifest::new(3, Some(65_520), &[]).is_err());
    }

    #[test]
    fn a_manifest_is_read_back() {
        let data = std::env::temp_dir().join(format!("volvox-manifest-{}", std::process::id()));
        let mut manifest = Manifest::new(3, Some(7000), &["--election-timeout".into()]).unwrap();
        manifest.faults.push("partition 1,2|3".into());
        manifest.clone().create(&data).unwrap();
        assert!(manifest.clone().create(&data).is_err(), "there is one");
        assert_eq!(Manifest::load(&data).unwrap(), Some(manifest));
        std::fs::remove_dir_all(&data).unwrap();
        assert_eq!(Manifest::load(&data).unwrap(), None);
    }

    /// `volvox start 1 & volvox start 2` is two processes.
    #[test]
    fn no_change_is_lost_among_many_writers() {
        let data = std::env::temp_dir().join(format!("volvox-writers-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&data);
        Manifest::new(3, None, &[]).and_then(|new| new.create(&data)).expect("a manifest");
        let writer = |number: usize| {
            let data = data.clone();
            std::thread::spawn(move || {
                let mut edit = Manifest::edit(&data)?;
                edit.faults.push(format!("skew 1 +{number}ms"));
                edit.save(&data).map(drop)
            })
        };
        let writers: Vec<_> = (0..40).map(writer).collect();
        for writer in writers {
            writer.join().expect("no panic").expect("written");
        }
        let manifest = Manifest::require(&data).expect("the manifest");
        std::fs::remove_dir_all(&data).expect("removed");
        assert_eq!(manifest.faults.len(), 40);
    }
}
