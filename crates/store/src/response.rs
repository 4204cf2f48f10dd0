//! The responses of the store. `revision` represents the header: the store's revision when the request was applied or
//! served, never less than the one the request itself made. A door adds cluster, member and term.

use crate::request::AlarmType;
use alloc::vec::Vec;
use volvox_core::Bytes;

/// A pair as it is at some revision.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct KeyValue {
    /// Never empty.
    pub key: Bytes,
    /// Revision of the put that began the present life of the key.
    pub create_revision: i64,
    /// Revision of the last change; of the delete, in a delete event.
    pub mod_revision: i64,
    /// 1 on creation, then one more with each put; 0 in a tombstone.
    pub version: i64,
    /// Opaque.
    pub value: Bytes,
    /// The attached lease; 0: none.
    pub lease: i64,
}

/// A pair as it is at some revision, in place: see [`KeyValue`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PairRef<'a> {
    /// Never empty.
    pub key: &'a [u8],
    /// Revision of the put that began the present life of the key.
    pub create_revision: i64,
    /// Revision of the last change.
    pub mod_revision: i64,
    /// 1 on creation, then one more with each put.
    pub version: i64,
    /// Opaque.
    pub value: &'a [u8],
    /// The attached lease; 0: none.
    pub lease: i64,
}

impl KeyValue {
    /// The pair, where it lies.
    pub fn borrowed(&self) -> PairRef<'_> {
        PairRef {
            key: self.key.as_slice(),
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
            value: self.value.as_slice(),
            lease: self.lease,
        }
    }
}

/// The kind of a key's change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventKind {
    /// It was written.
    Put,
    /// It was deleted.
    Delete,
}

/// One change of one key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Event {
    /// Put or delete.
    pub kind: EventKind,
    /// The pair after a put; after a delete only `key` and `mod_revision` are set.
    pub key_value: KeyValue,
    /// The pair as it was one revision before; absent when there was none.
    pub previous: Option<KeyValue>,
}

impl Event {
    /// Whether it begins a life of its key.
    pub fn is_creation(&self) -> bool {
        self.kind == EventKind::Put && self.key_value.create_revision == self.key_value.mod_revision
    }
}

/// Everything that one revision changed, in the order it was done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Change {
    /// The revision.
    pub revision: i64,
    /// Its events, at least one.
    pub events: Vec<Event>,
}

/// Answer to a read, but for its pairs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeSummary {
    /// Header.
    pub revision: i64,
    /// Whether the limit cut pairs off.
    pub more: bool,
    /// The number of keys in the range, before limit and filters.
    pub count: i64,
}

/// Answer to a read.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RangeResponse {
    /// Header.
    pub revision: i64,
    /// The pairs.
    pub kvs: Vec<KeyValue>,
    /// The limit cut the result.
    pub more: bool,
    /// Keys in the range at the revision read, before limit and filters.
    pub count: i64,
}

/// Answer to a put.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct PutResponse {
    /// Header.
    pub revision: i64,
    /// The pair before, if it was requested and there was one.
    pub prev_kv: Option<KeyValue>,
}

/// Answer to a delete.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct DeleteRangeResponse {
    /// Header.
    pub revision: i64,
    /// How many keys were deleted.
    pub deleted: i64,
    /// The deleted pairs in key order, if they were requested.
    pub prev_kvs: Vec<KeyValue>,
}

/// Answer to a transaction. A nested one has revision 0: its header is empty in the protocol.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct TxnResponse {
    /// Header.
    pub revision: i64,
    /// Whether all compares held.
    pub succeeded: bool,
    /// One for each operation that ran, in order.
    pub responses: Vec<ResponseOp>,
}

/// Answer to one operation of a transaction; its header has only `revision`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ResponseOp {
    /// To a read.
    Range(RangeResponse),
    /// To a write.
    Put(PutResponse),
    /// To a delete.
    DeleteRange(DeleteRangeResponse),
    /// To a transaction inside.
    Txn(TxnResponse),
}

/// Answer to a compaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct CompactionResponse {
    /// Header.
    pub revision: i64,
}

/// Answer to a grant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LeaseGrantResponse {
    /// Header.
    pub revision: i64,
    /// The lease.
    pub id: i64,
    /// Seconds granted.
    pub ttl: i64,
}

/// Answer to a revocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LeaseRevokeResponse {
    /// Header.
    pub revision: i64,
}

/// An alarm that is on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AlarmMember {
    /// The member it is about.
    pub member_id: u64,
    /// The alarm.
    pub alarm: AlarmType,
}

/// Answer to an alarm request.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct AlarmResponse {
    /// Header.
    pub revision: i64,
    /// Those listed, raised or cleared.
    pub alarms: Vec<AlarmMember>,
}

/// Answer to a change of users and roles.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct AuthResponse {
    /// Header.
    pub revision: i64,
    /// The revision of users and roles after it.
    pub auth_revision: u64,
}
