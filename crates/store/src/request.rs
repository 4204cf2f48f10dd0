//! The requests to the store: those of etcd's `KV`, `Lease` and `Maintenance` services.
//!
//! Field names are those of the protocol, so that a door maps one to one. Enumerations keep unknown values (`Other`),
//! because the order of checks decides which error such a request gets, and the codec does not.

use alloc::vec::Vec;
use volvox_core::Bytes;

/// Defines an enumeration of the protocol that keeps unknown numbers.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A number this program does not know.
            Other(i32),
        }

        impl $name {
            /// The number in the protocol.
            pub fn number(self) -> i32 {
                match self {
                    $($name::$variant => $number,)*
                    $name::Other(number) => number,
                }
            }
        }

        impl From<i32> for $name {
            fn from(number: i32) -> $name {
                match number {
                    $($number => $name::$variant,)*
                    other => $name::Other(other),
                }
            }
        }

        impl Default for $name {
            fn default() -> $name {
                $name::from(0)
            }
        }
    };
}

wire_enum! {
    /// In which direction a range is sorted.
    SortOrder {
        /// By key, ascending; for another target the same as `Ascend`.
        None = 0,
        /// Smallest first.
        Ascend = 1,
        /// Greatest first.
        Descend = 2,
    }
}

wire_enum! {
    /// The sort key of a range.
    SortTarget {
        /// The key.
        Key = 0,
        /// The version.
        Version = 1,
        /// The create revision.
        Create = 2,
        /// The revision of the last change.
        Mod = 3,
        /// The value, bytewise.
        Value = 4,
    }
}

wire_enum! {
    /// The relation that a [`Compare`] demands: the actual value, then the relation, then the given one.
    CompareResult {
        /// Actual = given.
        Equal = 0,
        /// Actual > given.
        Greater = 1,
        /// Actual < given.
        Less = 2,
        /// Actual differs from given.
        NotEqual = 3,
    }
}

wire_enum! {
    /// The property of the key that a [`Compare`] compares.
    CompareTarget {
        /// The version.
        Version = 0,
        /// The create revision.
        Create = 1,
        /// The revision of the last change.
        Mod = 2,
        /// The value.
        Value = 3,
        /// The lease.
        Lease = 4,
    }
}

wire_enum! {
    /// The alarm.
    AlarmType {
        /// None; with `Get`: all kinds.
        None = 0,
        /// The quota of a member is used up.
        NoSpace = 1,
        /// The data of members differ.
        Corrupt = 2,
    }
}

wire_enum! {
    /// An action on alarms.
    AlarmAction {
        /// List.
        Get = 0,
        /// Raise.
        Activate = 1,
        /// Clear.
        Deactivate = 2,
    }
}

/// Reads a key or a range of keys.
///
/// The keys that `key` and `range_end` select, here and everywhere: an empty `range_end` exactly `key`; the single byte
/// 0x00 all keys from `key` on; else `key <= k < range_end`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RangeRequest {
    /// First key, or the only one.
    pub key: Bytes,
    /// Exclusive upper bound.
    pub range_end: Bytes,
    /// At most this many pairs; 0 or less: no limit.
    pub limit: i64,
    /// Read at this revision; 0 or less: the newest.
    pub revision: i64,
    /// Direction of sorting.
    pub sort_order: SortOrder,
    /// The sort key.
    pub sort_target: SortTarget,
    /// Local state is sufficient. The store itself ignores this.
    pub serializable: bool,
    /// Blank the values.
    pub keys_only: bool,
    /// Only count.
    pub count_only: bool,
    /// Drop pairs changed before; 0: off.
    pub min_mod_revision: i64,
    /// Drop pairs changed after; 0: off.
    pub max_mod_revision: i64,
    /// Drop pairs created before; 0: off.
    pub min_create_revision: i64,
    /// Drop pairs created after; 0: off.
    pub max_create_revision: i64,
}

/// Writes one pair.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct PutRequest {
    /// The key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// Lease to attach; 0: none, and detach the old one.
    pub lease: i64,
    /// Answer the pair as it was before.
    pub prev_kv: bool,
    /// Keep the present value.
    pub ignore_value: bool,
    /// Keep the present lease.
    pub ignore_lease: bool,
}

/// Deletes a key or a range of keys.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct DeleteRangeRequest {
    /// First key, or the only one.
    pub key: Bytes,
    /// Exclusive upper bound, as in [`RangeRequest`].
    pub range_end: Bytes,
    /// Answer the deleted pairs.
    pub prev_kv: bool,
}

/// One condition of a transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Compare {
    /// The relation.
    pub result: CompareResult,
    /// The property.
    pub target: CompareTarget,
    /// First key, or the only one.
    pub key: Bytes,
    /// When not empty: must hold for every key of the range.
    pub range_end: Bytes,
    /// The constant. One that does not belong to `target` counts as 0 or empty.
    pub target_union: TargetUnion,
}

/// The constant of a [`Compare`].
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum TargetUnion {
    /// Not given.
    #[default]
    None,
    /// A version.
    Version(i64),
    /// A create revision.
    CreateRevision(i64),
    /// A revision of the last change.
    ModRevision(i64),
    /// A value.
    Value(Bytes),
    /// A lease.
    Lease(i64),
}

/// Runs one of two lists of operations, atomically.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct TxnRequest {
    /// All must hold; an empty list holds.
    pub compare: Vec<Compare>,
    /// Run when all hold.
    pub success: Vec<RequestOp>,
    /// Run otherwise.
    pub failure: Vec<RequestOp>,
}

/// One operation of a transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum RequestOp {
    /// No alternative was set; refused by the check.
    #[default]
    Empty,
    /// A read.
    Range(RangeRequest),
    /// A write.
    Put(PutRequest),
    /// A delete.
    DeleteRange(DeleteRangeRequest),
    /// A transaction inside.
    Txn(TxnRequest),
}

/// Drops history.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct CompactionRequest {
    /// History up to here goes.
    pub revision: i64,
    /// Answer only once the memory is freed. The store itself ignores this.
    pub physical: bool,
}

/// Makes a lease. A grant in the log has an `id` other than 0 and a granted `ttl`: see [`crate::checks`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LeaseGrantRequest {
    /// Seconds.
    pub ttl: i64,
    /// The lease; 0 (only before it is proposed): the server picks.
    pub id: i64,
}

/// Ends a lease and deletes its keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LeaseRevokeRequest {
    /// The lease.
    pub id: i64,
}

/// The rest of a lease's time as its leader last saw it, so that a new leader need not restart it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LeaseCheckpoint {
    /// The lease.
    pub id: i64,
    /// Seconds left.
    pub remaining_ttl: i64,
}

/// Lists, raises or clears alarms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct AlarmRequest {
    /// The action.
    pub action: AlarmAction,
    /// The member that the alarm is about. `Get` does not filter by it.
    pub member_id: u64,
    /// The alarm.
    pub alarm: AlarmType,
}
