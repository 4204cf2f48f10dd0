//! The checks once the load has ended.

use super::load::Load;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use tonic::transport::{Channel, Endpoint};
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::maintenance_client::MaintenanceClient;
use volvox_etcd::proto::etcdserverpb::{HashKvRequest, RangeRequest};

/// Keys read at once.
const PAGE: i64 = 5000;

/// A connection to one node.
///
/// # Errors
/// When it cannot be made.
pub async fn connect(endpoint: String) -> Result<Channel> {
    Endpoint::from_shared(endpoint.clone())?.connect().await.with_context(|| format!("cannot connect to {endpoint}"))
}

/// Every acknowledged write is there, no read went back in time, and all nodes agree.
///
/// # Errors
/// Says what was broken.
pub async fn check(endpoints: &[String], load: &Load) -> Result<u64> {
    let violations = load.violations.lock().expect("no panic holds this lock").clone();
    if let Some(first) = violations.first() {
        bail!("{} reads went back in time; the first: {first}", violations.len());
    }
    let present = keys(&endpoints[0]).await?;
    let mut promised = 0;
    for (number, promises) in load.promises.iter().enumerate() {
        for sequence in promises.written.lock().expect("no panic holds this lock").iter() {
            promised += 1;
            if !present.contains(&load.key_of(number, *sequence)) {
                bail!("an acknowledged write is gone: {}", String::from_utf8_lossy(&load.key_of(number, *sequence)));
            }
        }
    }
    agree(endpoints).await?;
    Ok(promised)
}

async fn keys(endpoint: &str) -> Result<BTreeSet<Vec<u8>>> {
    let mut kv = KvClient::new(connect(endpoint.to_owned()).await?);
    let mut found = BTreeSet::new();
    let mut from = b"chaos/".to_vec();
    loop {
        let request = RangeRequest {
            key: from.clone().into(),
            range_end: b"chaos0".as_slice().into(),
            limit: PAGE,
            keys_only: true,
            ..RangeRequest::default()
        };
        let page = kv.range(request).await?.into_inner();
        found.extend(page.kvs.iter().map(|pair| pair.key.to_vec()));
        match page.kvs.last() {
            Some(last) if page.more => {
                from = last.key.to_vec();
                from.push(0);
            }
            _ => return Ok(found),
        }
    }
}

/// All nodes have the same history, up to a revision that all have reached.
async fn agree(endpoints: &[String]) -> Result<()> {
    let mut kv = KvClient::new(connect(endpoints[0].clone()).await?);
    let answer = kv.range(RangeRequest { key: b"x".as_slice().into(), ..RangeRequest::default() }).await?.into_inner();
    let revision = answer.header.context("an answer without a header")?.revision;
    let mut hashes = Vec::new();
    for endpoint in endpoints {
        let channel = connect(endpoint.clone()).await?;
        // A linearizable read first: then the node has applied up to that revision.
        let read = RangeRequest { key: b"x".as_slice().into(), ..RangeRequest::default() };
        KvClient::new(channel.clone()).range(read).await?;
        let answer = MaintenanceClient::new(channel).hash_kv(HashKvRequest { revision }).await?.into_inner();
        hashes.push((endpoint, answer.hash, answer.compact_revision));
    }
    if hashes.iter().any(|hash| (hash.1, hash.2) != (hashes[0].1, hashes[0].2)) {
        bail!("the nodes differ at revision {revision}: {hashes:?}");
    }
    Ok(())
}
