//! Fills the store, so that there is something to read before reading is measured.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, anyhow};
use bytes::Bytes;
use tokio::task::JoinSet;
use volvox_etcd::proto::etcdserverpb::request_op::Request;
use volvox_etcd::proto::etcdserverpb::{PutRequest, RangeRequest, RequestOp, TxnRequest};

use super::connection::Link;
use super::keyspace::Keyspace;
use super::load::describe;

/// Fewer than the 128 operations that etcd allows in a transaction.
const BATCH_KEYS: u64 = 100;
/// Less than the 1.5 MiB that etcd allows in a request.
const BATCH_BYTES: u64 = 1 << 20;
const TASKS: usize = 8;

/// Writes all keys, unless they already exist with values of the right length.
pub async fn ensure_filled(links: &[Link], keyspace: &Arc<Keyspace>) -> Result<()> {
    if is_filled(&links[0], keyspace).await? {
        return Ok(());
    }
    if std::io::stderr().is_terminal() {
        eprintln!("bench: writing {} keys to read", keyspace.count());
    }
    let item_bytes = keyspace.value_bytes() as u64 + 64;
    let batch = (BATCH_BYTES / item_bytes).clamp(1, BATCH_KEYS);
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let link = links[number % links.len()].clone();
        tasks.spawn(fill(link, keyspace.clone(), next.clone(), batch, number as u64));
    }
    while let Some(result) = tasks.join_next().await {
        result.expect("a filling task does not panic")?;
    }
    Ok(())
}

async fn is_filled(link: &Link, keyspace: &Keyspace) -> Result<bool> {
    let failed = |reason: String| anyhow!("bench: cannot read the existing keys: {reason}");
    let mut client = link.key_values().await.map_err(failed)?;
    let request = RangeRequest {
        key: keyspace.key(0),
        range_end: keyspace.key(keyspace.count()),
        limit: 1,
        ..RangeRequest::default()
    };
    let response = client.range(request).await.map_err(|status| failed(describe(&status)))?;
    let response = response.into_inner();
    let first = response.kvs.first().map_or(0, |pair| pair.value.len());
    Ok(response.count as u64 == keyspace.count() && first == keyspace.value_bytes())
}

async fn fill(link: Link, keyspace: Arc<Keyspace>, next: Arc<AtomicU64>, batch: u64, seed: u64) -> Result<()> {
    let failed = |reason: String| anyhow!("bench: cannot write the keys to read: {reason}");
    let mut client = link.key_values().await.map_err(failed)?;
    let mut random = fastrand::Rng::with_seed(seed);
    loop {
        let first = next.fetch_add(batch, Ordering::Relaxed);
        if first >= keyspace.count() {
            return Ok(());
        }
        let numbers = first..keyspace.count().min(first + batch);
        let puts = numbers.map(|number| put(keyspace.key(number), keyspace.value(&mut random)));
        let request = TxnRequest { success: puts.collect(), ..TxnRequest::default() };
        client.txn(request).await.map_err(|status| failed(describe(&status)))?;
    }
}

fn put(key: Bytes, value: Bytes) -> RequestOp {
    let put = PutRequest { key, value, ..PutRequest::default() };
    RequestOp { request: Some(Request::RequestPut(put)) }
}
