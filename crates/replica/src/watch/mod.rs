//! The watch hub: the watchers, their keys, and their positions (book/src/etcd.md#5).
//!
//! A door opens a stream, grants it credit, and creates watchers on it. A watcher is either *synced* — it is in the
//! `index`, and gets every change in the step that applies it — or it is *behind* and holds a position, never a queue:
//! it is caught up from the store's history (`catch_up`), many watchers in one pass, as far as its stream's credit
//! goes. A synced watcher whose stream has no credit when an event arrives falls behind at exactly that revision. So a
//! client that does not read costs a few numbers, whatever happens meanwhile, and afterwards it gets every event.
//!
//! The six guarantees of book/src/etcd.md#5.6 follow from three rules. *One position*: everything delivered to a
//! watcher is below `next_revision`, everything not delivered is at or above it, and only delivery moves it forward
//! (ordered, unique, reliable, resumable). *A revision is never split* over two responses, except as fragments
//! (atomic). *Progress is answered only when every watcher of the stream is synced* and everything before it was handed
//! over (bookmarkable).

mod catch_up;
mod hub;
mod index;
mod stream;

use alloc::sync::Arc;
use core::fmt;
use volvox_core::Bytes;
use volvox_store::{Error as StoreError, Event};

pub use hub::{Hub, HubLimits};

/// The door's name for a watch stream, never reused in a boot of the node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub u64);

/// The keys to watch.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct WatchCreate {
    /// First key, or the only one; empty is read as the byte 0x00.
    pub key: Bytes,
    /// As in a range request.
    pub range_end: Bytes,
    /// First revision to deliver; 0 is the next one.
    pub start_revision: i64,
    /// Send an occasional empty response while nothing happens.
    pub progress_notify: bool,
    /// Leave out puts.
    pub no_put: bool,
    /// Leave out deletes.
    pub no_delete: bool,
    /// Deliver the pair before the event as well.
    pub prev_kv: bool,
    /// The client's choice, unique on the stream; 0 lets the server choose.
    pub watch_id: i64,
    /// Large responses may be split.
    pub fragment: bool,
}

/// Why a create request was refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Refusal {
    /// It begins at a revision that does not exist: below zero.
    Compacted,
    /// The range holds no key.
    EmptyRange,
    /// The stream has a watcher with this id.
    DuplicateId,
    /// There are too many watchers, or too many answers wait.
    TooMany,
    /// The caller may not read the keys, or is not known: as the store says.
    Forbidden(StoreError),
    /// The token of the caller is unknown or expired.
    InvalidToken,
}

/// One response on a watch stream.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct WatchResponse {
    /// For the header.
    pub revision: i64,
    /// The watcher; -1 for none of them or all.
    pub watch_id: i64,
    /// The answer to a create request.
    pub created: bool,
    /// The last response of the watcher.
    pub canceled: bool,
    /// Not 0: canceled because history up to here is gone.
    pub compact_revision: i64,
    /// Why a create request was refused.
    pub refusal: Option<Refusal>,
    /// More pieces of this response follow.
    pub fragment: bool,
    /// The events, in revision order. Watchers that get the same ones share them, so a door encodes them once.
    pub events: Arc<[Event]>,
}

impl WatchResponse {
    /// The answer to a create request that is refused.
    pub fn refused(revision: i64, refusal: Refusal) -> WatchResponse {
        let response = WatchResponse { revision, watch_id: -1, refusal: Some(refusal), ..WatchResponse::default() };
        WatchResponse { created: true, canceled: true, ..response }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Compacted => "no such revision",
            Refusal::EmptyRange => "an empty range",
            Refusal::DuplicateId => "a watcher with this id exists",
            Refusal::TooMany => "too many requests",
            Refusal::Forbidden(error) => return write!(f, "{error}"),
            Refusal::InvalidToken => "the token is not valid",
        })
    }
}

impl fmt::Display for WatchCreate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}) from {}", self.key, self.range_end, self.start_revision)
    }
}

impl fmt::Display for WatchResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "id={} rev={}", self.watch_id, self.revision)?;
        if self.created {
            f.write_str(" created")?;
        }
        if self.canceled {
            f.write_str(" canceled")?;
        }
        if let Some(refusal) = self.refusal {
            write!(f, " refused: {refusal}")?;
        }
        if self.compact_revision != 0 {
            write!(f, " compacted {}", self.compact_revision)?;
        }
        write!(f, " {} events", self.events.len())
    }
}
