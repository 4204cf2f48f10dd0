//! `get`, and the ranges of keys that several commands take.

use std::ffi::OsString;

use anyhow::Result;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::range_request::{SortOrder, SortTarget};
use volvox_etcd::proto::etcdserverpb::{RangeRequest, RangeResponse};

use super::cluster::{Cluster, MESSAGE_BYTES_MAX, Repeat};
use super::document;
use super::keys::{argument_bytes, print_pair};
use super::output::Printer;

/// One key or a range of keys.
#[derive(Args, Debug)]
pub struct Span {
    key: OsString,
    /// The end of a range of keys (exclusive)
    #[arg(conflicts_with_all = ["prefix", "from_key"])]
    range_end: Option<OsString>,
    /// All keys that begin with KEY
    #[arg(long, conflicts_with = "from_key")]
    prefix: bool,
    /// All keys greater than or equal to KEY
    #[arg(long)]
    from_key: bool,
}

impl Span {
    /// `key` and `range_end` as the protocol encodes them.
    pub fn bounds(&self) -> (Bytes, Bytes) {
        let mut key = argument_bytes(&self.key);
        let everything_from = Bytes::from_static(&[0]);
        let whole = key.is_empty() && (self.prefix || self.from_key);
        let range_end = if self.from_key || whole {
            everything_from.clone()
        } else if self.prefix {
            prefix_end(&key)
        } else {
            self.range_end.as_deref().map(argument_bytes).unwrap_or_default()
        };
        if whole {
            // There is no empty key; the smallest one is a single zero byte.
            key = everything_from;
        }
        (key, range_end)
    }
}

/// The first key after all keys that begin with `prefix`; the byte 0 means there is none.
pub fn prefix_end(prefix: &[u8]) -> Bytes {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bytes::from(end);
        }
    }
    Bytes::from_static(&[0])
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn span(key: &str, end: Option<&str>, prefix: bool, from_key: bool) -> (Bytes, Bytes) {
        let span = Span { key: key.into(), range_end: end.map(Into::into), prefix, from_key };
        span.bounds()
    }

    fn pair(key: &'static [u8], end: &'static [u8]) -> (Bytes, Bytes) {
        (Bytes::from_static(key), Bytes::from_static(end))
    }

    #[test]
    fn one_key_a_range_a_prefix_and_the_rest() {
        assert_eq!(span("k", None, false, false), pair(b"k", b""));
        assert_eq!(span("a", Some("c"), false, false), pair(b"a", b"c"));
        assert_eq!(span("k", None, true, false), pair(b"k", b"l"));
        assert_eq!(span("k", None, false, true), pair(b"k", b"\0"));
        assert_eq!(span("", None, true, false), pair(b"\0", b"\0"));
        assert_eq!(span("", None, false, true), pair(b"\0", b"\0"));
    }

    #[test]
    fn the_end_of_a_prefix_carries() {
        assert_eq!(prefix_end(b"a\xff"), Bytes::from_static(b"b"));
        assert_eq!(prefix_end(b"a\x00"), Bytes::from_static(b"a\x01"));
        assert_eq!(prefix_end(b"\xff\xff"), Bytes::from_static(b"\0"));
    }
}
