//! The shared parts of one node: its identity, clocks, bounds, address book and counters.

use crate::clock::Clock;
use crate::counters::{LatencyTally, Tallies, Tally};
use crate::error::LinkError;
use crate::faults::FaultTable;
use crate::http::Answers;
use crate::limiter::LogLimiter;
use crate::options::Limits;
use crate::peer::Peer;
use crate::tls::TlsFiles;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::Notify;
use volvox_core::{Duration, Incarnation, NodeId};

/// The interval between log lines for the same error with the same peer.
const LINK_LOG_INTERVAL: Duration = Duration::from_secs(10);

pub(crate) struct Site {
    pub(crate) me: NodeId,
    pub(crate) cluster: u64,
    pub(crate) incarnation: Incarnation,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) faults: FaultTable,
    pub(crate) tls: Option<TlsFiles>,
    /// The answers to HTTP requests on the peer port; without them such a connection is refused.
    pub(crate) answers: OnceLock<Answers>,
    pub(crate) tallies: Tallies,
    pub(crate) longest_step_nanos: Tally,
    pub(crate) disk_busy_nanos: Tally,
    pub(crate) batch_writes: LatencyTally,
    pub(crate) checkpoint_writes: LatencyTally,
    pub(crate) log_counters: Mutex<volvox_disk::Counters>,
    pub(crate) limiter: LogLimiter,
    /// The order numbers of accepted connections: see the handshake.
    pub(crate) connection_order: AtomicU64,
    /// Wakes the node loop.
    pub(crate) wake: Notify,
    pub(crate) stop: AtomicBool,
    pub(crate) stopped: AtomicBool,
    book: Mutex<BTreeMap<NodeId, String>>,
    book_version: AtomicU64,
    /// The links that the node loop last made from the book.
    pub(crate) peers: Mutex<BTreeMap<NodeId, Arc<Peer>>>,
}

/// The names of a node, for [`Site::new`].
pub(crate) struct Name {
    pub(crate) me: NodeId,
    pub(crate) cluster: u64,
    pub(crate) incarnation: Incarnation,
}

impl Site {
    pub(crate) fn new(
        name: Name,
        limits: Limits,
        development: bool,
        tls: Option<TlsFiles>,
        mut book: BTreeMap<NodeId, String>,
    ) -> Site {
        book.remove(&name.me);
        Site {
            me: name.me,
            cluster: name.cluster,
            incarnation: name.incarnation,
            limits,
            clock: Clock::start(),
            faults: FaultTable::new(name.me, development),
            tls,
            answers: OnceLock::new(),
            tallies: Tallies::default(),
            longest_step_nanos: Tally::default(),
            disk_busy_nanos: Tally::default(),
            batch_writes: LatencyTally::default(),
            checkpoint_writes: LatencyTally::default(),
            log_counters: Mutex::default(),
            limiter: LogLimiter::default(),
            connection_order: AtomicU64::new(0),
            wake: Notify::new(),
            stop: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            book: Mutex::new(book),
            book_version: AtomicU64::new(1),
            peers: Mutex::default(),
        }
    }

    /// Whether an authority vouches for the peers.
    pub(crate) fn verifies_peers(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsFiles::verifies)
    }

    /// Whether that node may connect.
    pub(crate) fn knows(&self, id: NodeId) -> bool {
        self.book.lock().expect("no panic holds this lock").contains_key(&id)
    }

    pub(crate) fn set_peer(&self, id: NodeId, address: String) {
        if id == self.me {
            return;
        }
        self.book.lock().expect("no panic holds this lock").insert(id, address);
        self.book_version.fetch_add(1, Ordering::Release);
        self.wake.notify_one();
    }

    pub(crate) fn remove_peer(&self, id: NodeId) {
        self.book.lock().expect("no panic holds this lock").remove(&id);
        self.book_version.fetch_add(1, Ordering::Release);
        self.wake.notify_one();
    }

    pub(crate) fn book_version(&self) -> u64 {
        self.book_version.load(Ordering::Acquire)
    }

    pub(crate) fn book(&self) -> BTreeMap<NodeId, String> {
        self.book.lock().expect("no panic holds this lock").clone()
    }

    /// The peer has just shown that it is alive: the next attempt need not wait for the rest of the pause.
    pub(crate) fn poke(&self, id: NodeId) {
        if let Some(peer) = self.peers.lock().expect("no panic holds this lock").get(&id) {
            peer.poke.notify_one();
        }
    }

    /// Bytes of messages received on a connection from that peer.
    pub(crate) fn count_in(&self, from: NodeId, bytes: u64) {
        self.tallies.bytes_in.add(bytes);
        if let Some(peer) = self.peers.lock().expect("no panic holds this lock").get(&from) {
            peer.bytes_in.add(bytes);
        }
    }

    /// Logs why a link failed; rarely, because a peer may be away for days.
    pub(crate) fn log_link(&self, what: &'static str, with: Option<NodeId>, address: &str, error: &LinkError) {
        let reason = error.reason();
        let node = with.map_or(0, |id| id.0);
        if let Some(suppressed) = self.limiter.admit(reason, node, self.clock.now(), LINK_LOG_INTERVAL) {
            let peer = with.map_or_else(|| String::from("a stranger"), |id| id.to_string());
            match error {
                // This happens whenever a peer restarts.
                LinkError::Connect { .. } | LinkError::Closed | LinkError::Io(_) | LinkError::Superseded => {
                    tracing::info!(node = %self.me, %peer, address, suppressed, "{what}: {error}");
                }
                _ => tracing::warn!(node = %self.me, %peer, address, suppressed, "{what}: {error}"),
            }
        }
    }
}
