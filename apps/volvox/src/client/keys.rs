//! `put`, `del` and `compact`.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Args;
use serde_json::json;
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::{
    CompactionRequest, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse,
};
use volvox_etcd::proto::mvccpb::KeyValue;

use super::cluster::{Cluster, Repeat};
use super::document;
use super::lease::parse_lease;
use super::output::Printer;
use super::span::Span;

/// The arguments of `put`.
#[derive(Args, Debug)]
pub struct PutArguments {
    key: OsString,
    /// The value; read from standard input if omitted
    #[arg(allow_negative_numbers = true)]
    value: Option<OsString>,
    /// Attach the key to this lease (hexadecimal)
    #[arg(long, value_parser = parse_lease, default_value = "0", hide_default_value = true)]
    lease: i64,
    /// Print the pair as it was before
    #[arg(long)]
    prev_kv: bool,
    /// Keep the value, change the lease
    #[arg(long, conflicts_with = "value")]
    ignore_value: bool,
    /// Keep the lease, change the value
    #[arg(long, conflicts_with = "lease")]
    ignore_lease: bool,
}

impl PutArguments {
    /// The request; a missing value comes from `read_value`.
    pub fn request(self, read_value: impl FnOnce() -> Result<Bytes>) -> Result<PutRequest> {
        let value = match self.value {
            Some(value) => Bytes::from(value.into_vec()),
            None if self.ignore_value => Bytes::new(),
            None => read_value()?,
        };
        Ok(PutRequest {
            key: Bytes::from(self.key.into_vec()),
            value,
            lease: self.lease,
            prev_kv: self.prev_kv,
            ignore_value: self.ignore_value,
            ignore_lease: self.ignore_lease,
        })
    }
}

/// The arguments of `del`.
#[derive(Args, Debug)]
pub struct DeleteArguments {
    #[command(flatten)]
    span: Span,
    /// Print the deleted pairs
    #[arg(long)]
    prev_kv: bool,
}

impl DeleteArguments {
    /// The request.
    pub fn request(self) -> DeleteRangeRequest {
        let (key, range_end) = self.span.bounds();
        DeleteRangeRequest { key, range_end, prev_kv: self.prev_kv }
    }
}

/// The arguments of `compact`.
#[derive(Args, Debug)]
pub struct CompactArguments {
    /// The oldest revision to keep
    revision: i64,
    /// Return only after the old data is gone
    #[arg(long)]
    physical: bool,
}

pub async fn put(cluster: &Cluster, out: &mut Printer, arguments: PutArguments) -> Result<()> {
    let request = arguments.request(read_standard_input)?;
    let response =
        cluster.call("put", Repeat::Unsafe, async |channel| KvClient::new(channel).put(request.clone()).await).await?;
    if out.json() {
        return out.document(&document::put(&response));
    }
    print_put(out, &response)?;
    out.flush()
}

fn read_standard_input() -> Result<Bytes> {
    let mut value = Vec::new();
    std::io::stdin().read_to_end(&mut value).context("reading the value from standard input")?;
    Ok(Bytes::from(value))
}

pub async fn delete(cluster: &Cluster, out: &mut Printer, arguments: DeleteArguments) -> Result<()> {
    let request = arguments.request();
    let response = cluster
        .call("del", Repeat::Unsafe, async |channel| {
            KvClient::new(channel)
                .max_decoding_message_size(super::cluster::MESSAGE_BYTES_MAX)
                .delete_range(request.clone())
                .await
        })
        .await?;
    if out.json() {
        return out.document(&document::delete(&response));
    }
    print_delete(out, &response)?;
    out.flush()
}

pub async fn compact(cluster: &Cluster, out: &mut Printer, arguments: CompactArguments) -> Result<()> {
    let CompactArguments { revision, physical } = arguments;
    let response = cluster
        .call("compact", Repeat::Unsafe, async |channel| {
            KvClient::new(channel).compact(CompactionRequest { revision, physical }).await
        })
        .await?;
    if out.json() {
        let header = document::header(response.header.as_ref());
        return out.document(&json!({ "header": header, "compact_revision": revision }));
    }
    out.line(format!("compacted revision {revision}"))?;
    out.flush()
}

/// `OK`, and the pair as it was before if it was asked for.
pub fn print_put(out: &mut Printer, response: &PutResponse) -> Result<()> {
    out.line("OK")?;
    match &response.prev_kv {
        Some(pair) => print_pair(out, pair),
        None => Ok(()),
    }
}

/// The number of deleted keys, and the pairs if they were asked for.
pub fn print_delete(out: &mut Printer, response: &DeleteRangeResponse) -> Result<()> {
    out.line(response.deleted.to_string())?;
    response.prev_kvs.iter().try_for_each(|pair| print_pair(out, pair))
}

/// Prints a key on one line and its value on the next.
pub fn print_pair(out: &mut Printer, pair: &KeyValue) -> Result<()> {
    out.line(&pair.key)?;
    out.line(&pair.value)
}
