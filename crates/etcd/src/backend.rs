//! The backend of the door, and the door's configuration.

use std::sync::Arc;
use std::time::Duration;
use volvox_replica::{Command, View};

/// The node's command queue is full: the command was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overloaded;

/// A replica as seen by a door. Its events return through [`crate::Dispatcher::on_event`].
pub trait Backend: Clone + Send + Sync + 'static {
    /// Passes a command to the replica.
    ///
    /// # Errors
    /// [`Overloaded`] when the node does not keep up; the command was not taken.
    fn command(&self, command: Command) -> Result<(), Overloaded>;

    /// The newest view of the replica. It was published before the events of the step that created it.
    fn view(&self) -> Arc<View>;

    /// The node's counters, for `/metrics`.
    fn counters(&self) -> Counters {
        Counters::default()
    }
}

/// The configuration of a door.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--max-request-bytes`. Messages may be half a MiB larger: the replica refuses what does not fit in an entry.
    pub request_bytes_max: usize,
    /// `--max-txn-ops`.
    pub txn_operations_max: usize,
    /// The shortest life of a lease, in seconds (book/src/etcd.md#6.1).
    pub lease_ttl_seconds_min: i64,
    /// How long an election may take. After three of these without a leader, streams that asked for one end.
    pub election_timeout: Duration,
    /// `--bcrypt-cost`: how dear the hash of a new password is.
    pub bcrypt_cost: u32,
    /// How many connections are served at a time.
    pub connections_max: usize,
    /// How many calls one connection may have open.
    pub streams_max: u32,
    /// How many bytes of unfinished messages are held over all connections.
    pub unfinished_bytes_max: usize,
    /// A client that does not finish a head or a unary request in this time is cut off.
    pub read_timeout: Duration,
    /// How long a connection may be silent before it is pinged.
    pub ping_interval: Duration,
    /// The time-out of the answer to that ping.
    pub ping_timeout: Duration,
    /// How long calls may take to end after the order to stop.
    pub stop_timeout: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            request_bytes_max: 1_572_864,
            txn_operations_max: 128,
            lease_ttl_seconds_min: 2,
            election_timeout: Duration::from_secs(1),
            bcrypt_cost: 10,
            connections_max: 8192,
            streams_max: 65_536,
            unfinished_bytes_max: 256 << 20,
            read_timeout: Duration::from_secs(20),
            ping_interval: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(20),
            stop_timeout: Duration::from_secs(5),
        }
    }
}

impl Options {
    /// The largest message that is read at all (book/src/etcd.md#12).
    pub fn message_bytes_max(&self) -> usize {
        self.request_bytes_max + 524_288
    }
}

/// The counters of a node, since the process began, except for those marked as current.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Steps, in which entries are applied among other things, that took long.
    pub slow_applies: u64,
    /// Leases that expired.
    pub leases_expired: u64,
    /// Bytes written to the log.
    pub log_bytes: u64,
    /// Seconds of each fsync of the log.
    pub log_syncs: Histogram,
    /// Seconds of each checkpoint write.
    pub checkpoint_writes: Histogram,
    /// The other members.
    pub peers: Vec<PeerCounters>,
}

/// A node's counters about one peer.
#[derive(Clone, Debug, Default)]
pub struct PeerCounters {
    /// The peer.
    pub id: u64,
    /// Current: whether there is a connection.
    pub connected: bool,
    /// Connections lost.
    pub disconnects: u64,
    /// Messages handed to its connection.
    pub sent: u64,
    /// Bytes sent to it.
    pub sent_bytes: u64,
    /// Bytes received from it.
    pub received_bytes: u64,
    /// Messages dropped because the send queue was full.
    pub dropped: u64,
    /// The last measured round trip, in seconds.
    pub round_trip: Option<f64>,
}

/// How often a value fell at or below each of some bounds.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// The upper bounds, ascending.
    pub bounds: Vec<f64>,
    /// How many values fell in each bucket: one for each bound, and one beyond the last.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: f64,
}
