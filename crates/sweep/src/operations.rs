//! The requests of clients, and whether the answers are correct.
//!
//! Every answer is compared with the history at the revision in its header, and that revision with the highest one in
//! any answer before the request.

use crate::truth::Truth;
use std::ops::ControlFlow;
use volvox_core::{Bytes, Instant, NodeId};
use volvox_replica::MemberRequest;
use volvox_service::{Call, Error as ServiceError, Reading, Request};
use volvox_store::{
    AlarmAction, AlarmRequest, AlarmType, CompactionRequest, Compare, CompareTarget, DeleteRangeRequest,
    Error as StoreError, EventKind, KeyRange, KeyValue, LeaseGrantRequest, LeaseRevokeRequest, PairRef, PutRequest,
    RangeRequest, RangeResponse, Reply as StoreReply, RequestOp, ResponseOp, SortOrder, TargetUnion, TxnRequest,
    TxnResponse, View,
};

/// One question of a client.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Writes a pair; the value is unique in the run.
    Put(PutRequest),
    /// Deletes a key or a range.
    Delete(DeleteRangeRequest),
    /// Writes a register if it still is as it was seen: at this revision, 0 for absent.
    CompareAndSet {
        /// The key.
        key: Bytes,
        /// The expected value.
        expected: Option<Bytes>,
        /// The new value.
        value: Bytes,
    },
    /// Writes several pairs at once if one of the keys was not changed after a revision.
    Multi {
        /// The keys, and what is written.
        puts: Vec<(Bytes, Bytes)>,
        /// The revision.
        unless_after: i64,
    },
    /// Reads.
    Read(RangeRequest),
    /// Reads several keys at once.
    ReadTxn(TxnRequest),
    /// Grants a lease; with an id of 0 the server chooses one.
    Grant(LeaseGrantRequest),
    /// Revokes a lease.
    Revoke(i64),
    /// Renews a lease.
    KeepAlive(i64),
    /// How long does a lease live?
    TimeToLive(i64),
    /// Forgets history.
    Compact(i64),
    /// Clears the alarm that the quota is used up.
    ClearAlarm(NodeId),
    /// Hands leadership over.
    MoveLeader(NodeId),
    /// A change of the members.
    Member(MemberRequest),
}

/// A question that is not answered yet.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The client.
    pub client: usize,
    /// The node.
    pub node: NodeId,
    /// The time.
    pub at: Instant,
    /// The highest revision in any answer by then.
    pub floor: i64,
    /// The operation.
    pub operation: Operation,
    /// Its place in the history of its register.
    pub register: Option<usize>,
    /// Its way to an answer, while it waits for the replica.
    pub call: Option<Call>,
}

impl Operation {
    /// The request to the service; `seed` is its chance.
    pub fn request(&self, seed: u64) -> Request {
        match self {
            Operation::Put(put) => Request::Put(put.clone()),
            Operation::Delete(delete) => Request::DeleteRange(delete.clone()),
            Operation::CompareAndSet { key, expected, value } => {
                Request::Txn(compare_and_set(key, expected.as_ref(), value))
            }
            Operation::Multi { puts, unless_after } => Request::Txn(multi(puts, *unless_after)),
            Operation::Read(read) => Request::Range(read.clone()),
            Operation::ReadTxn(txn) => Request::Txn(txn.clone()),
            Operation::Grant(wish) => Request::LeaseGrant { wish: *wish, seed },
            Operation::Revoke(id) => Request::LeaseRevoke(LeaseRevokeRequest { id: *id }),
            Operation::KeepAlive(lease) => Request::LeaseKeepAlive { lease: *lease },
            Operation::TimeToLive(lease) => Request::LeaseTimeToLive { lease: *lease, keys: true },
            Operation::Compact(revision) => {
                Request::Compact(CompactionRequest { revision: *revision, ..CompactionRequest::default() })
            }
            Operation::ClearAlarm(node) => Request::Alarm(AlarmRequest {
                action: AlarmAction::Deactivate,
                member_id: node.0,
                alarm: AlarmType::NoSpace,
            }),
            Operation::MoveLeader(to) => Request::MoveLeader { to: *to },
            Operation::Member(request) => Request::Member(request.clone()),
        }
    }

    /// The values that it writes if it happens.
    pub fn values(&self) -> Vec<Bytes> {
        match self {
            Operation::Put(put) => vec![put.value.clone()],
            Operation::CompareAndSet { value, .. } => vec![value.clone()],
            Operation::Multi { puts, .. } => puts.iter().map(|(_, value)| value.clone()).collect(),
            _ => Vec::new(),
        }
    }
}

/// A successful answer to a write is what the history holds; returns the revision of its header.
///
/// # Errors
/// With what is wrong.
pub fn check_written(truth: &Truth, asked: &Asked, reply: &StoreReply) -> Result<i64, String> {
    let revision = reply.revision();
    if revision < asked.floor {
        return Err(format!("answered at revision {revision}, and {} was known before it was asked", asked.floor));
    }
    if revision > truth.revision() {
        return Err(format!("answered at revision {revision}, which no replica has"));
    }
    match (&asked.operation, reply) {
        (Operation::Put(put), StoreReply::Put(_)) => {
            check_puts(truth, asked, revision, std::iter::once((&put.key, &put.value)))?;
        }
        (Operation::Delete(delete), StoreReply::DeleteRange(reply)) => {
            check_deleted(truth, asked, revision, delete, reply.deleted)?;
        }
        (Operation::CompareAndSet { key, expected, value }, StoreReply::Txn(reply)) => {
            let at = if reply.succeeded { revision - 1 } else { revision };
            let there = truth.get(key, at).map(|pair| &pair.value);
            check_verdict(reply, there == expected.as_ref())?;
            check_branch(truth, asked, revision, reply, std::iter::once((key, value)))?;
        }
        (Operation::Multi { puts, unless_after }, StoreReply::Txn(reply)) => {
            let at = if reply.succeeded { revision - 1 } else { revision };
            let changed = truth.get(&puts[0].0, at).map_or(0, |pair| pair.mod_revision);
            check_verdict(reply, changed <= *unless_after)?;
            check_branch(truth, asked, revision, reply, puts.iter().map(|(key, value)| (key, value)))?;
        }
        (Operation::Compact(at), StoreReply::Compact(_)) if truth.compacted() < *at => {
            return Err(format!("compaction at {at} was acknowledged, and no replica is compacted there"));
        }
        (Operation::Compact(_), StoreReply::Compact(_))
        | (Operation::Grant(_), StoreReply::LeaseGrant(_))
        | (Operation::Revoke(_), StoreReply::LeaseRevoke(_))
        | (Operation::ClearAlarm(_), StoreReply::Alarm(_)) => {}
        (operation, reply) => return Err(format!("{operation:?} is answered by {reply:?}")),
    }
    Ok(revision)
}

fn check_verdict(reply: &TxnResponse, expected: bool) -> Result<(), String> {
    if reply.succeeded == expected {
        return Ok(());
    }
    Err(format!("a transaction succeeded={} at {}, where its compare was {expected}", reply.succeeded, reply.revision))
}

fn check_branch<'a>(
    truth: &Truth,
    asked: &Asked,
    revision: i64,
    reply: &TxnResponse,
    puts: impl Iterator<Item = (&'a Bytes, &'a Bytes)>,
) -> Result<(), String> {
    if reply.succeeded {
        return check_puts(truth, asked, revision, puts);
    }
    for response in &reply.responses {
        if let ResponseOp::Range(range) = response {
            let key = match &asked.operation {
                Operation::CompareAndSet { key, .. } => key,
                Operation::Multi { puts, .. } => &puts[0].0,
                other => return Err(format!("{other:?} has no branches")),
            };
            let there: Vec<&KeyValue> = truth.get(key, revision).into_iter().collect();
            if range.kvs.iter().collect::<Vec<_>>() != there {
                return Err(format!("a transaction read {:?}, where {there:?} was", range.kvs));
            }
        }
    }
    Ok(())
}

fn check_puts<'a>(
    truth: &Truth,
    asked: &Asked,
    revision: i64,
    puts: impl Iterator<Item = (&'a Bytes, &'a Bytes)>,
) -> Result<(), String> {
    if revision <= asked.floor {
        return Err(format!("a write got revision {revision}, and {} was known before", asked.floor));
    }
    let change = truth.change(revision);
    for (key, value) in puts {
        let holds = change.is_some_and(|change| {
            change.events.iter().any(|event| {
                event.kind == EventKind::Put && event.key_value.key == *key && event.key_value.value == *value
            })
        });
        if !holds {
            return Err(format!("the write of {key} was acknowledged at {revision}, which holds {change:?}"));
        }
    }
    Ok(())
}

fn check_deleted(
    truth: &Truth,
    asked: &Asked,
    revision: i64,
    delete: &DeleteRangeRequest,
    deleted: i64,
) -> Result<(), String> {
    let range = KeyRange::new(&delete.key, &delete.range_end);
    if deleted == 0 {
        let there = truth.range(&range, revision).count();
        return if there == 0 {
            Ok(())
        } else {
            Err(format!("nothing was deleted at {revision}, where {there} keys are"))
        };
    }
    let before = truth.range(&range, revision - 1).count() as i64;
    let events = truth.change(revision).map_or(0, |change| {
        let inside =
            |event: &&volvox_store::Event| event.kind == EventKind::Delete && range.contains(&event.key_value.key);
        change.events.iter().filter(inside).count() as i64
    });
    if revision <= asked.floor || deleted != before || deleted != events {
        return Err(format!("deleted {deleted} at {revision}, where {before} keys were and {events} went"));
    }
    Ok(())
}

/// Reads as a door does, and compares with the history. `header` is the revision of the answer, `view` the state that it is
/// about. Returns what was read; `None` when the history that it asked for is gone, or not there yet.
///
/// # Errors
/// With what is wrong.
pub fn check_read(
    truth: &Truth,
    view: &View,
    header: i64,
    reading: Reading,
    floor: i64,
) -> Result<Option<RangeResponse>, String> {
    let request = reading.request().clone();
    if !request.serializable && header < floor {
        return Err(format!("read at revision {header}, and {floor} was known before it was asked"));
    }
    let in_place = if reading.is_long() { None } else { visited(&reading) };
    let response = match reading.read() {
        Ok(response) => response,
        Err(ServiceError::Store(StoreError::Compacted)) if request.revision < view.compacted() => return Ok(None),
        Err(ServiceError::Store(StoreError::FutureRevision)) if request.revision > header => return Ok(None),
        Err(error) => return Err(format!("{request:?} at {header} is refused: {error}")),
    };
    check_pairs(truth, &request, &response, header)?;
    if in_place.is_some_and(|pairs| pairs != response.kvs) {
        return Err(format!("{request:?} visits other pairs than it lists: {response:?}"));
    }
    Ok(Some(response))
}

/// The pairs of a short read, as a door encodes them in place.
fn visited(reading: &Reading) -> Option<Vec<KeyValue>> {
    let mut pairs = Vec::new();
    let visit = &mut |pair: PairRef<'_>| {
        pairs.push(KeyValue {
            key: Bytes::from(pair.key),
            create_revision: pair.create_revision,
            mod_revision: pair.mod_revision,
            version: pair.version,
            value: Bytes::from(pair.value),
            lease: pair.lease,
        });
        ControlFlow::Continue(())
    };
    reading.visit(visit).ok()?;
    Some(pairs)
}

/// The answer to a transaction that only reads is what the history holds at its revision.
///
/// # Errors
/// With what is wrong.
pub fn check_read_txn(truth: &Truth, txn: &TxnRequest, response: &TxnResponse, floor: i64) -> Result<(), String> {
    let reads = txn.success.iter().filter_map(|op| match op {
        RequestOp::Range(read) => Some(read),
        _ => None,
    });
    let header = response.revision;
    if header < floor && !reads.clone().all(|read| read.serializable) {
        return Err(format!("read at revision {header}, and {floor} was known before it was asked"));
    }
    if !response.succeeded || response.responses.len() != txn.success.len() {
        return Err(format!("a transaction of {} reads is answered by {response:?}", txn.success.len()));
    }
    for (read, op) in reads.zip(&response.responses) {
        match op {
            ResponseOp::Range(range) => check_pairs(truth, read, range, header)?,
            other => return Err(format!("{read:?} is answered by {other:?}")),
        }
    }
    Ok(())
}

fn check_pairs(truth: &Truth, request: &RangeRequest, response: &RangeResponse, header: i64) -> Result<(), String> {
    let at = if request.revision > 0 { request.revision } else { header };
    let range = KeyRange::new(&request.key, &request.range_end);
    let mut expected: Vec<&KeyValue> = truth.range(&range, at).collect();
    let count = expected.len() as i64;
    if request.sort_order == SortOrder::Descend {
        expected.reverse();
    }
    if request.limit > 0 {
        expected.truncate(request.limit as usize);
    }
    let more = !request.count_only && (expected.len() as i64) < count;
    if request.count_only {
        expected.clear();
    }
    let same = response.count == count && response.more == more && response.kvs.iter().collect::<Vec<_>>() == expected;
    if same {
        return Ok(());
    }
    Err(format!("{request:?} reads {response:?} at {at}, where {count} keys were: {expected:?}"))
}

fn compare_and_set(key: &Bytes, expected: Option<&Bytes>, value: &Bytes) -> TxnRequest {
    let key = key.clone();
    let compare = match expected {
        Some(expected) => Compare {
            target: CompareTarget::Value,
            key: key.clone(),
            target_union: TargetUnion::Value(expected.clone()),
            ..Compare::default()
        },
        None => Compare {
            target: CompareTarget::Create,
            key: key.clone(),
            target_union: TargetUnion::CreateRevision(0),
            ..Compare::default()
        },
    };
    let put = PutRequest { key: key.clone(), value: value.clone(), ..PutRequest::default() };
    let read = RangeRequest { key, ..RangeRequest::default() };
    TxnRequest { compare: vec![compare], success: vec![RequestOp::Put(put)], failure: vec![RequestOp::Range(read)] }
}

fn multi(puts: &[(Bytes, Bytes)], unless_after: i64) -> TxnRequest {
    let compare = Compare {
        result: volvox_store::CompareResult::Less,
        target: CompareTarget::Mod,
        key: puts[0].0.clone(),
        target_union: TargetUnion::ModRevision(unless_after + 1),
        ..Compare::default()
    };
    let put = |(key, value): &(Bytes, Bytes)| {
        RequestOp::Put(PutRequest { key: key.clone(), value: value.clone(), ..PutRequest::default() })
    };
    let read = RangeRequest { key: puts[0].0.clone(), ..RangeRequest::default() };
    TxnRequest {
        compare: vec![compare],
        success: puts.iter().map(put).collect(),
        failure: vec![RequestOp::Range(read)],
    }
}
