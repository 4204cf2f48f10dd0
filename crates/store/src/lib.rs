//! The key-value store: what a cluster agrees on.
//!
//! # The problem
//!
//! Every member of the cluster applies the same log of commands, and must come to the same state and give the same
//! answers, while readers read any revision of the last hours, watchers replay history, and checkpoints are written,
//! none of which ever blocks a write. The contract is etcd's; the texts and codes of its errors are its door's.
//!
//! # The idea
//!
//! The store is a value. [`Store::apply`] takes a [`Command`] and creates the next revision; [`Store::view`] returns a
//! view of it in constant time, and a [`View`] never changes again. Two structures make that cheap:
//!
//! - an **index** from each key to its newest change: a B+tree of shared nodes that knows how much lies below each node,
//!   so that the number of keys in a range is exact and costs two descents;
//! - a **revision log** of all changes that are still needed, as encoded bytes in immutable segments. Records of one
//!   key are chained backwards, so that its version at an old revision is found from its newest one.
//!
//! ```text
//!   index                        log
//!   a -> 7                       2: a=1     3: b=1     5: a=2 (prev 2)   6: b dead (prev 3)   7: a=3 (prev 5)
//!   b -> 6 (dead)
//!
//!   range [a, c) at revision 5:  a -> 7, too new -> 5: a=2.   b -> 6, too new -> 3: b=1.
//!   count at revision 5:         1 alive now, none was born and one died after 5: 2.
//!   compaction at 5:             2 goes at once for readers, soon from memory. 3, 6, 5 and 7 stay.
//! ```
//!
//! The cost of history for a read is proportional to how often *the keys it returns* changed since; a paged list at a
//! fixed revision costs its pages, however many keys exist and however many are written meanwhile.
//!
//! # The parts
//!
//! | module | contents |
//! |---|---|
//! | [`request`], [`response`], [`error`] | the vocabulary, named as in the protocol |
//! | [`command`] | the versioned commands in the log, and the results of applying them |
//! | [`checks`] | the checks that need no store |
//! | [`store`] | the state machine: alarms, leases, compaction |
//! | `writer`, `txn` | one revision in the making; how a transaction chooses, is checked, and runs |
//! | [`auth`], [`access`] | users, roles and permissions; whether a caller may do something |
//! | [`view`], [`range`], [`hash`], [`lease`] | what can be read |
//! | `tree`, `log` | the two structures |
//! | `compaction` | freeing memory, a little at a time |
//! | [`stepwise`] | deleting very many keys, a little at a time |
//! | [`checkpoint`], [`restore`] | the state as numbered parts, and back |
//! | [`history`] | the state as changes in order, for another kind of server, and back |
//! | [`quota`] | the space in use, and the size of a command |
//!
//! # Why members stay equal
//!
//! Only commands change the answers. Time is not an input: a lease ends when the leader says so. Nor is randomness: ids
//! are chosen before a command is proposed. Nor is configuration: settings that may differ between members are checked
//! before the proposal, never when it is applied. A member's progress in freeing memory shows in no answer, nor in the
//! bytes of a record. Therefore [`View::hash_kv`] is equal wherever the revisions are.
//!
//! # Caveats
//!
//! - The end of a lease, and a delete inside a transaction, are applied in one call, however many keys they delete:
//!   about a microsecond each. A plain delete can be applied in steps.
//! - An old revision of a key that changed n times since is found in n/64 + 64 steps.
//! - The records of the tail, at most half a MiB, are copied once more when it is sealed.
//!
//! # Files that import one another
//!
//! `store`, `compaction` and `stepwise` contain one type's methods, one file per task. A [`View`] hands out its
//! [`Lease`]s, which are read from it; a pair of the log is read from a record, and a record is written from pairs.
//!
//! # References
//!
//! The etcd v3 API; R. Bayer and E. McCreight, *Organization and Maintenance of Large Ordered Indexes* (1972), for the
//! tree; J. Driscoll and others, *Making Data Structures Persistent* (1989), for sharing it between views.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod access;
pub mod auth;
pub mod checkpoint;
pub mod checks;
pub mod command;
mod compaction;
pub mod crc32c;
mod digest;
pub mod error;
pub mod hash;
pub mod history;
pub mod key_range;
pub mod lease;
mod log;
pub mod quota;
pub mod range;
pub mod request;
pub mod response;
pub mod restore;
pub mod stepwise;
pub mod store;
mod tree;
mod txn;
pub mod view;
mod writer;

pub use access::{Access, Identity, UserIdentity};
pub use auth::change::AuthCommand;
pub use auth::{Auth, Permission, PermissionKind};
pub use checkpoint::{Checkpoint, PART_NUMBER_MAX, PartRef};
pub use command::{COMMAND_VERSION, Command, Reply};
pub use error::Error;
pub use hash::{HashKv, Hasher};
pub use history::{HistoryBuilder, HistoryChange, HistoryError};
pub use key_range::{KeyRange, RangeEnd};
pub use lease::Lease;
pub use range::Changes;
pub use request::*;
pub use response::*;
pub use restore::{Restore, RestoreError};
pub use store::{Store, StoreConfig};
pub use view::View;
