//! The service KV: reads, writes, transactions, compaction (book/src/etcd.md#4).

use crate::backend::Backend;
use crate::convert;
use crate::door::{Door, header_message, header_of, message, unexpected};
use crate::grpc::{Content, Status};
use crate::proto::etcdserverpb as pb;
use crate::wire;
use volvox_core::Bytes;
use volvox_replica::{Reply, Request};
use volvox_store::{Command, RangeRequest, RangeResponse, Reply as Written, SortOrder, SortTarget, View, checks};

/// How many pairs are looked up before others get a turn.
const TURN_PAIRS: i64 = 2000;

/// Reads pairs.
pub(crate) async fn range<B: Backend>(door: &Door<B>, request: &pb::RangeRequest) -> Result<Content, Status> {
    let request = convert::range(request);
    checks::check_range(&request)?;
    let view = if request.serializable { door.backend.view() } else { door.read().await? };
    let header = header_of(&view, view.store.revision());
    let response = if is_long(&request) {
        long_range(&view.store, &request).await?
    } else if let Some(content) = wire::short_range(header, &view.store, &request)? {
        door.metrics.operations.ranges.add(1);
        return Ok(content);
    } else {
        view.store.range(&request)?
    };
    door.metrics.operations.ranges.add(1);
    wire::range(header, response)
}

/// Writes a pair.
pub(crate) async fn put<B: Backend>(door: &Door<B>, request: &pb::PutRequest) -> Result<Content, Status> {
    let request = convert::put(request);
    checks::check_put(&request)?;
    match write(door, Command::Put(request)).await? {
        Written::Put(response) => {
            door.metrics.operations.puts.add(1);
            Ok(wire::put(door.header(response.revision), &response))
        }
        other => Err(unexpected(&Reply::Written(other))),
    }
}

/// Deletes pairs.
pub(crate) async fn delete_range<B: Backend>(
    door: &Door<B>,
    request: &pb::DeleteRangeRequest,
) -> Result<Content, Status> {
    let request = convert::delete_range(request);
    checks::check_delete_range(&request)?;
    match write(door, Command::DeleteRange(request)).await? {
        Written::DeleteRange(response) => {
            door.metrics.operations.deletes.add(1);
            wire::delete_range(door.header(response.revision), &response)
        }
        other => Err(unexpected(&Reply::Written(other))),
    }
}

/// Runs a transaction; one that only reads needs no consensus (book/src/etcd.md#4.5).
pub(crate) async fn txn<B: Backend>(door: &Door<B>, request: &pb::TxnRequest) -> Result<Content, Status> {
    let request = convert::txn(request);
    checks::check_txn(&request, door.options.txn_operations_max)?;
    if checks::is_read_only(&request) {
        let serializable = checks::is_serializable(&request);
        let view = if serializable { door.backend.view() } else { door.read().await? };
        let response = view.store.txn(&request)?;
        door.metrics.operations.add_all(&response);
        return wire::txn(header_of(&view, response.revision), &response);
    }
    match write(door, Command::Txn(request)).await? {
        Written::Txn(response) => {
            door.metrics.operations.add_all(&response);
            wire::txn(door.header(response.revision), &response)
        }
        other => Err(unexpected(&Reply::Written(other))),
    }
}

/// Drops history.
pub(crate) async fn compact<B: Backend>(door: &Door<B>, request: &pb::CompactionRequest) -> Result<Content, Status> {
    let request = volvox_store::CompactionRequest { revision: request.revision, physical: request.physical };
    match write(door, Command::Compact(request)).await? {
        Written::Compact(response) => {
            Ok(message(&pb::CompactionResponse { header: header_message(door.header(response.revision)) }))
        }
        other => Err(unexpected(&Reply::Written(other))),
    }
}

/// A write, through the log.
pub(crate) async fn write<B: Backend>(door: &Door<B>, command: Command) -> Result<Written, Status> {
    match door.ask(Request::Write(command)).await? {
        Reply::Written(written) => Ok(written),
        other => Err(unexpected(&other)),
    }
}

/// Whether a read may find more pairs than fit in one turn, and can be cut into pages.
fn is_long(request: &RangeRequest) -> bool {
    let bounds =
        [request.min_mod_revision, request.max_mod_revision, request.min_create_revision, request.max_create_revision];
    !request.range_end.is_empty()
        && !request.count_only
        && (request.limit <= 0 || request.limit > TURN_PAIRS)
        && request.sort_target == SortTarget::Key
        && request.sort_order != SortOrder::Descend
        && bounds == [0; 4]
}

/// Reads a long range from one view, some pairs at a time: the node continues meanwhile, and since a view never changes
/// the pages are one read.
async fn long_range(view: &View, request: &RangeRequest) -> Result<RangeResponse, Status> {
    let mut page = RangeRequest { limit: TURN_PAIRS, ..request.clone() };
    let mut response = view.range(&page)?;
    let wanted = if request.limit <= 0 { i64::MAX } else { request.limit };
    while response.more && (response.kvs.len() as i64) < wanted {
        tokio::task::yield_now().await;
        let last = response.kvs.last().expect("there is more only behind something");
        page.key = after(&last.key);
        page.limit = TURN_PAIRS.min(wanted - response.kvs.len() as i64);
        let mut next = view.range(&page)?;
        response.more = next.more;
        response.kvs.append(&mut next.kvs);
    }
    Ok(response)
}

/// The key right behind another.
fn after(key: &Bytes) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    Bytes::from(next)
}
