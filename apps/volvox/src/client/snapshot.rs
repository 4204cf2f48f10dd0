//! `snapshot save`: a copy of the store in a file, complete or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::{Duration, timeout};
use volvox_etcd::proto::etcdserverpb::SnapshotRequest;
use volvox_etcd::proto::etcdserverpb::maintenance_client::MaintenanceClient;

use super::cluster::{Cluster, MESSAGE_BYTES_MAX, describe};
use super::output::Printer;
use crate::local::export::ExportArguments;
use crate::local::restore::RestoreArguments;
use crate::progress::Progress;

/// The length of a snapshot's trailer: the SHA-256 of everything before it.
const CHECKSUM_BYTES: usize = 32;
/// A member that sends nothing for this long has failed.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Snapshots.
#[derive(Subcommand, Debug)]
pub enum SnapshotCommand {
    /// Save a snapshot of one member to a file
    Save { file: PathBuf },
    /// Create a new cluster on this machine from a snapshot; the same as `volvox restore`
    Restore(RestoreArguments),
    /// Convert a snapshot that an earlier version saved to a database of etcd, as `save` writes it
    Export(ExportArguments),
    /// Print hash, revision, number of keys and size of a database of etcd, as `etcdutl snapshot status` does
    Status { file: PathBuf },
}

pub async fn save(cluster: &Cluster, out: &mut Printer, file: PathBuf) -> Result<()> {
    let mut name = file.clone().into_os_string();
    name.push(".part");
    let part = PathBuf::from(name);
    let bytes = save_from_any(cluster, &part).await.inspect_err(|_| {
        // The remains are useless, and the error that matters is the one reported.
        let _ = fs::remove_file(&part);
    })?;
    let renamed = fs::rename(&part, &file).and_then(|()| sync_folder(&file));
    renamed.with_context(|| format!("snapshot save: cannot put {} in place", file.display()))?;
    if out.json() {
        return out.document(&json!({ "file": file.display().to_string(), "bytes": bytes }));
    }
    out.line(format!("Snapshot saved at {}", file.display()))?;
    out.flush()
}

/// Tries every endpoint once: an interrupted snapshot restarts at another member.
async fn save_from_any(cluster: &Cluster, part: &Path) -> Result<u64> {
    let mut tried = Vec::new();
    for _ in cluster.endpoints() {
        let (endpoint, channel) = cluster.connect_any("snapshot save").await?;
        let file = File::create(part).with_context(|| format!("snapshot save: cannot create {}", part.display()))?;
        match receive(MaintenanceClient::new(channel), file).await {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.downcast_ref::<std::io::Error>().is_some() => return Err(error),
            Err(error) => tried.push(format!("\n  {endpoint}: {error:#}")),
        }
        cluster.leave_current();
    }
    bail!("snapshot save: no endpoint gave a whole snapshot, tried:{}", tried.concat())
}

async fn receive(client: MaintenanceClient<tonic::transport::Channel>, mut file: File) -> Result<u64> {
    let mut client = client.max_decoding_message_size(MESSAGE_BYTES_MAX);
    let response = client.snapshot(SnapshotRequest {}).await;
    let mut stream = response.map_err(|status| anyhow::anyhow!(describe(&status)))?.into_inner();
    let mut checksum = TrailingChecksum::default();
    let mut progress = Progress::new();
    loop {
        let message = timeout(SILENCE_MAX, stream.message()).await.context("it stopped sending")?;
        let Some(message) = message.map_err(|status| anyhow::anyhow!(describe(&status)))? else {
            break;
        };
        checksum.update(&message.blob);
        file.write_all(&message.blob)?;
        progress.show(checksum.bytes, message.remaining_bytes);
    }
    progress.clear();
    ensure!(checksum.is_right(), "the snapshot is damaged or truncated: its checksum is wrong");
    file.sync_all()?;
    Ok(checksum.bytes)
}

fn sync_folder(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Hashes all bytes but the last 32, which must be the hash.
#[derive(Default)]
struct TrailingChecksum {
    hash: Sha256,
    tail: Vec<u8>,
    bytes: u64,
}

impl TrailingChecksum {
    fn update(&mut self, blob: &[u8]) {
        self.bytes += blob.len() as u64;
        self.tail.extend_from_slice(blob);
        let body = self.tail.len().saturating_sub(CHECKSUM_BYTES);
        self.hash.update(&self.tail[..body]);
        self.tail.drain(..body);
    }

    fn is_right(&self) -> bool {
        self.bytes > CHECKSUM_BYTES as u64 && self.hash.clone().finalize()[..] == self.tail[..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut bytes = body.to_vec();
        bytes.extend_from_slice(&Sha256::digest(body));
        bytes
    }

    fn check(bytes: &[u8], piece: usize) -> bool {
        let mut checksum = TrailingChecksum::default();
        bytes.chunks(piece).for_each(|piece| checksum.update(piece));
        checksum.is_right()
    }

    #[test]
    fn the_checksum_is_found_wherever_the_pieces_end() {
        let bytes = sealed(&[7; 1000]);
        for piece in [1, 31, 32, 33, 999, 1000, 1001, 5000] {
            assert!(check(&bytes, piece), "pieces of {piece}");
        }
    }

    #[test]
    fn damage_and_cuts_are_found() {
        let bytes = sealed(&[7; 100]);
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1;
            assert!(!check(&damaged, 64), "byte {position}");
            assert!(!check(&bytes[..position], 64), "cut at {position}");
        }
    }
}
