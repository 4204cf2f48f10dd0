//! The counters of a node.

use std::sync::atomic::{AtomicU64, Ordering};
use volvox_core::{Duration, Incarnation, NodeId};

/// Counters of one node since it started. A snapshot: the fields are read one after another.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counters {
    /// Turns of the node loop.
    pub turns: u64,
    /// Steps of the process.
    pub steps: u64,
    /// Steps that took longer than 5 ms.
    pub slow_steps: u64,
    /// The longest of these.
    pub longest_step: Duration,
    /// Batches of records that the disk acknowledged.
    pub batches: u64,
    /// Records in these.
    pub records: u64,
    /// Times that a full disk refused a batch or a checkpoint.
    pub disk_full: u64,
    /// The time that the disk thread worked.
    pub disk_busy: Duration,
    /// The duration of batches, fdatasync included.
    pub batch_writes: Latencies,
    /// The duration of pieces of checkpoints.
    pub checkpoint_writes: Latencies,
    /// The counters of the log.
    pub log: volvox_disk::Counters,
    /// Bytes of the log since the last checkpoint.
    pub log_live_bytes: u64,
    /// Messages handed up from connections.
    pub messages_in: u64,
    /// Messages given to connections.
    pub messages_out: u64,
    /// Bytes of messages read.
    pub bytes_in: u64,
    /// Bytes written to connections.
    pub bytes_out: u64,
    /// Messages dropped because a send queue was full.
    pub dropped_full: u64,
    /// Messages to nodes whose address is unknown.
    pub dropped_unroutable: u64,
    /// Messages over the limit for one frame.
    pub dropped_oversized: u64,
    /// Received messages that a fault dropped.
    pub dropped_by_faults: u64,
    /// Commands refused because too many waited.
    pub commands_refused: u64,
    /// Connections that were accepted on the peer port.
    pub connections_accepted: u64,
    /// Connections on the peer port that ended before they were a link, for any reason.
    pub connections_refused: u64,
    /// Links closed because of a bad frame.
    pub bad_frames: u64,
}

/// The upper bounds of the buckets of [`Latencies`], in milliseconds, each twice the one before.
pub const LATENCY_BOUNDS_MS: [u64; 14] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];

/// A histogram of durations.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Latencies {
    /// The number of durations up to each bound and above the one before; the last is for longer ones.
    pub counts: [u64; LATENCY_BOUNDS_MS.len() + 1],
    /// All of them together.
    pub sum: Duration,
}

/// The same, moved by the thread that measures.
#[derive(Debug, Default)]
pub(crate) struct LatencyTally {
    counts: [Tally; LATENCY_BOUNDS_MS.len() + 1],
    sum_nanos: Tally,
}

impl LatencyTally {
    pub(crate) fn add(&self, took: Duration) {
        let bucket = LATENCY_BOUNDS_MS.iter().position(|bound| took <= Duration::from_millis(*bound));
        self.counts[bucket.unwrap_or(LATENCY_BOUNDS_MS.len())].add(1);
        self.sum_nanos.add(volvox_core::time::nanos(took));
    }

    pub(crate) fn get(&self) -> Latencies {
        Latencies {
            counts: std::array::from_fn(|bucket| self.counts[bucket].get()),
            sum: Duration::from_nanos(self.sum_nanos.get()),
        }
    }
}

/// One link as the node sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerStatus {
    /// The peer.
    pub id: NodeId,
    /// The address at which it is dialled.
    pub address: String,
    /// Whether our connection to it is up.
    pub connected: bool,
    /// Whether its connection to us is up.
    pub hears: bool,
    /// The incarnation that it last reported.
    pub incarnation: Option<Incarnation>,
    /// The last round trip of a ping.
    pub round_trip: Option<Duration>,
    /// The messages that wait to be sent.
    pub queued_bytes: usize,
    /// Messages given to its link.
    pub sent: u64,
    /// Bytes written to the connection to it.
    pub bytes_out: u64,
    /// Bytes of the messages that it sent.
    pub bytes_in: u64,
    /// Messages dropped because its queue was full.
    pub dropped: u64,
    /// How often the link was established.
    pub connects: u64,
    /// Why the last attempt failed or the last link ended.
    pub last_error: Option<String>,
}

macro_rules! tallies {
    ($($name:ident),* $(,)?) => {
        /// The counters that several threads move.
        #[derive(Debug, Default)]
        pub(crate) struct Tallies { $(pub(crate) $name: Tally,)* }
        impl Tallies {
            pub(crate) fn snapshot(&self) -> Counters {
                Counters { $($name: self.$name.get(),)* ..Counters::default() }
            }
        }
    };
}

tallies!(
    turns,
    steps,
    slow_steps,
    batches,
    records,
    disk_full,
    log_live_bytes,
    messages_in,
    messages_out,
    bytes_in,
    bytes_out,
    dropped_full,
    dropped_unroutable,
    dropped_oversized,
    dropped_by_faults,
    commands_refused,
    connections_accepted,
    connections_refused,
    bad_frames,
);

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Tally(AtomicU64);

impl Tally {
    pub(crate) fn add(&self, count: u64) {
        if count > 0 {
            self.0.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
