//! The commands in the log, and the results of applying them.
//!
//! An encoded command begins with the version of its format. The meaning of a version never changes, so members of
//! different age that apply the same log stay equal; a new one is proposed only once every member can read it.

use crate::auth::change::AuthCommand;
use crate::request::*;
use crate::response::*;
use alloc::vec::Vec;
use core::fmt;
use volvox_core::{Bytes, Decode, DecodeError, Encode, Reader};

/// The only format so far.
pub const COMMAND_VERSION: u8 = 1;

/// How deep transactions may be nested. A check admits at most max-txn-ops levels, since each takes an operation from
/// the allowance of the next; a decoder recurses, and must be bounded by itself.
pub const TXN_DEPTH_MAX: usize = 128;

/// A change of the replicated state.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Writes one pair.
    Put(PutRequest),
    /// Deletes a range.
    DeleteRange(DeleteRangeRequest),
    /// Runs a transaction.
    Txn(TxnRequest),
    /// Drops history.
    Compact(CompactionRequest),
    /// Makes a lease; `id` and `ttl` are final.
    LeaseGrant(LeaseGrantRequest),
    /// Ends a lease on a client's request.
    LeaseRevoke(LeaseRevokeRequest),
    /// Ends leases whose time is over, as the leader measured it. Leases that are already gone are skipped.
    LeaseExpire(
        /// The leases; each that has keys makes a revision of its own, in this order.
        Vec<i64>,
    ),
    /// Records the remaining time of leases. Unknown ones are skipped.
    LeaseCheckpoint(Vec<LeaseCheckpoint>),
    /// Lists, raises or clears alarms.
    Alarm(AlarmRequest),
    /// Changes users and roles.
    Auth(AuthCommand),
}

/// The result of applying a [`Command`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reply {
    /// To a put.
    Put(PutResponse),
    /// To a delete.
    DeleteRange(DeleteRangeResponse),
    /// To a transaction.
    Txn(TxnResponse),
    /// To a compaction.
    Compact(CompactionResponse),
    /// To a grant.
    LeaseGrant(LeaseGrantResponse),
    /// To a revocation.
    LeaseRevoke(LeaseRevokeResponse),
    /// To an expiry.
    LeaseExpire(LeaseRevokeResponse),
    /// To a checkpoint of leases.
    LeaseCheckpoint(LeaseRevokeResponse),
    /// To an alarm request.
    Alarm(AlarmResponse),
    /// To a change of users and roles.
    Auth(AuthResponse),
}

impl Reply {
    /// The revision for the header.
    pub fn revision(&self) -> i64 {
        match self {
            Reply::Put(reply) => reply.revision,
            Reply::DeleteRange(reply) => reply.revision,
            Reply::Txn(reply) => reply.revision,
            Reply::Compact(reply) => reply.revision,
            Reply::LeaseGrant(reply) => reply.revision,
            Reply::LeaseRevoke(reply) | Reply::LeaseExpire(reply) | Reply::LeaseCheckpoint(reply) => reply.revision,
            Reply::Alarm(reply) => reply.revision,
            Reply::Auth(reply) => reply.revision,
        }
    }
}

/// The short form for traces: sizes instead of values.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Put(put) => write!(f, "put {} {}B", put.key, put.value.len()),
            Command::DeleteRange(delete) if delete.range_end.is_empty() => write!(f, "delete {}", delete.key),
            Command::DeleteRange(delete) => write!(f, "delete [{}, {})", delete.key, delete.range_end),
            Command::Txn(txn) => {
                write!(f, "txn if {} then {} else {}", txn.compare.len(), txn.success.len(), txn.failure.len())
            }
            Command::Compact(compact) => write!(f, "compact {}", compact.revision),
            Command::LeaseGrant(grant) => write!(f, "grant {} {}s", grant.id, grant.ttl),
            Command::LeaseRevoke(revoke) => write!(f, "revoke {}", revoke.id),
            Command::LeaseExpire(ids) => write!(f, "expire {ids:?}"),
            Command::LeaseCheckpoint(list) => write!(f, "lease-checkpoint {}", list.len()),
            Command::Alarm(alarm) => write!(f, "alarm {:?} {:?} of {}", alarm.action, alarm.alarm, alarm.member_id),
            Command::Auth(command) => write!(f, "{command}"),
        }
    }
}

impl Encode for Command {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(COMMAND_VERSION);
        match self {
            Command::Put(put) => tagged(0, put, out),
            Command::DeleteRange(delete) => tagged(1, delete, out),
            Command::Txn(txn) => tagged(2, txn, out),
            Command::Compact(compact) => tagged(3, compact, out),
            Command::LeaseGrant(grant) => tagged(4, grant, out),
            Command::LeaseRevoke(revoke) => tagged(5, revoke, out),
            Command::LeaseExpire(ids) => tagged(6, ids, out),
            Command::LeaseCheckpoint(list) => tagged(7, list, out),
            Command::Alarm(alarm) => tagged(8, alarm, out),
            Command::Auth(command) => tagged(9, command, out),
        }
    }
}

impl Decode for Command {
    fn decode(input: &mut Reader<'_>) -> Result<Command, DecodeError> {
        let version = input.u8()?;
        if version != COMMAND_VERSION {
            return Err(DecodeError::Unknown("command version", u64::from(version)));
        }
        Ok(match input.u8()? {
            0 => Command::Put(Decode::decode(input)?),
            1 => Command::DeleteRange(Decode::decode(input)?),
            2 => Command::Txn(decode_txn(input, TXN_DEPTH_MAX)?),
            3 => Command::Compact(Decode::decode(input)?),
            4 => Command::LeaseGrant(Decode::decode(input)?),
            5 => Command::LeaseRevoke(Decode::decode(input)?),
            6 => Command::LeaseExpire(Decode::decode(input)?),
            7 => Command::LeaseCheckpoint(Decode::decode(input)?),
            8 => Command::Alarm(Decode::decode(input)?),
            9 => Command::Auth(Decode::decode(input)?),
            other => return Err(DecodeError::Unknown("command", u64::from(other))),
        })
    }
}

fn tagged(tag: u8, body: &impl Encode, out: &mut Vec<u8>) {
    out.push(tag);
    body.encode(out);
}

/// Writes and reads structs field by field.
macro_rules! fields {
    ($($name:ident { $($field:ident),* })*) => {$(
        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$field.encode(out);)*
            }
        }
        impl Decode for $name {
            fn decode(input: &mut Reader<'_>) -> Result<$name, DecodeError> {
                Ok($name { $($field: Decode::decode(input)?,)* })
            }
        }
    )*};
}

fields! {
    RangeRequest {
        key, range_end, limit, revision, sort_order, sort_target, serializable, keys_only, count_only,
        min_mod_revision, max_mod_revision, min_create_revision, max_create_revision
    }
    PutRequest { key, value, lease, prev_kv, ignore_value, ignore_lease }
    DeleteRangeRequest { key, range_end, prev_kv }
    Compare { result, target, key, range_end, target_union }
    CompactionRequest { revision, physical }
    LeaseGrantRequest { ttl, id }
    LeaseRevokeRequest { id }
    LeaseCheckpoint { id, remaining_ttl }
    AlarmRequest { action, member_id, alarm }
    AlarmMember { member_id, alarm }
}

macro_rules! numbers {
    ($($name:ident),*) => {$(
        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                i64::from(self.number()).encode(out);
            }
        }
        impl Decode for $name {
            fn decode(input: &mut Reader<'_>) -> Result<$name, DecodeError> {
                let number = i32::try_from(i64::decode(input)?).map_err(|_| DecodeError::Invalid(stringify!($name)))?;
                Ok($name::from(number))
            }
        }
    )*};
}

numbers!(SortOrder, SortTarget, CompareResult, CompareTarget, AlarmType, AlarmAction);

impl Encode for TargetUnion {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            TargetUnion::None => out.push(0),
            TargetUnion::Version(number) => tagged(1, number, out),
            TargetUnion::CreateRevision(number) => tagged(2, number, out),
            TargetUnion::ModRevision(number) => tagged(3, number, out),
            TargetUnion::Value(value) => tagged(4, value, out),
            TargetUnion::Lease(number) => tagged(5, number, out),
        }
    }
}

impl Decode for TargetUnion {
    fn decode(input: &mut Reader<'_>) -> Result<TargetUnion, DecodeError> {
        Ok(match input.u8()? {
            0 => TargetUnion::None,
            1 => TargetUnion::Version(i64::decode(input)?),
            2 => TargetUnion::CreateRevision(i64::decode(input)?),
            3 => TargetUnion::ModRevision(i64::decode(input)?),
            4 => TargetUnion::Value(Bytes::decode(input)?),
            5 => TargetUnion::Lease(i64::decode(input)?),
            other => return Err(DecodeError::Unknown("constant of a compare", u64::from(other))),
        })
    }
}

impl Encode for TxnRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        self.compare.encode(out);
        self.success.encode(out);
        self.failure.encode(out);
    }
}

impl Encode for RequestOp {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            RequestOp::Empty => out.push(0),
            RequestOp::Range(range) => tagged(1, range, out),
            RequestOp::Put(put) => tagged(2, put, out),
            RequestOp::DeleteRange(delete) => tagged(3, delete, out),
            RequestOp::Txn(txn) => tagged(4, txn, out),
        }
    }
}

impl Decode for TxnRequest {
    fn decode(input: &mut Reader<'_>) -> Result<TxnRequest, DecodeError> {
        decode_txn(input, TXN_DEPTH_MAX)
    }
}

fn decode_txn(input: &mut Reader<'_>, depth_left: usize) -> Result<TxnRequest, DecodeError> {
    if depth_left == 0 {
        return Err(DecodeError::TooLong);
    }
    Ok(TxnRequest {
        compare: Decode::decode(input)?,
        success: decode_ops(input, depth_left)?,
        failure: decode_ops(input, depth_left)?,
    })
}

fn decode_ops(input: &mut Reader<'_>, depth_left: usize) -> Result<Vec<RequestOp>, DecodeError> {
    let count = input.count()?;
    let mut ops = Vec::with_capacity(count.min(16));
    for _ in 0..count {
        ops.push(match input.u8()? {
            // The check refuses empty operations; one byte must not be made into a hundred.
            0 => return Err(DecodeError::Invalid("operation without content")),
            1 => RequestOp::Range(Decode::decode(input)?),
            2 => RequestOp::Put(Decode::decode(input)?),
            3 => RequestOp::DeleteRange(Decode::decode(input)?),
            4 => RequestOp::Txn(decode_txn(input, depth_left - 1)?),
            other => return Err(DecodeError::Unknown("operation", u64::from(other))),
        });
    }
    Ok(ops)
}
