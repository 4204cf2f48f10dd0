//! The database file of etcd: what `etcdctl snapshot save` takes from etcd, and `etcdutl` reads.
//!
//! # The problem
//!
//! A cluster moves from etcd to this server, or back, with all that its clients can see: every key with its revisions,
//! versions and lease, and the history that watchers may still ask for. etcd keeps this in one file, whose format is
//! [`volvox_bolt`]'s and whose contents are these:
//!
//! | bucket | key | value |
//! |---|---|---|
//! | `key` | revision: main, 8 bytes; `_`; index in it, 8 bytes; `t` if it deleted the key | `mvccpb.KeyValue`; of a tombstone only the key |
//! | `lease` | id, 8 bytes | its id, TTL and remaining TTL, as protobuf |
//! | `alarm` | `etcdserverpb.AlarmMember` | nothing |
//! | `meta` | `scheduledCompactRev`, `finishedCompactRev` | a revision |
//! | | `consistent_index`, `term` | 8 bytes: the entry of the log that was applied last |
//! | | `storageVersion`, `confState` | text, such as `3.6.0`; the members of the log, as JSON |
//! | `cluster` | `clusterVersion`, `downgrade` | text; JSON |
//! | `members`, `members_removed` | id in hexadecimal | JSON |
//! | `auth`, `authUsers`, `authRoles` | `authEnabled`, `authRevision`; names | one byte, 8 bytes; protobuf |
//!
//! Numbers of fixed size are big-endian, so the order of the keys is the order of the revisions. A snapshot ends with
//! the SHA-256 of the file; a file that was copied from a data folder does not ([`Integrity`]).
//!
//! # What is carried, and what is not
//!
//! Carried both ways: the history that compaction keeps, the compaction point, leases, alarms. A lease's time starts again when a
//! leader is elected, as after every restart. Not carried: the members and the log, since a restored cluster is a new
//! one; users and roles, which this server does not have yet. [`Origin`] says what was left out, so that a caller can
//! refuse: keys that passwords protect must not become readable to all.
//!
//! Reference: `book/src/etcd.md#8.4`, `book/src/etcd.md#8.6`.

mod chunks;
mod error;
mod export;
mod fill;
mod import;
mod integrity;
mod keys;
mod status;

pub(crate) use chunks::{Chunks, Step};
pub use error::DatabaseError;
pub use export::Export;
pub use import::{Import, Origin, import};
pub use integrity::{HASH_BYTES, Integrity};
pub use keys::RevisionKey;
pub use status::{Status, hash_kv, status};

/// The names of the buckets.
mod bucket {
    pub const ALARM: &[u8] = b"alarm";
    pub const AUTH: &[u8] = b"auth";
    pub const AUTH_ROLES: &[u8] = b"authRoles";
    pub const AUTH_USERS: &[u8] = b"authUsers";
    pub const CLUSTER: &[u8] = b"cluster";
    pub const KEY: &[u8] = b"key";
    pub const LEASE: &[u8] = b"lease";
    pub const MEMBERS: &[u8] = b"members";
    pub const MEMBERS_REMOVED: &[u8] = b"members_removed";
    pub const META: &[u8] = b"meta";
}

#[cfg(test)]
mod tests;
