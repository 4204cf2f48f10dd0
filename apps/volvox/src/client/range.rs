//! `get`, and the ranges of keys that several commands take.

use anyhow::Result;
use clap::{Args, ValueEnum};
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use volvox_etcd::proto::etcdserverpb::{RangeRequest, RangeResponse};

use super::cluster::{Cluster, MESSAGE_BYTES_MAX, Repeat};
use super::document;
use super::keys::print_pair;
use super::output::Printer;
use super::span::Span;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    Ascend,
    Descend,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SortBy {
    Key,
    Version,
    Create,
    Modify,
    Value,
}

#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
enum Consistency {
    /// Linearizable: never older than what any client has seen
    L,
    /// Serializable: the member's local state, which may be stale
    S,
}

/// The arguments of `get`.
#[derive(Args, Debug)]
pub struct GetArguments {
    #[command(flatten)]
    span: Span,
    /// Read as of this revision
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "REVISION")]
    rev: i64,
    /// Return at most this many pairs
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "N")]
    limit: i64,
    /// Return keys only, with empty values
    #[arg(long)]
    keys_only: bool,
    /// Print only the number of keys
    #[arg(long, conflicts_with = "keys_only")]
    count_only: bool,
    /// Print only the values
    #[arg(long, conflicts_with_all = ["keys_only", "count_only"])]
    print_value_only: bool,
    #[arg(long, value_enum, ignore_case = true)]
    order: Option<Order>,
    #[arg(long, value_enum, ignore_case = true)]
    sort_by: Option<SortBy>,
    #[arg(long, value_enum, ignore_case = true, default_value = "l")]
    consistency: Consistency,
}

impl GetArguments {
    /// The request.
    pub fn request(&self) -> RangeRequest {
        let (key, range_end) = self.span.bounds();
        let order = match self.order {
            None => SortOrder::None,
            Some(Order::Ascend) => SortOrder::Ascend,
            Some(Order::Descend) => SortOrder::Descend,
        };
        let target = match self.sort_by {
            None | Some(SortBy::Key) => SortTarget::Key,
            Some(SortBy::Version) => SortTarget::Version,
            Some(SortBy::Create) => SortTarget::Create,
            Some(SortBy::Modify) => SortTarget::Mod,
            Some(SortBy::Value) => SortTarget::Value,
        };
        RangeRequest {
            key,
            range_end,
            limit: self.limit,
            revision: self.rev,
            sort_order: order.into(),
            sort_target: target.into(),
            serializable: self.consistency == Consistency::S,
            keys_only: self.keys_only,
            count_only: self.count_only,
            ..RangeRequest::default()
        }
    }
}

pub async fn get(cluster: &Cluster, out: &mut Printer, arguments: GetArguments) -> Result<()> {
    let response = read(cluster, "get", arguments.request()).await?;
    if out.json() {
        return out.document(&document::range(&response));
    }
    if arguments.count_only {
        out.line(response.count.to_string())?;
    } else if arguments.print_value_only {
        response.kvs.iter().try_for_each(|pair| out.line(&pair.value))?;
    } else {
        print_range(out, &response)?;
    }
    out.flush()
}

/// The pairs of a range.
pub fn print_range(out: &mut Printer, response: &RangeResponse) -> Result<()> {
    response.kvs.iter().try_for_each(|pair| print_pair(out, pair))
}

/// Reads a range from any member that can serve it.
pub async fn read(cluster: &Cluster, what: &str, request: RangeRequest) -> Result<RangeResponse> {
    cluster
        .call(what, Repeat::Safe, async |channel| {
            KvClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX).range(request.clone()).await
        })
        .await
}
