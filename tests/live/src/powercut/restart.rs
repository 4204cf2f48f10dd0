//! One crash image, restarted: every node opens what the power cut left, and what was promised must be there.

use super::history::Demands;
use crate::live_node::{LiveNode, Plan, introduce};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::time::{Duration, Instant};
use volvox_core::Bytes;
use volvox_disk::SimulatedDirectory;
use volvox_net::{Began, FreshLife};
use volvox_replica::{Error, Request};
use volvox_store::{Command, PutRequest};

/// A cluster that was cut off is one again within this.
const LIMIT: Duration = Duration::from_secs(30);

/// The image of every folder after the power cut, and the state that must be found in it.
pub struct Image {
    /// The folders of nodes 1, 2 and 3.
    pub folders: Vec<SimulatedDirectory>,
    /// The acknowledgements before the cut.
    pub demands: Demands,
}

impl Image {
    /// Restarts the nodes, and finds every acknowledged write on each of them.
    ///
    /// # Errors
    /// Says what was broken.
    pub async fn restart(self) -> Result<()> {
        let Image { folders, demands } = self;
        let plan = Plan::small();
        let mut nodes = Vec::new();
        for (id, folder) in (1..).zip(folders) {
            let node = LiveNode::open(&plan, id, folder, FreshLife::Join).with_context(|| format!("node {id}"))?;
            // A power cut loses nothing that was synced: a node that takes another life here was wronged by its log.
            if node.handle.life().began != Began::Resumed {
                bail!("node {id} did not resume its life: {:?}", node.handle.life().began);
            }
            nodes.push(node);
        }
        introduce(&nodes);
        let whole = agree(&nodes, &demands);
        tokio::time::timeout(LIMIT, whole).await.with_context(|| format!("no cluster after {LIMIT:?}"))??;
        for node in nodes {
            node.stop().await?;
        }
        Ok(())
    }

    /// Keeps it, so that it can be restarted again.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        for (id, directory) in (1..).zip(&self.folders) {
            let path = folder.join(format!("n{id}"));
            std::fs::create_dir_all(&path)?;
            directory.write_to(&path)?;
        }
        std::fs::write(folder.join("demands.json"), self.demands.to_text())?;
        Ok(())
    }

    /// Reads a kept one.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn load(folder: &Path) -> Result<Image> {
        let text = std::fs::read_to_string(folder.join("demands.json"));
        let text = text.with_context(|| format!("{} holds no crash image", folder.display()))?;
        let mut folders = Vec::new();
        for id in 1.. {
            let path = folder.join(format!("n{id}"));
            if !path.is_dir() {
                break;
            }
            let directory = SimulatedDirectory::new(0);
            for entry in std::fs::read_dir(&path)? {
                let entry = entry?;
                directory.put_file(&entry.file_name().to_string_lossy(), &std::fs::read(entry.path())?);
            }
            folders.push(directory);
        }
        Ok(Image { folders, demands: Demands::from_text(&text)? })
    }
}

/// Every node comes to serve linearizable reads, shows what was promised, and takes part in a further write.
async fn agree(nodes: &[LiveNode], demands: &Demands) -> Result<()> {
    let put =
        Command::Put(PutRequest { key: Bytes::from("after"), value: Bytes::from("cut"), ..PutRequest::default() });
    persistently(&nodes[0], Request::Write(put)).await?;
    let mut hashes = Vec::new();
    for node in nodes {
        persistently(node, Request::Read).await?;
        demands.check(&node.view()).with_context(|| format!("on node {}", node.id()))?;
    }
    let revision = nodes.iter().map(|node| node.view().store.revision()).min().unwrap_or(0);
    for node in nodes {
        hashes.push(node.view().store.hash_kv(revision).map(|hash| (hash.compact_revision, hash.hash)));
    }
    if hashes.iter().any(|hash| *hash != hashes[0]) {
        bail!("the nodes differ at revision {revision}: {hashes:?}");
    }
    Ok(())
}

/// Until there is a leader, requests are refused.
async fn persistently(node: &LiveNode, request: Request) -> Result<()> {
    let began = Instant::now();
    loop {
        match node.request(request.clone()).await {
            Ok(_) => return Ok(()),
            Err(Error::Stopped) => bail!("node {} has stopped", node.id()),
            Err(error) if began.elapsed() > LIMIT => bail!("node {}: {error}", node.id()),
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}
