//! The node loop's side of sending: one buffer per peer, filled during a turn and handed over at its end.

use crate::dial::keep_link;
use crate::frame::{Kind, put_frame};
use crate::peer::{BUFFER_KEEP_BYTES, Peer};
use crate::site::Site;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::task::AbortHandle;
use volvox_core::{Duration, Encode, NodeId};

/// The links to all peers of the address book.
pub(crate) struct Links {
    site: Arc<Site>,
    book_version: u64,
    links: BTreeMap<NodeId, Link>,
}

struct Link {
    peer: Arc<Peer>,
    task: AbortHandle,
    /// Whole frames of this turn.
    turn: Vec<u8>,
    turn_messages: usize,
}

impl Links {
    pub(crate) fn new(site: Arc<Site>) -> Links {
        Links { site, book_version: 0, links: BTreeMap::new() }
    }

    /// Updates the links from the address book, if it has changed; returns the nodes that are no longer peers.
    pub(crate) fn follow_book(&mut self) -> Vec<NodeId> {
        let version = self.site.book_version();
        if version == self.book_version {
            return Vec::new();
        }
        self.book_version = version;
        let book = self.site.book();
        let gone: Vec<NodeId> = self.links.keys().filter(|id| !book.contains_key(id)).copied().collect();
        self.links.retain(|id, link| book.get(id) == Some(&link.peer.address));
        for (id, address) in book {
            let site = &self.site;
            self.links.entry(id).or_insert_with(|| {
                let peer = Arc::new(Peer::new(id, address));
                let task = tokio::spawn(keep_link(Arc::clone(&peer), Arc::clone(site))).abort_handle();
                Link { peer, task, turn: Vec::new(), turn_messages: 0 }
            });
        }
        let peers = self.links.iter().map(|(id, link)| (*id, Arc::clone(&link.peer))).collect();
        *self.site.peers.lock().expect("no panic holds this lock") = peers;
        gone
    }

    /// Encodes a message into the buffer of its receiver, or drops it, counted.
    pub(crate) fn send(&mut self, to: NodeId, message: &impl Encode) {
        let site = &self.site;
        let Some(link) = self.links.get_mut(&to) else {
            site.tallies.dropped_unroutable.add(1);
            return;
        };
        if !link.peer.has_room(link.turn.len(), link.turn_messages, &site.limits) {
            site.tallies.dropped_full.add(1);
            link.peer.dropped.fetch_add(1, Ordering::Relaxed);
            if let Some(suppressed) = site.limiter.admit("queue full", to.0, site.clock.now(), Duration::from_secs(1)) {
                let connected = link.peer.connected();
                tracing::info!(node = %site.me, peer = %to, connected, suppressed, "messages are dropped: the queue is full");
            }
            return;
        }
        let before = link.turn.len();
        let length = put_frame(Kind::Message, &mut link.turn, |out| message.encode(out));
        if length > site.limits.frame_bytes_max {
            link.turn.truncate(before);
            site.tallies.dropped_oversized.add(1);
            let limit = site.limits.frame_bytes_max;
            tracing::error!(node = %site.me, peer = %to, length, limit, "a message is dropped: it is over the limit");
            return;
        }
        link.turn_messages += 1;
    }

    /// Hands the buffers of this turn to the tasks that write.
    pub(crate) fn flush(&mut self) {
        for link in self.links.values_mut().filter(|link| link.turn_messages > 0) {
            self.site.tallies.messages_out.add(link.turn_messages as u64);
            link.peer.enqueue(&mut link.turn, std::mem::take(&mut link.turn_messages));
            if link.turn.capacity() > BUFFER_KEEP_BYTES {
                link.turn = Vec::new();
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}
