//! The service KV: reads, writes, transactions, compaction (book/src/etcd.md#4).

use crate::backend::Backend;
use crate::context::{Door, header_message, message, unexpected};
use crate::convert;
use crate::grpc::{Content, Status};
use crate::proto::etcdserverpb as pb;
use crate::wire;
use volvox_service::{Answer, Body, Caller, Reading, Request};
use volvox_store::{CompactionRequest, RangeResponse, Reply as Written};

/// Reads pairs.
pub(crate) async fn range<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::RangeRequest,
) -> Result<Content, Status> {
    let answer = door.call(caller, Request::Range(convert::range(request))).await?;
    let Answer { header, body: Body::Range(reading) } = answer else {
        return Err(unexpected(&answer.body));
    };
    let content = if reading.is_long() {
        wire::range(header, in_turns(reading).await?)
    } else if let Some(content) = wire::short_range(header, &reading)? {
        Ok(content)
    } else {
        wire::range(header, reading.whole()?)
    };
    door.metrics.operations.ranges.add(1);
    content
}

/// Reads a long range some pairs at a time: the node continues meanwhile.
async fn in_turns(reading: Reading) -> Result<RangeResponse, Status> {
    let mut pages = reading.pages();
    loop {
        if let Some(response) = pages.turn()? {
            return Ok(response);
        }
        tokio::task::yield_now().await;
    }
}

/// Writes a pair.
pub(crate) async fn put<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::PutRequest,
) -> Result<Content, Status> {
    match door.call(caller, Request::Put(convert::put(request))).await? {
        Answer { header, body: Body::Written(Written::Put(response)) } => {
            door.metrics.operations.puts.add(1);
            Ok(wire::put(header, &response))
        }
        other => Err(unexpected(&other.body)),
    }
}

/// Deletes pairs.
pub(crate) async fn delete_range<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::DeleteRangeRequest,
) -> Result<Content, Status> {
    match door.call(caller, Request::DeleteRange(convert::delete_range(request))).await? {
        Answer { header, body: Body::Written(Written::DeleteRange(response)) } => {
            door.metrics.operations.deletes.add(1);
            wire::delete_range(header, &response)
        }
        other => Err(unexpected(&other.body)),
    }
}

/// Runs a transaction.
pub(crate) async fn txn<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::TxnRequest,
) -> Result<Content, Status> {
    match door.call(caller, Request::Txn(convert::txn(request))).await? {
        Answer { header, body: Body::Txn(response) | Body::Written(Written::Txn(response)) } => {
            door.metrics.operations.add_all(&response);
            wire::txn(header, &response)
        }
        other => Err(unexpected(&other.body)),
    }
}

/// Drops history.
pub(crate) async fn compact<B: Backend>(
    door: &Door<B>,
    caller: &Caller,
    request: &pb::CompactionRequest,
) -> Result<Content, Status> {
    let request = CompactionRequest { revision: request.revision, physical: request.physical };
    match door.call(caller, Request::Compact(request)).await? {
        Answer { header, body: Body::Written(Written::Compact(_)) } => {
            Ok(message(&pb::CompactionResponse { header: header_message(header) }))
        }
        other => Err(unexpected(&other.body)),
    }
}
